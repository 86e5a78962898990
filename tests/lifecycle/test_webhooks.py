"""Receivers of webhooks get the story of each rental. Admins learn of a receiver that doesn't accept events."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import Stale
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.notifications import webhook_names
from bot.lifecycle.deps import Deps, Opened
from bot.lifecycle.loops.retention import drop_old
from bot.lifecycle.loops.webhook_outages import note_failing, note_works
from bot.model.account_facts import WEBHOOK_OUTAGES
from bot.model.base import changed
from bot.model.event import EFFECTS, EventKind
from bot.model.machine_use import UsageStatus
from bot.model.message import MessageKind, to_webhook
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.webhook import DROPPED_AFTER, QueuedEvent, WebhookEvent
from bot.policy.team.rules import Rules, Webhook
from store.db import Database
from tests.databases import START, beside
from tests.events import facts_for
from tests.lifecycle.adopting import add_machine, adopt
from tests.lifecycle.leases import destroyed_at
from tests.lifecycle.world import CLEO, DORA, HOOK, HOUR, MINUTE, RULES, Clock, World, world
from tests.outbox import stored_messages
from tests.store import make

E, W = EventKind, WebhookEvent
OTHER = "https://other.example.com/s3cret"


async def names(here: World, rental: Rental, url: str = HOOK) -> list[str]:
    """Return the names of the events that a receiver gets of a rental, in order."""
    sent = [one for one in await here.messages(MessageKind.WEBHOOK) if one.rental_id == rental.id]
    return [(one.body or {})["name"] for one in sent if one.to == to_webhook(url)]


# --- what receivers get


async def test_a_receiver_gets_the_story_of_a_machine_until_its_end(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR)
    rental = await here.extend(rental, HOUR)
    await destroyed_at(here, rental)
    story = await names(here, rental)
    assert story[:4] == [W.REQUESTED, W.STARTING, W.READY, W.END_CHANGED]
    assert story[-2:] == [W.ENDING, W.ENDED]
    assert set(story[4:-2]) == {W.ENDS_SOON}


async def test_a_receiver_gets_the_story_of_a_request_that_is_denied(here: World) -> None:
    rental = await here.get(count=8, lease=24 * HOUR)
    assert await names(here, rental) == [W.APPROVAL_REQUESTED]
    await here.deny(rental)
    assert await names(here, rental) == [W.APPROVAL_REQUESTED, W.ENDED]


async def test_a_changed_request_tells_whether_it_needs_approval(here: World) -> None:
    rental = await here.get(count=8)
    await here.rent(await here.ask(count=8, lease=2 * HOUR, changes=rental.id))
    await here.rent(await here.ask(count=1, changes=rental.id))
    story = await names(here, rental)
    assert story == [W.APPROVAL_REQUESTED, W.APPROVAL_REQUESTED, W.REQUESTED, W.STARTING]


async def test_the_story_of_an_adopted_machine_begins_when_it_is_ready(here: World) -> None:
    rental = await adopt(here, await add_machine(here), ends_at=here.now + 2 * HOUR)
    assert await names(here, rental) == [W.READY]
    await here.destroy(rental, CLEO)
    await here.pass_time(HOUR)
    assert await names(here, rental) == [W.READY, W.ENDING, W.ENDED]


async def test_each_receiver_gets_only_the_events_that_the_policy_names(sqlite_url: str) -> None:
    webhooks = (Webhook(url=HOOK), Webhook(url=OTHER, events=(W.ENDED, W.READY)))
    async with world(sqlite_url, rules=changed(RULES, webhooks=webhooks)) as here:
        rental = await here.destroy(await here.ready())
        await here.pass_time(HOUR)
        assert await names(here, rental, OTHER) == [W.READY, W.ENDED]
        assert await names(here, rental) == [W.REQUESTED, W.STARTING, W.READY, W.ENDING, W.ENDED]


READY = make.rental(state=State.READY)
MOVED = make.next_of(READY, lease=make.lease(START + 9 * HOUR))


def named(before: Rental, after: Rental, *kinds: EventKind, **facts: Any) -> list[WebhookEvent | None]:
    events = tuple(make.event(kind, facts=facts_for(kind, **facts)) for kind in kinds)
    return webhook_names(make.unchecked(before, after, events=events))


def test_every_way_to_move_the_end_is_one_event() -> None:
    assert named(READY, MOVED, E.KEPT) == [W.END_CHANGED]
    assert named(READY, MOVED, E.OWNER_CHANGED) == [W.END_CHANGED]
    assert named(READY, MOVED, E.EXTENDED, E.TEAMMATE_ADDED) == [W.END_CHANGED, None]
    assert named(READY, MOVED, E.ENDING, E.END_MOVED) == [W.ENDS_SOON, W.END_CHANGED]
    assert named(READY, MOVED, E.JOB_DONE) == [W.JOB_ENDED]
    assert named(READY, make.next_of(READY), E.KEPT) == [None]


def test_only_the_event_after_which_a_rental_is_over_is_its_last() -> None:
    for kind, end in ((E.LOST, State.LOST), (E.EXPIRED, State.EXPIRED), (E.DENIED, State.DENIED)):
        assert named(READY, make.next_of(READY, state=end), kind) == [W.ENDED]
        assert named(READY, make.next_of(READY, state=State.DESTROYING), kind) == [W.ENDING]


def test_only_an_idle_machine_is_reported_as_idle() -> None:
    for status in UsageStatus:
        idle = [W.IDLE] if status is UsageStatus.IDLE else [None]
        assert named(READY, READY, E.USE_CHANGED, status=status) == idle


def test_the_page_about_the_api_lists_every_name_that_an_event_can_have() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(rental\.\w+)` \| ", page, re.MULTILINE)
    assert listed == [name.value for name in W]
    given = {effects.webhook for effects in EFFECTS.values()} | {W.ENDING, W.END_CHANGED}
    assert given == {None, *W}


# --- receivers that don't accept events


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


def deps_of(database: Database, clock: Clock, *urls: str) -> Deps:
    rules = Rules(admins=(CLEO.id, DORA.id), webhooks=tuple(Webhook(url=url) for url in urls))
    return Deps(store=database, clock=clock, rules=rules, opened=Opened(at=START, real=START))


async def fail(deps: Deps, why: str = "status 503", url: str = OTHER) -> None:
    async with deps.store.write() as tx:
        event = QueuedEvent(
            message_id=1, url=url, rental_id="k7mq2", number=1, name=W.READY, at=START, due_at=START, tries=0
        )
        await note_failing(tx, deps, event, why, unavailable=True)


async def work(deps: Deps, url: str = OTHER) -> None:
    async with deps.store.write() as tx:
        await note_works(tx, deps, url)


async def alerts(database: Database) -> list[tuple[str, EventKind]]:
    async with database.engines.reader.connect() as conn:
        found = [one for one in await stored_messages(conn) if one.kind is MessageKind.ALERT]
    async with database.read() as tx:
        events = [await tx.events.get(one.event_id or 0) for one in found]
    return [(one.to.value, event.kind) for one, event in zip(found, events, strict=True) if event is not None]


async def test_admins_learn_once_of_a_receiver_that_fails_and_once_that_it_works(
    database: Database, clock: Clock
) -> None:
    """A restart or another process doesn't repeat the alerts."""
    deps = deps_of(database, clock, OTHER, HOOK)
    other = replace(deps, store=beside(database))
    await fail(deps, "no connection")
    clock.put(START + 14 * MINUTE)
    await fail(other)
    await fail(deps, url=HOOK)
    assert await alerts(database) == []
    clock.put(START + 15 * MINUTE)
    await fail(other)
    clock.put(START + 90 * MINUTE)
    await fail(deps)
    failing = [(CLEO.id, E.WEBHOOK_FAILS), (DORA.id, E.WEBHOOK_FAILS)]
    assert (await alerts(database))[:2] == failing
    async with database.read() as tx:
        event = await tx.events.get(1)
    assert event is not None
    facts = {"host": "other.example.com", "since": START, "until": START + DROPPED_AFTER, "detail": "status 503"}
    assert dict(event.facts) == facts
    await work(other)
    await work(deps)
    assert await alerts(database) == [*failing, (CLEO.id, E.WEBHOOK_WORKS), (DORA.id, E.WEBHOOK_WORKS)]

    # The next outage begins anew.
    await fail(deps)
    clock.put(START + 105 * MINUTE)
    await fail(deps)
    assert (await alerts(database))[4:] == failing


async def test_a_short_outage_of_a_receiver_causes_no_alert(database: Database, clock: Clock) -> None:
    deps = deps_of(database, clock, OTHER)
    for minute in range(0, 60, 10):
        clock.put(START + minute * MINUTE)
        await fail(deps)
        await work(deps)
    assert await alerts(database) == []


async def test_events_are_dropped_a_day_later_even_if_nothing_sends_them(database: Database, clock: Clock) -> None:
    """Without the secret, nothing sends them. Receivers that the policy no longer names are forgotten."""
    deps = deps_of(database, clock, HOOK)
    rental = await make.store_rental(database)
    async with database.write() as tx:
        for url in (HOOK, OTHER):
            for kind in (E.APPROVED, E.ACCEPTED):
                event_id = await tx.events.add(make.event(kind))
                await tx.messages.add(
                    make.message(
                        MessageKind.WEBHOOK,
                        rental.id,
                        to=f"hook:{url}",
                        event_id=event_id,
                        body={"name": "rental.ready"},
                        webhook_due_at=START,
                    )
                )
    await fail(deps)
    await fail(deps, url=HOOK)
    clock.put(START + timedelta(days=1))
    await drop_old(deps)
    later = clock.now()
    async with database.read() as tx:
        assert await tx.webhooks.next(OTHER) is None
        assert await tx.webhooks.next(HOOK) is not None
        assert set(await tx.account.all(WEBHOOK_OUTAGES)) == {HOOK}
    clock.put(later + MINUTE)
    await drop_old(deps)
    async with database.read() as tx:
        assert await tx.webhooks.next(HOOK) is None


async def test_the_events_of_a_refused_change_are_not_queued(here: World) -> None:
    rental = await here.ready()
    stale = changed(rental, version=rental.version - 1)
    before = await names(here, rental)
    with pytest.raises(Stale):
        async with here.database.write() as tx:
            await apply(tx, here.deps, Change(stale, make.next_of(stale), (make.event(E.GPU_FAULT, rental.id),)))
    assert await names(here, rental) == before
