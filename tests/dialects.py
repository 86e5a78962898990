"""SQLAlchemy's dialects, made once for all engines of a test process.

Each test opens its own database. A new dialect would compile each statement again, and ask the server again for
what it knows of the one before. `share_dialects` replaces both dialects for every engine that is made later.
"""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine.interfaces import CompiledCacheType, Dialect
from sqlalchemy.util import LRUCache

from store.inline_sqlite import InlineDialect

_made: dict[tuple[type[Dialect], str], Any] = {}


class _Shared(Dialect):
    """A dialect of which there is one for each set of arguments."""

    def __new__(cls, **arguments: Any) -> Self:
        key = (cls, repr(sorted(item for item in arguments.items() if item[0] != "dbapi")))
        if key not in _made:
            _made[key] = super().__new__(cls)
        made: Self = _made[key]
        return made

    def __init__(self, **arguments: Any) -> None:
        if not hasattr(self, "compiled_statements"):
            self.compiled_statements: CompiledCacheType = LRUCache(2000)
            self.initialized = False
            super().__init__(**arguments)

    def initialize(self, connection: Connection) -> None:
        """Ask the server what the dialect needs to know, unless an earlier engine did."""
        if not self.initialized:
            super().initialize(connection)
            self.initialized = True

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Let an engine use what the others compiled."""
        assert isinstance(engine.dialect, _Shared)
        engine._compiled_cache = engine.dialect.compiled_statements


class SharedSqlite(_Shared, InlineDialect):
    """SQLite's."""

    supports_statement_cache = True


class SharedPostgres(_Shared, PGDialect_asyncpg):
    """PostgreSQL's."""

    supports_statement_cache = True


def share_dialects() -> None:
    """Give each engine that is made from now on one of the shared dialects."""
    registry.register("sqlite.inline", __name__, SharedSqlite.__name__)
    registry.register("postgresql.asyncpg", __name__, SharedPostgres.__name__)
