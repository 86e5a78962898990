"""The revisions of the schema (Alembic). Their IDs sort in order: `v0100` belongs to release 0.1.0.

A released revision is never edited, because there are databases that have run it. Every later change is a new
revision.
"""

FIRST = "v0100"
"""The oldest revision, from the first release. Databases with an older one are refused."""
HEAD = "v0603"
"""The newest revision."""
