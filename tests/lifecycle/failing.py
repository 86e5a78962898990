"""Dependencies that fail: a market, a prober and a store, for tests of failing steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from typing_extensions import override

from bot.clock import Clock
from bot.errors import StoreBusy
from bot.lifecycle.outside import Market
from bot.model.machine_use import EndToTell, ProbeResult
from bot.probe.prober import SshProber
from store.db import Database, Tx
from tests.lifecycle.world import World


class BrokenMarket:
    """A market that raises an error about every machine while it is `broken`.

    By default, the error is a bug.
    """

    def __init__(self, market: Market, error: Exception | None = None) -> None:
        self._market = market
        self._error = error or OverflowError()
        self.broken = True

    def __getattr__(self, name: str) -> Any:
        if self.broken and name in {"progress", "resource", "resources"}:
            return self._break
        return getattr(self._market, name)

    async def _break(self, *_: Any, **__: Any) -> Any:
        raise self._error


class HangingMarket(BrokenMarket):
    """A market that doesn't answer any calls about machines until it is `repaired`."""

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        self.repaired = asyncio.Event()

    async def _break(self, *_: Any, **__: Any) -> Any:
        await self.repaired.wait()
        raise OverflowError


class InterruptedMarket(BrokenMarket):
    """Runs `act` after the overdue deletion has looked up the machines, and before it deletes them."""

    def __init__(self, market: Market, act: Callable[[], Any]) -> None:
        super().__init__(market)
        self._act = act

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        found = await self._market.resource_ids(offer_id)
        await self._act()
        return found


class BrokenProber:
    """A prober that has a bug."""

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        raise OverflowError(host, port, vendor)

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        raise OverflowError(host, port, vendor)

    async def run_probe(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> ProbeResult:
        raise OverflowError(host, port, host_key, vendor, ending)


class ProberWithoutHostKey(SshProber):
    """A prober for which every key exchange takes too long."""

    @override
    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        return await SshProber(seconds=0).host_key(host, port, vendor)


class FailingStore:
    """A store that can refuse writes and reads."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.refuses_writes = True
        self.refuses_reads = False
        self.on_commit = store.on_commit

    async def takes_writes(self) -> bool:
        return not self.refuses_writes

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        if self.refuses_reads:
            raise StoreBusy("away")
        async with self._store.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[Tx]:
        if self.refuses_writes:
            raise StoreBusy("full")
        async with self._store.write(durable=durable) as tx:
            yield tx


class StoreWithClock(FailingStore):
    """A store whose database has its own clock.

    That clock is `ahead` of the correct time. None stands for SQLite, which has no clock of its own.
    """

    def __init__(self, store: Database, clock: Clock, ahead: timedelta | None) -> None:
        super().__init__(store)
        self.refuses_writes = False
        self._clock = clock
        self._ahead = ahead

    @asynccontextmanager
    @override
    async def read(self) -> AsyncIterator[Tx]:
        async with super().read() as tx:
            yield cast(Tx, _With(tx, overdue=_With(tx.overdue, database_time=self._time)))

    async def _time(self) -> datetime | None:
        return None if self._ahead is None else self._clock.real() + self._ahead


class _With:
    """An object that has some attributes of its own, and takes all others from another object."""

    def __init__(self, other: object, **own: object) -> None:
        self.__dict__.update(own)
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


def break_steps(here: World, error: Exception | None = None) -> BrokenMarket:
    """Make every step fail that asks the market about a machine.

    It works again once the returned market is no longer `broken`.
    """
    market = BrokenMarket(here.deps.market, error)
    here.restart(replace(here.deps, market=cast(Market, market)))
    return market
