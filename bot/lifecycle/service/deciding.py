"""Decisions about a request that waits. Each is judged when it is made; the first wins, the rest are told."""

from __future__ import annotations

from datetime import datetime

from bot.errors import Changed, NextStep, Refused, TooLate
from bot.lifecycle import transitions
from bot.lifecycle.account import check_buying
from bot.lifecycle.billing import spent
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.service.quoting import check_user
from bot.lifecycle.transitions import finish
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.leases import notices_past
from bot.policy.roles import may_extend, roles_of, sees_money
from bot.policy.rules import Rules
from bot.policy.spending import ONLY_APPROVERS, check_approver, check_lease, check_size, check_usage, over_limits

DECISIONS = frozenset(
    {
        EventKind.APPROVED,
        EventKind.DENIED,
        EventKind.WITHDRAWN,
        EventKind.EXPIRED,
        EventKind.EXTENSION_APPROVED,
        EventKind.EXTENSION_DENIED,
        EventKind.EXTENSION_WITHDRAWN,
        EventKind.EXTENSION_EXPIRED,
    }
)
WORDS = {
    EventKind.APPROVED: "approved",
    EventKind.DENIED: "denied",
    EventKind.WITHDRAWN: "withdrew",
    EventKind.EXTENSION_APPROVED: "approved",
    EventKind.EXTENSION_DENIED: "denied",
    EventKind.EXTENSION_WITHDRAWN: "withdrew",
}


async def approve(deps: Deps, person: Person, rental_id: str, version: int) -> Rental:
    """Approves version `version` of a rental's envelope, or of its extension.

    Raises Refused for who may not, whatever became of the request, or if the team's limits no longer allow it.
    Raises TooLate if it was decided before, and Changed if the envelope is another one now.
    """

    async def decision(tx: Tx) -> Rental:
        rental = await _undecided(tx, deps, person, rental_id, ONLY_APPROVERS)
        own = check_decider(person, rental, deps.rules)
        _check_version(deps, rental, version)
        await tx.people.note_seen(person.id, deps.clock.now())
        if rental.extension is not None:
            return await _extend(tx, deps, person, rental, own)
        await check_buying(tx)
        check_size(rental.request, deps.rules)
        usage = await tx.rentals.usage(rental.owner, without=rental.id)
        check_usage(rental.envelope.max_rate, usage.person_rentals, usage.team_rate, deps.rules)
        now = deps.clock.now()
        after = transitions.approve(rental, now, approver=None if rental.owner_decides else person.id)
        facts = _facts(rental, own)
        return await _tell(
            tx,
            deps,
            rental,
            after,
            Event(rental_id=rental.id, kind=EventKind.APPROVED, at=now, actor=person.id, facts=facts),
        )

    return await transact(deps, decision)


async def deny(deps: Deps, person: Person, rental_id: str, version: int) -> Rental:
    """Denies what `approve` would approve, with the same errors."""

    async def decision(tx: Tx) -> Rental:
        rental = await _undecided(tx, deps, person, rental_id, ONLY_APPROVERS)
        if not roles_of(person, deps.rules).approver:
            raise Refused(ONLY_APPROVERS)
        _check_version(deps, rental, version)
        await tx.people.note_seen(person.id, deps.clock.now())
        if rental.extension is not None:
            return await _drop_extension(tx, deps, rental, EventKind.EXTENSION_DENIED, person)
        return await _end(tx, deps, rental, State.DENIED, person)

    return await transact(deps, decision)


async def withdraw(deps: Deps, person: Person, rental_id: str, version: int) -> Rental:
    """Takes back version `version` of one's own request, or of one's own wish for a longer lease, while it waits.

    Raises Refused for who may not, whatever became of the request, and TooLate if that version no longer waits.
    """

    async def decision(tx: Tx) -> Rental:
        words = "Only who asked can withdraw it. I changed nothing."
        rental = await _undecided(tx, deps, person, rental_id, words)
        if not may_extend(person, rental.owner, deps.rules):
            raise Refused(words)
        _check_not_lapsed(deps, rental)
        if _waiting_version(rental) != version:
            words = f"The request {rental.id} has changed. Its card shows the new one. I withdrew nothing."
            raise TooLate(words, rental.id)
        await tx.people.note_seen(person.id, deps.clock.now())
        if rental.extension is not None:
            return await _drop_extension(tx, deps, rental, EventKind.EXTENSION_WITHDRAWN, person)
        return await _end(tx, deps, rental, State.WITHDRAWN, person)

    return await transact(deps, decision)


async def _undecided(tx: Tx, deps: Deps, person: Person, rental_id: str, refusal: str) -> Rental:
    """Return a rental of which something waits for a decision.

    Raises TooLate if nothing does. Then `refusal` is all that is said to who may not read how it was decided.
    """
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise TooLate("I don't know this request any more.")
    if rental.waiting_envelope is None:
        if not sees_money(person, rental.owner, deps.rules):
            raise Refused(refusal)
        raise TooLate(await _how_it_went(tx, deps, person, rental), rental.id)
    return rental


def _waiting_version(rental: Rental) -> int | None:
    envelope = rental.waiting_envelope
    return None if envelope is None else envelope.version


def _check_not_lapsed(deps: Deps, rental: Rental) -> None:
    if rental.extension is not None:
        until = rental.running.ends_at
    elif rental.waiting is not None:
        until = rental.waiting.expires_at
    else:
        return
    if until <= deps.clock.now():
        raise TooLate(f"The request {rental.id} expired before anyone decided. I changed nothing.", rental.id)


def _check_version(deps: Deps, rental: Rental, version: int) -> None:
    """Raises TooLate if what waits has lapsed by now, and Changed if it is not that version. To be called after
    the person's rights were checked, since Changed makes the new version be shown."""
    _check_not_lapsed(deps, rental)
    if _waiting_version(rental) != version:
        raise Changed(
            f"The request {rental.id} has changed. Here is the new one. Your click decided nothing.", rental.id
        )


async def _how_it_went(tx: Tx, deps: Deps, person: Person, rental: Rental) -> str:
    decided = [event for event in await tx.events.of(rental.id) if event.kind in DECISIONS]
    if not decided:
        return f"{rental.id} doesn't wait for a decision. I changed nothing."
    last = decided[-1]
    if last.kind not in WORDS or last.actor is None:
        return f"The request {rental.id} expired before anyone decided. I changed nothing."
    ago = _ago(last.at, deps.clock.now())
    if last.actor == person.id:
        return f"You {WORDS[last.kind]} it {ago} ago. I changed nothing."
    return f"{await _name(tx, last.actor)} {WORDS[last.kind]} it {ago} before you. I changed nothing."


async def _name(tx: Tx, actor: str) -> str:
    return (await tx.people.names([actor])).get(actor) or "Someone else"


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(int((now - then).total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s" if seconds else "a moment"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


def check_decider(person: Person, rental: Rental, rules: Rules) -> bool:
    """Whether it is the owner who decides. Raises Refused for who may not."""
    if rental.extension is None and rental.owner_decides:
        if person.id != rental.owner:
            raise Refused("Only who asked decides this. I changed nothing.")
        check_user(person, rules)
        if over_limits(rental.envelope.price, rental.envelope.total, rules):
            raise Refused("By now this needs an approver.", next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)
        return False
    asked_by = rental.extension.asked_by if rental.extension else rental.owner
    return check_approver(person, {rental.owner, asked_by}, rules)


def _facts(rental: Rental, own: bool) -> Facts:
    envelope = rental.extension.envelope if rental.extension else rental.envelope
    return Facts(
        envelope=envelope.version,
        max_rate=envelope.max_rate,
        total=envelope.total,
        hours=envelope.lease,
        until=rental.extension.ends_at if rental.extension else None,
        self_approved=own,
    )


async def _extend(tx: Tx, deps: Deps, person: Person, rental: Rental, own: bool) -> Rental:
    extension = rental.extension
    if extension is None:
        raise TooLate(f"{rental.id} no longer asks for more time.", rental.id)
    check_lease(extension.envelope.lease, deps.rules)
    now = deps.clock.now()
    lease = changed(
        rental.running,
        ends_at=extension.ends_at,
        notices_given=notices_past(extension.ends_at, now, deps.rules),
    )
    after = transitions.extend(rental, envelope=extension.envelope, lease=lease, now=now, approved_by=person.id)
    return await _tell(
        tx,
        deps,
        rental,
        after,
        Event(
            rental_id=rental.id,
            kind=EventKind.EXTENSION_APPROVED,
            at=now,
            actor=person.id,
            facts=_facts(rental, own),
        ),
    )


async def _drop_extension(tx: Tx, deps: Deps, rental: Rental, kind: EventKind, person: Person) -> Rental:
    now = deps.clock.now()
    after = transitions.drop_extension(rental, now)
    facts = changed(_facts(rental, own=False), until=rental.running.ends_at)
    return await _tell(
        tx, deps, rental, after, Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
    )


async def _end(tx: Tx, deps: Deps, rental: Rental, end: State, person: Person) -> Rental:
    now = deps.clock.now()
    attempts = await tx.rentals.attempts(rental.id)
    bill = spent(await tx.rentals.ledger(rental.id), await tx.rentals.resources(rental.id), attempts, now)
    after, (event,) = finish(rental, end, attempts=attempts, at=now, bill=bill, by=person.id)
    return await _tell(tx, deps, rental, after, changed(event, kind=EventKind(end.value)))


async def _tell(tx: Tx, deps: Deps, before: Rental, after: Rental, event: Event) -> Rental:
    await tx.rentals.apply(change(before, after, events=(event,), rules=deps.rules, real_now=deps.clock.real()))
    return after
