"""A ready machine: is it still there, is it still needed, does its lease end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.case import Case
from bot.lifecycle.desk import Works
from bot.lifecycle.finish import finish, known_bill
from bot.lifecycle.money import hourly
from bot.lifecycle.ports import OfferProgress, ResourceView
from bot.lifecycle.steps.lookup import read
from bot.lifecycle.steps.pace import JITTER, poll_at, soonest
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.model.state import State
from bot.policy.leases import PROMISED, ask_at, may_end, next_notice, notices_past, overdue_at

CHECK_EVERY = timedelta(minutes=3)
CHECK_AGAIN = timedelta(seconds=30)
"""A step that runs for another reason looks at the machine too, if the last look is older."""


async def run(works: Works, case: Case) -> Case:
    """One look at everything that can be due for a machine in use."""
    if _ended_as_overdue(works, case):
        return _ends(case, works.clock.now())
    case = await _check(works, case)
    now = works.clock.now()
    if case.rental.state is State.READY:
        case = _notice(works, case, now)
        case = _ask(works, case, now)
        case = await _end(works, case, now)
    if case.rental.state is not State.READY:
        return case
    return case.now_is(case.rental.model_copy(update={"due_at": _next(works, case, now)}))


def _next(works: Works, case: Case, now: datetime) -> datetime | None:
    rental = case.rental
    read_at = [r.read_at for r in case.resources if r.gone_at is None]
    missing = any(r.missing_since for r in case.resources if r.gone_at is None)
    check = poll_at(now) if missing or not read_at else max(min(read_at) + CHECK_EVERY, now + CHECK_AGAIN) + JITTER
    if rental.ends_at is None:
        return soonest(check, rental.ask_at)
    if rental.ends_at <= now:
        # In its last grace: nothing is asked or announced any more.
        return soonest(check, poll_at(now))
    return soonest(
        check, rental.ask_at, rental.ends_at, next_notice(rental.ends_at, rental.notices_given, works.rules)
    )


# --- is it there


async def _check(works: Works, case: Case) -> Case:
    attempt = case.live
    now = works.clock.now()
    if attempt is None:
        return _lost(case, now)
    alive = [r for r in case.resources_of(attempt) if r.gone_at is None]
    if any(now - r.read_at < CHECK_AGAIN and r.missing_since is None for r in alive):
        return case
    views: dict[str, ResourceView | None] = {}
    try:
        for resource in alive:
            view = await works.market.resource(resource.resource_id)
            if view is None or view.deleted:
                # The cache alone ends nothing: ask the vendor.
                view = await works.market.resource(resource.resource_id, fresh=True)
            views[resource.resource_id] = view
        missing = any(view is None for view in views.values())
        progress = await works.market.progress(attempt.offer.offer_id) if missing else OfferProgress(found=True)
    except MarketAway:
        return case
    case = read(case, attempt, views, progress, now) if views else case
    if case.live is None:
        return _ends(case, now) if _ended_as_overdue(works, case) else _lost(case, now)
    rate = hourly(case.resources_of(attempt), attempt)
    return case if rate == case.rental.rate else case.now_is(case.rental.model_copy(update={"rate": rate}))


def _lost(case: Case, now: datetime) -> Case:
    """The vendor took every resource."""
    rental, bill = case.rental, case.spent(now)
    facts = Facts(
        end=State.LOST,
        why=Why.VENDOR_TOOK_IT,
        **known_bill(bill, case.attempts),
        rate=rental.rate,
        vendor=rental.vendor,
        span=_ran(case, now),
    )
    # Where an attempt from before it was ready is still being deleted, the end comes once that is gone.
    after, _ = finish(rental, State.LOST, attempts=case.attempts, at=now, bill=bill, why=Why.VENDOR_TOOK_IT)
    return case.now_is(after, Event(rental_id=rental.id, kind=EventKind.LOST, at=now, facts=facts))


def _ran(case: Case, now: datetime) -> timedelta:
    starts = [row.started_at for row in case.ledger]
    ends = [row.ended_at for row in case.ledger]
    return max(ends) - min(starts) if starts and ends else now - (case.rental.ready_at or now)


# --- is it needed


def _notice(works: Works, case: Case, now: datetime) -> Case:
    rental = case.rental
    if rental.ends_at is None or rental.ends_at <= now:
        return case
    past = notices_past(rental.ends_at, now, works.rules)
    if past <= rental.notices_given:
        return case
    case = case.now_is(rental.model_copy(update={"notices_given": past}))
    return case.tell(EventKind.ENDING, now, _ending_facts(case, rental.ends_at, now))


def _ending_facts(case: Case, until: datetime, now: datetime) -> Facts:
    bill = case.spent(now)
    minutes = -((now - until) // timedelta(minutes=1))
    return Facts(
        until=until,
        span=timedelta(minutes=minutes),
        rate=case.rental.rate,
        amount=bill.amount,
        estimated=bill.estimated,
    )


def _ask(works: Works, case: Case, now: datetime) -> Case:
    rental = case.rental
    if works.rules.check_in.after is None or rental.ask_at is None:
        # The rules may have changed since the moment was stored. A past moment at which nobody is asked would keep
        # the rental due for ever.
        planned = ask_at(rental.seen_at or now, 0, works.rules)
        return replace(case, rental=rental.model_copy(update={"ask_at": planned}))
    if rental.ask_at > now or (rental.ends_at is not None and rental.ends_at <= now):
        return case
    if rental.asked_times != PROMISED:
        if rental.ends_at is not None and rental.notices_given >= len(works.rules.lease.notices) > 0:
            # The last notice of its end asks the same, so this would be a second ping.
            return replace(case, rental=rental.model_copy(update={"ask_at": rental.ends_at}))
        quiet_until = ask_at(rental.seen_at or now, rental.asked_times, works.rules)
        if quiet_until is not None and quiet_until > now:
            return replace(case, rental=rental.model_copy(update={"ask_at": quiet_until}))
    asked = max(rental.asked_times, 0) + 1
    bill = case.spent(now)
    facts = Facts(
        span=now - (rental.seen_at or now), amount=bill.amount, estimated=bill.estimated, rate=rental.rate
    )
    after = rental.model_copy(update={"asked_times": asked, "ask_at": ask_at(now, asked, works.rules)})
    return case.now_is(after).tell(EventKind.STILL_NEEDED, now, facts)


# --- does it end


async def _end(works: Works, case: Case, now: datetime) -> Case:
    rental = case.rental
    if rental.ends_at is None or rental.ends_at > now:
        return case
    if rental.extension is not None:
        facts = Facts(until=rental.ends_at, hours=rental.extension.envelope.lease)
        case = case.now_is(rental.model_copy(update={"envelope": rental.unextended, "extension": None}))
        case = case.tell(EventKind.EXTENSION_LAPSED, now, facts)
    told_at, said_at = await _told(works, case, rental.ends_at)
    ends = may_end(rental.ends_at, told_at, said_at, works.rules)
    if ends is None:
        # Nobody could have seen this end: say it, and wait one grace.
        until = now + works.rules.lease.grace
        return case.tell(EventKind.ENDING, now, _ending_facts(case, until, now))
    return case if now < ends else _ends(case, now)


def _ends(case: Case, now: datetime) -> Case:
    bill, why = case.spent(now), Why.LEASE_ENDED
    after, events = finish(case.rental, State.DESTROYED, attempts=case.attempts, at=now, bill=bill, why=why)
    return case.now_is(after, *events)


def _ended_as_overdue(works: Works, case: Case) -> bool:
    """Whether the machine is gone, or marked for deletion, after the moment of the overdue deletion: then its
    lease ended it, and no vendor took it."""
    overdue = overdue_at(case.rental.ends_at, None, works.rules)
    ended = case.live is None or case.live.delete_wanted
    return ended and overdue is not None and overdue <= works.clock.now()


async def _told(works: Works, case: Case, ends_at: datetime) -> tuple[datetime | None, datetime | None]:
    """When its owner first could read of this end, and when the last chance to read it was given."""
    async with works.store.read() as tx:
        events = await tx.events.of(case.rental.id)
        direct = await tx.messages.direct_of(case.rental.id)
    says = {e.id for e in events if e.facts.until == ends_at}
    told = [
        m.posted_at for m in direct if m.event_id in says and m.posted_at is not None and m.to == case.rental.owner
    ]
    # Whoever extends it knows its new end.
    told += [
        e.at for e in events if e.id in says and e.kind is EventKind.EXTENDED and e.actor == case.rental.owner
    ]
    last_chance = [e.at for e in events if e.kind is EventKind.ENDING and e.at >= ends_at]
    return min(told, default=None), min(last_chance, default=None)
