"""Asking for offers, and the SSH key that renting needs."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Refused
from bot.lifecycle.deps import Deps, new_id, transact
from bot.lifecycle.ports import Tx
from bot.model.base import changed
from bot.model.message import Message, MessageKind, stored_destination
from bot.model.offer import OFFER_LIFE
from bot.model.person import Key, Person
from bot.model.quote import Quote, QuoteState
from bot.model.request import Request
from bot.policy.roles import may_use_in, roles_of
from bot.policy.rules import Rules
from bot.policy.spending import check_size

QUOTES_A_MINUTE = 6


def check_user(person: Person, rules: Rules) -> None:
    """Raises Refused for who may not use the bot."""
    if not roles_of(person, rules).user:
        raise Refused("Your team's rules don't let you rent here. An admin can change that.")


def check_asks(person: Person, asked_in: str, *, direct: bool, rules: Rules) -> None:
    """Raises Refused for who may not use the bot, or not in that channel."""
    check_user(person, rules)
    if not may_use_in(asked_in, direct=direct, rules=rules):
        where = ", ".join(f"<#{channel}>" for channel in rules.use.channels)
        raise Refused(f"I'm not used in this channel. Ask in {where}, or in a direct message to me.")


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
    """Writes down what someone wants; the offers come to `reply_url` once they are found.

    Raises Refused or Mistake where the rules don't allow it, or after too many questions in a minute.
    """
    check_asks(person, asked_in, direct=direct, rules=deps.rules)
    check_size(request, deps.rules)

    async def decision(tx: Tx) -> Quote:
        now = deps.clock.now()
        if await tx.quotes.asked_since(person.id, now - timedelta(minutes=1)) >= QUOTES_A_MINUTE:
            raise Refused(f"That's {QUOTES_A_MINUTE} searches in a minute. Wait a moment, then ask again.")
        has_key = await tx.people.key(person.id) is not None
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
        await tx.people.seen(person.id, now)
        if not has_key:
            await tx.messages.add(answer(quote, deps))
        return quote

    return await transact(deps, decision)


def answer(quote: Quote, deps: Deps, kind: MessageKind = MessageKind.QUOTE) -> Message:
    """The message that brings a quote to who asked."""
    real_now = deps.clock.real()
    to = stored_destination(quote.reply_url or quote.owner)
    return Message(kind=kind, to=to, quote_id=quote.id, created_at=real_now, due_at=real_now)


async def set_key(deps: Deps, person: Person, key: Key) -> int:
    """Stores a checked key. What waited for one goes on; says how many searches did."""
    check_user(person, deps.rules)

    async def decision(tx: Tx) -> int:
        now = deps.clock.now()
        await tx.people.set_key(person.id, key)
        await tx.people.seen(person.id, now)
        waiting = await tx.quotes.waiting_for_key(person.id, now - OFFER_LIFE)
        for quote in waiting:
            await tx.quotes.save(changed(quote, state=QuoteState.LOOKING, due_at=now))
        return len(waiting)

    return await transact(deps, decision)


async def key_of(deps: Deps, person: Person) -> Key | None:
    """A person's own key."""
    async with deps.store.read() as tx:
        return await tx.people.key(person.id)
