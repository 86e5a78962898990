"""When the owner of a ready machine is asked next, and who else is notified that nobody answers.

A machine has one next question, whatever its reason. Every time is of our clock, which the sandbox can move.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.model.base import changed
from bot.model.machine_use import NOT_COMPUTING, UsageStatus, Use
from bot.model.money import Micros, cost, cost_at_most, micros, time_for
from bot.model.rental import Asked, Lease, Question, Rental
from bot.model.state import State
from bot.policy.team.hours import Availability, next_within, next_within_any
from bot.policy.team.rules import Rules
from bot.policy.use.end_notices import last_notice_at, may_ask_at
from bot.policy.use.leases import ask_after

GAP = timedelta(hours=1)
"""The shortest time between two questions about a machine, whatever their reasons."""
EXTENSION_SILENCE = timedelta(hours=2)
"""How long an extension silences questions if the rules have no `check_in.after`."""
URGENT_APPROVERS_AFTER = timedelta(hours=1)
"""The longest time after an urgent question until the approvers are notified."""
APPROVERS_AGAIN = timedelta(hours=24)
"""How long after a notification that nobody answers the approvers are notified again."""


def is_urgent(rental: Rental, rules: Rules) -> bool:
    """Return whether a machine is so expensive that its first question doesn't wait for its owner's hours."""
    return rental.rate is not None and rental.rate >= rules.idle.urgent_per_hour


# --- the next question


def next_question(lease: Lease, use: Use | None, rate: Decimal | None, rules: Rules) -> datetime | None:
    """Return the earliest time of the next question, without the owner's hours. `rate` is in USD per hour.

    Return None if only a change leads to a question: the machine is in use, the rules switch the question off, or
    the last notice of the end, which asks the same, comes first.
    """
    if use is not None and use.status in NOT_COMPUTING:
        at = _not_computing_at(lease, use, rate, rules)
    elif use is not None and use.status is UsageStatus.IN_USE:
        at = None
    else:
        at = _check_in_at(lease, use, rules)
    if at is None:
        return None
    asked, quiet_until = lease.question.asked, lease.question.quiet_until
    not_before = [asked.last_at + GAP] if asked else []
    not_before += [quiet_until] if quiet_until else []
    return _before_last_notice(lease, max([at, *not_before]), rules)


def in_hours(
    at: datetime, lease: Lease, use: Use | None, *, urgent: bool, zone: ZoneInfo, rules: Rules
) -> datetime | None:
    """Return when the question that is due now, at `at`, may be asked: in the hours of its owner, whose zone is
    `zone`, and not close to a notice of the lease's end. The first question about a spell doesn't wait for the
    hours if the machine is urgent. Return None if the last notice of the end comes first.
    """
    waits = not urgent or asked_about(lease.question, use) is not None
    allowed = next_within(at, zone, rules.hours) if waits else at
    # Notices are planned one by one, so only a question that is due now is compared with them.
    return _before_last_notice(lease, may_ask_at(lease, at, rules) if allowed == at else allowed, rules)


def _not_computing_at(lease: Lease, use: Use, rate: Decimal | None, rules: Rules) -> datetime | None:
    """Return when `idle` asks the owner of an idle or connected machine next."""
    asked = asked_about(lease.question, use)
    if asked is not None and asked.times > 0:
        again = rules.idle.again[: asked.times][-1:]
        return asked.last_at + again[0] if again else None
    if use.status is UsageStatus.CONNECTED:
        return use.since + rules.idle.connected
    if rate is None:
        return use.since
    # Don't ask about a machine so cheap that it would take longer than its lease to cost enough.
    enough = cost_at_most(rate, lease.ends_at - use.since) >= micros(rules.idle.ask_from)
    return use.since + time_for(rules.idle.ask_from, rate) if enough else None


def _check_in_at(lease: Lease, use: Use | None, rules: Rules) -> datetime | None:
    """Return when `check_in` asks the owner of a machine that can't be seen into next."""
    question = lease.question
    asked = asked_about(question, use)
    times = asked.times if asked else 0
    after = ask_after(times, rules)
    if after is None:
        return None
    if times == 0 and _is_promised(question, use):
        return question.quiet_until
    signs = [lease.seen_at, *([use.since] if use else []), *([asked.last_at] if asked else [])]
    return max(signs) + after


def _is_promised(question: Question, use: Use | None) -> bool:
    """Return whether an answer named the time of the next question about a machine that can't be seen into. If the
    bot still saw into the machine at that time, the machine was in use, so the answer no longer counts.
    """
    if not question.promised or question.quiet_until is None:
        return False
    return use is None or use.since <= question.quiet_until


def asked_about(question: Question, use: Use | None) -> Asked | None:
    """Return what was asked about the spell of this verdict. A spell is identified by its start."""
    asked = question.asked
    return asked if asked is not None and asked.about == idle_period_of(use) else None


def idle_period_of(use: Use | None) -> datetime | None:
    """Return when the spell of a verdict began. That is earlier than the verdict if work interrupted the spell for
    a moment. Return None if there is no verdict.
    """
    return None if use is None else use.idle_period or use.since


def _before_last_notice(lease: Lease, at: datetime, rules: Rules) -> datetime | None:
    last = last_notice_at(lease, rules)
    return None if at >= last else at


# --- what a question and an answer change


def after_asking(question: Question, use: Use | None, now: datetime) -> Question:
    """Return the question with one about this spell asked `now`."""
    asked = asked_about(question, use)
    if asked is None or asked.first_at is None:
        return Question(asked=Asked(about=idle_period_of(use), last_at=now, first_at=now))
    return Question(asked=changed(asked, last_at=now, times=asked.times + 1))


def after_answer(question: Question, quiet_until: datetime, *, promised: bool) -> Question:
    """Return the question after somebody answered: nothing is asked before `quiet_until`."""
    return Question(quiet_until=quiet_until, promised=promised, asked=_answered(question.asked))


def _answered(asked: Asked | None) -> Asked | None:
    """Return what was asked, as answered: the next question is the first again, and nobody else is notified."""
    return asked and changed(asked, times=0, first_at=None, on_card=False, approvers_at=None)


def for_new_owner(question: Question) -> Question:
    """Return the question for the new owner of a machine, who was asked nothing. The earlier owner's answers no
    longer silence anything, but the next question still comes GAP after the last.
    """
    return Question(asked=_answered(question.asked))


def after_extension(question: Question, now: datetime, rules: Rules) -> Question:
    """Return the question after somebody extended the lease. A later time that an answer named stays."""
    quiet_until = now + (rules.check_in.after or EXTENSION_SILENCE)
    earlier = question.quiet_until
    if earlier is not None and earlier > quiet_until:
        return after_answer(question, earlier, promised=question.promised)
    return after_answer(question, quiet_until, promised=False)


def asks_again_at(lease: Lease, *, zone: ZoneInfo, rules: Rules) -> datetime:
    """Return when the owner is asked again after an answer, or the end of the lease if that comes first."""
    asked = lease.question.asked
    at = max([lease.question.quiet_until or lease.seen_at, *([asked.last_at + GAP] if asked else [])])
    return _before_last_notice(lease, next_within(at, zone, rules.hours), rules) or lease.ends_at


# --- nobody answers


def unanswered(rental: Rental, use: Use | None) -> Asked | None:
    """Return what was asked about the present spell of an idle or connected machine, if nobody answered."""
    if rental.lease is None or use is None or use.status not in NOT_COMPUTING:
        return None
    asked = asked_about(rental.lease.question, use)
    return asked if asked is not None and asked.first_at is not None else None


def is_on_card(rental: Rental) -> bool:
    """Return whether the card says that nobody answers the question about an idle or connected machine."""
    asked = unanswered(rental, rental.use)
    return rental.state is State.READY and asked is not None and asked.on_card


def on_card_at(asked: Asked, rules: Rules) -> datetime | None:
    """Return when the card says that nobody answers. Return None if it says that already, or never does."""
    if asked.on_card or asked.first_at is None or rules.idle.channel_after is None:
        return None
    return asked.first_at + rules.idle.channel_after


def approvers_notified_at(asked: Asked, lease: Lease, *, urgent: bool, rules: Rules) -> datetime | None:
    """Return the earliest time at which the approvers are notified that nobody answers, without their hours.
    Return None if the last notice of the end comes first.
    """
    if asked.first_at is None:
        return None
    after = rules.idle.approvers_after
    first = asked.first_at + (min(after, URGENT_APPROVERS_AFTER) if urgent else after)
    at = first if asked.approvers_at is None else asked.approvers_at + APPROVERS_AGAIN
    return _before_last_notice(lease, at, rules)


def approvers_in_hours(
    at: datetime, lease: Lease, approvers: Collection[Availability], rules: Rules
) -> datetime | None:
    """Return when the approvers may receive a notification that is due at `at`: in the hours of one of them.
    Return None if the last notice of the end comes first.
    """
    return _before_last_notice(lease, next_within_any(at, approvers, rules.hours), rules)


def idle_cost(use: Use, rate: Decimal | None, now: datetime) -> Micros | None:
    """Return what a spell has cost until now, at the present rate. Return None if the rate is unknown."""
    return None if rate is None else cost(rate, now - use.since)
