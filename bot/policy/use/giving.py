"""Transfers of idle machines to people who ask for them, and the remaining lease and cost of such machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import TooLate
from bot.model.attempt import Attempt
from bot.model.base import Frozen, changed
from bot.model.event import Event, EventKind, OpenQuestion, open_question, resolved_by
from bot.model.facts import PersonFacts
from bot.model.machine_use import UsageStatus
from bot.model.money import Micros, cost_at_most
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import Over
from bot.model.text import one_line
from bot.policy.buying.offers import fits
from bot.policy.buying.spending import needs_approver
from bot.policy.team.rules import Rules

ASK_EVERY = timedelta(hours=1)
"""The time during which nobody can ask for a machine because somebody has just asked for it."""
TAKE_WITHIN = timedelta(hours=1)
"""The time during which a person can accept a machine that its owner offers them."""
LEAST_LEFT = timedelta(minutes=30)
"""The shortest remaining time of a machine that people can ask for, or that can be transferred."""


def is_idle(rental: Rental, now: datetime) -> bool:
    """Return whether colleagues can ask for a machine, because it is idle and still has some time left.

    A machine that a program rented can't change its owner, so nobody can ask for it.
    """
    return (
        rental.state is State.READY
        and rental.use is not None
        and rental.use.status is UsageStatus.IDLE
        and rental.replaced_by is None
        and rental.program is None
        and rental.running_lease.ends_at - now >= LEAST_LEFT
    )


def fits_request(attempt: Attempt, request: Request) -> bool:
    """Return whether the machine that a purchase (attempt) brought matches a request.

    The price is ignored, because the machine is already being paid for. A machine that wasn't rented through the
    bot never matches, because its region is unknown.
    """
    offer = attempt.offer
    return offer is not None and fits(offer, changed(request.query, max_gpu_rate=None))


def asked_last(events: Iterable[Event], now: datetime) -> Event | None:
    """Return the most recent event in which a colleague asked the owner to hand over the machine.

    None if nobody did so within the last ASK_EVERY.
    """
    found = [event for event in events if event.kind is EventKind.ASKED_FOR and now - event.at < ASK_EVERY]
    return found[-1] if found else None


def who_waits(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the people who asked for the machine and haven't had an answer yet, without duplicates."""
    asked = [event for event in events if event.kind is EventKind.ASKED_FOR]
    return tuple(dict.fromkeys(one.actor for one in asked if one.actor and resolved_by(one, events) is None))


def is_given(event: Event, events: Sequence[Event], now: datetime) -> bool:
    """Return whether the recipient named in a GIVEN event can still accept the machine."""
    return now - event.at < TAKE_WITHIN and resolved_by(event, events) is None


def given_to(person_id: str, events: Sequence[Event], now: datetime) -> Event | None:
    """Return the event by which the machine was offered to a person.

    None if it wasn't offered to them, or if they can no longer accept it.
    """
    event = open_question(events, OpenQuestion.TAKE)
    mine = event is not None and isinstance(event.facts, PersonFacts) and person_id in event.facts.people
    return event if mine and event is not None and is_given(event, events, now) else None


class Left(Frozen):
    """The remaining time and cost of a machine."""

    rate: Decimal
    """USD per hour."""
    ends_at: datetime
    """The end of the lease. If the end is flexible, the latest time at which the lease can end."""
    total: Micros
    """The highest possible remaining cost, including the grace period after the end of the lease.

    If the machine is kept when the owner's `/root/on-ending.sh` fails, the cost of that time is included too.
    """
    over: tuple[Over, ...]
    """The reasons why a new owner would need an approver."""


def left_of(rental: Rental, now: datetime, rules: Rules) -> Left:
    """Return the remaining time and cost of a ready machine.

    Args:
        rules: The rules for the possible new owner of the machine (see `rules_of_owner`).
    """
    lease = rental.running_lease
    rate = rental.rate_at_most
    ends_at = lease.latest_end or lease.ends_at
    total = cost_at_most(rate, max(lease.paid_until - now, timedelta(0)) + rules.lease.grace)
    over = needs_approver(rental.gpu or rental.terms.gpu, rental.request.count, rate, total, rules)
    return Left(rate=rate, ends_at=ends_at, total=total, over=over)


def check_givable(rental: Rental, attempts: Iterable[Attempt], now: datetime) -> None:
    """Refuse a transfer of a machine that can't get a new owner at the moment.

    A machine can't be transferred in these cases:

    - It isn't ready.
    - A program rented it, and counts on it.
    - It is being replaced or destroyed.
    - It ends soon.
    - An extension is waiting for approval.

    Raises TooLate.
    """
    marked = any(attempt.live and attempt.marked_for_deletion for attempt in attempts)
    why = ""
    if rental.state.over:
        why = "has ended"
    elif rental.state is State.DESTROYING or marked:
        why = "is being destroyed"
    elif rental.state is not State.READY:
        why = "isn't ready yet"
    elif rental.replaced_by is not None:
        why = f"is being replaced by {rental.replaced_by}"
    elif rental.program is not None:
        why = f"was rented by a program with the token {one_line(rental.program.token_name, 40)}"
    elif rental.extension is not None:
        why = "waits for approval of more time"
    elif (rental.running_lease.latest_end or rental.running_lease.ends_at) - now < LEAST_LEFT:
        why = "ends in less than 30 min"
    if why:
        raise TooLate(f"{rental.id} {why}, so it can't get a new owner. Nothing was changed.", rental.id)
