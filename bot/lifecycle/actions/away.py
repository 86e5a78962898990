"""Approvers say that they are away, and until when: nothing mentions or reminds them, and their time does not
count."""

from __future__ import annotations

from datetime import datetime

from bot.errors import Mistake, Refused
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.people.deciders import deciders, rules_now
from bot.lifecycle.people.teammates import names_of
from bot.lifecycle.people.undecided import ask_others, count_again
from bot.model.account_facts import ABSENCES
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import AgainFacts, Facts
from bot.model.person import Absence, Person
from bot.model.summary import PeopleAsked
from bot.policy.team.hours import LONGEST_WAIT
from bot.policy.team.roles import roles_of
from store.db import Tx

KEPT = 10
"""How many absences of a person are kept: they decide how long a request that waits has waited."""


async def go_away(deps: Deps, person: Person, until: datetime) -> PeopleAsked:
    """Note that an approver is away from now on until then. What waits expires later if nobody is left meanwhile,
    and others are asked at once if all approvers are away. Return who is asked about requests now.

    Raise Refused if the person is no approver, Mistake if that is too far away.
    """

    async def decision(tx: Tx) -> PeopleAsked:
        now = deps.clock.now()
        if until - now > LONGEST_WAIT:
            raise Mistake("That is more than a year away. Name an earlier day.")
        ended = _ended(await _absences(tx, deps, person), now)
        await tx.account.set(ABSENCES, (*ended, Absence(since=now, until=until))[-KEPT:], person.id)
        await tx.events.add(_event(EventKind.APPROVER_AWAY, person, now, AgainFacts(until=until)))
        await _apply_to_waiting(tx, deps)
        asked = (await deciders(tx, deps.rules, (), now)).asked
        return PeopleAsked(names=await names_of(tx, asked.people), away=await names_of(tx, asked.away))

    return await transact(deps, decision)


async def come_back(deps: Deps, person: Person) -> bool:
    """Note that an approver is back. Return False if they were not away. Raise Refused if the person is no
    approver."""

    async def decision(tx: Tx) -> bool:
        now = deps.clock.now()
        before = await _absences(tx, deps, person)
        ended = _ended(before, now)
        if ended == before:
            return False
        await tx.account.set(ABSENCES, ended, person.id)
        await tx.events.add(_event(EventKind.APPROVER_BACK, person, now))
        await _apply_to_waiting(tx, deps)
        return True

    return await transact(deps, decision)


async def _absences(tx: Tx, deps: Deps, person: Person) -> tuple[Absence, ...]:
    """Return the absences of an approver. Raise Refused if the person is none."""
    if not roles_of(person, await rules_now(tx, deps.rules)).approver:
        raise Refused("Only approvers are asked about requests, so nobody else has to be away. I changed nothing.")
    return await tx.account.get(ABSENCES, person.id) or ()


def _ended(absences: tuple[Absence, ...], now: datetime) -> tuple[Absence, ...]:
    """Return the absences up to `now`: one that goes on ends then."""
    return tuple(changed(one, until=min(one.until, now)) for one in absences if one.since < now)


def _event(kind: EventKind, person: Person, now: datetime, facts: Facts | None = None) -> Event:
    return Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts or Facts())


async def _apply_to_waiting(tx: Tx, deps: Deps) -> None:
    await ask_others(tx, deps)
    await count_again(tx, deps)
