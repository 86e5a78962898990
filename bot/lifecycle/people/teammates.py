"""Queries and checks concerning the people with whom an owner shares a rental, and their SSH keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.errors import NeedsKey, NoTeammate
from bot.lifecycle.deps import Deps
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import TeammatesFacts
from bot.model.offer import Offer
from bot.model.person import Key, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.token import Program
from bot.policy.access.startup_script import check_runs_jobs, check_script_size, further_keys
from bot.policy.buying.offers import with_needed_script
from bot.policy.team.roles import check_number, check_teammate, is_teammate
from bot.policy.team.rules import Rules
from bot.policy.use.jobs import check_until_done
from bot.policy.use.probing import needs_script, wants_probe
from store.db import Tx


async def checked_people(tx: Tx, rules: Rules, owner: str, people: Iterable[str]) -> tuple[str, ...]:
    """Return the people with whom `owner` wants to share a rental, each once and without the owner.

    The caller has just looked them up in Slack. Raises Mistake if there are too many of them, and NoTeammate if
    the rental can't be shared with one of them.
    """
    others = tuple(dict.fromkeys(person for person in people if person != owner))
    check_number(others)
    for user_id in others:
        person = await tx.people.get(user_id, EVER)
        if person is None:
            raise NoTeammate("I don't know one of these people, so nothing was changed.")
        check_teammate(person, rules)
    return others


async def people_without_key(tx: Tx, people: Sequence[str]) -> tuple[str, ...]:
    """Return the people who have no SSH key."""
    keys = await tx.people.keys_of(people) if people else {}
    return tuple(person for person in people if person not in keys)


async def still_without_key(tx: Tx, rental: Rental) -> tuple[str, ...]:
    """Return the teammates who still have no SSH key, although they were asked for one."""
    without_key = await people_without_key(tx, rental.teammates)
    if not without_key:
        return ()
    added = facts_in(await tx.events.of(rental.id), TeammatesFacts)
    asked = {person for facts in added for person in facts.without_key}
    return tuple(person for person in without_key if person in asked)


async def names_of(tx: Tx, people: Sequence[str]) -> tuple[str, ...]:
    """Return the display names of people, in the same order.

    If the store doesn't know a person's name, their ID is returned instead.
    """
    names = await tx.people.names(people) if people else {}
    return tuple(names.get(person, person) for person in people)


async def let_in(tx: Tx, rental: Rental, people: Sequence[str], now: datetime) -> tuple[Event, ...]:
    """Return the event that records that the rental was shared with these people.

    The event also asks people without an SSH key to add one. If there are no people, the tuple contains no event.
    """
    if not people:
        return ()
    facts = TeammatesFacts(people=tuple(people), without_key=await people_without_key(tx, people))
    return (Event(rental_id=rental.id, kind=EventKind.TEAMMATE_ADDED, at=now, actor=rental.owner, facts=facts),)


async def with_people_added_since(tx: Tx, quote: Quote, rental: Rental) -> Request:
    """Return a quote's request, including the teammates with whom the rental was shared after the search."""
    added = [
        person
        for event in await tx.events.of(rental.id)
        if isinstance(event.facts, TeammatesFacts) and event.at > quote.created_at
        for person in event.facts.people
    ]
    return changed(quote.request, teammates=tuple(dict.fromkeys((*quote.request.teammates, *added))))


async def check_key(tx: Tx, rules: Rules, person: Person, program: Program | None = None) -> None:
    """Raise NeedsKey if the person has no SSH key. The key that a `program` sent is enough."""
    if (program is None or program.ssh_public_key is None) and not await tx.people.keys(person.id):
        raise NeedsKey(github=rules.keys.github)


async def keys_that_get_in(tx: Tx, rental: Rental, rules: Rules) -> dict[str, list[Key]]:
    """Return the keys that should give access to a rental's machine now, by Slack ID.

    The result contains the owner and each current teammate. A person without keys has an empty list. Teammates
    who have left, became guests or are no longer allowed to use the bot are left out.
    """
    teammates = [await tx.people.get(user_id, EVER) for user_id in rental.teammates]
    allowed = [person.id for person in teammates if person is not None and is_teammate(person, rental, rules)]
    people = [rental.owner, *allowed]
    keys = await tx.people.keys_of(people)
    return {user_id: keys.get(user_id, []) for user_id in people}


async def with_startup_script(
    tx: Tx, offers: Sequence[Offer], request: Request, teammates: Sequence[str], chosen_vendor: str | None = None
) -> tuple[Offer, ...]:
    """Return the offers whose machines are expected to run the startup script.

    The expectation is based on what the store knows about their vendors. All offers are returned if the request
    doesn't need the script. Offers from the vendor that the person chose are always included.
    """
    if not needs_script(request, teammates):
        return tuple(offers)
    answers = await tx.probe_answers.of_vendors([offer.vendor for offer in offers])
    return with_needed_script(offers, request, teammates, answers, chosen_vendor)


async def check_startup_script(
    tx: Tx,
    deps: Deps,
    owner: str,
    teammates: Sequence[str],
    request: Request,
    *,
    reader: str,
    first: str | None = None,
) -> None:
    """Refuse a request whose keys, probe and setup script don't fit into one startup script.

    If the lease is to end when the machine's jobs are done, the bot must be able to probe the machine, and
    `gpubot-run` must fit into the script as well.

    Raises Mistake. Its message states the sizes, and suggests what `reader` can do about them. `reader` is a
    Slack ID. `first` is the key that a program sent as the default key.
    """
    check_until_done(request, deps.rules)
    further = further_keys(owner, teammates, await tx.people.keys_of((owner, *teammates)), first=first)
    probe_line = deps.probe_line if wants_probe(request, deps.rules) else ""
    own = reader == owner
    check_script_size(further, request.setup, deps.rules, probe_line=probe_line, own=own)
    if request.until_done and probe_line:
        check_runs_jobs(further, request.setup, deps.rules, probe_line=probe_line, own=own)
