"""Shares SQLAlchemy's dialects between all engines of a test process.

Each test opens its own database. A new dialect would have to compile every statement again, and would query the
server again for facts that the previous dialect already had. `share_dialects` replaces both dialects for all
engines that are created later.
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
    """A dialect that exists only once for each set of arguments."""

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
        """Query the server for the facts that the dialect needs, unless an earlier engine has already done so."""
        if not self.initialized:
            super().initialize(connection)
            self.initialized = True

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Let an engine use the statements that the others have compiled."""
        assert isinstance(engine.dialect, _Shared)
        engine._compiled_cache = engine.dialect.compiled_statements


class SharedSqlite(_Shared, InlineDialect):
    """The shared dialect of SQLite."""

    supports_statement_cache = True


class SharedPostgres(_Shared, PGDialect_asyncpg):
    """The shared dialect of PostgreSQL."""

    supports_statement_cache = True


def share_dialects() -> None:
    """Make each engine that is created from now on use one of the shared dialects."""
    registry.register("sqlite.inline", __name__, SharedSqlite.__name__)
    registry.register("postgresql.asyncpg", __name__, SharedPostgres.__name__)
