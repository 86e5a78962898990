"""Asks the owner of a ready machine whether it is still needed."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.lease_changes import plan_question
from bot.lifecycle.snapshot import RentalSnapshot
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.rental import Question
from bot.policy.leases import ask_at
from bot.policy.notices import last_notice_is_past, may_ask_at


def ask(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Ask whether it is still needed, or plan when to ask."""
    lease = snapshot.rental.running_lease
    question = lease.question
    if deps.rules.check_in.after is None or question.at is None:
        # The rules may have changed since the question was planned. A planned time that is past and never asked
        # would keep the rental due for ever.
        planned = ask_at(lease.seen_at, 0, deps.rules)
        return _plan(snapshot, changed(question, at=planned))
    if question.at > now or lease.ends_at <= now:
        return snapshot
    if not question.promised:
        if last_notice_is_past(lease, deps.rules):
            # The last notice of its end asks the same, so this would be a second ping.
            return _plan(snapshot, changed(question, at=lease.ends_at))
        quiet_until = ask_at(lease.seen_at, question.times, deps.rules)
        if quiet_until is not None and quiet_until > now:
            return _plan(snapshot, changed(question, at=quiet_until))
    ask_from = may_ask_at(lease, now, deps.rules)
    if ask_from > now:
        return _plan(snapshot, changed(question, at=ask_from))
    times = question.times + 1
    bill = snapshot.spent(now)
    facts = Facts(
        span=now - lease.seen_at, amount=bill.amount, estimated=bill.estimated, rate=snapshot.rental.rate
    )
    snapshot = _plan(snapshot, Question(at=ask_at(now, times, deps.rules), times=times))
    return snapshot.with_event(EventKind.STILL_NEEDED, now, facts)


def _plan(snapshot: RentalSnapshot, question: Question) -> RentalSnapshot:
    return snapshot.with_rental(plan_question(snapshot.rental, question))
