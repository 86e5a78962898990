"""Creates rentals as the bot would, through its own store, for machines that are bought in the sandbox."""

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
from bot.lifecycle.deps import random_id
from bot.lifecycle.outside import ResourceView
from bot.market.client import ComputeClear
from bot.model.attempt import Attempt, AttemptState, Resource, SentScript
from bot.model.base import changed
from bot.model.event import EFFECTS, Event, EventKind
from bot.model.machine_use import UsageStatus, Use
from bot.model.message import Message, MessageKind, to_channel
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.quote import Quote, QuoteState
from bot.model.records import Change
from bot.model.rental import Lease, Question, Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.access.startup_script import SCRIPT_VERSION
from bot.policy.buying.spending import propose
from bot.policy.team.rules import Rules
from bot.policy.use.end_notices import QUIET
from bot.policy.use.probe_times import CHECK_EVERY
from store.db import Database

LEASE = timedelta(hours=4)
WANTED = Request(gpu="H100", lease=LEASE)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIm2OYWMUf+sbmQKgEEdh4hxKKxsY5mkPYzXjODHQ7fk"
FINGERPRINT = "SHA256:Q4b4bkN+ZYvASkeD80+OTjXGb9ivDXIbAvCjSvabItc"
"""The fingerprint of KEY."""
ID_LENGTH = 8
"""The length of rental ids. They are longer than the bot's, so that thousands of random ids are unique."""
BUYERS = 16
SPREAD = timedelta(seconds=15)
"""The time over which the due times of the rentals are spread, which is the interval of polls."""


@dataclass(frozen=True)
class Probed:
    """The SSH port and host key of a machine with a probe."""

    port: int
    host_key: str


@dataclass(frozen=True)
class Bought:
    """A machine that was bought in the sandbox."""

    offer: Offer
    resource: ResourceView


async def clock_of(world: World) -> MovedClock:
    """Return a clock that starts at the sandbox's current time."""
    return MovedClock(await world.sandbox.now(), speed=1.0)


async def buy(world: World, clock: Clock, count: int) -> list[Bought]:
    """Buy machines that never become ready, so that they don't change during a measurement."""
    await world.sandbox.vendor("*", "slow")
    slots = asyncio.Semaphore(BUYERS)

    async def procure(offer: Offer) -> None:
        async with slots:
            await market.procure(offer.offer_id, KEY, name_of(offer), "")

    bought: dict[str, Offer] = {}
    async with market_of(world, clock) as market:
        while len(bought) < count:
            offers = (await market.offers(WANTED))[: count - len(bought)]
            await asyncio.gather(*map(procure, offers))
            bought |= {offer.offer_id: offer for offer in offers}
        resources = await market.resources()
    return [Bought(bought[view.offer_ids[0]], view) for view in resources if view.offer_ids[0] in bought]


@asynccontextmanager
async def market_of(world: World, clock: Clock) -> AsyncIterator[ComputeClear]:
    """Yield a client for the sandbox's marketplace."""
    addresses = world.sandbox.addresses
    market = ComputeClear(addresses.compute, SecretStr(addresses.compute_token), clock)
    try:
        yield market
    finally:
        await market.aclose()


def name_of(offer: Offer) -> str:
    """Return the resource name with which an offer is bought."""
    return f"gpubot-bench-{offer.offer_id}"


@asynccontextmanager
async def database(world: World, clock: Clock) -> AsyncIterator[Database]:
    """Open the bot's database, before the bot itself opens it."""
    opened = await Database.open(world.database, claimant="bench", clock=clock)
    try:
        yield opened
    finally:
        await opened.close()


async def seed(
    world: World,
    clock: Clock,
    bought: Sequence[Bought],
    *,
    state: State,
    owners: Sequence[str],
    channel: str,
    probed: Probed | None = None,
    quiet: bool = False,
) -> None:
    """Write one rental for each machine, with a card in `channel`.

    Ready rentals are due immediately: as soon as the bot handles one, it asks the owner whether the machine is
    still needed. The due times of rentals in provisioning are spread over SPREAD.

    Args:
        world: The sandbox, with the bot's database.
        clock: The current time.
        bought: The machines.
        state: The state of all rentals: `provisioning` or `ready`.
        owners: The owners, who get the rentals in turns. Each of them also gets an SSH key.
        channel: The channel of the cards.
        probed: If set, ready rentals are in use and have been probed at this port before. Their due times are
            spread over CHECK_EVERY.
        quiet: If true, owners of ready rentals aren't asked whether they still need them.
    """
    cards = await _cards(world, channel, len(bought))
    async with database(world, clock) as store, store.write() as tx:
        now = clock.now()
        for owner in owners:
            await tx.people.add_key(owner, Key(line=KEY, comment="bench", fingerprint=FINGERPRINT))
        for number, (one, ts) in enumerate(zip(bought, cards, strict=True)):
            owner = owners[number % len(owners)]
            made = rental_of(one.offer, state, owner=owner, channel=channel, now=now)
            spread = SPREAD
            if probed is not None:
                made, spread = _probed(made, probed, now), CHECK_EVERY
            elif quiet and made.lease is not None:
                made = changed(made, host_key=FINGERPRINT, lease=changed(made.lease, seen_at=now))
            at_once = state is State.READY and probed is None
            rental = changed(made, due_at=now if at_once else now + spread * number / len(bought))
            await tx.quotes.add(quote_of(rental, one, now))
            await tx.rentals.apply(change_of(rental, one, ts, real_now=clock.real(), probe=probed is not None))


async def _cards(world: World, channel: str, count: int) -> list[str]:
    """Post messages in place of cards, and return their ts."""
    async with posting(world) as client:
        answers = [await client.chat_postMessage(channel=channel, text="A rental") for _ in range(count)]
    return [str(answer["ts"]) for answer in answers]


def _probed(rental: Rental, probed: Probed, now: datetime) -> Rental:
    """Return a ready rental as it is after several probe runs, so that the next probe run changes nothing."""
    quiet = changed(rental.running_lease, seen_at=now)
    return changed(
        rental,
        port=probed.port,
        host_key=probed.host_key,
        probe_answered_at=now,
        use=Use(status=UsageStatus.IN_USE, since=now, worked=True),
        lease=quiet,
    )


def rental_of(offer: Offer, state: State, *, owner: str, channel: str, now: datetime) -> Rental:
    """Return a rental whose offer has just been bought."""
    rental_id, ready = random_id(ID_LENGTH), state is State.READY
    return Rental(
        id=rental_id,
        state=state,
        quote_id=f"q-{rental_id}",
        owner=owner,
        card_channel=channel,
        request=WANTED,
        clicked_offer=offer.offer_id,
        terms=propose(WANTED, offer.gpu, offer.rate, Rules()).terms,
        created_at=now,
        procuring_since=now,
        attempts=1,
        rate=offer.rate,
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        accepted_at=now,
        host="127.0.0.1" if ready else None,
        port=22 if ready else None,
        lease=_lease(now) if ready else None,
    )


def _lease(now: datetime) -> Lease:
    """Return a lease that has just begun.

    Its owner seems to have been inactive for so long that the bot asks whether the machine is still needed.
    """
    return Lease(
        ready_at=now,
        ends_at=now + LEASE,
        notices_checked_at=now - QUIET,
        seen_at=now - LEASE,
        question=Question(),
    )


def quote_of(rental: Rental, one: Bought, now: datetime) -> Quote:
    """Return the quote from which a rental was made."""
    return Quote(
        id=rental.quote_id or "",
        state=QuoteState.FOUND,
        owner=rental.owner,
        asked_in=rental.card_channel,
        card_channel=rental.card_channel,
        request=rental.request,
        created_at=now - LEASE,
        offers=(one.offer,),
        rental_id=rental.id,
    )


class Begun(Change):
    """A change that creates a rental in any state. The table of transitions allows only a few initial states."""

    def __post_init__(self) -> None:
        return


def change_of(rental: Rental, one: Bought, card_ts: str, *, real_now: datetime, probe: bool = False) -> Change:
    """Return a change that stores a new rental with its history, its machine and its posted card."""
    now = rental.created_at
    attempt = Attempt(
        rental_id=rental.id,
        n=1,
        state=AttemptState.BOUGHT,
        offer=one.offer,
        resource_name=name_of(one.offer),
        public_key=KEY,
        key_comment="bench",
        script=SentScript(version=SCRIPT_VERSION, probe=True) if probe else None,
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
        shown_version=1,
        channel=rental.card_channel,
        ts=card_ts,
        posted_at=now,
        created_at=real_now,
        # Schedule the card for tomorrow, as if Slack already showed its current version. Otherwise, the bot would
        # send it during a measurement.
        due_at=real_now + timedelta(days=1),
    )
    known = {"envelope": 1, "vendor": one.offer.vendor, "rate": one.offer.rate, "gpu": one.offer.gpu, "count": 1}
    known |= {"since": now, "until": now, "span": timedelta(0)}
    kinds = [EventKind.STARTED, EventKind.RENTING, EventKind.ACCEPTED]
    if rental.state is State.READY:
        kinds.append(EventKind.READY)
    return Begun(
        before=None,
        after=rental,
        events=tuple(
            Event(
                rental_id=rental.id, kind=kind, at=now, actor=rental.owner, facts=EFFECTS[kind].facts.stored(known)
            )
            for kind in kinds
        ),
        messages=((None, card),),
        attempts=(attempt,),
        resources=(resource,),
    )
