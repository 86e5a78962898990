"""The dependencies of services and steps, and the transaction in which they decide and write."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from bot.clock import Clock
from bot.errors import Mistake, NextStep, OverBudget, Stale, StoreBusy
from bot.lifecycle.outside import Channels, Directory, Market, Prober
from bot.model.attempt import Attempt
from bot.model.base import EVER
from bot.model.records import PolicyVersion
from bot.model.rental import Rental
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Rules
from store.db import Database, Tx

T = TypeVar("T")
P = ParamSpec("P")
D = TypeVar("D", bound="Deps")

COMPARED_WITHIN = timedelta(minutes=2)
"""For how long after the database was opened nothing is ended or bought for a rental whose messages are not yet
compared with Slack. If the comparison takes longer, Slack doesn't answer."""

ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without the characters that are misread when typed from a screen: i, l, o, 0, 1."""
ID_LETTERS = "".join(character for character in ID_ALPHABET if character.isalpha())
ID_LENGTH = 5
TRIES = 20
"""How often a decision that lost a race is tried. Each lost race means that another decision was committed."""


def random_id(length: int = ID_LENGTH) -> str:
    """Return a new short id that people can read out and type. It begins with a letter, so that the `2h45m` in
    `/gpu extend 2h45m` is a length and no id.
    """
    return secrets.choice(ID_LETTERS) + "".join(secrets.choice(ID_ALPHABET) for _ in range(length - 1))


@dataclass
class RulesInForce:
    """The rules that this process uses for what begins now. They are replaced by
    bot/lifecycle/loops/policy_versions.py.
    """

    rules: Rules
    source: PolicySource
    version: PolicyVersion | None = None
    """The version in the store that has these rules. None before they are stored."""
    wrong: tuple[str, ...] = ()
    """What is wrong with the file, if these rules hold because of that. A line for each mistake."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from reading the file until its rules are stored: of two readers, the later one has the newer file."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the rules changed."""


@dataclass
class Opened:
    """When this process's current, uninterrupted access to the database began.

    After an interruption, as after a start, the database may be a backup, or a standby that was promoted.
    """

    at: datetime = EVER
    """By our clock."""
    real: datetime = EVER
    """In real time."""
    swept: bool = True
    """Whether the account was compared with the store since then. Nothing is bought before that."""
    gone: set[str] = field(default_factory=set)
    """The resources that the first look since then did not find."""

    def again(self, clock: Clock) -> None:
        """Begin again: the process starts, or the database is there again."""
        self.at, self.real, self.swept = clock.now(), clock.real(), False
        self.gone.clear()


@dataclass(frozen=True)
class Deps:
    """The dependencies of services."""

    store: Database
    clock: Clock
    rules: Rules
    """The rules of this step, click or pass, from its beginning to its end: see `with_newest_rules`."""
    in_force: RulesInForce | None = field(default=None, kw_only=True)
    """None: the rules never change."""
    probe_line: str = field(default="", kw_only=True)
    """The line of authorized_keys that lets the probe's key run its script."""
    opened: Opened = field(default_factory=Opened, kw_only=True)
    claimed: str | None = field(default=None, kw_only=True)
    """The id of the row whose claim this work has. What it writes of that row is refused if the claim was lost."""
    may_claim: Callable[[], bool] = field(default=lambda: True, kw_only=True)
    """Whether this machine's clock can be trusted. If not, this process claims no rows and does nothing that
    people ask of it."""
    on_over_budget: Callable[[], None] = field(default=lambda: None, kw_only=True)
    """Called with each request that is refused because of a budget."""
    new_id: Callable[[int], str] = field(default=random_id, kw_only=True)
    """Makes a short id of this length."""

    @property
    def just_opened(self) -> bool:
        """Whether the database was opened so recently that messages may still be compared with Slack. The time
        must be short by both clocks: in a sandbox, ours can be faster than real time.
        """
        clock, opened = self.clock, self.opened
        return max(clock.now() - opened.at, clock.real() - opened.real) < COMPARED_WITHIN


@dataclass(frozen=True)
class StepDeps(Deps):
    """The dependencies of steps: those of services, and the outside."""

    market: Market
    prober: Prober
    channels: Channels
    directory: Directory
    on_attempt: Callable[[Attempt], None] = lambda _: None
    """Called with an attempt after its new state was written."""
    claim_lasts: Callable[[], bool] = lambda: True
    """Whether the claim under which a step runs surely lasts for one more call. If not, nothing is bought or
    deleted: another process may be working on the rental."""
    ahead_of_witnesses: Callable[[], Sequence[timedelta]] = tuple
    """By how much this machine's clock is ahead of Compute Clear's and of Slack's, as far as their answers of the
    last ten minutes tell."""
    sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held during a sweep, so that there is one at a time in this process."""


def with_newest_rules(deps: D) -> D:
    """Return the dependencies for a step, a click or a pass that begins now: they have the rules that are in force
    now. Whatever lives longer than one of these calls this each time before it looks at the rules.
    """
    in_force = deps.in_force
    return deps if in_force is None or in_force.rules is deps.rules else replace(deps, rules=in_force.rules)


async def transact(
    deps: Deps, decision: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **more: P.kwargs
) -> T:
    """Run `decision` with these arguments in one short transaction, and return its result. Run it again if it lost
    a race.

    The transaction has the spending lock from its start: what the decision reads includes what earlier ones wrote,
    and all transactions take the lock before any row.

    Raise what the decision raises, and StoreBusy if the database doesn't take it.
    """
    for _ in range(TRIES):
        try:
            async with deps.store.write() as tx:
                await tx.rentals.lock_spending()
                return await decision(tx, *args, **more)
        except Stale:
            continue
        except OverBudget:
            deps.on_over_budget()
            raise
    raise StoreBusy("Too many people are changing this at once. Nothing was changed. Try again.")


async def known_rental(tx: Tx, rental_id: str, next_step: NextStep = NextStep.LIST_YOURS) -> Rental:
    """Return a rental. Raise Mistake, with the `next_step`, if the id is unknown."""
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=next_step)
    return rental


async def free_id(tx: Tx, deps: Deps) -> str:
    """Return a new id that no rental has."""
    while await tx.rentals.get(rental_id := deps.new_id(ID_LENGTH)) is not None:
        pass
    return rental_id
