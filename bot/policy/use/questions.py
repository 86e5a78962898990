"""Decides when to ask the owner of a ready machine whether it is still needed, and when to involve other people.

If nobody answers, the rental's card says so. The card is the rental's message in the channel. If there is still no
answer, the approvers are notified. All times are bot time, not wall-clock time. The sandbox can move bot time.
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
"""The time after an extension in which the bot asks no question, if the rules have no `check_in.after`."""
URGENT_APPROVERS_AFTER = timedelta(hours=1)
"""The longest time from a question about an urgent machine until the approvers are notified.

A machine is urgent if it is expensive.
"""
APPROVERS_AGAIN = timedelta(hours=24)
"""If the owner still hasn't answered, the approvers are notified once more after this time."""


def is_urgent(rental: Rental, rules: Rules) -> bool:
    """Return whether a machine is urgent, that is, expensive.

    The first question to the owner about an urgent machine can come outside the owner's working hours.
    """
    return rental.rate is not None and rental.rate >= rules.idle.urgent_per_hour


# --- the next question


def next_question(
    lease: Lease, use: Use | None, rate: Decimal | None, rules: Rules, *, job_counts_until: datetime | None = None
) -> datetime | None:
    """Return the earliest time of the next question. The result can be outside the owner's working hours.

    None in these cases:

    - The machine is in use.
    - The rules switch this question off.
    - The question would come after the last notice of the lease's end. That notice already asks the owner whether
      the machine is still needed.

    Args:
        rate: The machine's price in USD per hour. None if unknown.
        job_counts_until: The time until which a running job postpones questions. None if no job is running.
    """
    if use is not None and use.status in NOT_COMPUTING:
        at = _not_computing_at(lease, use, rate, rules)
        at = max(at, job_counts_until) if at is not None and job_counts_until is not None else at
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
    """Return the time at which to ask the owner a question that is due at `at`.

    The question waits for the owner's working hours. If the machine is expensive, the first question about an idle
    period doesn't wait for them.

    The question also keeps a distance from the notices of the lease's end. If the question could only be asked
    after the last notice, the result is None.

    Args:
        at: The current time, at which the question is due.
        urgent: True if the machine is expensive, as in `is_urgent`.
        zone: The owner's time zone.
    """
    waits = not urgent or asked_about(lease.question, use) is not None
    allowed = next_within(at, zone, rules.hours) if waits else at
    # If the question has to wait for the owner's working hours, don't call `may_ask_at` now. That function only
    # keeps the question apart from the next notice of the lease's end, and this notice may be long past when the
    # question is due. It is called again at that time.
    return _before_last_notice(lease, may_ask_at(lease, at, rules) if allowed == at else allowed, rules)


def _not_computing_at(lease: Lease, use: Use, rate: Decimal | None, rules: Rules) -> datetime | None:
    """Return the time of the next question to the owner of a machine whose GPUs aren't computing.

    The `idle` rules of the policy determine this time.
    """
    asked = asked_about(lease.question, use)
    if asked is not None and asked.times > 0:
        again = rules.idle.again[: asked.times][-1:]
        return asked.last_at + again[0] if again else None
    if use.status is UsageStatus.CONNECTED:
        return use.since + rules.idle.connected
    if rate is None:
        return use.since
    # Don't ask before the idle time has cost the amount of the policy key `idle.from`. If the lease ends before
    # that, don't ask at all.
    enough = cost_at_most(rate, lease.ends_at - use.since) >= micros(rules.idle.ask_from)
    return use.since + time_for(rules.idle.ask_from, rate) if enough else None


def _check_in_at(lease: Lease, use: Use | None, rules: Rules) -> datetime | None:
    """Return the time of the next `check_in` question to the owner of a machine that can't be probed."""
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
    """Return whether the bot still has to ask the owner at `quiet_until`, as it promised.

    If the current usage status began after `quiet_until`, the promise no longer applies.
    """
    if not question.promised or question.quiet_until is None:
        return False
    return use is None or use.since <= question.quiet_until


def asked_about(question: Question, use: Use | None) -> Asked | None:
    """Return the record of the questions about the current idle period, or None if there were none.

    An idle period is identified by its start.
    """
    return question.asked if question.asked is not None and is_about(question.asked, use) else None


def is_about(asked: Asked, use: Use | None) -> bool:
    """Return whether questions were about the idle period to which a usage status belongs.

    A message about the end of a job can take the place of the first question. The message was about the idle
    period that had begun when the message was sent.
    """
    period = idle_period_of(use)
    if asked.after_job and asked.about is not None and period is not None:
        return period <= asked.about
    return asked.about == period


def idle_period_of(use: Use | None) -> datetime | None:
    """Return the start of the idle period to which a usage status belongs.

    An idle period can begin earlier than the usage status, because brief work doesn't end the idle period. None if
    there is no usage status.
    """
    return None if use is None else use.idle_period or use.since


def _before_last_notice(lease: Lease, at: datetime, rules: Rules) -> datetime | None:
    """Return `at`, or None if the last notice of the lease's end comes before `at`."""
    last = last_notice_at(lease, rules)
    return None if at >= last else at


# --- changes of the stored question after the bot has asked it or the owner has answered it


def after_asking(question: Question, use: Use | None, now: datetime) -> Question:
    """Record that the bot asked the owner about the current idle period at `now`.

    The record also contains the number of questions about the current idle period.
    """
    asked = asked_about(question, use)
    if asked is None or asked.first_at is None:
        return Question(asked=Asked(about=idle_period_of(use), last_at=now, first_at=now))
    return Question(asked=changed(asked, last_at=now, times=asked.times + 1))


def after_job_end(question: Question, now: datetime) -> Question:
    """Record that the owner was notified at `now` that the work on the machine has ended.

    The message takes the place of the first question about the idle period after this work. If an earlier answer
    of the owner still delays questions, the owner doesn't have to respond to the message.
    """
    told = Asked(about=now, after_job=True, last_at=now, first_at=now)
    answered = question.quiet_until is not None and question.quiet_until > now
    return changed(question, asked=_answered(told) if answered else told)


def after_answer(question: Question, quiet_until: datetime, *, promised: bool) -> Question:
    """Record an answer of the owner: the bot asks no question before `quiet_until`.

    Args:
        promised: True if the bot promised to ask the owner again at `quiet_until`.
    """
    return Question(quiet_until=quiet_until, promised=promised, asked=_answered(question.asked))


def _answered(asked: Asked | None) -> Asked | None:
    """Mark the questions to the owner so far as answered.

    The next question is then treated as the first one.
    """
    return asked and changed(asked, times=0, first_at=None, on_card=False, approvers_at=None)


def for_new_owner(question: Question) -> Question:
    """Reset the record of questions for the new owner of a machine, whom the bot hasn't asked anything yet.

    The previous owner's answers no longer delay any question. The next question still comes at least GAP after the
    last one.
    """
    return Question(asked=_answered(question.asked))


def after_extension(question: Question, now: datetime, rules: Rules) -> Question:
    """Record an extension of the lease, after which the bot asks no question for a while.

    If an earlier answer delays questions even longer, that longer delay stays.
    """
    quiet_until = now + (rules.check_in.after or EXTENSION_SILENCE)
    earlier = question.quiet_until
    if earlier is not None and earlier > quiet_until:
        return after_answer(question, earlier, promised=question.promised)
    return after_answer(question, quiet_until, promised=False)


def asks_again_at(lease: Lease, *, zone: ZoneInfo, rules: Rules) -> datetime:
    """Return the time at which the bot will ask the owner again after an answer.

    If the lease ends before that, the result is the end of the lease.
    """
    asked = lease.question.asked
    at = max([lease.question.quiet_until or lease.seen_at, *([asked.last_at + GAP] if asked else [])])
    return _before_last_notice(lease, next_within(at, zone, rules.hours), rules) or lease.ends_at


# --- unanswered questions


def unanswered(rental: Rental, use: Use | None) -> Asked | None:
    """Return the record of the unanswered questions about the current idle period.

    None if there are no such questions, or if the usage status doesn't say that the GPUs have stopped computing.
    """
    if rental.lease is None or use is None or use.status not in NOT_COMPUTING:
        return None
    asked = asked_about(rental.lease.question, use)
    return asked if asked is not None and asked.first_at is not None else None


def is_on_card(rental: Rental) -> bool:
    """Return whether the rental's card says that nobody has answered a question about the machine.

    The card is the rental's message in the channel. It only says so while the machine is ready and its GPUs aren't
    computing.
    """
    asked = unanswered(rental, rental.use)
    return rental.state is State.READY and asked is not None and asked.on_card


def on_card_at(asked: Asked, rules: Rules) -> datetime | None:
    """Return the time at which the rental's card starts to say that nobody has answered.

    The card is the rental's message in the channel. None if the card says so already, or if the rules switch this
    off.
    """
    if asked.on_card or asked.first_at is None or rules.idle.channel_after is None:
        return None
    return asked.first_at + rules.idle.channel_after


def approvers_notified_at(asked: Asked, lease: Lease, *, urgent: bool, rules: Rules) -> datetime | None:
    """Return the earliest time to notify the approvers that nobody has answered.

    The result can be outside the approvers' working hours. None if the owner gets the last notice of the lease's
    end by that time.
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
    """Return the time at which a notification that is due at `at` can be sent to the approvers.

    The notification waits for the working hours of at least one approver. If the last notice of the lease's end is
    sent before that, the notification is dropped and the result is None.
    """
    return _before_last_notice(lease, next_within_any(at, approvers, rules.hours), rules)


def idle_cost(use: Use, rate: Decimal | None, now: datetime) -> Micros | None:
    """Return the cost of a machine since the start of its usage status, at its current hourly price.

    None if the hourly price is unknown.
    """
    return None if rate is None else cost(rate, now - use.since)
