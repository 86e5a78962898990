"""Shares the result of one search at the market among equal queries."""

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
    """Makes only one call for all equal queries within `shared_for`. A query can also share a call in progress."""

    market: Market
    clock: Clock
    shared_for: timedelta = timedelta(seconds=15)
    _calls: dict[OfferQuery, tuple[datetime, asyncio.Task[tuple[Offer, ...]]]] = field(default_factory=dict)

    async def get(self, request: Request) -> tuple[Offer, ...]:
        """Return offers for a request that are no older than `shared_for`.

        Raises MarketAway if the call fails. A failed call isn't shared with later queries.
        """
        now = self.clock.now()
        self._calls = {k: (at, call) for k, (at, call) in self._calls.items() if now - at < self.shared_for}
        query = request.query
        known = self._calls.get(query)
        if known is None or (known[1].done() and (known[1].cancelled() or known[1].exception() is not None)):
            known = (now, asyncio.create_task(self.market.offers(query)))
            self._calls[query] = known
        return await asyncio.shield(known[1])
