"""The policy files that came into force: versions are added and read, never changed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.model.records import PolicyVersion
from store.mapping import fetch_first, insert_new, values
from store.tables import policy_versions

_NEWEST = select(policy_versions).order_by(policy_versions.c.n.desc()).limit(1)


class Policies:
    """The policy files that came into force."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def newest(self) -> PolicyVersion | None:
        """Return the version that is in force. Return None before the first one is stored."""
        return await fetch_first(self._conn, PolicyVersion, _NEWEST)

    async def add(self, version: PolicyVersion) -> None:
        """Write the next version. Raise Stale if its number is in use."""
        if not await insert_new(self._conn, policy_versions, values(version)):
            raise Stale
