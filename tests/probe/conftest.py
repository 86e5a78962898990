"""Provides both kinds of database to tests."""

from tests.databases import clock, database, postgres, url

__all__ = ["clock", "database", "postgres", "url"]
