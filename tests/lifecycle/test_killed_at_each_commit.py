"""SIGKILL before and after each commit of a rental's life: no money is reserved twice or forever."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from bot.clock import MovedClock
from bot.lifecycle.actions import leasing, renting, waiting
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.snapshot import load, save
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.waitlist import look
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.offer import Offer
from bot.model.person import Key, Person
from bot.model.quote import Quote
from bot.model.rental import Ending
from bot.model.state import State
from bot.policy.team.rules import Budgets, Rules, WhenOver
from store.db import Database
from tests.budgets import check_budgets, check_settled
from tests.databases import START
from tests.events import facts_for
from tests.store import make

ANA = Person(id=make.ANA, name="Ana")
HOUR = timedelta(hours=1)
RULES = Rules(
    admins=("U0ADMIN",), home_channel=make.HOME, budgets=Budgets(person=Decimal(50), over=WhenOver.REFUSE)
)
MOST_COMMITS = 20


class OneOffer:
    """A market that has one offer."""

    async def offers(self, _: Any) -> tuple[Offer, ...]:
        return (make.offer(family="H100", region="EU", contract="ondemand"),)


class NobodyChanged:
    async def refresh(self, _: Any) -> None:
        return

    async def ask_anew(self, _: Any) -> bool:
        return True


async def live(url: str, kill_at: int | None, *, before: bool, waits: bool) -> None:
    """Continue the life of a rental from the state in the database until it is destroyed.

    Args:
        kill_at: The number of the commit at which this process is killed. None: it isn't killed.
        before: True to kill the process before that commit, False to kill it after the commit.
        waits: True if the rental first waits for an offer.
    """
    clock = MovedClock(START)
    store = await Database.open(url, claimant="test", clock=clock)
    commit, commits = store._commit, 0

    async def counted(*given: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == kill_at and before:
            os.kill(os.getpid(), signal.SIGKILL)
        await commit(*given)
        if commits == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    store._commit = counted  # type: ignore[assignment, method-assign]
    nothing = cast(Any, None)
    market, directory = cast(Any, OneOffer()), cast(Any, NobodyChanged())
    deps = StepDeps(store, clock, RULES, market=market, prober=nothing, channels=nothing, directory=directory)
    rental_id = await (waited(deps, clock) if waits else rented(deps))
    clock.put(START + HOUR)
    await reach(deps, rental_id, State.READY)
    if waits:
        commits = MOST_COMMITS  # no more kills: from here on, it lives like a rental that did not wait
    snapshot = await load(deps, rental_id)
    if snapshot is not None and snapshot.rental.running_lease.ends_at == START + 4 * HOUR:
        await carry_out(deps, ANA, leasing.Extend(rental_id, HOUR))
    clock.put(START + 3 * HOUR)
    await reach(deps, rental_id, State.DESTROYED)
    await store.close()


async def waited(deps: StepDeps, clock: MovedClock) -> str:
    """Return the ID of the rental that waited for an offer.

    If necessary, put it on the waitlist first and let an offer appear.
    """
    quote = await asked(deps)
    rental_id = quote.rental_id
    if rental_id is None:
        rental_id = ((await carry_out(deps, ANA, waiting.RentWhenFound("q1", gpu_rate=Decimal(9)))).rental).id
    # A process that was killed during the call doesn't repeat the call immediately.
    for moment in (START, START + 2 * RULES.waiting.every):
        clock.put(moment)
        async with deps.store.write() as tx:
            due = await tx.searches.claim(moment, 9, 20)
        for search in due:
            await look(deps, search.id, lambda: True)
    return rental_id


async def rented(deps: StepDeps) -> str:
    """Return the ID of the rental. Rent it first if necessary."""
    quote = await asked(deps)
    if quote.rental_id is not None:
        return quote.rental_id
    return ((await carry_out(deps, ANA, renting.Rent("q1", quote.offers[0].offer_id))).rental).id


async def asked(deps: StepDeps) -> Quote:
    """Return the quote. Store it and its owner first if necessary."""
    async with deps.store.write() as tx:
        quote = await tx.quotes.get("q1")
        if quote is None:
            quote = make.quote("q1")
            await tx.quotes.add(quote)
            await tx.people.put(ANA, START)
            await tx.people.add_key(ANA.id, Key(line="ssh-ed25519 A", comment="", fingerprint="F"))
    return quote


async def reach(deps: StepDeps, rental_id: str, goal: State) -> None:
    """Run the steps of a rental, each with its own commit, until it has reached the state `goal` or is over."""
    order = [State.PROCURING, State.PROVISIONING, State.READY, State.DESTROYING, State.DESTROYED]
    while (snapshot := await load(deps, rental_id)) is not None:
        rental, now = snapshot.rental, deps.clock.now()
        if order.index(rental.state) >= order.index(goal):
            return
        if rental.state is State.PROCURING and not snapshot.attempts:
            attempt = make.attempt(rental_id, offer=make.offer("bought"), intended_at=START)
            snapshot = snapshot.with_facts(attempt).with_rental(
                transitions.begin_attempt(rental, attempt.called_offer, now)
            )
        elif rental.state is State.PROCURING:
            bought = changed(snapshot.attempts[0], state=AttemptState.BOUGHT, accepted=True)
            resource = make.resource(rental_id=rental_id, rate=Decimal("2.15"), valid_from=START)
            after = transitions.accept(rental, now=now, due_at=now)
            snapshot = snapshot.with_facts(bought, (resource,)).with_rental(after)
        elif rental.state is State.PROVISIONING:
            after = transitions.become_ready(
                rental, host="h", port=22, rate=Decimal("2.15"), lease=make.lease(START + 4 * HOUR)
            )
            snapshot = snapshot.with_rental(after)
        elif rental.state is State.READY:
            snapshot = snapshot.with_rental(
                transitions.begin_destroying(rental, Ending(outcome=State.DESTROYED), now)
            )
        elif not snapshot.ledger:
            terminated = changed(snapshot.resources[0], terminated_at=now, valid_to=now)
            snapshot = snapshot.with_facts(
                changed(snapshot.attempts[0], state=AttemptState.TERMINATED), (terminated,)
            )
            snapshot = snapshot.with_event(
                EventKind.ORPHAN_TERMINATED, now, facts_for(EventKind.ORPHAN_TERMINATED)
            )
        else:
            snapshot = snapshot.with_rental(transitions.confirm_destroyed(rental, now))
        await save(deps, snapshot)


def run(url: str, kill_at: int | None, before: bool, waits: bool) -> int:
    """Run `live` in a process of its own, and return its exit status."""
    process = multiprocessing.get_context("forkserver").Process(target=_live, args=(url, kill_at, before, waits))
    process.start()
    process.join()
    return cast(int, process.exitcode)


def _live(url: str, kill_at: int | None, before: bool, waits: bool) -> None:
    asyncio.run(live(url, kill_at, before=before, waits=waits))


async def checked(url: str, *, over: bool) -> None:
    store = await Database.open(url, claimant="check", clock=MovedClock(START))
    await (check_settled(store) if over else check_budgets(store))
    async with store.read() as tx:
        team = await tx.budgets.of_team()
        assert sum(balance.spent for balance in team) in ({6_450_000} if over else {0, 6_450_000})
    await store.close()


@pytest.mark.parametrize(
    ("before", "waits"), [(True, False), (False, False), (False, True)], ids=["before", "after", "waits"]
)
def test_balances_are_right_after_a_kill_and_the_rental_continues(
    tmp_path: Path, before: bool, waits: bool
) -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    statuses = []
    for kill_at in range(1, MOST_COMMITS):
        url = f"sqlite:///{tmp_path}/{kill_at}.db"
        statuses.append(run(url, kill_at, before, waits))
        if statuses[-1] == 0:
            break
        asyncio.run(checked(url, over=False))
        assert run(url, None, before, waits) == 0
        asyncio.run(checked(url, over=True))
    assert statuses[:-1] == [-signal.SIGKILL] * (len(statuses) - 1)
    assert statuses[-1] == 0
    assert len(statuses) > 8
