"""The step of a ready machine: it asks the market for the machine, then does the first thing that is due in its
plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.lifecycle.changes import lease_changes as changes
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import known_bill
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import ledger_span
from bot.lifecycle.steps.market_check import check
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.steps.ready_machine import load_machine, question_facts, with_unknown
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import DecisionFacts, EndedFacts, EndFacts, PlaceFacts, QuestionFacts, VerdictFacts
from bot.model.machine_use import Use, Verdict
from bot.model.money import cost
from bot.model.state import State
from bot.policy.use import ready
from bot.policy.use.end_notices import notice_is_due
from bot.policy.use.questions import after_asking, idle_cost

HOST_KEY_WITHIN = timedelta(minutes=15)
"""For how long after ready each check tries to read a host key that could not be read at ready. While nothing has
answered on the SSH port, checks try without a limit."""


async def run(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Do the first thing that is due for a ready machine, and return the snapshot due again at once. If nothing is
    due, return it due at the next check or at the next act of the plan."""
    if notice_is_due(snapshot.rental.running_lease, deps.rules, deps.clock.now()):
        await deps.directory.refresh(snapshot.rental.teammates)
    before, (snapshot, check_at) = snapshot, await check(deps, snapshot)
    now = deps.clock.now()
    async with deps.store.read() as tx:
        machine = await load_machine(tx, deps, snapshot, now)
    due = ready.plan(machine, deps.rules, now)
    if due.act is None and snapshot.live is None:
        # Its messages are not compared with Slack yet. Forget that it is gone, and find that again.
        return before.with_due(due.at)
    if due.act is None:
        snapshot = await _read_host_key(deps, snapshot, now)
        return snapshot.with_due(soonest(check_at, due.at))
    after = replace(_acted(deps, snapshot, due.act, now), visited_at=machine.visited_at)
    return after.with_due(now) if after.rental.state is State.READY else after


def _acted(deps: StepDeps, snapshot: RentalSnapshot, act: ready.Act, now: datetime) -> RentalSnapshot:
    """Return the snapshot after an act of the plan."""
    rental, lease = snapshot.rental, snapshot.rental.running_lease
    match act:
        case ready.End(why, by):
            return snapshot.with_rental(*snapshot.finished(State.DESTROYED, now, why=why, by=by))
        case ready.NoteLoss():
            return _lost(deps, snapshot, now)
        case ready.TellEndAgain():
            facts = EndFacts(until=lease.ends_at)
            return snapshot.with_rental(changes.note_told_again(rental)).with_event(
                EventKind.ENDS_AGAIN, now, facts
            )
        case ready.DropVerdict(since):
            snapshot = with_unknown(snapshot, since, now)
            return snapshot.with_rental(changes.note_unseen(snapshot.rental, None))
        case ready.StayInPlace(spent):
            place = PlaceFacts(name=rental.replaced_by or "", amount=spent)
            rental = changes.note_not_replaced(rental)
            return snapshot.with_rental(rental).with_event(EventKind.NOT_REPLACED, now, place)
        case ready.SkipNotice():
            return snapshot.with_rental(changes.check_notices(rental, now))
        case ready.GiveNotice(until, unseen, vendor, ask_before):
            facts = _ending_facts(snapshot, until, now)
            facts = changed(facts, verdict=Verdict.UNKNOWN, vendor=vendor) if unseen else facts
            facts = changed(facts, ask_before=ask_before)
            rental = changes.check_notices(rental, now) if until == lease.ends_at else rental
            return snapshot.with_rental(rental).with_event(EventKind.ENDING, now, facts)
        case ready.TellFailure(exit_status):
            facts = EndFacts(until=lease.ends_at, exit_status=exit_status)
            return snapshot.with_event(EventKind.SCRIPT_FAILED, now, facts)
        case ready.Ask(use):
            rental = changes.note_question(rental, after_asking(lease.question, use, now))
            asked = question_facts(snapshot, use, now)
            return snapshot.with_rental(rental).with_event(EventKind.STILL_NEEDED, now, asked)
        case ready.TellOthers(asked, use):
            question = changed(lease.question, asked=asked)
            noted = snapshot.with_rental(changes.note_question(rental, question))
            told = EventKind.NOBODY_ANSWERS
            return noted if use is None else noted.with_event(told, now, _unanswered_facts(snapshot, use, now))
        case ready.MoveEnd(until, use):
            moved = VerdictFacts(until=until, since=lease.ends_at, verdict=Verdict.IN_USE, use=use)
            rental = changes.move_end(rental, until)
            return snapshot.with_rental(rental).with_event(EventKind.END_MOVED, now, moved)
        case ready.ExpireExtension(hours):
            expired = DecisionFacts(until=lease.ends_at, hours=hours)
            rental = changes.drop_extension(rental, now)
            return snapshot.with_rental(rental).with_event(EventKind.EXTENSION_EXPIRED, now, expired)


def _lost(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """End the rental: the vendor took every resource, or nobody knows who ended it while the bot was down."""
    rental, bill = snapshot.rental, snapshot.spent(now)
    away = any(resource.resource_id in deps.opened.gone for resource in snapshot.resources)
    why = Why.ENDED_WHILE_AWAY if away else Why.VENDOR_TOOK_IT
    if rental.running_lease.shown_later_at is not None:
        why = Why.ENDED_SINCE_BACKUP
    facts = EndedFacts(
        end=State.LOST,
        why=why,
        **known_bill(rental, bill, snapshot.attempts),
        rate=rental.rate,
        vendor=rental.vendor,
        span=ledger_span(snapshot.ledger) or now - rental.running_lease.ready_at,
    )
    # If an earlier attempt is still being deleted, the rental ends only once that attempt is gone.
    after, _ = snapshot.finished(State.LOST, now, why=why)
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.LOST, at=now, facts=facts))


def _ending_facts(snapshot: RentalSnapshot, until: datetime, now: datetime) -> EndFacts:
    bill = snapshot.spent(now)
    minutes = -((now - until) // timedelta(minutes=1))
    return EndFacts(
        until=until,
        span=timedelta(minutes=minutes),
        rate=snapshot.rental.rate,
        amount=bill.amount,
        estimated=bill.estimated,
    )


def _unanswered_facts(snapshot: RentalSnapshot, use: Use, now: datetime) -> QuestionFacts:
    rental, ends_at = snapshot.rental, snapshot.rental.running_lease.ends_at
    return QuestionFacts(
        verdict=use.verdict,
        use=use,
        since=use.since,
        span=now - use.since,
        amount=idle_cost(use, rental.rate, now),
        estimate=None if rental.rate is None else cost(rental.rate, ends_at - now),
        rate=rental.rate,
        until=ends_at,
    )


async def _read_host_key(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Read the host key of a machine that gave none when it became ready. If the step has an event, leave the key
    to the next check: the key exchange would delay the notification."""
    rental = snapshot.rental
    late = now - rental.running_lease.ready_at > HOST_KEY_WITHIN and not rental.silent
    if rental.host_key is not None or rental.host is None or late or snapshot.events:
        return snapshot
    host_key = await deps.prober.host_key(rental.host, rental.port or 22, rental.vendor)
    return snapshot if host_key is None else snapshot.with_rental(changes.note_host_key(rental, host_key))
