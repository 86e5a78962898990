"""How the schema came to be, revision by revision (Alembic)."""

HEAD = "0001"
"""The newest revision."""
