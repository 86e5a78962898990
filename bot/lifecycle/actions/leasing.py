"""Keeping and extending a machine that is in use, and what else people say and decide about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.errors import DuplicateExtension, Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.queries import details_for, people_asked
from bot.lifecycle.changes import lease_changes
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.money.budgets import passed_by
from bot.lifecycle.people.back_to_approval import others_facts
from bot.lifecycle.people.deciders import deciders, requesters_of
from bot.model.base import EVER
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Extension, Rental
from bot.model.state import State
from bot.model.summary import Extended, RentalDetails
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
from bot.policy.use.giving import who_waits
from bot.policy.use.leases import extension_left
from bot.policy.use.questions import after_answer, after_extension, asks_again_at, unanswered
from bot.policy.use.two_ends import already_allowed
from bot.policy.use.visit_times import soonest_visit
from store.db import Tx

DUPLICATE_WITHIN = timedelta(minutes=2)
"""An equal command within this time is a duplicate: its first answer was lost, or it was sent twice."""


class Kept(NamedTuple):
    """A rental whose owner, a teammate or an admin said that it is still needed."""

    rental: Rental
    asks_again_at: datetime | None
    """When the owner is asked again if the machine is not used then, or the end if that comes first. None:
    never."""


async def keep(deps: Deps, person: Person, rental_id: str, span: timedelta) -> Kept:
    """Note that the machine is still needed. The lease's end stands.

    The owner is asked nothing for `span`. The next question waits for the owner's hours. Raise as
    `load_extendable`.
    """

    async def decision(tx: Tx) -> Kept:
        rental = await load_extendable(tx, deps, person, rental_id)
        now = deps.clock.now()
        events = await tx.events.of(rental_id)
        kept = said_just_now(events, person, {EventKind.KEPT}, now, span=span)
        waiting = who_waits(events)
        if kept is not None and not waiting and rental.running_lease.script_first is None:
            return Kept(rental, kept.facts.until)
        question = after_answer(rental.running_lease.question, now + span, promised=True)
        after = lease_changes.keep(rental, question, now)
        again = None
        if rental.use is not None or deps.rules.check_in.after is not None:
            owner = await tx.people.get(rental.owner, EVER)
            zone = zone_of(owner.tz if owner else None, deps.rules)
            again = asks_again_at(after.running_lease, zone=zone, rules=deps.rules)
        facts = Facts(until=again, since=after.running_lease.ends_at, span=span, people=waiting or None)
        event = Event(rental_id=rental.id, kind=EventKind.KEPT, at=now, actor=person.id, facts=facts)
        await apply(tx, deps, Change(rental, after, (event,)))
        await tx.people.note_seen(person.id, now)
        return Kept(after, again)

    return await transact(deps, decision)


class ExtensionPreview(NamedTuple):
    """A rental that a person is about to extend, as they may see it."""

    details: RentalDetails
    longer: LongerLease


async def preview_extension(
    deps: Deps, person: Person, rental_id: str, by: timedelta | datetime
) -> ExtensionPreview:
    """Return what `extend` would do. Raise as `extend`."""
    async with deps.store.read() as tx:
        now = deps.clock.now()
        longer = await _longer_lease(tx, deps, person, rental_id, by, now=now, shown_end=None)
        return ExtensionPreview(await details_for(tx, deps, person, longer.rental), longer)


async def extension_to_confirm(
    deps: Deps, person: Person, rental_id: str, by: timedelta | datetime, *, shown_end: int | None = None
) -> ExtensionPreview | None:
    """Return what `extend` would do if a confirmation dialog comes first. Return None if none is needed. Raise as
    `extend`."""
    async with deps.store.read() as tx:
        now = deps.clock.now()
        longer = await _longer_lease(tx, deps, person, rental_id, by, now=now, shown_end=shown_end)
        if not extension_needs_confirmation(longer.rental, longer.ends_at, now):
            return None
        return ExtensionPreview(await details_for(tx, deps, person, longer.rental), longer)


async def extend(
    deps: Deps,
    person: Person,
    rental_id: str,
    by: timedelta | datetime,
    *,
    shown_end: int | None = None,
    why: str = "",
) -> Extended:
    """Make the lease longer: by a span from its end, or from now if the end has passed; or until a new end.

    If that is over the limits, ask an approver instead. The end stands until they approve. Up to the later of two
    ends no approval is needed, even while an extension waits: the envelope holds it already. Beyond it, both ends
    become one. The operator's extension is made at once, also if an extension waits, which is decided by it; `why`
    is the reason.

    `shown_end` is the end that the button or dialog showed, as a Unix time. A command shows none.

    Raise TooLate if the end is no longer `shown_end`, so that a second click adds nothing, or if an approver
    decides about more time already. Without `shown_end`, raise DuplicateExtension if this person asked for the
    same span less than DUPLICATE_WITHIN ago. Raise Mistake if the lease would be too long, or if the new end is
    not later than the present one, and Refused if the owner may no longer use the bot. Also raise as
    `load_extendable`.
    """

    async def decision(tx: Tx) -> Extended:
        now = deps.clock.now()
        longer = await _longer_lease(tx, deps, person, rental_id, by, now=now, shown_end=shown_end)
        rental, proposal, ends_at = longer.rental, longer.proposal, longer.ends_at
        lease = rental.running_lease
        question = after_extension(lease.question, now, deps.rules)
        asked = None
        waited = None if already_allowed(lease, ends_at) else rental.extension
        if decides_at_once(person) and (proposal.over or waited is not None):
            after = lease_changes.extend_at_once(
                rental,
                envelope=proposal.envelope,
                ends_at=ends_at,
                question=question,
                approver=person.id,
                now=now,
            )
            kind = EventKind.EXTENDED_BY_OPERATOR
        elif proposal.over:
            waiting = Extension(envelope=proposal.envelope, ends_at=ends_at, asked_by=person.id, asked_at=now)
            after = lease_changes.ask_extension(rental, waiting, question, now)
            kind = EventKind.EXTENSION_ASKED
            asked = await deciders(tx, deps.rules, requesters_of(after), now)
        else:
            after = lease_changes.extend(
                rental,
                envelope=proposal.envelope,
                ends_at=ends_at,
                question=question,
                now=now,
            )
            kind = EventKind.EXTENDED
        facts = Facts(
            detail=why or None,
            people=asked.people if asked else (waited.asked_by,) if waited else None,
            asked_span=waited.ends_at - max(lease.ends_at, now) if waited and ends_at < waited.ends_at else None,
            passed=proposal.passed if kind is EventKind.EXTENDED_BY_OPERATOR else (),
            admins_decide=asked.admins_decide if asked else None,
            **(others_facts(asked) if asked else {}),
            envelope=proposal.envelope.version,
            until=ends_at,
            since=after.running_lease.ends_at if kind is EventKind.EXTENSION_ASKED else lease.ends_at,
            span=longer.span,
            rate=proposal.envelope.price,
            max_rate=proposal.envelope.max_rate,
            total=proposal.envelope.total,
            hours=proposal.envelope.lease,
        )
        event = Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
        within = kind is not EventKind.EXTENDED_BY_OPERATOR
        await apply(tx, deps, Change(rental, after, (event,), within_budgets=within))
        await tx.people.note_seen(person.id, now)
        people = await people_asked(tx, after) if asked else None
        return Extended(
            rental=after,
            span=longer.span,
            waits=kind is EventKind.EXTENSION_ASKED,
            asked=people,
            sees_money=sees_money(person, rental.owner, deps.rules),
        )

    return await transact(deps, decision)


async def _longer_lease(
    tx: Tx,
    deps: Deps,
    person: Person,
    rental_id: str,
    by: timedelta | datetime,
    *,
    now: datetime,
    shown_end: int | None,
) -> LongerLease:
    """Return the longer lease that a person asks for. Raise as `extend`."""
    rental = await load_extendable(tx, deps, person, rental_id)
    lease = rental.running_lease
    ends_at = await _asked_end(tx, deps, person, rental, by, now=now, shown_end=shown_end)
    spent = (await load_snapshot(tx, rental)).spent_at_most(now)
    owner = await tx.people.get(rental.owner, EVER) or Person(id=rental.owner, name="")
    rules = rules_of_owner(deps.rules, rental.project, owner)
    proposal = propose_longer_lease(rental, ends_at, spent=spent, now=now, rules=rules)
    if not already_allowed(lease, ends_at):
        after = lease_changes.extend(
            rental, envelope=proposal.envelope, ends_at=ends_at, question=lease.question, now=now
        )
        # Teammates, who may not see the owner's money, read no numbers.
        refusal = None if person.id == rental.owner else f"A budget doesn't hold that much more for {rental.id}."
        instead = "I changed nothing. Extend it by less, or ask an admin to raise the budget."
        passed = await passed_by(tx, rules, after, now)
        proposal = within_budgets(proposal, passed, rules, refusal=refusal, instead=instead)
    if proposal.over and lease.ends_at <= now and not decides_at_once(person):
        words = f"{rental.id} is at its end, and that much more needs an approver. Extend it by less."
        raise TooLate(words, rental.id)
    span = ends_at - max(lease.ends_at, now)
    return LongerLease(rental=rental, ends_at=ends_at, span=span, proposal=proposal)


async def _asked_end(
    tx: Tx,
    deps: Deps,
    person: Person,
    rental: Rental,
    by: timedelta | datetime,
    *,
    now: datetime,
    shown_end: int | None,
) -> datetime:
    """Return the end that a person asks for. Raise as `extend` if no approver could allow it either."""
    lease = rental.running_lease
    if shown_end is not None and int(lease.ends_at.timestamp()) != shown_end:
        longer = "was extended" if rental.request.up_to is None else "has a later end"
        raise TooLate(f"{rental.id} {longer} already. I added nothing more.", rental.id)
    if person.id == rental.owner:
        check_user(person, deps.rules)
    ends_at = by if isinstance(by, datetime) else max(lease.ends_at, now) + by
    if lease.script_first is not None and not isinstance(by, datetime):
        ends_at = max(ends_at, lease.script_first.ends_at)  # the machine ends no sooner than before
    span = ends_at - max(lease.ends_at, now)
    if span <= timedelta(0):
        when = "later than that" if span else "then"
        raise Mistake(f"{rental.id} ends {when} already. I changed nothing.")
    allowed = already_allowed(lease, ends_at)
    if rental.extension is not None and not allowed and not decides_at_once(person):
        raise TooLate(f"{rental.id} already asks for more time. An approver decides.", rental.id)
    repeated = shown_end is None and isinstance(by, timedelta)
    if repeated and _asked_just_now(await tx.events.of(rental.id), person, span, now):
        words = f"You asked for {span_text(span)} more just now. I added nothing more."
        raise DuplicateExtension(words, rental.id)
    if not allowed:
        _check_length(rental.id, span, extension_left(lease, now, deps.rules), deps.rules)
    return ends_at


def _asked_just_now(events: Iterable[Event], person: Person, span: timedelta, now: datetime) -> bool:
    """Return whether this person extended or asked to extend by the same span less than DUPLICATE_WITHIN ago."""
    kinds = {EventKind.EXTENDED, EventKind.EXTENDED_BY_OPERATOR, EventKind.EXTENSION_ASKED}
    return said_just_now(events, person, kinds, now, span=span) is not None


def said_just_now(
    events: Iterable[Event], person: Person, kinds: Collection[EventKind], now: datetime, **facts: object
) -> Event | None:
    """Return the event in which this person said the same, with these facts, less than DUPLICATE_WITHIN ago.
    Return None if there is none."""
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


async def say_once(deps: Deps, person: Person, rental_id: str, kind: EventKind) -> Rental:
    """Write what a person says about a machine by a button, as an event of this kind, and return the rental. If
    the rental has such an event already, write none. Raise as `load_extendable`."""

    async def decision(tx: Tx) -> Rental:
        return await _say_once(tx, deps, person, rental_id, kind)

    return await transact(deps, decision)


async def _say_once(tx: Tx, deps: Deps, person: Person, rental_id: str, kind: EventKind) -> Rental:
    rental, now = await load_extendable(tx, deps, person, rental_id), deps.clock.now()
    if not any(event.kind is kind for event in await tx.events.of(rental_id)):
        event = Event(rental_id=rental_id, kind=kind, at=now, actor=person.id)
        before, rental = rental, alter(rental)
        await apply(tx, deps, Change(before, rental, (event,)))
    await tx.people.note_seen(person.id, now)
    return rental


async def visit_now(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Visit a machine as soon as a visit is allowed, because a person says that they installed the probe. Return
    the rental. Raise as `load_extendable`."""

    async def decision(tx: Tx) -> Rental:
        rental = await _say_once(tx, deps, person, rental_id, EventKind.PROBE_INSTALLED)
        last = (await tx.samples.newest_of([rental_id])).get(rental_id)
        await tx.visits.make_due(rental_id, soonest_visit(last, deps.clock.now()))
        return rental

    return await transact(deps, decision)


async def load_extendable(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """Return a rental that this person may keep or extend now.

    Raise Mistake if the id is unknown, Refused if the person may not extend it, TooLate if it is not ready.
    """
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_YOURS)
    if not may_extend(person, rental, deps.rules):
        raise Refused("Its owner, teammates and admins can do that. I changed nothing.")
    if rental.state is not State.READY:
        raise _not_ready(rental.id, rental.state)
    if any(attempt.live and attempt.marked_for_deletion for attempt in await tx.rentals.attempts(rental.id)):
        raise _not_ready(rental.id, State.DESTROYING)
    return rental


def _check_length(rental_id: str, span: timedelta, left: timedelta, rules: Rules) -> None:
    """Raise Mistake if `span` is more than `left`, the most by which the lease may become longer."""
    most = span_text(rules.lease.max)
    if not left:
        raise Mistake(f"A lease is at most {most} in all, so {rental_id} can't be longer.")
    if span > left:
        left = timedelta(minutes=left // timedelta(minutes=1))
        raise Mistake(f"A lease is at most {most} in all, so {rental_id} can be longer by {span_text(left)}.")


def _not_ready(rental_id: str, state: State) -> TooLate:
    """Return the error for a rental that is in another state than ready."""
    words = {
        State.AWAITING_APPROVAL: "waits for a decision",
        State.QUEUED: "waits for an offer",
        State.DESTROYING: "is being destroyed",
    }
    does = "is over" if state.over else words.get(state, "is starting")
    return TooLate(f"{rental_id} isn't ready: it {does}. I changed nothing.", rental_id)


# --- what approvers decide about an idle machine whose owner doesn't answer


async def ask_owner_again(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Ask the owner of a rental again, as soon as their hours allow it.

    Raise as `_load_unanswered`, and TooLate if the owner left.
    """

    async def decision(tx: Tx) -> Rental:
        rental, now = await _load_unanswered(tx, deps, person, rental_id), deps.clock.now()
        question = after_answer(rental.running_lease.question, now, promised=True)
        after = lease_changes.decide_question(rental, question, now)
        owner = await tx.people.get(rental.owner, EVER)
        if owner is not None and owner.deactivated:
            words = f"{owner.name} left the workspace: admins decide about {rental.id}. I changed nothing."
            raise TooLate(words, rental.id)
        zone = zone_of(owner.tz if owner else None, deps.rules)
        at = asks_again_at(after.running_lease, zone=zone, rules=deps.rules)
        event = _decided(rental, EventKind.OWNER_ASKED_AGAIN, person, now, at)
        return await apply(tx, deps, Change(rental, after, (event,)))

    return await transact(deps, decision)


async def leave_alone(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Ask nobody about the machine before its lease's end.

    Raise as `_load_unanswered`.
    """

    async def decision(tx: Tx) -> Rental:
        rental, now = await _load_unanswered(tx, deps, person, rental_id), deps.clock.now()
        ends_at = rental.running_lease.ends_at
        question = after_answer(rental.running_lease.question, ends_at, promised=False)
        after = lease_changes.decide_question(rental, question, now)
        event = _decided(rental, EventKind.LEFT_ALONE, person, now, ends_at)
        return await apply(tx, deps, Change(rental, after, (event,)))

    return await transact(deps, decision)


async def _load_unanswered(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """Return a rental whose owner was asked about it and did not answer.

    Raise Refused unless the person is an approver or an admin, Mistake if the id is unknown, and TooLate if the
    machine is in use again or no longer ready, its owner answered, or somebody decided before.
    """
    if not is_approver_or_admin(person, deps.rules):
        raise Refused("Approvers and admins decide that. I changed nothing.")
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_ALL)
    if rental.state is not State.READY or unanswered(rental, rental.use) is None:
        raise TooLate(f"{rental.id} no longer waits for an answer. I changed nothing.", rental.id)
    return rental


def _decided(rental: Rental, kind: EventKind, person: Person, now: datetime, until: datetime) -> Event:
    return Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=Facts(until=until))
