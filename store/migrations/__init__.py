"""How the schema came to be, revision by revision (Alembic).

A revision that has landed is never edited, as databases have it. What changes after it is a revision of its own.
"""

HEAD = "0004"
"""The newest revision."""
