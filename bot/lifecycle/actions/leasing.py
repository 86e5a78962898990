"""Actions on a ready machine: keep it, extend its lease, answer questions about it.

If the owner of an idle machine doesn't respond, approvers decide about the machine here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.errors import DuplicateExtension, Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Action, By, Direct, Done
from bot.lifecycle.actions.queries import details_for, owner_here, people_asked
from bot.lifecycle.changes import lease_changes
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, known_rental
from bot.lifecycle.money.budgets import passed_by
from bot.lifecycle.people.back_to_approval import allowed_by, others_facts
from bot.lifecycle.people.deciders import deciders, requesters_of
from bot.model.base import EVER
from bot.model.budget import Demand
from bot.model.event import Event, EventKind, OpenQuestion, open_question
from bot.model.facts import AgainFacts, ExtensionFacts, KeptFacts, KeptWithoutHeartbeatFacts, UntilFacts
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Extension, Rental
from bot.model.state import State
from bot.model.summary import Extended, Proposal, RentalDetails
from bot.model.text import span as span_text
from bot.policy.buying.budgets import rules_of_owner
from bot.policy.buying.spending import (
    LongerLease,
    extension_needs_confirmation,
    propose_longer_lease,
    within_budgets,
)
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user, decides_at_once, is_approver_or_admin, may_extend, sees_money
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import already_allowed
from bot.policy.use.giving import who_waits
from bot.policy.use.heartbeats import KEEP_FOR
from bot.policy.use.jobs import check_shows_jobs
from bot.policy.use.keeping import kept_for_longer_lease
from bot.policy.use.leases import extension_left
from bot.policy.use.probe_times import soonest_probe_run
from bot.policy.use.questions import after_answer, after_extension, asks_again_at, unanswered
from store.db import Tx

DUPLICATE_WITHIN = timedelta(minutes=2)
"""The time within which a repeated command is treated as a duplicate that was sent by mistake."""
_LONGER = {EventKind.EXTENDED, EventKind.EXTENDED_BY_OPERATOR, EventKind.EXTENSION_ASKED}
"""The events in which a person extends a lease, or requests an extension."""


@dataclass(frozen=True)
class Kept:
    """A rental that is still needed, according to its owner, a teammate or an admin."""

    rental: Rental
    asks_again_at: datetime | None
    """The time at which the owner is asked again if the machine isn't in use.

    If the lease ends earlier, this is the end of the lease. None if the owner is never asked again.
    """


class OnReady(Direct[Rental, Done]):
    """An action on a ready machine by its owner, a teammate or an admin.

    Raises the same errors as `load_extendable`.
    """

    rental_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        return await load_extendable(tx, deps, person, self.rental_id)


class Keep(OnReady[Kept], id="keep"):
    """Record that the machine is still needed. The end of the lease doesn't change.

    There is one exception: if the lease was to end because its jobs are done, its previous end is restored.

    For the duration of `span`, the owner isn't asked whether they still need the machine. Raises the same errors
    as `load_extendable`.
    """

    span: timedelta

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Kept:
        rental, span, now = plan, self.span, deps.clock.now()
        events = await tx.events.of(rental.id)
        kept = said_just_now(events, person, {EventKind.KEPT}, now, span=span)
        waiting = who_waits(events)
        ends_soon = rental.running_lease.graceful_destroy is not None or rental.running_lease.ends_early
        if kept is not None and not waiting and not ends_soon:
            return Kept(rental, kept.facts.until)
        question = after_answer(rental.running_lease.question, now + span, promised=True)
        after = lease_changes.keep(rental, question, now)
        again = None
        if rental.use is not None or deps.rules.check_in.after is not None:
            owner = await tx.people.get(rental.owner, EVER)
            zone = zone_of(owner.tz if owner else None, deps.rules)
            again = asks_again_at(after.running_lease, zone=zone, rules=deps.rules)
        facts = KeptFacts(until=again, since=after.running_lease.ends_at, span=span, people=waiting)
        event = Event(rental_id=rental.id, kind=EventKind.KEPT, at=now, actor=person.id, facts=facts)
        await apply(tx, deps, Change(rental, after, (event,)))
        return Kept(after, again)


class KeepWhenDone(OnReady[Rental], id="keep_when_done"):
    """Keep a machine until the latest end of its lease, even if its jobs are done earlier.

    This needs no approval, because the time until the latest end was approved, and its cost is still reserved. If
    the lease no longer depends on jobs, nothing is written. Returns the rental. Raises the same errors as
    `load_extendable`.
    """

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        try:
            return await super().load(tx, deps, person)
        except TooLate as late:
            over = (await known_rental(tx, self.rental_id)).state.over
            message = f"{self.rental_id} is already {'deleted' if over else 'being deleted'}, so it can't be kept."
            raise TooLate(f"{message} Nothing was changed.", self.rental_id) from late

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        lease, now = plan.running_lease, deps.clock.now()
        if lease.until_done is None:
            return plan
        after = lease_changes.keep_to_last_end(plan, after_extension(lease.question, now, deps.rules), now)
        facts = UntilFacts(until=after.running_lease.ends_at)
        event = Event(rental_id=plan.id, kind=EventKind.KEPT_WHEN_DONE, at=now, actor=person.id, facts=facts)
        return await apply(tx, deps, Change(plan, after, (event,)))


class KeepDespiteLostHeartbeat(OnReady[Rental], id="keep_without_heartbeat"):
    """Keep a machine for an hour (KEEP_FOR) although its heartbeat is lost.

    During this time, nothing is ended or asked because of the heartbeat, and the owner isn't asked whether the
    machine is still needed. If the end of the lease had moved, the previous end is restored. If the heartbeat is
    back or the machine is already kept, nothing is written.

    Returns the rental. Raises the same errors as `load_extendable`.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        lease, lost, now = plan.running_lease, plan.lost_heartbeat, deps.clock.now()
        until = now + KEEP_FOR
        just_now = lost is not None and lost.kept_until is not None and until - lost.kept_until < DUPLICATE_WITHIN
        if lost is None or just_now or lease.graceful_destroy is not None:
            return plan
        quiet_until = max(until, lease.question.quiet_until or until)
        question = after_answer(lease.question, quiet_until, promised=lease.question.promised)
        after = lease_changes.keep_without_heartbeat(plan, question, until, now)
        facts = KeptWithoutHeartbeatFacts(
            kept_until=until,
            until=after.running_lease.ends_at if lease.heartbeat_end is not None else None,
        )
        event = Event(
            rental_id=plan.id, kind=EventKind.KEPT_WITHOUT_HEARTBEAT, at=now, actor=person.id, facts=facts
        )
        return await apply(tx, deps, Change(plan, after, (event,)))


@dataclass(frozen=True)
class AskedLease:
    """A longer lease that a person requests, and the state of the owner's budgets."""

    rental: Rental
    ends_at: datetime
    proposal: Proposal
    """The terms of the longer lease, before the budgets are taken into account."""
    passed: tuple[Demand, ...]
    """The budgets that the longer lease would exceed."""
    rules: Rules
    """The rules for the rental's project and its owner."""


class Extend(Action[AskedLease, LongerLease, Extended], id="extend"):
    """Extend the lease, or ask an approver to extend it if the longer lease is over the limits.

    The end of the lease doesn't change before the approver has decided. An extension by the operator takes effect
    immediately. It also resolves a pending extension.

    A flexible lease has an earliest and a latest end. Extending it up to its latest end needs no approval,
    because that time has already been approved. If the lease is extended beyond its latest end, it gets a single,
    fixed end.

    With `until_done`, the lease ends when its jobs are done, but not later than its latest end. `by` can then be
    zero.

    Args:
        by: The time to add to the lease, or the time at which the lease is to end. If the lease has already
            ended, the time is added to the present.
        shown_end: The time at which the lease ends according to the button or dialog, in whole seconds. None for
            a typed command.
        until_done: Whether the machine should end when its jobs are done.
        why: The operator's reason.

    Raises:
        TooLate: The lease no longer ends at `shown_end`, for example after a double click. Also raised if an
            approver is already deciding about more time, or if the rental isn't ready.
        DuplicateExtension: `shown_end` is None, and the person requested this extension less than
            DUPLICATE_WITHIN ago.
        Mistake: The ID is unknown, the lease would be too long, or the lease already ends at that time or later.
            With `until_done`, also raised if the bot can't see the machine's jobs.
        Refused: The person isn't allowed to extend the rental, the owner is no longer allowed to use the bot, or
            a budget doesn't allow it.
    """

    rental_id: str
    by: timedelta | datetime
    shown_end: datetime | None = None
    until_done: bool = False
    why: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> AskedLease:
        rental, now = await load_extendable(tx, deps, person, self.rental_id), deps.clock.now()
        lease = rental.running_lease
        events = await tx.events.of(rental.id)
        if self.until_done:
            check_shows_jobs(rental, await tx.rentals.attempts(rental.id), deps.rules)
        ends_at = _asked_end(self, rental, events, By(person, deps.rules, now))
        spent = (await load_snapshot(tx, rental)).spent_at_most(now)
        owner = await tx.people.get(rental.owner, EVER) or Person(id=rental.owner, name="")
        rules = rules_of_owner(deps.rules, rental.project, owner)
        kept = kept_for_longer_lease(rental, ends_at, zone_of(owner.tz, rules), rules)
        proposal = propose_longer_lease(rental, ends_at, kept=kept, spent=spent, now=now, rules=rules)
        passed: tuple[Demand, ...] = ()
        if not already_allowed(lease, ends_at):
            after = lease_changes.extend(
                rental, terms=proposal.terms, ends_at=ends_at, question=lease.question, now=now
            )
            passed = await passed_by(tx, rules, after, now)
        return AskedLease(rental, ends_at, proposal, passed, rules)

    def plan(self, loaded: AskedLease, by: By) -> LongerLease:
        rental, ends_at, now = loaded.rental, loaded.ends_at, by.now
        lease = rental.running_lease
        # This message is for teammates, with whom the owner shares the machine. They may not see the owner's
        # spending, so the message contains no amounts.
        refusal = (
            None
            if by.person.id == rental.owner
            else f"A budget has no room for that much more time on {rental.id}."
        )
        instead = "Nothing was changed. Extend it by less, or ask an admin to raise the budget."
        proposal = within_budgets(loaded.proposal, loaded.passed, loaded.rules, refusal=refusal, instead=instead)
        if proposal.over and lease.ends_at <= now and not decides_at_once(by.person):
            message = f"{rental.id} is at its end, and that much more time needs approval. Extend it by less."
            raise TooLate(message, rental.id)
        span = ends_at - max(lease.ends_at, now)
        return LongerLease(
            rental=rental, ends_at=ends_at, span=span, proposal=proposal, until_done=self.until_done
        )

    def confirms(self, plan: LongerLease) -> bool:
        return extension_needs_confirmation(plan.rental, plan.ends_at, plan.span, plan.proposal.terms.kept)

    def shown(self, plan: LongerLease) -> Rental:
        return plan.rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: LongerLease) -> Extended:
        now = deps.clock.now()
        rental, proposal, ends_at = plan.rental, plan.proposal, plan.ends_at
        lease, terms = rental.running_lease, proposal.terms
        question = after_extension(lease.question, now, deps.rules)
        asked = None
        waited = None if already_allowed(lease, ends_at) else rental.extension
        if decides_at_once(person) and (proposal.over or waited is not None):
            after = lease_changes.extend_at_once(
                rental,
                terms=terms,
                ends_at=ends_at,
                question=question,
                approver=person.id,
                now=now,
                until_done=self.until_done,
            )
            kind = EventKind.EXTENDED_BY_OPERATOR
        elif proposal.over:
            waiting = Extension(
                terms=terms, ends_at=ends_at, asked_by=person.id, asked_at=now, until_done=self.until_done
            )
            after = lease_changes.ask_extension(rental, waiting, question, now)
            kind = EventKind.EXTENSION_ASKED
            asked = await deciders(tx, deps.rules, requesters_of(after), now)
        else:
            after = lease_changes.extend(
                rental, terms=terms, ends_at=ends_at, question=question, now=now, until_done=self.until_done
            )
            kind = EventKind.EXTENDED
        facts = ExtensionFacts(
            detail=self.why or None,
            people=asked.people if asked else (waited.asked_by,) if waited else (),
            asked_span=waited.ends_at - max(lease.ends_at, now) if waited and ends_at < waited.ends_at else None,
            passed=proposal.passed if kind is EventKind.EXTENDED_BY_OPERATOR else (),
            admins_decide=asked.admins_decide if asked else None,
            **(others_facts(asked) if asked else {}),
            **allowed_by(terms),
            rate=terms.price,
            until=ends_at,
            since=after.running_lease.ends_at if kind is EventKind.EXTENSION_ASKED else lease.ends_at,
            span=plan.span,
            until_done=self.until_done,
        )
        event = Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
        within = kind is not EventKind.EXTENDED_BY_OPERATOR
        await apply(tx, deps, Change(rental, after, (event,), within_budgets=within))
        people = await people_asked(tx, after) if asked else None
        return Extended(
            rental=after,
            span=plan.span,
            until_done=self.until_done,
            waits=kind is EventKind.EXTENSION_ASKED,
            asked=people,
            sees_money=sees_money(person, rental.owner, deps.rules),
        )


def _asked_end(extend: Extend, rental: Rental, events: Sequence[Event], by: By) -> datetime:
    """Return the time at which the lease is to end, as a person requests."""
    person, now = by.person, by.now
    asked, shown_end = extend.by, extend.shown_end
    lease = rental.running_lease
    if shown_end is not None and lease.ends_at.replace(microsecond=0) != shown_end:
        longer = "was already extended" if rental.request.up_to is None else "already has a later end"
        longer = "has another end by now" if lease.ends_early or lease.ends_at < shown_end else longer
        raise TooLate(f"{rental.id} {longer}, so nothing more was added.", rental.id)
    if person.id == rental.owner:
        check_user(person, by.rules)
    ends_at = asked if isinstance(asked, datetime) else max(lease.ends_at, now) + asked
    if not isinstance(asked, datetime):
        # If somebody had asked to destroy the machine once its script has finished, this extension cancels that.
        # It also cancels an end because of a lost heartbeat. The machine must not end earlier than it would have
        # ended without them.
        ends_at = max(ends_at, lease.usual.ends_at)
    if extend.until_done:
        ends_at = _latest_end(extend, rental, ends_at)
    span = ends_at - max(lease.ends_at, now)
    if span <= timedelta(0) and not extend.until_done:
        when = "later than that" if span else "at that time"
        raise Mistake(f"{rental.id} already ends {when}. Nothing was changed.")
    allowed = already_allowed(lease, ends_at)
    if rental.extension is not None and not allowed and not decides_at_once(person):
        raise TooLate(
            f"More time for {rental.id} is already waiting for approval. Nothing was changed.", rental.id
        )
    repeated = shown_end is None and isinstance(asked, timedelta)
    if repeated and said_just_now(events, person, _LONGER, now, span=span) is not None:
        message = f"You asked for {span_text(span)} more just now, so nothing more was added."
        raise DuplicateExtension(message, rental.id)
    if not allowed:
        _check_length(rental.id, span, extension_left(lease, now, by.rules), by.rules)
    return ends_at


def _latest_end(extend: Extend, rental: Rental, asked: datetime) -> datetime:
    """Return the latest end of a lease that should end when its jobs are done.

    The result is never earlier than the present latest end of the lease.
    """
    lease, latest = rental.running_lease, rental.running_lease.last_end
    if isinstance(extend.by, datetime) and asked < latest.replace(microsecond=0):
        message = f"{rental.id} can already run longer than that. Nothing was changed."
        raise Mistake(message, next_step=NextStep.LEAVE_OUT_END)
    depends = lease.until_done is not None and not lease.ends_when_done and lease.graceful_destroy is None
    if depends and asked <= latest:
        raise Mistake(f"{rental.id} already ends when its job is done. Nothing was changed.")
    return max(asked, latest)


def said_just_now(
    events: Iterable[Event], person: Person, kinds: Collection[EventKind], now: datetime, **facts: object
) -> Event[Any] | None:
    """Return this person's recent event of one of these `kinds` with these `facts`. None if there is none.

    An event is recent if it is less than DUPLICATE_WITHIN old. Other facts of the event don't matter.
    """
    return next(
        (
            event
            for event in events
            if event.kind in kinds
            and event.actor == person.id
            and all(getattr(event.facts, name) == value for name, value in facts.items())
            and now - event.at < DUPLICATE_WITHIN
        ),
        None,
    )


class KeepAsItIs(OnReady[Rental], id="keep_as_it_is"):
    """Keep a machine although its GPUs aren't those that were sold, or are faulty.

    This answers the bot's question to the owner about the GPUs. If that question is no longer open, nothing is
    written. Each new fault opens the question again, so a machine can be kept several times.

    Returns the rental. Raises the same errors as `load_extendable`.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        if open_question(await tx.events.of(plan.id), OpenQuestion.GPU_MISMATCH_OPEN) is None:
            return plan
        return await _record(tx, deps, person, plan, EventKind.KEPT_AS_IT_IS)


class ProbeNow(OnReady[Rental], id="probe_installed"):
    """Probe a machine as soon as possible, because a person says that they have installed the probe on it.

    Only the first such statement about a rental is recorded. Returns the rental. Raises the same errors as
    `load_extendable`.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        rental = plan
        if all(event.kind is not EventKind.PROBE_INSTALLED for event in await tx.events.of(plan.id)):
            rental = await _record(tx, deps, person, plan, EventKind.PROBE_INSTALLED)
        last = (await tx.samples.newest_of([rental.id])).get(rental.id)
        await tx.probe_runs.make_due(rental.id, soonest_probe_run(last, deps.clock.now()))
        return rental


async def _record(tx: Tx, deps: Deps, person: Person, rental: Rental, kind: EventKind) -> Rental:
    event = Event(rental_id=rental.id, kind=kind, at=deps.clock.now(), actor=person.id)
    return await apply(tx, deps, Change(rental, alter(rental), (event,)))


async def load_extendable(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """Return a rental that this person is allowed to keep or extend now.

    Raises:
        Mistake: The ID is unknown.
        Refused: The person isn't allowed to extend the rental.
        TooLate: The rental isn't ready, or its machine is being deleted.
    """
    rental = await known_rental(tx, rental_id)
    if not may_extend(person, rental, deps.rules):
        raise Refused("Only the machine's owner, its teammates and admins can do that. Nothing was changed.")
    if rental.state is not State.READY:
        raise _not_ready(rental.id, rental.state)
    if any(attempt.live and attempt.marked_for_deletion for attempt in await tx.rentals.attempts(rental.id)):
        raise _not_ready(rental.id, State.DESTROYING)
    return rental


async def rental_to_extend(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """Return a rental that this person is allowed to extend now. Raises the same errors as `load_extendable`."""
    async with deps.store.read() as tx:
        return await details_for(tx, deps, person, await load_extendable(tx, deps, person, rental_id))


def _check_length(rental_id: str, span: timedelta, left: timedelta, rules: Rules) -> None:
    most = span_text(rules.lease.max)
    if not left:
        raise Mistake(f"The longest lease is {most}, so {rental_id} can't be extended.")
    if span > left:
        left = timedelta(minutes=left // timedelta(minutes=1))
        raise Mistake(f"The longest lease is {most}, so {rental_id} can be extended by {span_text(left)} at most.")


def _not_ready(rental_id: str, state: State) -> TooLate:
    reasons = {
        State.AWAITING_APPROVAL: "is waiting for a decision",
        State.QUEUED: "is waiting for an offer",
        State.DESTROYING: "is being destroyed",
    }
    does = "has ended" if state.over else reasons.get(state, "is starting")
    return TooLate(f"{rental_id} isn't ready, because it {does}. Nothing was changed.", rental_id)


# --- decisions about an idle machine whose owner doesn't answer the question whether it is still needed


class OnUnanswered(Direct[Rental, Rental], notes_seen=False):
    """A decision by an approver or an admin about a rental, because its owner didn't respond to a question.

    Raises:
        Refused: The person is neither an approver nor an admin.
        Mistake: The ID is unknown.
        TooLate: The machine is in use again or no longer ready, its owner has answered, or somebody has already
            decided.
    """

    rental_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        if not is_approver_or_admin(person, deps.rules):
            raise Refused(f"Only approvers and admins can decide about {self.rental_id}. Nothing was changed.")
        rental = await known_rental(tx, self.rental_id, NextStep.LIST_ALL)
        if rental.state is not State.READY or unanswered(rental, rental.use) is None:
            raise TooLate(f"{rental.id} no longer needs a decision. Nothing was changed.", rental.id)
        return rental


class AskOwnerAgain(OnUnanswered, id="ask_owner_again"):
    """Ask the owner of a rental again, during the owner's working hours.

    In addition to the errors of `OnUnanswered`, this raises TooLate if the owner has left the workspace.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        rental, now = plan, deps.clock.now()
        question = after_answer(rental.running_lease.question, now, promised=True)
        after = lease_changes.decide_question(rental, question, now)
        owner = await owner_here(tx, rental)
        zone = zone_of(owner.tz if owner else None, deps.rules)
        at = asks_again_at(after.running_lease, zone=zone, rules=deps.rules)
        event = _decided(rental, EventKind.OWNER_ASKED_AGAIN, person, now, at)
        return await apply(tx, deps, Change(rental, after, (event,)))


class LeaveAlone(OnUnanswered, id="leave_alone"):
    """Ask nobody about the machine until its lease ends."""

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        rental, now = plan, deps.clock.now()
        ends_at = rental.running_lease.ends_at
        question = after_answer(rental.running_lease.question, ends_at, promised=False)
        after = lease_changes.decide_question(rental, question, now)
        event = _decided(rental, EventKind.LEFT_ALONE, person, now, ends_at)
        return await apply(tx, deps, Change(rental, after, (event,)))


def _decided(rental: Rental, kind: EventKind, person: Person, now: datetime, until: datetime) -> Event:
    return Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=AgainFacts(until=until))
