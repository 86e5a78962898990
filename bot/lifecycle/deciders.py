"""Who decides requests now: the approvers, or the admins while none of the approvers is left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.lifecycle.account.buying_blocks import notify_admins
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, apply, transact
from bot.lifecycle.ports.outside import Directory
from bot.lifecycle.ports.store import Tx
from bot.model.account_facts import GROUP_MEMBERS, NO_APPROVER_SINCE
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import Team, approvers_of, are_named, is_member, rules_for
from bot.policy.team.rules import Rules

LOOKED_UP_AT_ONCE = 20
"""How many new members of groups are looked up at the same time, for their names and time zones."""


async def rules_now(tx: Tx, rules: Rules, requesters: Collection[str] = ()) -> Rules:
    """Return the rules as they hold now for a request of these people: see `rules_for`."""
    return rules_for(rules, await team_of(tx, rules), requesters)


async def team_of(tx: Tx, rules: Rules) -> Team:
    """Return what the store knows of the people and groups that may decide."""
    named = {*rules.admins, *rules.approvers.people}
    members = await tx.account.all(GROUP_MEMBERS) if rules.approvers.groups else {}
    named |= {one for group in rules.approvers.groups for one in members.get(group, ())}
    gone = frozenset(person.id for person in await tx.people.known(named) if not is_member(person))
    return Team(gone=gone, members={group: members[group] for group in rules.approvers.groups if group in members})


def requesters_of(rental: Rental) -> tuple[str, ...]:
    """Return the people who asked for what waits for a decision, so that somebody else decides about it."""
    return (rental.owner, *([rental.extension.asked_by] if rental.extension is not None else []))


class Deciders(NamedTuple):
    """Who is asked about a request."""

    people: tuple[str, ...]
    """Slack ids: the approvers that the rules name, and the known members of their groups. The requesters are left
    out, unless nobody else is known."""
    admins_decide: bool
    """Whether they are the admins because no approver is left who may decide it."""
    zones: frozenset[ZoneInfo]
    """The time zones of the people whom the store knows, or the team's if it knows none of them."""


async def deciders(tx: Tx, rules: Rules, requesters: Collection[str]) -> Deciders:
    """Return who is asked now about a request of these people."""
    team = await team_of(tx, rules)
    left = rules_for(rules, team, requesters)
    asked = approvers_of(left)
    members = [one for group in asked.groups for one in sorted(team.members.get(group, frozenset()) - team.gone)]
    everyone = tuple(dict.fromkeys((*asked.people, *members)))
    people = tuple(one for one in everyone if one not in requesters) or everyone
    zones = frozenset(zone_of(person.tz, rules) for person in await tx.people.known(people))
    return Deciders(
        people,
        admins_decide=are_named(rules.approvers) and not are_named(left.approvers),
        zones=zones or frozenset({zone_of(None, rules)}),
    )


async def check_deciders(deps: Deps, directory: Directory) -> None:
    """Look up the people and groups that may decide. If the last approver left, or one is back, notify the admins
    and the people whose requests wait of who decides now. Raise StoreBusy if the store doesn't take it.

    If the rules name no approvers, the admins decide: they are looked up, so that a request says their names.
    """
    approvers = deps.rules.approvers
    if not are_named(approvers):
        await directory.refresh(deps.rules.admins)
        return
    found = await asyncio.gather(*map(directory.members, approvers.groups))
    members = {one for group in found for one in group or ()}
    async with deps.store.read() as tx:
        new = members - {person.id for person in await tx.people.known(members)}
    # Slack allows few look-ups a minute, and removes people who left from its groups on its own.
    await directory.refresh({*approvers.people, *deps.rules.admins, *sorted(new)[:LOOKED_UP_AT_ONCE]})

    async def decision(tx: Tx) -> None:
        for group, members in zip(approvers.groups, found, strict=True):
            # Without an answer, the last known members count.
            if members is not None and frozenset(members) != await tx.account.get(GROUP_MEMBERS, group):
                await tx.account.set(GROUP_MEMBERS, frozenset(members), group)
        none_left = not are_named((await rules_now(tx, deps.rules)).approvers)
        if none_left != (await tx.account.get(NO_APPROVER_SINCE) is not None):
            await tx.account.set(NO_APPROVER_SINCE, deps.clock.now() if none_left else None)
            await _notify(tx, deps, none_left=none_left)

    await transact(deps, decision)


async def _notify(tx: Tx, deps: Deps, *, none_left: bool) -> None:
    now, waiting = deps.clock.now(), await tx.rentals.waiting()
    for rental in waiting:
        asked = await deciders(tx, deps.rules, requesters_of(rental))
        facts = Facts(
            people=asked.people, envelope=rental.newest_envelope.version, admins_decide=asked.admins_decide
        )
        event = Event(rental_id=rental.id, kind=EventKind.DECIDERS_CHANGED, at=now, facts=facts)
        await apply(tx, deps, rental, alter(rental), event)
    if none_left:
        await notify_admins(tx, deps, EventKind.NO_APPROVER_LEFT, Facts(count=len(waiting)))
