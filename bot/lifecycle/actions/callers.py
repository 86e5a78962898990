"""Finds the token with which a program or a Slack app asks for something, and the token's owner.

A program sends the secret of its token with each request. For a Slack app, the policy names the token. Everything
that either of them does is an action of the token's owner, so the code of these actions checks the same rules as
for people.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errors import InvalidToken, StoreBusy
from bot.lifecycle.deps import Deps
from bot.model.base import EVER
from bot.model.person import Person
from bot.model.token import Token
from bot.policy.access.token_secret import hash_of, is_hash_of, is_secret
from bot.policy.team.roles import may_use
from bot.policy.team.token_terms import works
from store.db import Tx

NOTE_USE_EVERY = timedelta(minutes=1)
"""The shortest time between two writes of a token's last use. A busy program would otherwise cause many writes."""


@dataclass(frozen=True)
class Caller:
    """The token with which a program asks for something, and the token's owner."""

    token: Token
    person: Person

    @property
    def name(self) -> str:
        """The name of the program for people, such as `nightly eval (Ana)`. Untrusted text."""
        return f"{self.token.name} ({self.person.name})"


async def caller_of(deps: Deps, secret: str) -> Caller:
    """Return the token to which a secret belongs, and note that the token was used.

    Raises InvalidToken if the secret is unknown, or if its token doesn't work now: before its terms are approved,
    after its end, or because its owner isn't allowed to use the bot.
    """
    if not is_secret(secret):
        raise InvalidToken
    now = deps.clock.now()
    async with deps.store.read() as tx:
        token = await tx.tokens.of_secret(hash_of(secret))
        if token is None or not is_hash_of(token.secret_hash, secret):
            raise InvalidToken
        caller = await _caller(tx, deps, token, now)
    await _note_use(deps, token, now)
    return caller


async def caller_named(deps: Deps, owner: str, name: str) -> Caller:
    """Return the token that a Slack app uses, and note that the token was used.

    `owner` is the Slack ID of the token's owner, and `name` is the token's name. Both are in the policy. Raises
    InvalidToken if this person has no token with this name, or if the token doesn't work now.
    """
    now = deps.clock.now()
    async with deps.store.read() as tx:
        named = [one for one in await tx.tokens.live(owner) if one.name.casefold() == name.casefold()]
        if not named:
            raise InvalidToken
        caller = await _caller(tx, deps, named[0], now)
    await _note_use(deps, caller.token, now)
    return caller


async def _note_use(deps: Deps, token: Token, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at >= NOTE_USE_EVERY:
        # The request itself may still succeed if the database accepts no writes, for example if it only reads.
        with suppress(StoreBusy):
            async with deps.store.write(durable=False) as tx:
                await tx.tokens.note_use(token.id, now)


async def caller_now(tx: Tx, deps: Deps, token_id: str) -> Caller:
    """Return a token that works now, and its owner, read in the caller's transaction.

    Call this in every transaction that acts for a program, because the token may have been stopped or changed
    since the program sent its secret. Raises InvalidToken.
    """
    token = await tx.tokens.get(token_id)
    if token is None:
        raise InvalidToken
    return await _caller(tx, deps, token, deps.clock.now())


async def _caller(tx: Tx, deps: Deps, token: Token, now: datetime) -> Caller:
    owner = await tx.people.get(token.owner, EVER)
    if not works(token, now) or owner is None or not may_use(owner, deps.rules):
        raise InvalidToken
    return Caller(token, owner)
