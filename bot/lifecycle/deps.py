"""What decisions and steps are given: the store, the clock, the rules, and the outside where it may be asked."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.clock import Clock
from bot.errors import Stale, StoreBusy
from bot.lifecycle.ports.outside import Channels, Market, Prober
from bot.lifecycle.ports.store import Store, Tx
from bot.model.attempt import Attempt
from bot.policy.rules import Rules

T = TypeVar("T")

ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is misread when typed from a screen: i, l, o, 0, 1."""
ID_LENGTH = 5
TRIES = 20
"""How often a decision that lost a race is made anew. Each loss means that somebody else has won."""


@dataclass(frozen=True)
class Deps:
    """What people's decisions need."""

    store: Store
    clock: Clock
    rules: Rules


def _nothing(_: Attempt) -> None:
    return


@dataclass(frozen=True)
class StepDeps(Deps):
    """What steps need besides: the outside."""

    market: Market
    prober: Prober
    channels: Channels
    on_attempt: Callable[[Attempt], None] = _nothing
    """Told of an attempt once what is newly known of it was written."""


async def transact(deps: Deps, decision: Callable[[Tx], Awaitable[T]]) -> T:
    """Runs `decision` in one short transaction, and anew from what is then true where it lost a race.

    Raises what the decision raises, and StoreBusy where the database doesn't take it.
    """
    for _ in range(TRIES):
        try:
            async with deps.store.write() as tx:
                return await decision(tx)
        except Stale:
            continue
    raise StoreBusy("Too many people are changing this at once. Nothing was changed. Try again.")


def new_id(length: int = ID_LENGTH) -> str:
    """A short id that people can read out and type."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(length))
