"""Versions of the policy file."""

from __future__ import annotations

import pytest

from bot.errors import Stale
from bot.model.records import PolicyFile, PolicyVersion
from store.db import Database
from tests.databases import START

SCRIPTS = {"setup/ä.sh": "#!/bin/sh\necho '&<>'\n"}


async def test_the_newest_version_is_read_as_it_was_written(database: Database) -> None:
    first = PolicyVersion(n=1, at=START, file=PolicyFile())
    newest = PolicyVersion(n=2, at=START, by="U0CLEO", file=PolicyFile(text="# Ü\nadmins: []\n", scripts=SCRIPTS))
    async with database.write() as tx:
        assert await tx.policies.newest() is None
        await tx.policies.add(first)
        await tx.policies.add(newest)
    async with database.read() as tx:
        assert await tx.policies.newest() == newest


async def test_a_version_is_never_overwritten(database: Database) -> None:
    first = PolicyVersion(n=1, at=START, file=PolicyFile(text="admins: []"))
    async with database.write() as tx:
        await tx.policies.add(first)
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.policies.add(PolicyVersion(n=1, at=START, file=PolicyFile()))
    async with database.read() as tx:
        assert await tx.policies.newest() == first
