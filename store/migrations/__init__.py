"""The revisions of the schema (Alembic).

A released revision is never edited, because databases have it already. Each later change is a new revision.
"""

HEAD = "0008"
"""The newest revision."""
