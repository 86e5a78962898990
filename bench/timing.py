"""Stopwatches and load. No other module of the bench reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def seconds() -> float:
    """Return real seconds since some fixed moment."""
    return time.perf_counter()


def cpu_ms() -> float:
    """Return the CPU milliseconds that this process has used, in all its threads."""
    return time.process_time() * 1000


async def wait(span: float) -> None:
    """Sleep for `span` real seconds."""
    await asyncio.sleep(span)


async def at_rate(rate: int, span: float, act: Callable[[int], Awaitable[T]]) -> list[T]:
    """Call `act` with 0, 1, 2 and so on, `rate` times a second for `span` seconds, and return all results.

    A call starts on time even if earlier calls have not ended.
    """
    began = seconds()
    calls: list[asyncio.Future[T]] = []
    for number in range(round(rate * span)):
        await wait(max(began + number / rate - seconds(), 0))
        calls.append(asyncio.ensure_future(act(number)))
    return list(await asyncio.gather(*calls))
