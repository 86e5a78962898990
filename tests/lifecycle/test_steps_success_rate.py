"""Among equal prices, the vendor with the best success rate comes first: in the offers, and after a failure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.lifecycle.actions import offers
from bot.lifecycle.outside import Market
from bot.model.base import changed
from bot.model.offer import Offer
from bot.model.request import OfferQuery
from tests.lifecycle.world import ANA, HOUR, MINUTE, World


class EqualPrices:
    """A market in which everything has the same price."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    async def offers(self, query: OfferQuery) -> tuple[Offer, ...]:
        found = await self._market.offers(query)
        return tuple(changed(one, rate=Decimal("1.00")) for one in sorted(found, key=lambda one: one.vendor))


async def vendors_offered(here: World) -> list[str]:
    here.jump(MINUTE)
    quote = await here.ask(gpu="L40S")
    return list(dict.fromkeys(offer.vendor for offer in quote.offers))


async def test_among_equal_prices_a_low_success_rate_comes_last(here: World) -> None:
    await here.behaves("datacrunch", "sold_out")
    for _ in range(5):
        here.jump(MINUTE)
        rental = await here.rent(await here.ask(gpu="L40S"), "datacrunch")
        assert [attempt.vendor for attempt in await here.attempts(rental)][:1] == ["datacrunch"]
        await here.destroy(rental)
    here.restart(replace(here.deps, market=EqualPrices(here.deps.market)))
    offered = await vendors_offered(here)
    assert len(offered) > 2
    assert offered[-1] == "datacrunch"
    quote = await here.ask(gpu="L40S", lease=HOUR)
    view = await offers.offers_of_quote(here.deps, ANA, quote.id, most=20)
    poor = {choice.offer.vendor for choice in view.choices if choice.success_rate and choice.success_rate.poor}
    assert poor == {"datacrunch"}
    await here.behaves(offered[0], "sold_out")
    rental = await here.rent(quote, offered[0])
    tried = list(dict.fromkeys(attempt.vendor for attempt in await here.attempts(rental)))
    assert tried == offered[:2]
