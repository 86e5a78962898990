"""Logins of programs: who may open one, and when it gets its secret."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import Stale
from bot.model.base import changed
from bot.model.login import Login, SealedSecret
from store.db import Database
from tests.databases import START
from tests.store import make

MINUTE = timedelta(minutes=1)
SEALED = SealedSecret(public_key="cHVi", nonce="bm9u", ciphertext="c2Vj")
LOGIN = Login(
    id="login-1",
    code="KTRWXQMB",
    public_key="a2V5",
    program="gpubot",
    host="build-7",
    address="203.0.113.9",
    created_at=START,
    expires_at=START + 10 * MINUTE,
)


async def test_only_the_person_who_typed_the_code_can_open_the_login_again(database: Database) -> None:
    async with database.write() as tx:
        await tx.logins.add(LOGIN)
        await tx.logins.open(LOGIN.id, make.ANA, "t1", START + 20 * MINUTE)
        await tx.logins.open(LOGIN.id, make.ANA, "t2", START + 25 * MINUTE)
        with pytest.raises(Stale):
            await tx.logins.open(LOGIN.id, make.BEN, "t3", START + 25 * MINUTE)
    async with database.read() as tx:
        opened = changed(LOGIN, person=make.ANA, token_id="t1", expires_at=START + 25 * MINUTE)  # noqa: S106
        assert await tx.logins.of_code("KTRWXQMB") == opened


async def test_a_login_with_its_secret_is_never_opened_or_sealed_again(database: Database) -> None:
    async with database.write() as tx:
        await tx.logins.add(LOGIN)
        await tx.logins.open(LOGIN.id, make.ANA, "t1", START + 20 * MINUTE)
        await tx.logins.seal(LOGIN.id, SEALED, START + 30 * MINUTE)
        for again in (
            tx.logins.open(LOGIN.id, make.ANA, "t1", START + 40 * MINUTE),
            tx.logins.seal(LOGIN.id, SEALED, START + 40 * MINUTE),
        ):
            with pytest.raises(Stale):
                await again
    async with database.read() as tx:
        found = await tx.logins.get(LOGIN.id)
        assert found is not None
        assert (found.secret, found.expires_at) == (SEALED, START + 30 * MINUTE)


async def test_pending_logins_are_counted_and_expired_ones_deleted(database: Database) -> None:
    async with database.write() as tx:
        await tx.logins.add(LOGIN)
        with pytest.raises(Stale):
            await tx.logins.add(changed(LOGIN, id="login-2"))
        await tx.logins.add(changed(LOGIN, id="login-2", code="BBBBBBBB", expires_at=START + 12 * MINUTE))
        assert await tx.logins.pending(START + 11 * MINUTE) == 1
        assert await tx.logins.drop_expired(START + 11 * MINUTE, 10) == 1
    async with database.read() as tx:
        assert await tx.logins.get(LOGIN.id) is None
        assert await tx.logins.get("login-2") is not None
