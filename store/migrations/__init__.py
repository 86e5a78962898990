"""The revisions of the schema (Alembic). Ids sort in their order: `v0100` is that of 0.1.0.

A released revision is never edited, because databases have it already. Each later change is a new revision.
"""

FIRST = "v0100"
"""The oldest revision, that of the first release. Databases of revisions before it are refused."""
HEAD = "v0600"
"""The newest revision."""
