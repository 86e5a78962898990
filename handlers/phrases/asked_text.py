"""Who is asked to decide a request, as names, and as mentions in the one message that asks them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lifecycle.changes.notifications import readers_of
from bot.model.event import Event, deciders_in
from bot.model.facts import DecidersFacts
from bot.model.summary import PeopleAsked, RentalDetails
from bot.policy.team.asking import Mentions
from bot.policy.team.rules import Rules
from handlers.phrases.format import mention, mention_group, person
from handlers.phrases.rental_text import people_text


def away_text(names: Sequence[str]) -> str:
    """Return `Ben and Dora are away`."""
    return f"{people_text(names)} {'is' if len(names) == 1 else 'are'} away"


def asked_text(names: Sequence[str], *, admins_decide: bool, away: Sequence[str] = ()) -> str:
    """Return `Asked: Ben and Dora.` for display names, which pings nobody. Return an empty text for nobody. `away`
    are the approvers who are all away."""
    if not names:
        return f"{away_text(away)}." if away else ""
    people = people_text(names)
    if away:
        return f"{away_text(away)}, so {people} {'is' if len(names) == 1 else 'are'} asked."
    return f"No approver is left, so admins are asked: {people}." if admins_decide else f"Asked: {people}."


def asked_for(asked: PeopleAsked | None, what: str = "approval") -> str:
    """Return `Asked Ben and Dora for approval`, or `for` something else, for a reply to the requester."""
    if asked is None or not (asked.names or asked.away):
        return f"Asked for {what}"
    if not asked.names:
        return f"{away_text(asked.away)}, so it waits for {what}"
    people = people_text(asked.names)
    if asked.away:
        return f"{away_text(asked.away)}, so I asked {people} for {what}"
    if asked.admins_decide:
        return f"No approver is left, so I asked the admins ({people}) for {what}"
    return f"Asked {people} for {what}"


def asked_by_event(facts: DecidersFacts, details: RentalDetails) -> str:
    """Return who is asked, as an event says. Return an empty text if it doesn't say."""
    names, away = ([details.names.get(one, one) for one in ids] for ids in (facts.people, facts.away))
    return asked_text(names, admins_decide=bool(facts.admins_decide), away=away)


def asked_now(details: RentalDetails) -> str:
    """Return who is asked about what waits, by the newest event that says it."""
    newest = deciders_in(details.events)
    return asked_by_event(newest, details) if newest is not None else ""


def mentions(details: RentalDetails, asked: Event, asked_now: Mentions, rules: Rules) -> str:
    """Return `Asked: @approvers, @ben.` A requester, or a person who gets a direct message about the request, is
    named without a ping. Return an empty text for nobody."""
    informed = {asked.actor, *readers_of(asked, details.rental, rules)}
    pings = [mention_group(group) for group in asked_now.groups]
    pings += [person(details.names, one) if one in informed else mention(one) for one in asked_now.people]
    return f"Asked: {', '.join(pings)}." if pings else ""
