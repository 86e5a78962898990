"""Rentals as the bot would have made them, written through its own store, with machines bought in the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from bench.posting import posting
from bench.worlds import World
from bot.clock import Clock, MovedClock
from bot.lifecycle.deps import new_id
from bot.lifecycle.ports import Change, ResourceView
from bot.market.client import ComputeClear
from bot.model.attempt import Attempt, AttemptState, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.message import Message, MessageKind, to_channel
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.rules import Rules
from bot.policy.spending import judge
from store.db import Database

LEASE = timedelta(hours=4)
WANTED = Request(gpu="H100", lease=LEASE)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIm2OYWMUf+sbmQKgEEdh4hxKKxsY5mkPYzXjODHQ7fk"
ID_LENGTH = 8
"""Longer than the bot would make them, so that a thousand of them hardly meet."""
BUYERS = 16
SPREAD = timedelta(seconds=15)
"""Seeded rentals come due one after the other over the span of one poll."""


@dataclass(frozen=True)
class Bought:
    """A machine in the sandbox."""

    offer: Offer
    resource: ResourceView


async def clock_of(world: World) -> MovedClock:
    """A clock that shows the sandbox's time from now on."""
    now, _ = await world.outside.clock()
    return MovedClock(now, speed=1.0)


async def buy(world: World, clock: Clock, count: int) -> list[Bought]:
    """Buys machines that never get ready, so that they stay as they are."""
    await world.outside.vendor("*", "slow")
    ready = world.outside.ready
    market = ComputeClear(ready.compute, SecretStr(ready.compute_token), clock)
    room = asyncio.Semaphore(BUYERS)

    async def procure(offer: Offer) -> None:
        async with room:
            await market.procure(offer.offer_id, KEY, _name(offer))

    bought: dict[str, Offer] = {}
    try:
        while len(bought) < count:
            offers = (await market.offers(WANTED))[: count - len(bought)]
            await asyncio.gather(*map(procure, offers))
            bought |= {offer.offer_id: offer for offer in offers}
        resources = await market.resources()
    finally:
        await market.aclose()
    return [Bought(bought[view.offer_ids[0]], view) for view in resources if view.offer_ids[0] in bought]


def _name(offer: Offer) -> str:
    return f"gpubot-bench-{offer.offer_id}"


@asynccontextmanager
async def database(world: World, clock: Clock) -> AsyncIterator[Database]:
    """The bot's database, before the bot itself takes it."""
    opened = await Database.open(world.database, claimant="bench", clock=clock)
    try:
        yield opened
    finally:
        await opened.close()


async def seed(
    world: World, clock: Clock, bought: Sequence[Bought], *, state: State, owners: Sequence[str], channel: str
) -> None:
    """One rental for each machine, in `provisioning` or `ready`, with its card in `channel`; a ready one is to be
    asked for at once whether it is still needed. The owners take turns, and each gets an SSH key. They come due
    over `SPREAD`, or a ready one at once."""
    posted = await _cards(world, channel, len(bought))
    async with database(world, clock) as store, store.write() as tx:
        now = clock.now()
        for owner in owners:
            await tx.people.set_key(owner, Key(line=KEY, comment="bench", fingerprint="SHA256:bench", set_at=now))
        for number, (one, ts) in enumerate(zip(bought, posted, strict=True)):
            made = rental_of(one.offer, state, owner=owners[number % len(owners)], channel=channel, now=now)
            wait = timedelta(0) if state is State.READY else SPREAD * number / len(bought)
            rental = changed(made, due_at=now + wait)
            await tx.quotes.add(quote_of(rental, one, now))
            await tx.rentals.apply(change_of(rental, one, ts, real_now=clock.real()))


async def _cards(world: World, channel: str, count: int) -> list[str]:
    """Messages that stand for cards posted long ago."""
    async with posting(world) as client:
        answers = [await client.chat_postMessage(channel=channel, text="A rental") for _ in range(count)]
    return [str(answer["ts"]) for answer in answers]


def rental_of(offer: Offer, state: State, *, owner: str, channel: str, now: datetime) -> Rental:
    """A rental of that offer that was bought just now."""
    rental_id, ready = new_id(ID_LENGTH), state is State.READY
    return Rental(
        id=rental_id,
        state=state,
        quote_id=f"q-{rental_id}",
        owner=owner,
        card_channel=channel,
        request=WANTED,
        clicked_offer=offer.offer_id,
        envelope=judge(WANTED, offer.rate, Rules()).envelope,
        created_at=now,
        procuring_since=now,
        attempts=1,
        rate=offer.rate,
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        accepted_at=now,
        host="127.0.0.1" if ready else None,
        port=22 if ready else None,
        ready_at=now if ready else None,
        ends_at=now + LEASE if ready else None,
        ask_at=now if ready else None,
        seen_at=now - LEASE if ready else None,
    )


def quote_of(rental: Rental, one: Bought, now: datetime) -> Quote:
    """The quote that made a rental."""
    return Quote(
        id=rental.quote_id,
        state=QuoteState.FOUND,
        owner=rental.owner,
        asked_in=rental.card_channel,
        card_channel=rental.card_channel,
        request=rental.request,
        created_at=now - LEASE,
        found_at=now - LEASE,
        offers=(one.offer,),
        rental_id=rental.id,
    )


def change_of(rental: Rental, one: Bought, card_ts: str, *, real_now: datetime) -> Change:
    """A rental with its history, its machine and its posted card."""
    now = rental.created_at
    attempt = Attempt(
        rental_id=rental.id,
        n=1,
        state=AttemptState.BOUGHT,
        offer=one.offer,
        resource_name=_name(one.offer),
        public_key=KEY,
        key_comment="bench",
        intended_at=now,
        answered_at=now,
        accepted=True,
    )
    view = one.resource
    resource = Resource(
        resource_id=view.resource_id,
        rental_id=rental.id,
        attempt=1,
        status=view.status,
        first_seen=now,
        read_at=now,
        rate=view.rate,
        valid_from=view.valid_from,
    )
    card = Message(
        kind=MessageKind.CARD,
        to=to_channel(rental.card_channel),
        rental_id=rental.id,
        shown=1,
        channel=rental.card_channel,
        ts=card_ts,
        posted_at=now,
        created_at=real_now,
        due_at=real_now + timedelta(days=1),  # up to date: delivery looks at it when something changes
    )
    facts = Facts(vendor=one.offer.vendor, rate=one.offer.rate)
    kinds = [EventKind.STARTED, EventKind.RENTING, EventKind.ACCEPTED]
    if rental.state is State.READY:
        kinds.append(EventKind.READY)
    return Change(
        before=None,
        after=rental,
        events=tuple(
            Event(rental_id=rental.id, kind=kind, at=now, actor=rental.owner, facts=facts) for kind in kinds
        ),
        messages=((None, card),),
        attempts=(attempt,),
        resources=(resource,),
    )
