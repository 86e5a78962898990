"""Actions with which approvers say that they will be away, or that they are back.

While an approver is away, they are neither mentioned nor reminded. Their working hours don't count toward the
time limit of requests.
"""

from __future__ import annotations

from datetime import datetime

from bot.errors import Mistake, Refused
from bot.lifecycle.actions.action import Direct, Done
from bot.lifecycle.deps import Deps
from bot.lifecycle.people.deciders import deciders, rules_now
from bot.lifecycle.people.teammates import names_of
from bot.lifecycle.people.token_requests import ask_others_about_tokens, count_requests_again
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
"""The number of a person's most recent absences that are kept.

Past absences still matter, because the time limit of a pending request doesn't run while all approvers are away.
"""


class _Presence(Direct[tuple[Absence, ...], Done], notes_seen=False):
    """The base class of GoAway and ComeBack. Raises Refused if the person isn't an approver."""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> tuple[Absence, ...]:
        if not roles_of(person, await rules_now(tx, deps.rules)).approver:
            message = "Only approvers are asked about requests, so you don't need to be away. Nothing was changed."
            raise Refused(message)
        return await tx.account.get(ABSENCES, person.id) or ()


class GoAway(_Presence[PeopleAsked], id="go_away"):
    """Record that an approver is away from now until a later time.

    If all approvers are away now, pending requests expire later, and the people in `approval.then` are asked
    immediately. Returns the people who are asked about requests now. Raises Mistake if `until` is too far in the
    future.
    """

    until: datetime

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: tuple[Absence, ...]) -> PeopleAsked:
        now = deps.clock.now()
        if self.until - now > LONGEST_WAIT:
            raise Mistake("That's more than a year away. Name an earlier day.")
        ended = _ended(plan, now)
        await tx.account.set(ABSENCES, (*ended, Absence(since=now, until=self.until))[-KEPT:], person.id)
        await tx.events.add(_event(EventKind.APPROVER_AWAY, person, now, AgainFacts(until=self.until)))
        await _apply_to_waiting(tx, deps)
        asked = (await deciders(tx, deps.rules, (), now)).asked
        return PeopleAsked(names=await names_of(tx, asked.people), away=await names_of(tx, asked.away))


class ComeBack(_Presence[bool], id="come_back"):
    """Record that an approver is back. Returns False if they weren't away."""

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: tuple[Absence, ...]) -> bool:
        now = deps.clock.now()
        ended = _ended(plan, now)
        if ended == plan:
            return False
        await tx.account.set(ABSENCES, ended, person.id)
        await tx.events.add(_event(EventKind.APPROVER_BACK, person, now))
        await _apply_to_waiting(tx, deps)
        return True


def _ended(absences: tuple[Absence, ...], now: datetime) -> tuple[Absence, ...]:
    """Return the absences that began before `now`. An absence in progress is cut off at `now`."""
    return tuple(changed(one, until=min(one.until, now)) for one in absences if one.since < now)


def _event(kind: EventKind, person: Person, now: datetime, facts: Facts | None = None) -> Event:
    return Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts or Facts())


async def _apply_to_waiting(tx: Tx, deps: Deps) -> None:
    """Update the pending requests, because an approver has gone away or is back."""
    await ask_others(tx, deps)
    await count_again(tx, deps)
    await ask_others_about_tokens(tx, deps)
    await count_requests_again(tx, deps)
