"""A total that a person types is the most that any button of the answer can cost.

Ana asks for an H100 for 2 h, and "at most" counts half an hour more, to start and end. Hyperstack has one at
$2.15/h, Nebius at $2.42/h.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import Refused
from bot.lifecycle.actions import offers, quoting, replacing, waiting
from bot.lifecycle.actions.action import carry_out, preview, to_confirm
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.quote import Quote
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.team.rules import Lease
from tests.lifecycle.world import ANA, HOUR, MINUTE, REPLY_TO, RULES, World

TOTAL = 6_000_000
FOR_TWO_HOURS, FOR_FOUR_HOURS = Decimal("2.4000"), Decimal("1.3333")
"""The highest price per hour that $6.00 pays for, if "at most" counts 2 h 30 min or 4 h 30 min."""


async def highest(here: World, quote: Quote) -> int:
    """Return the most that any button of the answer can cost, in micro-dollars."""
    view = await offers.offers_of_quote(here.deps, ANA, quote.id, most=20)
    totals = [choice.terms.total for choice in view.choices if choice.refused is None]
    wait = (await preview(here.deps, ANA, waiting.RentWhenFound(quote.id))).plan.terms
    assert wait is not None
    return max(*totals, wait.terms.total)


async def test_no_button_of_the_answer_costs_more_than_the_total(here: World) -> None:
    quote = await here.ask(max_total=TOTAL)
    assert (quote.request.max_gpu_rate, [offer.vendor for offer in quote.offers]) == (
        FOR_TWO_HOURS,
        ["hyperstack"],
    )
    assert 5_900_000 < await highest(here, quote) <= TOTAL


@pytest.mark.parametrize("count", [1, 3])
async def test_the_price_limit_follows_the_length_of_the_lease(here: World, count: int) -> None:
    """The limit is recomputed when people refresh, change or shorten the request."""
    quote = await here.ask(max_total=count * TOTAL, count=count)
    again = await quoting.quote_to_ask_again(here.deps, ANA, quote.id)
    last = await quoting.last_request(here.deps, ANA)
    for request in (again.request, last.request):
        assert (await here.ask(**dict(request))).request.max_gpu_rate == FOR_TWO_HOURS
    longer = quoting.request_for(again, 4 * HOUR)
    assert (await here.ask(**dict(longer))).request.max_gpu_rate == FOR_FOUR_HOURS


async def test_a_nearer_named_end_allows_a_higher_price(here: World) -> None:
    quote = await here.ask(max_total=TOTAL, lease=4 * HOUR, until=here.now + 4 * HOUR)
    assert quote.request.max_gpu_rate == FOR_FOUR_HOURS
    await here.pass_time(2 * HOUR)
    again = await here.ask(**dict(quote.request))
    assert again.request.max_gpu_rate == FOR_TWO_HOURS
    assert await highest(here, again) <= TOTAL


async def test_an_automatic_purchase_stays_within_the_total_at_all_vendors(here: World) -> None:
    await here.behaves("*", "nothing_free")
    quote = await here.ask(max_total=TOTAL)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))).rental
    assert (rental.terms.max_rate, rental.terms.total) == (Decimal("2.40"), TOTAL)
    await here.behaves("nebius", "normal")
    await here.pass_time(2 * RULES.waiting.every)
    assert (await here.rental(rental.id)).state is State.QUEUED, "$2.42/h would cost $6.05"
    await here.behaves("hyperstack", "normal")
    rental = await here.until(rental.id, State.READY)
    assert rental.vendor == "hyperstack"


async def test_a_fallback_vendor_over_the_total_is_not_bought(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    rental = await here.rent(await here.ask(max_total=TOTAL), "hyperstack")
    rental = await here.until(rental, State.FAILED)
    assert await here.bought() == []


async def test_new_rules_that_exceed_the_total_refuse_the_offer(here: World) -> None:
    quote = await here.ask(max_total=TOTAL)
    longer = changed(RULES, lease=Lease(grace=60 * MINUTE))
    here.restart(replace(here.deps, rules=longer))
    with pytest.raises(Refused, match=r"up to \$6\.99, which is more than the \$6\.00 in all that you asked for"):
        await here.rent(quote, "hyperstack")


async def test_a_pricier_machine_is_confirmed_with_its_total(here: World) -> None:
    await here.behaves("*", "nothing_free")
    start = here.now + timedelta(hours=1)
    quote = await here.ask(max_total=TOTAL, starts_at=start, until=start + 2 * HOUR)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))).rental
    await here.behaves("nebius", "normal")
    rental = await here.until_event(rental, E.NOTHING_FITS, within=2 * HOUR)
    facts = (await here.last_event(rental, E.NOTHING_FITS)).facts
    action = waiting.RentDearer(rental.id, facts.offer or "")
    dearer = await to_confirm(here.deps, ANA, action)
    assert dearer is not None
    assert dearer.plan.terms.total > TOTAL
    rental = await carry_out(here.deps, ANA, action)
    assert rental.request.max_total is None
    await here.settle()


async def test_similar_requests_have_no_total(here: World) -> None:
    quote = await here.ask(max_total=1_000_000)
    totals = {near.request.contract: near.request.max_total for near in quote.nearby}
    assert totals[Contract.ONDEMAND] is None


async def test_a_replacement_keeps_its_price_and_the_remaining_total(here: World) -> None:
    """The lease becomes shorter instead, as with any replacement."""
    rental = await here.ready(max_total=TOTAL)
    await here.pass_time(30 * MINUTE)
    quote = await carry_out(here.deps, ANA, replacing.Replace(rental.id, reply_to=REPLY_TO, reason="hangs"))
    assert quote.request.max_gpu_rate == FOR_TWO_HOURS
    assert quote.request.max_total is not None
    assert quote.request.max_total < TOTAL - 1_000_000
    await here.settle()
