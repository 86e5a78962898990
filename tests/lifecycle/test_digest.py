"""The weekly digest for the home channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bot.lifecycle.money.spend import send_digest
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.message import MessageKind
from bot.model.spend import Digest
from bot.model.state import State
from bot.policy.team.rules import Project, Rules
from tests.lifecycle.world import HOME, HOUR, MINUTE, RULES, TRAINING, World

WEEKLY = changed(RULES, digest=(0, 9 * 60), projects={"vision": Project(channels=(TRAINING,))})
MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
WEEK = timedelta(days=7)


def with_rules(here: World, rules: Rules) -> None:
    here.restart(replace(here.deps, rules=rules))


async def digests(here: World) -> list[Digest]:
    """Run the job. Return all digests that have been sent to the home channel so far."""
    await send_digest(here.deps)
    await here.settle()
    events = [event for event in await here.account_history() if event.kind is EventKind.DIGEST]
    alerts = [one for one in await here.messages(MessageKind.ALERT) if one.to.value == HOME]
    assert [one.event_id for one in alerts] == [event.id for event in events]
    return [event.facts.digest for event in events]


async def test_each_week_with_rentals_gets_one_digest(here: World) -> None:
    with_rules(here, WEEKLY)
    assert await digests(here) == [], "the first one is the next that is due"
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    billed = await here.bill()
    await here.pass_time(MONDAY - 10 * MINUTE - here.now)
    assert await digests(here) == []
    running = await here.ready(lease=10 * HOUR)
    await here.pass_time(MONDAY - here.now)
    for _ in range(3):
        (digest,) = await digests(here)
    assert (digest.first, digest.last) == (date(2026, 11, 23), date(2026, 11, 29))
    assert [(one.project, one.spent.amount, one.running) for one in digest.projects] == [("vision", billed, 1)]
    assert (digest.spent.rentals, digest.running, digest.rate) == (1, 1, running.rate)
    assert digest.forecast is not None
    await here.until(await here.destroy(running), State.DESTROYED)
    await here.pass_time(MONDAY + WEEK - here.now)
    assert len(await digests(here)) == 2
    await here.pass_time(MONDAY + 2 * WEEK - here.now)
    assert len(await digests(here)) == 2, "nothing was rented"


async def test_a_machine_with_an_unconfirmed_deletion_does_not_count_as_running(here: World) -> None:
    with_rules(here, WEEKLY)
    await digests(here)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    await here.pass_time(MONDAY - 10 * MINUTE - here.now)
    rental = await here.ready()
    await here.behaves("hyperstack", "not_deleting", seconds=60 * 60)
    await here.destroy(rental)
    await here.pass_time(MONDAY - here.now)
    (digest,) = await digests(here)
    assert (digest.running, digest.rate, digest.not_confirmed) == (0, Decimal(0), 1)


async def test_after_a_downtime_only_the_latest_digest_is_sent(here: World) -> None:
    with_rules(here, WEEKLY)
    assert await digests(here) == []
    await here.pass_time(MONDAY - here.now - HOUR)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    await here.pass_time(2 * WEEK)
    rental = await here.ready()
    await here.until(await here.destroy(rental), State.DESTROYED)
    here.jump(WEEK + 3 * HOUR)
    (digest,) = await digests(here)
    assert (digest.first, digest.spent.rentals) == (date(2026, 12, 14), 1)
    assert digest.rate == Decimal(0)


async def test_after_digests_are_switched_on_again_the_next_one_is_sent(here: World) -> None:
    with_rules(here, WEEKLY)
    assert await digests(here) == []
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    with_rules(here, RULES)
    assert await digests(here) == []
    here.jump(MONDAY + HOUR - here.now)
    with_rules(here, WEEKLY)
    assert await digests(here) == []
