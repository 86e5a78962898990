"""The price of what a form has chosen, before anybody asks for offers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.errors import MarketAway
from bot.lifecycle.deps import Deps
from bot.lifecycle.outside import Market
from bot.lifecycle.steps.shared_offers import SharedOffers
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.request import Request
from bot.policy.buying.spending import check_size, with_price_of_total
from bot.policy.team.roles import check_user

SHARED_FOR = timedelta(minutes=1)
"""Equal choices of all people this close together share one call."""
ANSWER_WITHIN = 3.0
"""Real seconds. Nobody who fills in a form waits for a price longer."""


@dataclass(frozen=True)
class Prices:
    """Where the prices of forms are read."""

    shared: SharedOffers
    answer_within: float = ANSWER_WITHIN
    """Real seconds."""

    @classmethod
    def of(cls, market: Market, clock: Clock) -> Prices:
        """Return the prices of a market."""
        return cls(SharedOffers(market, clock, SHARED_FOR))


async def cheapest(deps: Deps, prices: Prices, person: Person, request: Request) -> Offer | None:
    """Return the cheapest offer for a request. Return None if nothing is offered.

    Nothing is stored, and the search is none of the searches that a person may start in a minute. Raise Refused if
    the person may not use the bot or the request is too large, Mistake if its lease is too long, and MarketAway if
    the market has not answered in time. Its answer is still used for the next equal choice.
    """
    check_user(person, deps.rules)
    check_size(request, deps.rules)
    try:
        async with asyncio.timeout(prices.answer_within):
            return next(iter(await prices.shared.get(with_price_of_total(request, deps.rules))), None)
    except TimeoutError:
        raise MarketAway("Compute Clear hasn't answered yet.", may_have_bought=False) from None
