"""The buttons of the messages about a lost heartbeat."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.lifecycle.changes import lease_changes
from bot.lifecycle.changes.apply import apply
from bot.model.event import Event, EventKind
from bot.model.facts import HeartbeatEndFacts, HeartbeatLostFacts
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.token import LostHeartbeat, WhenLost
from sandbox.slack.default import ANA
from tests.handlers.rental_states import H, running
from tests.handlers.team import NOON, Team, team
from tests.store import make

DM = "D0ANA0000"
MIN = timedelta(minutes=1)


async def told(ours: Team) -> Rental:
    """Return a program's machine whose owner, Ana, is told that its heartbeat is lost."""
    before = await running(ours)
    lost = LostHeartbeat(since=NOON - 20 * MIN, told_at=NOON, back_by=NOON + 15 * MIN)
    after = make.next_of(
        before,
        token_id="tok7a",  # noqa: S106  an ID, not a secret
        program=make.program(lost=WhenLost.END),
        lost_heartbeat=lost,
    )
    facts = HeartbeatLostFacts(since=lost.since, back_by=lost.back_by, amount=0, estimated=False)
    event = Event(rental_id=before.id, kind=EventKind.HEARTBEAT_LOST, at=NOON, facts=facts)
    async with ours.deps.store.write() as tx:
        return await apply(tx, ours.deps, Change(before, after, (event,)))


async def ends_soon(ours: Team) -> Rental:
    """Return a program's machine that ends in 15 minutes, because its heartbeat is lost."""
    before = await told(ours)
    until = NOON + 15 * MIN
    facts = HeartbeatEndFacts(since=NOON - 20 * MIN, until=until, amount=0, estimated=False)
    event = Event(rental_id=before.id, kind=EventKind.HEARTBEAT_ENDS, at=NOON, facts=facts)
    after = lease_changes.end_without_heartbeat(before, until, NOON)
    async with ours.deps.store.write() as tx:
        return await apply(tx, ours.deps, Change(before, after, (event,)))


async def test_keep_restores_the_end_for_an_hour_even_if_clicked_twice(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ends_soon(ours)
        shown = await ours.deliver_until("Copy your results off", channel=DM)
        for _ in range(2):
            await ours.click(ANA, shown, f"Keep {rental.id} for 1 h")
        after = await ours.rental(rental.id)
        assert after.running_lease.ends_at == NOON + 6 * H
        assert after.lost_heartbeat is not None
        assert after.lost_heartbeat.kept_until == NOON + H
        await ours.deliver_until("without a heartbeat until", channel=DM, edited=True)


async def test_end_destroys_the_machine_after_a_confirmation(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await told(ours)
        shown = await ours.deliver_until("Unless it's back by", channel=DM)
        await ours.click(ANA, shown, f"End {rental.id}")
        assert (await ours.rental(rental.id)).state is State.READY
        await ours.submit(ANA)
        assert (await ours.rental(rental.id)).state is State.DESTROYED
