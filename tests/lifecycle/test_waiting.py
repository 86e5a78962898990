"""The waitlist: people wait for an offer or for a start time.

They are notified of an offer, or it is rented for them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.errors import BuyingBlock, Mistake, NeedsKey, Refused, TooLate
from bot.lifecycle.account.owners_left import check_owners
from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.account import Pause, Resume
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.loops.waitlist import LOOK_AGAIN
from bot.lifecycle.money.buying_blocks import note_token
from bot.lifecycle.restored.messages import ask_again
from bot.model.admin_question import OwnerLeft
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.event import facts_in
from bot.model.facts import NotAllowedFacts
from bot.model.message import DestinationKind, MessageKind
from bot.model.money import whole_cents_below
from bot.model.person import Key, Person
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.hours import at_time
from bot.policy.team.rules import CheckIn, Waiting
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, SECOND, World

EVERY = RULES.waiting.every
DAY = 24 * HOUR


async def sold_out(here: World) -> None:
    """Make all offers unavailable."""
    await here.behaves("*", "nothing_free")


async def free(here: World, vendor: str = "nebius") -> None:
    """Make the offers of a vendor available again."""
    await here.behaves(vendor, "normal")


def use(here: World, **rules: Any) -> None:
    """Switch to other rules."""
    here.restart(replace(here.deps, rules=changed(here.deps.rules, **rules)))


async def waits(
    here: World, gpu_rate: str | None = "10", person: Person = ANA, **fields: Any
) -> tuple[Quote, Rental]:
    """Put somebody on the waitlist for a machine that is rented for them."""
    quote = await here.ask(person, **fields)
    price = None if gpu_rate is None else Decimal(gpu_rate)
    rental = (await carry_out(here.deps, person, waiting.RentWhenFound(quote.id, gpu_rate=price))).rental
    await here.settle()
    return await here.quote(quote.id), await here.rental(rental.id)


async def notified_quotes(here: World, person: Person = ANA) -> list[Quote]:
    """Return the quotes that a person got direct messages about, in the order of the messages."""
    found = [
        message
        for message in await here.messages(MessageKind.QUOTE)
        if message.to.kind is DestinationKind.PERSON and message.to.value == person.id
    ]
    return [await here.quote(message.quote_id or "") for message in found]


# --- automatic purchases


async def test_a_machine_is_rented_once_an_offer_fits(here: World) -> None:
    """The owner is notified once it has been bought."""
    await sold_out(here)
    quote, rental = await waits(here)
    assert (rental.state, quote.state, quote.rental_id) == (State.QUEUED, QuoteState.WAITING, rental.id)
    assert (rental.terms.max_rate, rental.terms.price) == (Decimal(10), Decimal(10))
    await here.pass_time(3 * EVERY)
    assert (await here.rental(rental.id)).state is State.QUEUED
    await free(here)
    rental = await here.until(rental, State.READY)
    assert (rental.vendor, rental.terms.max_rate) == ("nebius", Decimal(10))
    assert await here.event_kinds(rental) == [E.QUEUED, E.OFFER_FITS, E.RENTING, E.ACCEPTED, E.READY]
    assert await here.direct(rental) == [(ANA.id, E.ACCEPTED), (ANA.id, E.READY)]
    facts = (await here.last_event(rental, E.ACCEPTED)).facts
    assert (facts.since, facts.total) == (quote.waitlist_entry and quote.waitlist_entry.since, rental.terms.total)
    await here.be_down(LOOK_AGAIN)
    assert (await here.quote(quote.id)).waits_for is None
    assert await waiting.waiting_of(here.deps, ANA) == []


async def test_waitlist_entries_do_not_count_as_running_rentals(here: World) -> None:
    await sold_out(here)
    await waits(here, "12.5", gpu="H100", count=8)
    async with here.deps.store.read() as tx:
        usage = await tx.rentals.usage(ANA.id)
    assert (usage.person_rentals, usage.team_rate) == (0, Decimal(0))


async def test_no_offer_above_the_named_price_is_rented(here: World) -> None:
    quote = await here.ask()
    cheapest = quote.offers[0].rate
    _, rental = await waits(here, str(cheapest - Decimal("0.01")))
    await here.pass_time(5 * EVERY)
    assert (await here.rental(rental.id)).state is State.QUEUED


async def test_after_a_sold_out_purchase_an_entry_keeps_its_place(here: World) -> None:
    await sold_out(here)
    quote, rental = await waits(here)
    since = quote.waitlist_entry and quote.waitlist_entry.since
    await free(here)
    await here.behaves("nebius", "sold_out")
    rental = await here.until_event(rental, E.QUEUED_AGAIN)
    assert rental.state is State.QUEUED
    assert rental.waitlist_entry is not None
    assert rental.waitlist_entry.since == since
    assert (rental.gpu, rental.rate, rental.terms.price) == (None, None, Decimal(10))
    tried = rental.attempts
    await here.pass_time(2 * EVERY)
    assert (await here.rental(rental.id)).attempts == tried, "the place is not asked again at once"
    await free(here)
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "nebius"


async def test_an_expired_waitlist_entry_sends_one_message_and_frees_its_budget(here: World) -> None:
    use(here, waiting=Waiting(longest=3 * HOUR))
    await sold_out(here)
    _, rental = await waits(here)
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id)
    rental = await here.until(rental, State.EXPIRED, within=2 * DAY)
    assert (rental.ending and rental.ending.why) == "nothing_fitted"
    assert rental.over_at == (rental.waitlist_entry and rental.waitlist_entry.until)
    assert await here.direct(rental) == [(ANA.id, E.ENDED)]
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id) == []
    assert len(await here.calls("get_offers")) < 3 * 6 + 15, "it backs off to every ten minutes"


async def test_a_waitlist_entry_is_rented_only_in_its_owners_hours(here: World) -> None:
    """The owner didn't say "any time"."""
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


async def test_any_time_allows_an_entry_that_would_end_before_the_hours_begin(here: World) -> None:
    await sold_out(here)
    here.jump(timedelta(hours=11))  # 23:00
    quote = await here.ask(typed=WaitlistEntry(until=here.now + 6 * HOUR))
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(10)))).rental
    await free(here)
    await here.pass_time(HOUR)
    assert (await here.rental(rental.id)).state is State.QUEUED
    with pytest.raises(Refused, match="belongs to someone else"):
        await carry_out(here.deps, BEN, waiting.WaitAtAnyTime(quote.id))
    waits = await carry_out(here.deps, ANA, waiting.WaitAtAnyTime(quote.id))
    assert waits.waitlist_entry.any_time
    await here.until(rental, State.READY)
    with pytest.raises(TooLate, match="no longer on the waitlist"):
        await carry_out(here.deps, ANA, waiting.WaitAtAnyTime(quote.id))


async def test_waiting_needs_a_key_a_price_and_ones_own_quote(here: World) -> None:
    """The person also needs a free place: the number of waitlist entries per person is limited."""
    await sold_out(here)
    quote = await here.ask()
    with pytest.raises(Mistake, match="highest price"):
        await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))
    with pytest.raises(Refused, match="belongs to someone else"):
        await carry_out(here.deps, BEN, waiting.TellMe(quote.id))
    with pytest.raises(Mistake, match="can't use that price"):
        await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(0)))
    doras = await here.ask(DORA)
    with pytest.raises(NeedsKey):
        await carry_out(here.deps, DORA, waiting.RentWhenFound(doras.id, gpu_rate=Decimal(10)))
    async with here.deps.store.read() as tx:
        assert await tx.quotes.waiting_of(DORA.id) == []
    for _ in range(RULES.waiting.per_person):
        await waits(here)
        here.jump(MINUTE)
    more = await here.ask()
    with pytest.raises(Refused, match="your team's limit is 3 per person"):
        await carry_out(here.deps, ANA, waiting.TellMe(more.id))


async def test_two_clicks_make_one_entry_and_stopping_frees_its_reservation(here: World) -> None:
    await sold_out(here)
    quote, rental = await waits(here)
    again = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(10)))).rental
    assert again.id == rental.id
    with pytest.raises(Refused):
        await carry_out(here.deps, Person(id="U0EVE", name="Eve"), waiting.StopWaiting(quote.id))
    await carry_out(here.deps, ANA, waiting.StopWaiting(rental.id))
    rental = await here.rental(rental.id)
    assert rental.state is State.WITHDRAWN
    assert await here.direct(rental) == []
    async with here.deps.store.read() as tx:
        assert await tx.budgets.reservations(rental.id) == []
    with pytest.raises(TooLate, match="no longer on the waitlist"):
        await carry_out(here.deps, ANA, waiting.StopWaiting(quote.id))
    await free(here)
    await here.pass_time(HOUR)
    assert await here.bought() == []


# --- rules at the time of the purchase


async def test_a_pause_is_reported_once_and_the_entry_keeps_waiting(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    await carry_out(here.deps, CLEO, Pause(why="bill check"))
    await free(here)
    rental = await here.until_event(rental, E.NOT_ALLOWED_NOW)
    assert rental.state is State.QUEUED
    await here.pass_time(30 * MINUTE)
    kinds = await here.event_kinds(rental)
    assert kinds == [E.QUEUED, E.NOT_ALLOWED_NOW]
    facts = (await here.last_event(rental, E.NOT_ALLOWED_NOW)).facts
    assert (facts.block, facts.name, facts.detail) == (BuyingBlock.PAUSED, "Cleo", "bill check")
    await carry_out(here.deps, CLEO, Resume())
    await here.until(rental, State.READY)


async def test_each_kind_of_block_is_reported_once(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    await carry_out(here.deps, CLEO, Pause(why="bill check"))
    await free(here)
    await here.pass_time(20 * MINUTE)
    await note_token(here.deps, refused=True)
    await carry_out(here.deps, CLEO, Resume())
    await here.pass_time(20 * MINUTE)
    async with here.deps.store.read() as tx:
        events = await tx.events.of_many([rental.id], (E.NOT_ALLOWED_NOW,))
    blocks = [facts.block for facts in facts_in(events[rental.id], NotAllowedFacts)]
    assert blocks == [BuyingBlock.PAUSED, BuyingBlock.UNAUTHORIZED]


async def test_limits_and_rights_are_checked_when_an_offer_fits(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    here.people.changed[ANA.id] = changed(ANA, guest=True)
    await free(here)
    rental = await here.until_event(rental, E.NOT_ALLOWED_NOW)
    here.people.changed[ANA.id] = ANA
    rental = await here.until(rental, State.READY)
    assert await here.bought() == [rental.vendor]


async def test_an_entry_over_the_limits_is_approved_before_it_waits(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here, "5", count=8)
    assert rental.state is State.AWAITING_APPROVAL
    await free(here)
    await here.pass_time(20 * MINUTE)
    assert await here.bought() == []
    rental = await here.approve(rental)
    assert rental.approved_by == BEN.id
    rental = await here.until(rental, State.READY)
    assert await here.event_kinds(rental) == [E.ASKED, E.APPROVED, E.OFFER_FITS, E.RENTING, E.ACCEPTED, E.READY]


async def test_waitlist_entries_of_people_who_left_are_withdrawn(here: World) -> None:
    """The admins aren't asked about them."""
    await sold_out(here)
    _, rental = await waits(here)
    quote = await here.ask()
    await carry_out(here.deps, ANA, waiting.TellMe(quote.id))
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    assert (await here.rental(rental.id)).state is State.WITHDRAWN
    assert await here.questions(OwnerLeft) == []
    await here.pass_time(30 * MINUTE)
    async with here.deps.store.read() as tx:
        assert await tx.quotes.waiting() == []
    assert await notified_quotes(here) == []


async def test_after_a_restore_the_owner_confirms_the_waitlist_entry(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    async with here.deps.store.write() as tx:
        await tx.rentals.lock_spending()
        await ask_again(tx, here.deps, rental.id)
    await free(here)
    await here.pass_time(30 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.owner_decides) == (State.AWAITING_APPROVAL, True)
    assert rental.terms.max_rate == Decimal(10)
    rental = await here.approve(rental, ANA)
    await here.until(rental, State.READY)


# --- notifications of offers


async def test_everyone_who_waits_for_a_notification_gets_it_once(here: World) -> None:
    use(here, waiting=Waiting(longest=2 * HOUR))
    await sold_out(here)
    for person in (ANA, BEN, ANA):
        quote = await here.ask(person)
        await carry_out(here.deps, person, waiting.TellMe(quote.id))
    assert len(await waiting.waiting_of(here.deps, ANA)) == 2
    asked = len(await here.calls("get_offers"))
    await here.pass_time(EVERY)
    assert len(await here.calls("get_offers")) <= asked + 2, "they share one search"
    await free(here)
    await here.pass_time(30 * MINUTE)
    assert [quote.state for quote in await notified_quotes(here)] == [QuoteState.FOUND, QuoteState.FOUND]
    (bens,) = await notified_quotes(here, BEN)
    assert {offer.vendor for offer in bens.offers} == {"nebius"}
    assert await waiting.waiting_of(here.deps, ANA) == []
    assert await here.bought() == []
    await here.pass_time(HOUR)
    assert len(await notified_quotes(here)) == 2
    await sold_out(here)
    again = await carry_out(here.deps, BEN, waiting.WaitAgain(bens.id))
    assert again.id != bens.id
    await here.pass_time(3 * HOUR)
    assert [quote.state for quote in await notified_quotes(here, BEN)] == [QuoteState.FOUND, QuoteState.NONE]
    async with here.deps.store.read() as tx:
        assert await tx.quotes.waiting() == []
        assert await tx.searches.next_due(claimed=True) is None


async def test_an_old_search_is_kept_as_long_as_an_entry_waits(here: World) -> None:
    await sold_out(here)
    quote, _ = await waits(here)
    async with here.deps.store.write() as tx:
        assert await tx.quotes.drop_unused(here.now + DAY, 10) == 0
        assert await tx.quotes.drop_offers(here.now + DAY, 10) == 0
    assert (await here.quote(quote.id)).waits_for is not None


# --- start times

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER = date(2027, 3, 28)
"""The clocks in Berlin are put forward in the night before this morning."""


async def starts(here: World, *, count: int = 1, gpu_rate: str | None = None, **fields: Any) -> Rental:
    """Let Ana request a machine from 9:00 to 17:00 of SUMMER in her zone, on the day before."""
    here.jump(datetime(2027, 3, 27, 12, tzinfo=BERLIN) - here.now)
    async with here.deps.store.write() as tx:
        await tx.people.put(changed(ANA, tz=BERLIN.key), here.now)
    start = at_time(SUMMER, 9 * 60, BERLIN)
    request = {"starts_at": start, "until": start + 8 * HOUR, "lease": 8 * HOUR, "count": count, **fields}
    _, rental = await waits(here, gpu_rate, **request)
    return rental


def clock(here: World, hour: int, minute: int = 0) -> timedelta:
    """Return the time until this time of SUMMER in Berlin."""
    return at_time(SUMMER, 60 * hour + minute, BERLIN) - here.now


async def test_a_start_after_a_clock_change_is_rented_once(here: World) -> None:
    """The start is approved late."""
    rental = await starts(here, count=8)
    assert rental.state is State.AWAITING_APPROVAL
    assert rental.request.starts_at == datetime(2027, 3, 28, 7, tzinfo=UTC)
    shown = rental.terms.price
    assert rental.terms.max_rate == whole_cents_below(shown * (1 + RULES.procure.dearer))
    await sold_out(here)
    asked = len(await here.calls("get_offers"))
    await here.pass_time(clock(here, 8, 49))
    assert len(await here.calls("get_offers")) == asked, "nothing is asked for before the start"
    await here.pass_time(clock(here, 8, 51))
    here.restart(here.deps)
    await here.pass_time(clock(here, 8, 55))
    rental = await here.approve(rental)
    assert rental.state is State.QUEUED
    await here.pass_time(clock(here, 8, 59))
    facts = (await here.last_event(rental, E.NOTHING_FITS)).facts
    assert (facts.rate, facts.max_rate) == (None, rental.terms.max_rate)
    here.restart(here.deps)
    await here.pass_time(clock(here, 9, 20))
    assert (await here.event_kinds(rental)).count(E.NOTHING_FITS) == 1
    await free(here)
    rental = await here.until(rental, State.READY)
    assert rental.lease is not None
    assert rental.lease.ends_at == at_time(SUMMER, 17 * 60, BERLIN)
    assert rental.rate is not None
    assert rental.rate <= rental.terms.max_rate
    assert len(await here.bought()) == 1
    kinds = [E.NOTHING_FITS, E.APPROVED_NOT_READY, E.READY]
    assert await here.direct(rental) == [(ANA.id, kind) for kind in kinds]


async def test_a_scheduled_machine_is_rented_ten_minutes_before_its_start(here: World) -> None:
    rental = await starts(here, gpu="L40S", region=None)
    assert rental.state is State.QUEUED
    rental = await here.until(rental, State.READY, within=30 * HOUR)
    assert rental.procuring_since == at_time(SUMMER, 8 * 60 + 50, BERLIN)
    assert rental.lease is not None
    assert rental.lease.ready_at < at_time(SUMMER, 9 * 60, BERLIN)
    assert rental.lease.ends_at == at_time(SUMMER, 17 * 60, BERLIN)
    assert await here.direct(rental) == [(ANA.id, E.READY)], "the card alone says that it was rented"


async def test_if_nothing_fits_the_owner_may_rent_a_pricier_offer(here: World) -> None:
    """The owner is notified shortly before the start time."""
    await sold_out(here)
    rental = await starts(here, gpu_rate="1")
    await free(here)
    await here.pass_time(clock(here, 8, 57))
    assert E.NOTHING_FITS not in await here.event_kinds(rental)
    rental = await here.until_event(rental, E.NOTHING_FITS)
    facts = (await here.last_event(rental, E.NOTHING_FITS)).facts
    assert (await here.last_event(rental, E.NOTHING_FITS)).at == at_time(SUMMER, 8 * 60 + 58, BERLIN)
    assert facts.rate is not None
    assert facts.offer is not None
    assert facts.until == at_time(SUMMER, 16 * 60 + 30, BERLIN)
    with pytest.raises(Refused):
        await carry_out(here.deps, BEN, waiting.RentDearer(rental.id, facts.offer))
    await carry_out(here.deps, ANA, waiting.RentDearer(rental.id, facts.offer))
    rental = await here.until(rental, State.READY)
    assert rental.terms.price == facts.rate
    with pytest.raises(TooLate):
        await carry_out(here.deps, ANA, waiting.RentDearer(rental.id, facts.offer))


async def test_nothing_is_bought_in_the_last_half_hour_before_the_end(here: World) -> None:
    first = at_time(SUMMER, 9 * 60 + 30, BERLIN)
    rental = await starts(here, lease=30 * MINUTE, until=first, up_to=HOUR)
    await sold_out(here)
    assert rental.request.last_end == at_time(SUMMER, 10 * 60, BERLIN)
    rental = await here.until(rental, State.EXPIRED, within=40 * HOUR)
    assert rental.over_at == first
    assert await here.direct(rental) == [(ANA.id, E.NOTHING_FITS), (ANA.id, E.ENDED)]


async def test_a_start_time_without_current_offers_needs_a_price(here: World) -> None:
    await sold_out(here)
    with pytest.raises(Mistake, match="highest price"):
        await starts(here)
    rental = await starts(here, gpu_rate="5")
    assert (rental.terms.max_rate, rental.waitlist_entry and rental.waitlist_entry.gpu) == (Decimal(5), None)
    assert [view.rental and view.rental.id for view in await waiting.starting(here.deps, BEN)] == [rental.id]


# --- many people

PEOPLE = [Person(id=f"U0{n:03}", name=f"Person {n}") for n in range(40)]


async def test_forty_people_waiting_for_five_machines_are_served_in_order(here: World) -> None:
    # Machines of this vendor run after 75 s, faster than those of all other vendors, so they are polled the least.
    vendor, every = "runpod", 3 * MINUTE
    use(here, waiting=Waiting(every=every), check_in=CheckIn(after=None))
    await sold_out(here)
    async with here.deps.store.write() as tx:
        for person in PEOPLE:
            await tx.people.put(person, here.now)
            await tx.people.add_key(person.id, Key(line=here.outside.public_key, comment="", fingerprint="F"))
    waiting_ids = []
    for person in PEOPLE:
        quote = await here.ask(person, typed=WaitlistEntry(until=here.now + 2 * DAY, any_time=True))
        rental = (await carry_out(here.deps, person, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(9)))).rental
        waiting_ids.append(rental.id)
        here.jump(SECOND)
    began, asked = here.now, len(await here.calls("get_offers"))
    most = 0
    while await waiting.waiting_of(here.deps, PEOPLE[-1]):
        live = [one for one in await here.rentals() if one.state in {State.PROVISIONING, State.READY}]
        most = max(most, len(live))
        for rental in live if len(live) >= 5 else []:
            await here.destroy(rental, next(one for one in PEOPLE if one.id == rental.owner), settle=False)
        await here.behaves(vendor, "nothing_free" if len(live) >= 5 else "normal")
        await here.pass_time(every)
    calls = len(await here.calls("get_offers")) - asked
    assert calls <= (here.now - began) / every + 1
    await here.pass_time(10 * MINUTE)
    for rental in await here.rentals():
        if not rental.state.over:
            await here.destroy(rental, next(one for one in PEOPLE if one.id == rental.owner), settle=False)
    await here.pass_time(5 * MINUTE)
    served = [event.rental_id for event in await here.history() if event.kind is E.OFFER_FITS]
    assert served == waiting_ids
    assert 3 <= most <= 7, "a search may find more than one offer"
    assert len(await here.bought()) == 40
    ends = {rental.state for rental in await here.rentals()}
    assert ends <= {State.DESTROYED, State.CANCELLED}, (
        "those that were destroyed before they were ready are cancelled"
    )
    async with here.deps.store.read() as tx:
        assert [balance for balance in await tx.budgets.all_balances() if balance.reserved] == []
