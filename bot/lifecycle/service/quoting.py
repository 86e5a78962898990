"""Asking for offers, and the SSH key that renting needs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.errors import Refused
from bot.lifecycle.deps import Deps, new_id, transact
from bot.lifecycle.ports.store import Tx
from bot.model.base import Frozen, changed
from bot.model.message import Message, MessageKind, stored_destination
from bot.model.offer import OFFER_LIFE
from bot.model.person import Key, Person
from bot.model.quote import Quote, QuoteState
from bot.model.request import Request
from bot.policy.keys import read_key
from bot.policy.roles import may_use, may_use_in
from bot.policy.rules import Rules
from bot.policy.spending import check_size

QUOTES_PER_MINUTE = 6


def check_user(person: Person, rules: Rules) -> None:
    """Raise Refused if the person may not use the bot."""
    if not may_use(person, rules):
        raise Refused("Your team's rules don't let you rent here. An admin can change that.")


def check_may_ask(deps: Deps, person: Person, asked_in: str, *, direct: bool) -> None:
    """Raise Refused if the person may not use the bot, or if it may not be used in the channel `asked_in`.
    `direct` tells whether that is a direct message."""
    check_user(person, deps.rules)
    if not may_use_in(asked_in, direct=direct, rules=deps.rules):
        raise Refused("I'm not used in this channel.", channels=deps.rules.use.channels)


async def ask(
    deps: Deps,
    person: Person,
    request: Request,
    *,
    asked_in: str,
    direct: bool,
    reply_url: str,
    rent_now: bool = False,
    replaces: bool = False,
    changes: str | None = None,
) -> Quote:
    """Store a quote for a request. Once its offers are found, they are sent to `reply_url`.

    Raise Refused or Mistake if the rules don't allow the request, and Refused after QUOTES_PER_MINUTE searches
    within a minute.
    """
    check_may_ask(deps, person, asked_in, direct=direct)
    check_size(request, deps.rules)

    async def decision(tx: Tx) -> Quote:
        now = deps.clock.now()
        if await tx.quotes.asked_since(person.id, now - timedelta(minutes=1)) >= QUOTES_PER_MINUTE:
            raise Refused(f"That's {QUOTES_PER_MINUTE} searches in a minute. Wait a moment, then ask again.")
        has_key = bool(await tx.people.keys(person.id))
        quote = Quote(
            id=new_id(12),
            state=QuoteState.LOOKING if has_key else QuoteState.WAITING_FOR_KEY,
            owner=person.id,
            asked_in=asked_in,
            request=request,
            rent_now=rent_now,
            changes=changes,
            reply_url=reply_url,
            replaces=replaces,
            created_at=now,
            due_at=now if has_key else None,
        )
        await tx.quotes.add(quote)
        await tx.people.note_seen(person.id, now)
        if not has_key:
            await tx.messages.add(answer(quote, deps))
        return quote

    return await transact(deps, decision)


def answer(quote: Quote, deps: Deps, kind: MessageKind = MessageKind.QUOTE) -> Message:
    """Return the message that sends a quote to the person who asked."""
    real_now = deps.clock.real()
    to = stored_destination(quote.reply_url or quote.owner)
    return Message(kind=kind, to=to, quote_id=quote.id, created_at=real_now, due_at=real_now)


class KeySaved(Frozen):
    """A key that was stored, and how many searches waited for it and start now."""

    key: Key
    searches: int


async def set_key(deps: Deps, person: Person, line: str) -> KeySaved:
    """Check and store a person's public key. Their searches that waited for a key start.

    Raise Refused if the person may not use the bot, and PrivateKey or Mistake if the line is not a public key that
    the bot accepts. In each case nothing is stored.
    """
    check_user(person, deps.rules)
    # In a thread: reading a large key takes so long that it would delay acknowledgements in the event loop.
    key = await asyncio.to_thread(read_key, line, deps.clock.now())

    async def decision(tx: Tx) -> KeySaved:
        now = deps.clock.now()
        await tx.people.add_key(person.id, key)
        await tx.people.note_seen(person.id, now)
        waiting = await tx.quotes.waiting_for_key(person.id, now - OFFER_LIFE)
        for quote in waiting:
            await tx.quotes.save(changed(quote, state=QuoteState.LOOKING, due_at=now))
        return KeySaved(key=key, searches=len(waiting))

    return await transact(deps, decision)
