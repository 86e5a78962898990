"""Asking for offers."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Mistake, NextStep, Refused
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.people.teammates import check_boot_script, checked_people
from bot.model.base import changed
from bot.model.message import Destination
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState, Wish
from bot.model.request import Request
from bot.policy.access.boot import check_setup
from bot.policy.buying.budgets import project_of
from bot.policy.buying.spending import check_size, with_price_of_total
from bot.policy.team.roles import check_user, may_use_in
from bot.policy.use.leases import counted_from
from store.db import Tx

QUOTES_PER_MINUTE = 6


def check_may_ask(deps: Deps, person: Person, asked_in: str, *, direct: bool) -> None:
    """Raise Refused if the person may not use the bot, or if it may not be used in the channel `asked_in`.
    `direct` tells whether that is a direct message."""
    check_user(person, deps.rules)
    if not may_use_in(asked_in, direct=direct, rules=deps.rules):
        raise Refused("I'm not used in this channel.", channels=deps.rules.use.channels)


async def check_pace(tx: Tx, deps: Deps, person: Person) -> None:
    """Raise Refused after QUOTES_PER_MINUTE searches within a minute."""
    minute = timedelta(minutes=1)
    asked = await tx.quotes.asked_since(person.id, deps.clock.now() - minute)
    if len(asked) >= QUOTES_PER_MINUTE:
        raise Refused("Six searches a minute is my limit.", again_at=asked[-QUOTES_PER_MINUTE] + minute)


async def ask(
    deps: Deps,
    person: Person,
    request: Request,
    *,
    asked_in: str,
    direct: bool,
    reply_to: Destination,
    rent_now: bool = False,
    replaces: bool = False,
    changes: str | None = None,
    wish: Wish | None = None,
) -> Quote:
    """Store a quote for a request. Once its offers are found, they are sent to `reply_to`.

    The caller has looked up the request's teammates in Slack. Raise Refused or Mistake if the rules don't allow
    the request, its project or one of its teammates. Raise Mistake if the keys and the set-up don't fit into a
    boot script, or if too little time is left until the end. Raise Refused after QUOTES_PER_MINUTE searches within
    a minute.
    """
    check_may_ask(deps, person, asked_in, direct=direct)
    if changes is not None and request.starts_at is not None:
        words = "A request that waits for approval can't get a start time."
        raise Mistake(words, next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)
    project = project_of(person, request.project, asked_in, deps.rules)
    check_size(request, deps.rules)
    check_setup(request.setup, deps.rules)

    async def decision(tx: Tx) -> Quote:
        await check_pace(tx, deps, person)
        teammates = await checked_people(tx, deps.rules, person.id, request.teammates)
        await check_boot_script(tx, deps, person.id, teammates, request, reader=person.id)
        quote = new_quote(
            deps,
            person,
            changed(request, teammates=teammates),
            asked_in=asked_in,
            project=project,
            reply_to=reply_to,
            rent_now=rent_now,
            replaces=replaces,
            changes=changes,
            wish=wish,
        )
        await tx.quotes.add(quote)
        await tx.people.note_seen(person.id, deps.clock.now())
        return quote

    return await transact(deps, decision)


def new_quote(
    deps: Deps,
    person: Person,
    request: Request,
    *,
    asked_in: str,
    project: str,
    reply_to: Destination,
    rent_now: bool = False,
    replaces: bool = False,
    changes: str | None = None,
    replaces_rental: str | None = None,
    wish: Wish | None = None,
) -> Quote:
    """Return a quote whose search is due now. It is not stored yet.

    If the request names its end, its hours count from now until then. If it names a total, its highest price
    follows from that, except in a search for a replacement: if its total doesn't pay for all hours, the lease
    becomes shorter instead. Raise Mistake if too little time is left.
    """
    now = deps.clock.now()
    request = counted_from(request, now)
    if replaces_rental is None:
        request = with_price_of_total(request, deps.rules)
    return Quote(
        id=deps.new_id(12),
        state=QuoteState.LOOKING,
        owner=person.id,
        asked_in=asked_in,
        project=project,
        request=request,
        rent_now=rent_now,
        changes=changes,
        replaces_rental=replaces_rental,
        reply_to=reply_to,
        replaces=replaces,
        wish=wish,
        created_at=now,
        due_at=now,
    )
