"""Wishes: people wait for an offer or for a start time. Somebody is told of an offer, or it is rented for them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import Mistake, NeedsKey, Refused, TooLate
from bot.lifecycle.service import waiting
from bot.lifecycle.service.account import pause, resume
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import DestinationKind, MessageKind
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, World

EVERY = RULES.waiting.every
DAY = 24 * HOUR


async def sold_out(here: World) -> None:
    """Let no vendor have anything."""
    await here.behaves("*", "nothing_free")


async def free(here: World, vendor: str = "nebius") -> None:
    """Let a vendor sell again."""
    await here.behaves(vendor, "normal")


async def waits(
    here: World, max_rate: str | None = "10", person: Person = ANA, **wish: object
) -> tuple[Quote, Rental]:
    """Let somebody wait for a machine that is rented for them."""
    quote = await here.ask(person, **wish)
    price = None if max_rate is None else Decimal(max_rate)
    rental = await waiting.rent_when_found(here.deps, person, quote.id, max_rate=price)
    await here.settle()
    return await here.quote(quote.id), await here.rental(rental.id)


async def told(here: World, person: Person = ANA) -> list[Quote]:
    """Return the quotes of which a person got a direct message, in the order of the messages."""
    found = [
        message
        for message in await here.messages(MessageKind.QUOTE)
        if message.to.kind is DestinationKind.PERSON and message.to.value == person.id
    ]
    return [await here.quote(message.quote_id or "") for message in found]


# --- an automatic rent


async def test_a_machine_is_rented_once_an_offer_fits_and_its_owner_is_told_once_it_is_bought(here: World) -> None:
    await sold_out(here)
    quote, rental = await waits(here)
    assert (rental.state, quote.state, quote.rental_id) == (State.QUEUED, QuoteState.WAITING, rental.id)
    assert (rental.envelope.max_rate, rental.envelope.price) == (Decimal(10), Decimal(10))
    assert (await here.calls("get_offers"))[-1]
    await here.pass_time(3 * EVERY)
    assert (await here.rental(rental.id)).state is State.QUEUED
    await free(here)
    rental = await here.until(rental, State.READY)
    assert (rental.vendor, rental.envelope.max_rate) == ("nebius", Decimal(10))
    assert await here.event_kinds(rental) == [E.QUEUED, E.OFFER_FITS, E.RENTING, E.ACCEPTED, E.READY]
    assert await here.direct(rental) == [(ANA.id, E.ACCEPTED), (ANA.id, E.READY)]
    facts = (await here.last_event(rental, E.ACCEPTED)).facts
    assert (facts.since, facts.total) == (quote.wish and quote.wish.since, rental.envelope.total)
    await here.pass_time(2 * HOUR, None)
    assert (await here.quote(quote.id)).waits_for is None
    assert await waiting.waiting_of(here.deps, ANA) == []


async def test_what_waits_counts_in_no_limit_of_what_runs(here: World) -> None:
    await sold_out(here)
    await waits(here, "100", gpu="H100", count=8)
    async with here.deps.store.read() as tx:
        usage = await tx.rentals.usage(ANA.id)
    assert (usage.person_rentals, usage.team_rate) == (0, 0)


async def test_the_price_that_its_owner_named_is_the_ceiling(here: World) -> None:
    quote = await here.ask()
    cheapest = quote.offers[0].rate
    _, rental = await waits(here, str(cheapest - Decimal("0.01")))
    await here.pass_time(5 * EVERY)
    assert (await here.rental(rental.id)).state is State.QUEUED


async def test_a_purchase_that_finds_all_sold_out_waits_on_in_its_old_place(here: World) -> None:
    await sold_out(here)
    quote, rental = await waits(here)
    since = quote.wish and quote.wish.since
    await free(here)
    await here.behaves("nebius", "sold_out")
    rental = await here.until_event(rental, E.QUEUED_AGAIN)
    assert rental.state is State.QUEUED
    assert rental.wish is not None
    assert rental.wish.since == since
    assert (rental.gpu, rental.rate, rental.envelope.price) == (None, None, Decimal(10))
    tried = rental.attempts
    await here.pass_time(2 * EVERY)
    assert (await here.rental(rental.id)).attempts == tried, "the place is not asked again at once"
    await free(here)
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "nebius"


async def test_a_wish_ends_once_with_one_message_and_holds_nothing_more(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id)
    rental = await here.until(rental, State.EXPIRED, within=8 * DAY)
    assert (rental.ending and rental.ending.why) == "nothing_fitted"
    assert rental.over_at == (rental.wish and rental.wish.until)
    assert await here.direct(rental) == [(ANA.id, E.ENDED)]
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id) == []
    assert len(await here.calls("get_offers")) < 7 * 24 * 6 + 60, "it backs off to every ten minutes"


async def test_it_rents_in_the_hours_of_its_owner_only_unless_they_said_any_time(here: World) -> None:
    await sold_out(here)
    _, by_day = await waits(here)
    here.jump(timedelta(hours=11))  # 23:00
    await here.settle()
    asked = len(await here.calls("get_offers"))
    await free(here)
    await here.pass_time(6 * HOUR)
    assert (await here.rental(by_day.id)).state is State.QUEUED
    assert len(await here.calls("get_offers")) <= asked + 1, "nobody may have their turn, so nothing is asked"
    await here.until(by_day, State.READY, within=12 * HOUR)


async def test_it_needs_a_key_a_price_and_a_free_place_and_the_quote_is_its_owners(here: World) -> None:
    await sold_out(here)
    quote = await here.ask()
    with pytest.raises(Mistake, match="highest price"):
        await waiting.rent_when_found(here.deps, ANA, quote.id)
    with pytest.raises(Refused, match="somebody else's"):
        await waiting.tell(here.deps, BEN, quote.id)
    with pytest.raises(Mistake, match="no price"):
        await waiting.rent_when_found(here.deps, ANA, quote.id, max_rate=Decimal(0))
    doras = await here.ask(DORA)
    with pytest.raises(NeedsKey):
        await waiting.rent_when_found(here.deps, DORA, doras.id, max_rate=Decimal(10))
    async with here.deps.store.read() as tx:
        assert await tx.quotes.waiting_of(DORA.id) == []
    for _ in range(RULES.waiting.per_person):
        await waits(here)
        here.jump(MINUTE)
    more = await here.ask()
    with pytest.raises(Refused, match="your team's limit is 3 a person"):
        await waiting.tell(here.deps, ANA, more.id)


async def test_two_clicks_make_one_rental_and_stopping_frees_what_it_held(here: World) -> None:
    await sold_out(here)
    quote, rental = await waits(here)
    again = await waiting.rent_when_found(here.deps, ANA, quote.id, max_rate=Decimal(10))
    assert again.id == rental.id
    with pytest.raises(Refused):
        await waiting.stop(here.deps, Person(id="U0EVE", name="Eve"), quote.id)
    await waiting.stop(here.deps, ANA, rental.id)
    rental = await here.rental(rental.id)
    assert rental.state is State.WITHDRAWN
    assert await here.direct(rental) == []
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id) == []
    with pytest.raises(TooLate, match="waits no more"):
        await waiting.stop(here.deps, ANA, quote.id)
    await free(here)
    await here.pass_time(HOUR)
    assert await here.bought() == []


# --- judged again


async def test_a_pause_refuses_once_and_the_wish_waits_on(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    await pause(here.deps, CLEO, why="bill check")
    await free(here)
    rental = await here.until_event(rental, E.NOT_ALLOWED_NOW)
    assert rental.state is State.QUEUED
    await here.pass_time(30 * MINUTE)
    kinds = await here.event_kinds(rental)
    assert kinds == [E.QUEUED, E.NOT_ALLOWED_NOW]
    await resume(here.deps, CLEO)
    await here.until(rental, State.READY)


async def test_limits_and_rights_are_those_of_the_time_when_an_offer_fits(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    here.people.changed[ANA.id] = changed(ANA, guest=True)
    await free(here)
    rental = await here.until_event(rental, E.NOT_ALLOWED_NOW)
    here.people.changed[ANA.id] = ANA
    rental = await here.until(rental, State.READY)
    assert await here.bought() == [rental.vendor]


async def test_over_the_limits_it_is_approved_before_it_waits(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here, "40", count=8)
    assert rental.state is State.AWAITING_APPROVAL
    await free(here)
    await here.pass_time(20 * MINUTE)
    assert await here.bought() == []
    rental = await here.approve(rental)
    assert rental.approved_by == BEN.id
    rental = await here.until(rental, State.READY)
    assert await here.event_kinds(rental) == [E.ASKED, E.APPROVED, E.OFFER_FITS, E.RENTING, E.ACCEPTED, E.READY]


# --- to be told


async def test_all_who_wait_to_be_told_are_told_once(here: World) -> None:
    await sold_out(here)
    for person in (ANA, BEN, ANA):
        quote = await here.ask(person)
        await waiting.tell(here.deps, person, quote.id)
    assert len(await waiting.waiting_of(here.deps, ANA)) == 2
    asked = len(await here.calls("get_offers"))
    await here.pass_time(EVERY)
    assert len(await here.calls("get_offers")) <= asked + 2, "they share one search"
    await free(here)
    await here.pass_time(30 * MINUTE)
    assert [quote.state for quote in await told(here)] == [QuoteState.FOUND, QuoteState.FOUND]
    (bens,) = await told(here, BEN)
    assert {offer.vendor for offer in bens.offers} == {"nebius"}
    assert await waiting.waiting_of(here.deps, ANA) == []
    assert await here.bought() == []
    await here.pass_time(HOUR)
    assert len(await told(here)) == 2
    await sold_out(here)
    again = await waiting.wait_again(here.deps, BEN, bens.id)
    assert again.id != bens.id
    await here.pass_time(8 * DAY)
    assert [quote.state for quote in await told(here, BEN)] == [QuoteState.FOUND, QuoteState.NONE]
    async with here.deps.store.read() as tx:
        assert await tx.quotes.waiting() == []
        assert await tx.searches.next_due(claimed=True) is None


async def test_a_search_is_kept_while_it_waits_however_old_it_is(here: World) -> None:
    await sold_out(here)
    quote, _ = await waits(here)
    async with here.deps.store.write() as tx:
        assert await tx.quotes.drop_unused(here.now + DAY, 10) == 0
        assert await tx.quotes.drop_offers(here.now + DAY, 10) == 0
    assert (await here.quote(quote.id)).waits_for is not None
