"""Checks of the invariants of a world: they must hold whatever happened in it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from bot.model.attempt import Attempt, AttemptState, LedgerRow, Resource, Why
from bot.model.event import Event, EventKind
from bot.model.gpu import fits_model
from bot.model.message import Message, MessageKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.webhook import WebhookEvent
from bot.policy.buying.resource_names import read_name
from tests.lifecycle.world import FOREVER, HOUR, World

SETTLED = {AttemptState.FAILED, AttemptState.TERMINATED}
ENDINGS = {EventKind.ENDED, EventKind.DENIED, EventKind.EXPIRED, EventKind.WITHDRAWN, EventKind.LOST}
AFTER_THE_END = {
    EventKind.ORPHANED_RESOURCE,
    EventKind.ORPHAN_TERMINATED,
    EventKind.REPLACED,
    EventKind.NOT_CONFIRMED,
    EventKind.ACKNOWLEDGED,
    EventKind.STEP_FAILED,
    EventKind.STEP_WORKS,
    EventKind.DELETED_OVERDUE,
}
EXTENSIONS = frozenset({EventKind.EXTENDED, EventKind.EXTENSION_APPROVED})


async def check(world: World) -> None:
    """Check the store against the account, and each rental against its history."""
    account = await world.outside.look("account")
    lines = {line["resource_id"]: line for line in (await world.outside.look("bill"))["lines"]}
    bought = {offer["offer_id"]: offer for offer in account["offers_bought"]}
    known: dict[str, Resource] = {}
    attempts: dict[str, Attempt] = {}
    sent = await world.messages(MessageKind.WEBHOOK) if world.deps.rules.webhooks else None
    for rental in await world.rentals():
        tried = await world.attempts(rental)
        resources = await world.resources(rental)
        known |= {resource.resource_id: resource for resource in resources}
        attempts |= {attempt.offer.offer_id: attempt for attempt in tried if attempt.offer is not None}
        check_attempts(rental, tried, resources, set(bought))
        events = await world.events(rental)
        check_events(rental, tried, events)
        check_end(rental, [event.kind for event in events])
        if sent is not None:
            check_webhooks(rental, [one for one in sent if one.rental_id == rental.id])
        check_ledger(rental, await world.ledger(rental), lines)
        if rental.state.over and all(attempt.closed for attempt in tried):
            ended = {row.resource_id for row in await world.ledger(rental)}
            assert ended == {r.resource_id for r in resources}
    check_purchases(bought, attempts, await world.calls("procure_offer"))
    for resource in account["resources"]:
        if resource["alive"] and resource["offer_id"] is not None:
            attempt = attempts[resource["offer_id"]]
            rental = await world.rental(attempt.rental_id)
            assert not attempt.closed
            assert not rental.state.over or attempt.orphaned or rental.state is State.LOST
            if rental.state is State.READY and attempt.live:
                assert known[resource["resource_id"]].terminated_at is None


def check_ledger(rental: Rental, ledger: list[LedgerRow], lines: dict[str, Any]) -> None:
    """Check that the ledger of a rental belongs to its owner and agrees with the bill."""
    assert {row.owner for row in ledger} <= {rental.owner}
    check_billed(ledger, lines)


def check_billed(ledger: list[LedgerRow], lines: dict[str, Any]) -> None:
    """Check that the ledger of each resource equals its line of the bill, up to one rounding for each row.

    Estimated rows must not be lower than the bill.
    """
    for resource_id in {row.resource_id for row in ledger}:
        rows = [row for row in ledger if row.resource_id == resource_id]
        assert [row.n for row in rows] == list(range(1, len(rows) + 1))
        assert all(before.ended_at <= after.started_at for before, after in pairwise(rows))
        line = lines.get(resource_id)
        if any(row.estimated for row in rows):
            assert (
                line is None or line["to"] is None or sum(row.amount for row in rows) > line["micros"] - len(rows)
            )
            continue
        if lines[resource_id]["to"] is None:
            continue
        assert abs(sum(row.amount for row in rows) - lines[resource_id]["micros"]) < len(rows)


def check_attempts(rental: Rental, tried: list[Attempt], resources: list[Resource], bought: set[str]) -> None:
    """Check that at most one attempt was live at a time, and none once the rental was over."""
    assert [attempt.n for attempt in tried] == list(range(1, rental.attempts + 1))
    live = [attempt for attempt in tried if attempt.live]
    assert len(live) <= 1
    if rental.state.over:
        assert live == []
    if rental.state is State.READY:
        assert len(live) == 1
    for attempt in tried:
        if attempt.adopted is not None:
            assert (attempt.n, attempt.accepted, attempt.offer, attempt.resource_name) == (1, True, None, None)
            continue
        name = read_name(attempt.resource_name)
        assert name is not None
        assert (name.rental_id, name.n) == (rental.id, attempt.n)
        assert (attempt.state is not AttemptState.FAILED) or attempt.called_offer.offer_id not in bought
        # Earlier attempts for another model had other approved terms. So had those of an earlier search for a
        # program.
        same = attempt.gpu == tried[-1].gpu
        if rental.program is not None and rental.procuring_since is not None:
            same = attempt.intended_at >= rental.procuring_since
        assert not same or attempt.rate <= rental.terms.max_rate or rental.extension is not None
    assert rental.gpu is None or fits_model(rental.gpu, rental.terms.gpu)
    for n, attempt in enumerate(tried):
        if attempt.why is Why.SCRIPT_REFUSED:
            assert attempt.script is not None
            assert all(
                later.script is None or later.script.refused
                for later in tried[n + 1 :]
                if _place(later) == _place(attempt)
            )
    for before, after in pairwise(tried):
        ends = [r.terminated_at for r in resources if r.attempt == before.n and r.terminated_at is not None]
        over_at = before.delete_accepted_at or (max(ends) if ends else None)
        if before.state is not AttemptState.FAILED:
            assert before.orphaned or (over_at is not None and over_at <= after.intended_at)


def _place(attempt: Attempt) -> tuple[str, str | None]:
    return attempt.called_offer.vendor, attempt.called_offer.vendor_region


def check_events(rental: Rental, tried: list[Attempt], events: list[Event[Any]]) -> None:
    """Check that the history begins with a request, fits the attempts, and ends once."""
    kinds = [event.kind for event in events]
    adopted = [attempt for attempt in tried if attempt.adopted is not None]
    begins = {EventKind.STARTED, EventKind.ASKED, EventKind.QUEUED}
    assert kinds[0] in ({EventKind.ADOPTED} if adopted else begins)
    assert all(one.at <= other.at for one, other in pairwise(events))
    assert kinds.count(EventKind.RENTING) == len(tried) - len(adopted)
    assert kinds.count(EventKind.READY) == (rental.lease is not None and not adopted)
    happened = [kind for kind in kinds if kind not in AFTER_THE_END]
    if rental.state.over:
        assert happened[-1] in ENDINGS
        last = [event for event in events if event.kind is happened[-1]][-1]
        assert last.facts.end is rental.state
        assert kinds.count(EventKind.ENDED) <= 1
        assert (rental.due_at is None) == all(attempt.closed for attempt in tried)
    else:
        assert EventKind.ENDED not in kinds
        assert rental.due_at is not None


def check_end(rental: Rental, kinds: list[EventKind]) -> None:
    """Check that a lease that nobody extended ends no later than its owner requested."""
    if rental.lease is not None and not EXTENSIONS & set(kinds):
        assert rental.request.until is None or rental.lease.ends_at <= rental.request.until


def check_webhooks(rental: Rental, sent: list[Message]) -> None:
    """Check that a receiver gets the beginning, the readiness and one end of a rental, in ascending numbers."""
    names = [WebhookEvent((one.body or {})["name"]) for one in sent]
    assert names[0] in {WebhookEvent.REQUESTED, WebhookEvent.APPROVAL_REQUESTED, WebhookEvent.READY}
    assert names.count(WebhookEvent.READY) == (rental.lease is not None)
    assert names.count(WebhookEvent.ENDED) == rental.state.over
    assert WebhookEvent.ENDED not in names[:-1]
    assert all(one.target_version < other.target_version for one, other in pairwise(sent))


def check_purchases(
    bought: dict[str, dict[str, Any]], attempts: dict[str, Attempt], calls: list[dict[str, Any]]
) -> None:
    """Check that no offer was procured twice, and that every purchase belongs to an attempt."""
    asked = [call["body"]["offer_id"] for call in calls]
    assert len(asked) == len(set(asked))
    assert set(asked) <= set(attempts)
    for offer_id, offer in bought.items():
        attempt = attempts[offer_id]
        assert offer["resource_name"] == attempt.resource_name
        assert attempt.state is not AttemptState.FAILED


async def ends_as(world: World, rental: Rental, end: State, within: timedelta = HOUR) -> Rental:
    """Wait until the rental ends in this state.

    Also checks that nothing is running, and that the ledger equals the bill.
    """
    rental = await world.until(rental, end, within=within)
    assert await world.alive() == []
    assert rental.due_at is None
    assert sum(row.amount for row in await world.ledger(rental)) == await world.bill()
    return rental


async def check_delivered(world: World) -> None:
    """Check that no message is waiting for delivery, unless Slack is down."""
    async with world.deps.store.read() as tx:
        assert world.slack_is_down or await tx.messages.due(FOREVER, 10) == []
