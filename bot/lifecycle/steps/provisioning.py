"""From accepted to ready: ask the market first, judge time-outs second."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.case import Case
from bot.lifecycle.desk import Works
from bot.lifecycle.machine import alter, move
from bot.lifecycle.money import hourly
from bot.lifecycle.ports import OfferProgress
from bot.lifecycle.steps.lookup import look
from bot.lifecycle.steps.pace import POLL, again_at, poll_at, soonest
from bot.lifecycle.steps.procuring import give_up, note_overdue
from bot.lifecycle.steps.tending import marked_as_overdue
from bot.model.attempt import NAMED, Attempt, Resource, Why
from bot.model.event import EventKind, Facts
from bot.model.state import State
from bot.policy.leases import ask_at, notices_past
from bot.policy.spending import left_to_get_ready, paid_lease

KNOCK_AGAIN = timedelta(seconds=3)
KNOCK_AT_MOST = timedelta(minutes=2)
"""Real time for which an SSH banner is looked for; then it is told as silent."""


async def provision(works: Works, case: Case) -> Case:
    """Asks how far it is; gives up on it when the vendor failed or took too long."""
    attempt = case.live
    now = works.clock.now()
    if attempt is None or attempt.delete_wanted:
        # Its deletion was accepted, or it vanished before it was ready.
        lost = case.attempts[-1]
        if not marked_as_overdue(lost):
            return give_up(case, lost, Why.VENDOR_TOOK_IT, now)
        return note_overdue(works, give_up(case, lost, Why.TOO_SLOW, now), lost)
    try:
        seen = [resource.status != NAMED for resource in case.resources_of(attempt)]
        if seen and all(seen):
            progress = await works.market.progress(attempt.offer.offer_id)
        else:
            # What bills is written down as soon as it shows, whatever becomes of it.
            case, progress = await look(works, case, attempt)
            attempt = case.attempts[-1]
    except MarketAway as away:
        return _later(case, again_at(now, away))
    if not attempt.live:
        return give_up(case, attempt, Why.VENDOR_FAILED, now, progress.detail)
    if progress.ready and progress.all_running:
        case, done = await _open_door(works, case, attempt)
        if done:
            return case
    elif progress.failed:
        return give_up(case, attempt, Why.VENDOR_FAILED, now, progress.detail)
    else:
        case = case.now_is(case.rental.model_copy(update={"quiet_since_real": None}))
    case = _note_progress(case, attempt, progress)
    deadline = _deadline(works, case, attempt, now)
    quiet_since = case.rental.quiet_since_real
    knocking = quiet_since is not None and works.clock.real() - quiet_since < KNOCK_AT_MOST
    if now >= deadline and not knocking:
        return give_up(case, attempt, Why.TOO_SLOW, now, progress.progress)
    if knocking:
        return _later(case, now + KNOCK_AGAIN)
    return _later(case, soonest(poll_at(now), deadline))


def _later(case: Case, due_at: datetime | None) -> Case:
    return case.now_is(case.rental.model_copy(update={"due_at": due_at}))


def _deadline(works: Works, case: Case, attempt: Attempt, now: datetime) -> datetime:
    """Until when it may take: the rules' time-out, and no longer than the envelope's total can pay for."""
    envelope = case.rental.envelope
    rate = hourly(case.resources_of(attempt), attempt)
    left = left_to_get_ready(envelope.total, case.spent(now).amount, rate, envelope.lease, works.rules)
    return min((case.rental.accepted_at or now) + works.rules.procure.provision_timeout, now + left)


def _note_progress(case: Case, attempt: Attempt, progress: OfferProgress) -> Case:
    if progress.progress == case.rental.progress:
        return case
    return case.now_is(alter(case.rental, progress=progress.progress))


async def _open_door(works: Works, case: Case, attempt: Attempt) -> tuple[Case, bool]:
    """Reads address and port and looks for an SSH banner; says whether that decided something."""
    reachable = _reachable(case, attempt)
    knocked = case.rental.quiet_since_real is not None
    # Knocking again needs no new address so soon, and each look is a change that the card shows.
    if reachable is None or not knocked or works.clock.now() - reachable.read_at >= POLL:
        try:
            case, _ = await look(works, case, attempt)
        except MarketAway:
            return case, False
        reachable = _reachable(case, attempt)
    if reachable is None or reachable.host is None:
        return case, False
    port = reachable.port or 22
    if await works.prober.banner(reachable.host, port):
        return _ready(works, case, reachable, silent=False), True
    since = case.rental.quiet_since_real or works.clock.real()
    if works.clock.real() - since >= KNOCK_AT_MOST:
        return _ready(works, case, reachable, silent=True), True
    return case.now_is(case.rental.model_copy(update={"quiet_since_real": since})), False


def _reachable(case: Case, attempt: Attempt) -> Resource | None:
    alive = [r for r in case.resources_of(attempt) if r.gone_at is None]
    return next((r for r in alive if r.host is not None), None)


def _ready(works: Works, case: Case, resource: Resource, *, silent: bool) -> Case:
    now, rental, attempt = works.clock.now(), case.rental, case.attempts[-1]
    envelope, rate = rental.envelope, hourly(case.resources_of(attempt), attempt)
    # Whole, but where it bills more than was offered, or was made while nobody was here to see it.
    ends_at = now + paid_lease(envelope.total, case.spent(now).amount, rate, envelope.lease, works.rules)
    after = move(
        rental,
        State.READY,
        host=resource.host,
        port=resource.port or 22,
        rate=rate,
        ready_at=now,
        ends_at=ends_at,
        ask_at=ask_at(now, 0, works.rules),
        seen_at=now,
        notices_given=notices_past(ends_at, now, works.rules),
        progress="",
        quiet_since_real=None,
        due_at=now,
    )
    facts = Facts(
        vendor=attempt.offer.vendor,
        vendor_region=attempt.offer.vendor_region,
        rate=after.rate,
        span=now - (rental.procuring_since or attempt.intended_at),
        since=attempt.intended_at,
        until=ends_at,
        gpu=attempt.offer.gpu,
        count=attempt.offer.count,
    )
    if silent:
        case = case.tell(EventKind.SILENT, now, facts)
    return case.now_is(after).tell(EventKind.READY, now, facts)
