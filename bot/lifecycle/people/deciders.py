"""Determines who decides requests now: the approvers, or the admins if no approver is left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.outside import Directory
from bot.model.account_facts import ABSENCES, GROUP_MEMBERS, NO_APPROVER_SINCE
from bot.model.event import Event, EventKind
from bot.model.facts import AccountFacts, DecidersFacts
from bot.model.message import Message, queued, to_person
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.team.asking import Asked, who_is_asked
from bot.policy.team.hours import Availability, zone_of
from bot.policy.team.roles import (
    Team,
    approvers_of,
    are_named,
    deciding_groups,
    is_member,
    named_to_decide,
    rules_for,
    then_people,
)
from bot.policy.team.rules import Rules
from store.db import Tx

LOOKED_UP_AT_ONCE = 20
"""The maximum number of new group members that are looked up at once. A lookup returns the name and time zone."""


async def rules_now(tx: Tx, rules: Rules, requesters: Collection[str] = ()) -> Rules:
    """Return the rules as they apply now to a request made by `requesters`.

    The rules then name only admins and approvers who are still in the workspace; see `rules_for`.
    """
    return rules_for(rules, await team_of(tx, rules), requesters)


async def team_of(tx: Tx, rules: Rules) -> Team:
    """Return the people and groups that decide requests, as far as the store knows them."""
    team, _ = await _team_and_people(tx, rules)
    return team


async def _team_and_people(tx: Tx, rules: Rules) -> tuple[Team, list[Person]]:
    """Return the team that decides requests, and the people in it, including the admins.

    People who aren't in the store are left out.
    """
    groups = deciding_groups(rules)
    named = {*rules.admins, *rules.approvers.people, *rules.approvers.quiet, *rules.approval.then}
    members = await tx.account.all(GROUP_MEMBERS) if groups else {}
    named |= {one for group in groups for one in members.get(group, ())}
    people = await tx.people.known(named)
    departed = frozenset(person.id for person in people if not is_member(person))
    return Team(gone=departed, members={group: members[group] for group in groups if group in members}), people


def requesters_of(rental: Rental) -> tuple[str, ...]:
    """Return the people who made the pending request. Somebody else should decide about the request.

    The rental's owner is always one of them. If an extension is pending, the person who requested the extension is
    included as well.
    """
    return (rental.owner, *([rental.extension.asked_by] if rental.extension is not None else []))


class Deciders(NamedTuple):
    """The people who are asked about a request."""

    asked: Asked
    admins_decide: bool
    """True if the admins are asked because no approver is left who is allowed to approve or deny the request."""
    available: Mapping[str, Availability]
    """The times at which people can be asked, by Slack ID.

    Contains the approvers and the people in `approval.then`, as far as the store knows them.
    """
    hours: tuple[Availability, ...]
    """The times at which the people who count for the time limit can be asked.

    These people are the approvers, or the people in `approval.then` if they are asked instead. If the store knows
    none of these people, the working hours of the team's time zone are used.
    """

    @property
    def people(self) -> tuple[str, ...]:
        """The Slack IDs of the people who are asked."""
        return self.asked.people


async def deciders(tx: Tx, rules: Rules, requesters: Collection[str], now: datetime) -> Deciders:
    """Return the people who are asked at `now` about a request made by `requesters`."""
    team, people = await _team_and_people(tx, rules)
    left = rules_for(rules, team, requesters)
    may_be_asked = {*named_to_decide(approvers_of(left), team), *then_people(left, team)}
    absences = await tx.account.all(ABSENCES)
    available = {
        person.id: Availability(zone_of(person.tz, rules), absences.get(person.id, ()))
        for person in people
        if person.id in may_be_asked
    }
    asked = who_is_asked(left, team, requesters, available, now)
    counting = asked.others if asked.others_instead else (*asked.people, *asked.away)
    hours = tuple(available[one] for one in counting if one in available)
    return Deciders(
        asked,
        admins_decide=are_named(rules.approvers) and not are_named(left.approvers),
        available=available,
        hours=hours or (Availability(zone_of(None, rules)),),
    )


async def ask_each_directly(tx: Tx, deps: Deps, message: Message, requesters: Collection[str]) -> bool:
    """Ask each approver in a direct message, because Slack refuses the message in the approvals channel.

    `requesters` are the people who made the request. Returns False if there is nobody who could be asked.
    """
    people = (await deciders(tx, deps.rules, requesters, deps.clock.now())).people
    about = {"rental_id": message.rental_id, "token_id": message.token_id, "event_id": message.event_id}
    for person in people:
        await tx.messages.add(queued(message.kind, to_person(person), deps.clock.real(), **about))
    return bool(people)


async def check_deciders(deps: Deps, directory: Directory) -> None:
    """Look up the people and groups that decide requests.

    When the last approver has left, the admins decide, and are notified of this. When there is an approver again,
    the approvers decide. People with pending requests are notified of both changes. Raises StoreBusy if the store
    doesn't accept the changes.

    If the rules name no approvers, the admins decide. In this case, the admins and the people in `approval.then`
    are looked up as well, so that a request can show their names.
    """
    rules, groups = deps.rules, deciding_groups(deps.rules)
    people = {*rules.approvers.people, *rules.approvers.quiet, *rules.admins, *then_people(rules, Team())}
    if not are_named(rules.approvers) and not groups:
        await directory.refresh(people)
        return
    found = await asyncio.gather(*map(directory.members, groups))
    members = {one for group in found for one in group or ()}
    async with deps.store.read() as tx:
        new = members - {person.id for person in await tx.people.known(members)}
    # Look up only some of the new members of a user group at a time, because Slack allows only a few requests per
    # minute. Members who were looked up before needn't be looked up again: when people leave, Slack itself removes
    # them from its groups.
    await directory.refresh({*people, *sorted(new)[:LOOKED_UP_AT_ONCE]})

    async def decision(tx: Tx) -> None:
        for group, members in zip(groups, found, strict=True):
            # Slack didn't respond. Use the members of the group that were read last.
            if members is not None and frozenset(members) != await tx.account.get(GROUP_MEMBERS, group):
                await tx.account.set(GROUP_MEMBERS, frozenset(members), group)
        left = await rules_now(tx, rules)
        none_left = are_named(rules.approvers) and not are_named(left.approvers)
        if none_left != (await tx.account.get(NO_APPROVER_SINCE) is not None):
            await tx.account.set(NO_APPROVER_SINCE, deps.clock.now() if none_left else None)
            await _notify(tx, deps, none_left=none_left)

    await transact(deps, decision)


async def _notify(tx: Tx, deps: Deps, *, none_left: bool) -> None:
    now, waiting = deps.clock.now(), await tx.rentals.undecided()
    for rental in waiting:
        asked = await deciders(tx, deps.rules, requesters_of(rental), now)
        facts = DecidersFacts(
            people=asked.people, terms=rental.newest_terms.version, admins_decide=asked.admins_decide
        )
        event = Event(rental_id=rental.id, kind=EventKind.DECIDERS_CHANGED, at=now, facts=facts)
        await apply(tx, deps, Change(rental, alter(rental), (event,)))
    tokens = [token for token in await tx.tokens.live() if token.requested is not None]
    for token in tokens:
        await tx.messages.show_token(token.id)
    if none_left:
        count = len(waiting) + len(tokens)
        await send_of_account(tx, deps, EventKind.NO_APPROVER_LEFT, AccountFacts(count=count))
