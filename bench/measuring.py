"""Stopwatches and load. The only module of the bench that reads a clock or lets time pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def seconds() -> float:
    """Real seconds since some fixed moment."""
    return time.perf_counter()


def cpu_ms() -> float:
    """CPU milliseconds that this process has used, in all its threads."""
    return time.process_time() * 1000


async def wait(span: float) -> None:
    """Lets real seconds pass."""
    await asyncio.sleep(span)


async def at_rate(rate: int, span: float, act: Callable[[int], Awaitable[T]]) -> list[T]:
    """Starts `act` with 0, 1, 2 .. `rate` times a second for `span` seconds, whether or not those before have
    ended, and answers what all came to."""
    began = seconds()
    acts: list[asyncio.Future[T]] = []
    for number in range(round(rate * span)):
        await wait(max(began + number / rate - seconds(), 0))
        acts.append(asyncio.ensure_future(act(number)))
    return list(await asyncio.gather(*acts))
