"""Requests that wait for approvers: reminders, asking further people, and ending a request.

`bot/policy/team/asking.py` decides when to remind and whom to ask. The history of each rental records what was
done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.notifications import Scene
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.people.deciders import Deciders, deciders, requesters_of
from bot.lifecycle.people.token_requests import (
    ask_others_about_tokens,
    remind_about_tokens,
    tokens_need_approvers,
)
from bot.model.base import changed
from bot.model.event import (
    DECISIONS,
    Event,
    EventKind,
    OpenQuestion,
    events_after,
    facts_in,
    newest_asked,
    open_question,
)
from bot.model.facts import DecidersFacts
from bot.model.message import MessageKind, queued, to_person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.asking import Undecided, others_are_due, reminders
from bot.policy.team.hours import Availability, after_hours
from store.db import Tx


class _Undecided(NamedTuple):
    rental: Rental
    asked: Deciders
    undecided: Undecided


async def end_request(
    tx: Tx, deps: Deps, rental: Rental, end: State, *, by: str | None = None, reason: str = ""
) -> Rental:
    """Deny or withdraw a request that waits for a decision or for an offer.

    `end` is the final state of the rental. Machines that were bought for it earlier are destroyed. `by` is the
    Slack ID of the person who ends the rental, or None for the bot.
    """
    after, event = (await load_snapshot(tx, rental)).finished(end, deps.clock.now(), by=by)
    facts = changed(event.facts, detail=reason or None)
    return await apply(tx, deps, Change(rental, after, (changed(event, kind=EventKind(end.value), facts=facts),)))


async def check_undecided(deps: Deps) -> None:
    """Remind approvers of pending requests. If nobody decides, ask the people in `approval.then`.

    The same is done for the terms of tokens that wait for approvers.

    Raises StoreBusy if the store doesn't accept the changes.
    """

    async def decision(tx: Tx) -> None:
        await ask_others(tx, deps)
        await ask_others_about_tokens(tx, deps)
        await _remind(tx, deps)
        await remind_about_tokens(tx, deps)

    async with deps.store.read() as tx:
        waiting, now = await _load(tx, deps), deps.clock.now()
        due = (
            _reminders(waiting, deps, now)
            or any(_others_are_due(one, deps, now) for one in waiting)
            or await tokens_need_approvers(tx, deps)
        )
    if due:
        await transact(deps, decision)


async def ask_others(tx: Tx, deps: Deps) -> None:
    """Ask the people in `approval.then` about the requests that they now have to decide."""
    now = deps.clock.now()
    for one in await _load(tx, deps):
        if not _others_are_due(one, deps, now):
            continue
        asked, rental = one.asked.asked, one.rental
        facts = DecidersFacts(
            terms=rental.newest_terms.version,
            people=tuple(dict.fromkeys((*asked.people, *asked.others))),
            then=asked.others,
            away=asked.away if asked.others_instead else (),
            admins_decide=False,
        )
        event = Event(rental_id=rental.id, kind=EventKind.OTHERS_ASKED, at=now, facts=facts)
        await apply(tx, deps, Change(rental, alter(rental), (event,)))


async def count_again(tx: Tx, deps: Deps) -> None:
    """Recalculate when each pending request expires, because an approver has gone away or is back."""
    now, rules = deps.clock.now(), deps.rules
    for one in await _load(tx, deps):
        decision = one.rental.decision
        if decision is None:
            continue
        expires_at = after_hours(one.undecided.asked_at, rules.approval.expires, one.asked.hours, rules.hours)
        expires_at = max(expires_at, now)
        if expires_at != decision.expires_at:
            after = alter(one.rental, decision=changed(decision, expires_at=expires_at), due_at=expires_at)
            await apply(tx, deps, Change(one.rental, after))


async def _remind(tx: Tx, deps: Deps) -> None:
    """Send each person who is due for a reminder one message about all requests that wait for them.

    Each rental whose request is in a message gets an event.
    """
    waiting, now, real_now = await _load(tx, deps), deps.clock.now(), deps.clock.real()
    found = _reminders(waiting, deps, now)
    unsent = dict(found)
    for one in waiting:
        people = tuple(person for person, rental_ids in found.items() if one.rental.id in rental_ids)
        if not people:
            continue
        facts = DecidersFacts(people=people, terms=one.rental.newest_terms.version)
        event = Event(rental_id=one.rental.id, kind=EventKind.APPROVERS_REMINDED, at=now, facts=facts)
        messages = tuple(
            (0, queued(MessageKind.REMINDER, to_person(to), real_now, body={"rentals": list(unsent.pop(to))}))
            for to in Scene(event, deps.rules).ids(event.effects.reminder)
            if to in unsent
        )
        await apply(tx, deps, Change(one.rental, alter(one.rental), (event,), messages=messages))


async def _load(tx: Tx, deps: Deps) -> list[_Undecided]:
    """Return the requests and extensions that wait for approvers, oldest first.

    The rentals of people who have left are left out, because the admins are asked about these rentals.
    """
    found = []
    for rental in await tx.rentals.undecided():
        events = await tx.events.of(rental.id)
        question = newest_asked(events, DECISIONS)
        if question is None or open_question(events, OpenQuestion.OWNER) is not None:
            continue
        later = events_after(question, events)
        reminded = facts_in((one for one in later if one.kind is EventKind.APPROVERS_REMINDED), DecidersFacts)
        asked = await deciders(tx, deps.rules, requesters_of(rental), deps.clock.now())
        undecided = Undecided(
            rental_id=rental.id,
            asked_at=question.at,
            asked=() if asked.asked.others_instead else asked.people,
            reminded=frozenset(person for facts in reminded for person in facts.people),
            others_asked=any(facts.then for facts in facts_in((question, *later), DecidersFacts)),
        )
        found.append(_Undecided(rental, asked, undecided))
    return found


def _reminders(waiting: list[_Undecided], deps: Deps, now: datetime) -> dict[str, tuple[str, ...]]:
    available: dict[str, Availability] = {}
    for one in waiting:
        available |= one.asked.available
    return reminders([one.undecided for one in waiting], available, deps.rules, now)


def _others_are_due(one: _Undecided, deps: Deps, now: datetime) -> bool:
    available: Mapping[str, Availability] = one.asked.available
    return bool(one.asked.asked.others) and others_are_due(one.undecided, available, deps.rules, now)
