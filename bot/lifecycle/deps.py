"""The dependencies of actions and steps, and the function that runs their transactions.

An action is something that people can do. A step is the code that advances a rental.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from bot.clock import Clock
from bot.errors import ClaimLost, Mistake, NextStep, OverBudget, Stale, StoreBusy
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
"""The time in which open messages are compared with Slack after the database was opened.

Until this time has passed, nothing is ended or bought for a rental whose messages haven't been compared yet. A
comparison that takes longer means that Slack isn't responding. The bot then stops waiting.
"""

ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""The characters of short IDs, without those that are easily misread on a screen: i, l, o, 0 and 1."""
ID_LETTERS = "".join(character for character in ID_ALPHABET if character.isalpha())
ID_LENGTH = 5
TOKEN_ID_LENGTH = 12
TRIES = 20
"""The maximum number of times that a decision is tried.

A new try is needed if another transaction has changed the same rows first.
"""


def random_id(length: int = ID_LENGTH) -> str:
    """Return a new short ID that people can read out and type.

    It always begins with a letter, so that the `2h45m` in `/gpu extend 2h45m` can only be a duration.
    """
    return secrets.choice(ID_LETTERS) + "".join(secrets.choice(ID_ALPHABET) for _ in range(length - 1))


@dataclass
class RulesInForce:
    """The policy rules that this process applies to everything that begins now.

    bot/lifecycle/loops/policy_versions.py replaces them when the policy file changes.
    """

    rules: Rules
    source: PolicySource
    version: PolicyVersion | None = None
    """The stored version that contains these rules. None before they are stored."""
    wrong: tuple[str, ...] = ()
    """The mistakes that keep a newer policy file from taking effect, one line each. Empty if there are none."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """The lock that is held from reading the policy file until its rules are stored.

    Without it, an older version of the file could replace a newer one.
    """
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the rules have changed."""


@dataclass
class Opened:
    """The time at which this process last opened the database, and the checks made since then.

    The database is opened when the process starts, and again after each interruption. It can then be a restored
    backup, or a standby that has been promoted.
    """

    at: datetime = EVER
    """The time at which the database was opened, by the bot's clock, which the sandbox can move."""
    real: datetime = EVER
    """The time at which the database was opened, in wall-clock time."""
    swept: bool = True
    """True once the account has been compared with the store. Nothing is bought before that."""
    gone: set[str] = field(default_factory=set)
    """The IDs of resources that were missing or deleted when they were first looked up after that time."""

    def again(self, clock: Clock) -> None:
        """Record that the database was opened or reopened now. The checks made before are forgotten."""
        self.at, self.real, self.swept = clock.now(), clock.real(), False
        self.gone.clear()


@dataclass
class Door:
    """Records since when programs can reach this process over its REST API."""

    open_since: datetime | None = None
    """By the bot's clock. None while the process serves no REST API."""


@dataclass(frozen=True)
class Deps:
    """The dependencies of actions."""

    store: Database
    clock: Clock
    rules: Rules
    """The rules of the current step, click or loop iteration.

    The rules stay the same until that step, click or iteration ends; see `with_newest_rules`.
    """
    in_force: RulesInForce | None = field(default=None, kw_only=True)
    """The rules in force for this process. None if the rules never change."""
    probe_line: str = field(default="", kw_only=True)
    """The line of `authorized_keys` that allows the probe's key to run the probe script and nothing else."""
    opened: Opened = field(default_factory=Opened, kw_only=True)
    door: Door = field(default_factory=Door, kw_only=True)
    claimed: str | None = field(default=None, kw_only=True)
    """The ID of the row that this process has claimed for the current work.

    If another process has claimed the row since, writes to the row are refused.
    """
    may_claim: Callable[[], bool] = field(default=lambda: True, kw_only=True)
    """Returns whether this machine's clock can be trusted.

    If the clock can't be trusted, this process claims no rows and carries out nothing that people request.
    """
    on_over_budget: Callable[[], None] = field(default=lambda: None, kw_only=True)
    """Called each time a request is refused because of a budget."""
    new_id: Callable[[int], str] = field(default=random_id, kw_only=True)
    """Returns a new short ID of the given length."""

    @property
    def listens_since(self) -> datetime | None:
        """The time since which this process can receive heartbeats of programs. None if it can't.

        Receiving them needs the REST API and the database.
        """
        return None if self.door.open_since is None else max(self.door.open_since, self.opened.at)

    @property
    def just_opened(self) -> bool:
        """True if the database was opened so recently that messages may still need to be compared with Slack.

        The time since the opening is measured both by the bot's clock and in wall-clock time, because the bot's
        clock can run faster in a sandbox.
        """
        clock, opened = self.clock, self.opened
        return max(clock.now() - opened.at, clock.real() - opened.real) < COMPARED_WITHIN


@dataclass(frozen=True)
class StepDeps(Deps):
    """The dependencies of steps. A step is the code that advances a rental.

    In addition to the dependencies of actions, these are the protocols in bot/lifecycle/outside.py.
    """

    market: Market
    prober: Prober
    channels: Channels
    directory: Directory
    on_attempt: Callable[[Attempt], None] = lambda _: None
    """Called with an attempt after its new state has been written."""
    claim_lasts: Callable[[], bool] = lambda: True
    """Returns whether the step's claim is certain to last until another call to a service has ended.

    A claim is a process's right to work on the rental for a limited time. If the claim might end during the call,
    the step buys and deletes nothing, because another process may already be working on the rental.
    """
    ahead_of_witnesses: Callable[[], Sequence[timedelta]] = tuple
    """Returns the time by which this machine's clock is ahead of Compute Clear's clock and of Slack's clock.

    The responses of these servers contain their time. If a server hasn't responded for ten minutes, it is left
    out.
    """
    sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    """The lock that is held while this process compares the account with the store."""


def with_newest_rules(deps: D) -> D:
    """Return the dependencies with the newest rules, for a step, click or loop iteration that begins now.

    A loop calls this at the start of each iteration, because the rules may have changed since the last one.
    """
    in_force = deps.in_force
    return deps if in_force is None or in_force.rules is deps.rules else replace(deps, rules=in_force.rules)


async def transact(
    deps: Deps, decision: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **more: P.kwargs
) -> T:
    """Run `decision` with these arguments in one short transaction, and return its result.

    If another transaction changed the same rows first, `decision` is run again, up to `TRIES` times.

    The transaction first takes the spending lock. The decision therefore sees everything that earlier decisions
    wrote, and no deadlock is possible, since all transactions take this lock before they lock any row.

    Raises StoreBusy if the database doesn't accept the change, and any error that `decision` raises.
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


async def check_job(tx: Tx, deps: Deps) -> None:
    """Raise ClaimLost if another process runs the job of `deps` now, such as the delivery of messages.

    If this doesn't raise, no other process can begin the job before this transaction ends.
    """
    if deps.claimed is not None and not await tx.jobs.hold(deps.claimed):
        raise ClaimLost


async def known_rental(tx: Tx, rental_id: str, next_step: NextStep = NextStep.LIST_YOURS) -> Rental:
    """Return a rental by its ID. Raises Mistake, with the advice `next_step`, if the ID is unknown."""
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=next_step)
    return rental


async def free_id(tx: Tx, deps: Deps) -> str:
    """Return a new ID that no rental has yet."""
    while await tx.rentals.get(rental_id := deps.new_id(ID_LENGTH)) is not None:
        pass
    return rental_id
