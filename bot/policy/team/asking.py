"""Decides whom the bot asks to approve or deny a request, mentions in messages, and reminds. No I/O.

Quiet approvers, whom the policy lists under `quiet`, can approve or deny requests but are never asked to. People
who are away aren't asked until they are back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from bot.model.base import Frozen
from bot.policy.team.hours import Availability, after_hours, next_available
from bot.policy.team.roles import Team, approvers_of, named_to_decide, then_people
from bot.policy.team.rules import Approvers, Rules


class Mentions(Frozen):
    """The people and groups that the message to the approvers mentions."""

    groups: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


class Asked(NamedTuple):
    """The people whom the bot asks to approve or deny a request now."""

    people: tuple[str, ...]
    """Slack IDs of these people: the approvers and the known members of their groups.

    If `others_instead`, they are the people in `others`.
    """
    mentions: Mentions
    away: tuple[str, ...]
    """The approvers whom the bot doesn't ask because they are away."""
    others: tuple[str, ...]
    """The people of `approval.then`, without people who are away or whom the bot already asks as approvers."""
    others_instead: bool
    """True if every approver is away, so that the bot asks the people in `others` at once."""


def who_is_asked(
    rules: Rules, team: Team, requesters: Collection[str], available: Mapping[str, Availability], now: datetime
) -> Asked:
    """Return the people whom the bot asks to approve or deny a request.

    The requesters are left out, unless nobody else is known.

    Args:
        rules: The rules that apply to these requesters, as returned by `rules_for`.
        team: The current state of the people and groups in the rules.
        requesters: Slack IDs of the people who made the request.
        available: The availability of all people whom the store knows, by Slack ID.
        now: The current time.
    """
    approvers = approvers_of(rules)

    def is_away(person: str) -> bool:
        return person in available and available[person].is_away(now)

    everyone = tuple(one for one in named_to_decide(approvers, team) if one not in approvers.quiet)
    decide = tuple(one for one in everyone if one not in requesters) or everyone
    here = tuple(one for one in decide if not is_away(one))
    away = tuple(one for one in decide if is_away(one))
    others = tuple(one for one in then_people(rules, team) if one not in (*requesters, *here) and not is_away(one))
    others_instead = bool(away and others and not here)
    return Asked(
        people=others if others_instead else here,
        mentions=_mentions(approvers, team, is_left_out=lambda one: one in approvers.quiet or is_away(one)),
        away=away,
        others=others,
        others_instead=others_instead,
    )


def _mentions(approvers: Approvers, team: Team, *, is_left_out: Callable[[str], bool]) -> Mentions:
    """Return the groups and people to mention.

    If one member of a group must not be mentioned, the other members are mentioned by name instead of the group.
    """
    groups, people = [], list(approvers.people)
    for group in approvers.groups:
        members = team.members_of([group])
        if any(map(is_left_out, members)):
            people += members
        else:
            groups.append(group)
    here = dict.fromkeys(one for one in people if not is_left_out(one))
    return Mentions(groups=tuple(groups), people=tuple(here))


# --- the time at which people are reminded of a request that nobody has decided


class Undecided(NamedTuple):
    """A request, an extension or the terms of a token that wait for approvers."""

    rental_id: str
    """The ID of the rental, or of the token."""
    asked_at: datetime
    """The time at which the newest version of the request was submitted."""
    asked: tuple[str, ...]
    """Slack IDs of the people whom the bot currently asks for a decision."""
    reminded: frozenset[str] = frozenset()
    """Slack IDs of the people who have already been reminded of the request."""
    others_asked: bool = False
    """True if the people of `approval.then` have been asked."""


def reminders(
    undecided: Sequence[Undecided], available: Mapping[str, Availability], rules: Rules, now: datetime
) -> dict[str, tuple[str, ...]]:
    """Return the people to remind now, each with the IDs of all rentals that wait for their decision.

    A person is reminded of each request once. The reminder is due when the request has waited for
    `approval.remind`, counting only the person's working hours. The reminder also lists requests that haven't
    waited that long yet.

    The IDs are in the order of `undecided`.
    """
    found = {}
    for person in dict.fromkeys(one for request in undecided for one in request.asked):
        own = available.get(person)
        if own is None or next_available(now, own, rules.hours) > now:
            continue
        theirs = [request for request in undecided if person in request.asked]
        if any(person not in request.reminded and _remind_at(request, own, rules) <= now for request in theirs):
            found[person] = tuple(request.rental_id for request in theirs)
    return found


def _remind_at(one: Undecided, person: Availability, rules: Rules) -> datetime:
    return after_hours(one.asked_at, rules.approval.remind, [person], rules.hours)


def others_are_due(one: Undecided, available: Mapping[str, Availability], rules: Rules, now: datetime) -> bool:
    """Return whether to ask the people of `approval.then` now.

    The bot asks these people once: as soon as no approver is available, or if nobody has decided within
    `approval.then_after`. Only time in which at least one approver is available counts toward
    `approval.then_after`. Approvers are available in their working hours.
    """
    if one.others_asked:
        return False
    people = [available[person] for person in one.asked if person in available]
    if not people:
        return True
    return after_hours(one.asked_at, rules.approval.then_after, people, rules.hours) <= now
