"""A token of Ana's, and what a program does with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.lifecycle.actions import programs
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.callers import Caller
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.money import micros
from bot.model.person import Key, Person
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.token import Access, Token, TokenState, TokenTerms
from store.db import Database
from tests.lifecycle.world import ANA, World

TOKEN = "t1"  # noqa: S105 - the ID of a token, not a secret
KEY = Key(line="ssh-ed25519 AAAAprogram", comment="", fingerprint="P")


def token(now: datetime, token_id: str = TOKEN, **terms: Any) -> Token:
    """Return a token called `nightly eval` that works now."""
    fields: dict[str, Any] = {
        "access": Access.RENT,
        "models": ("H100",),
        "per_hour": Decimal("10.00"),
        "total": micros(Decimal(200)),
        "at_once": 2,
        "per_day": 6,
        "longest": timedelta(hours=4),
        "until": now + timedelta(days=14),
        **terms,
    }
    return Token(
        id=token_id,
        owner=ANA.id,
        name=f"nightly eval{'' if token_id == TOKEN else f' {token_id}'}",
        state=TokenState.LIVE,
        terms=TokenTerms(**fields),
        secret_hash=f"hash-{token_id}",
        created_at=now,
        last_used_at=now,
    )


async def add_token(here: World, token_id: str = TOKEN, **terms: Any) -> Token:
    """Store a token, and return it."""
    made = token(here.now, token_id, **terms)
    async with here.database.write() as tx:
        await tx.tokens.add(made)
    return made


async def change_token(database: Database, token_id: str = TOKEN, **fields: Any) -> Token:
    """Change a token in the store. Fields that `Token` doesn't have are terms."""
    async with database.write() as tx:
        before = await tx.tokens.get(token_id)
        assert before is not None
        assert before.terms is not None
        own = {name: value for name, value in fields.items() if name in Token.model_fields}
        terms = changed(before.terms, **{name: value for name, value in fields.items() if name not in own})
        return await tx.tokens.save(before, changed(before, terms=terms, **own))


def rent(key: str | None = "run-1", *, token_id: str = TOKEN, **fields: Any) -> programs.RentForProgram:
    """Return the action with which a program rents. Fields that the action doesn't have are the request's."""
    own = {
        name: fields.pop(name) for name in ("reuse", "wait_for", "ssh_public_key", "heartbeat") if name in fields
    }
    request = Request(**{"gpu": "H100", "region": "EU", "lease": timedelta(hours=2), **fields})
    return programs.RentForProgram(token_id, request, key, fingerprint=repr((request, own)), **own)


async def ask(deps: Deps, key: str | None = "run-1", *, person: Person = ANA, **fields: Any) -> Rental:
    """Rent a machine for a program, and return the rental before its search."""
    return (await carry_out(deps, person, rent(key, **fields))).rental


async def rented(here: World, key: str | None = "run-1", **fields: Any) -> Rental:
    """Rent a machine for a program, and return the rental after its search."""
    rental = await ask(here.deps, key, **fields)
    await here.settle()
    return await here.rental(rental.id)


async def caller(here: World, token_id: str = TOKEN) -> Caller:
    async with here.database.read() as tx:
        found = await tx.tokens.get(token_id)
    assert found is not None
    return Caller(found, ANA)
