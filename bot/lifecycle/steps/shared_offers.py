"""Searches at the market that equal queries share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.lifecycle.outside import Market
from bot.model.offer import Offer
from bot.model.request import OfferQuery, Request


@dataclass
class SharedOffers:
    """Lets equal queries within `shared_for` share one call, also while the call runs."""

    market: Market
    clock: Clock
    shared_for: timedelta = timedelta(seconds=15)
    _calls: dict[OfferQuery, tuple[datetime, asyncio.Task[tuple[Offer, ...]]]] = field(default_factory=dict)

    async def get(self, request: Request) -> tuple[Offer, ...]:
        """Return offers for a request, no older than `shared_for`. Raise MarketAway if the call fails; a failed
        call is not shared with later queries.
        """
        now = self.clock.now()
        self._calls = {k: (at, call) for k, (at, call) in self._calls.items() if now - at < self.shared_for}
        query = request.query
        known = self._calls.get(query)
        if known is None or (known[1].done() and (known[1].cancelled() or known[1].exception() is not None)):
            known = (now, asyncio.create_task(self.market.offers(query)))
            self._calls[query] = known
        return await asyncio.shield(known[1])
