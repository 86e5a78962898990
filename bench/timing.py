"""Measures time and generates load. No other module of the bench reads the machine's clock or sleeps.

`python -m bench.timing` sleeps repeatedly until its standard input ends. Then it prints how late it woke up: the
99th percentile in seconds.
"""

from __future__ import annotations

import asyncio
import select
import sys
import time
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import psutil

from bench.figures import p99

T = TypeVar("T")
QUIET = 0.02
"""The maximum delay in seconds on a quiet machine.

If an idle process wakes up later than this, or if the bench itself starts actions later, the run is invalid. The
limit applies to the 99th percentile.
"""
BUSY = 20.0
"""The maximum CPU utilization before a run, in percent of all processors. With more, the run is invalid too."""
ROUNDS = 10
"""The number of rounds in which compared functions take turns, so that a change in speed favours none of them."""
_NAP, _LOAD_CHECK = 0.01, 0.5


def seconds() -> float:
    """Return a monotonic time in wall-clock seconds."""
    return time.perf_counter()


def cpu_ms() -> float:
    """Return the CPU milliseconds that this process has used in all of its threads."""
    return time.process_time() * 1000


async def compare(acts: Sequence[Callable[[], Awaitable[None]]], count: int) -> list[float]:
    """Return the average CPU milliseconds of a call to each function.

    The functions take turns until each has been called about `count` times. The first call to each isn't counted.
    """
    took = [0.0] * len(acts)
    each = max(count // ROUNDS, 1)
    for act in acts:
        await act()
    for _ in range(ROUNDS):
        for index, act in enumerate(acts):
            began = cpu_ms()
            for _ in range(each):
                await act()
            took[index] += cpu_ms() - began
    return [total / (each * ROUNDS) for total in took]


async def wait(span: float) -> None:
    """Sleep for `span` wall-clock seconds."""
    await asyncio.sleep(span)


@dataclass(frozen=True)
class Sent(Generic[T]):
    """The result of a call, and the delay in seconds with which the call began."""

    late: float
    result: T


async def at_rate(rate: float, span: float, act: Callable[[int], Awaitable[T]]) -> list[Sent[T]]:
    """Call `act` with 0, 1, 2 and so on, `rate` times per second for `span` seconds, and return all results.

    The times are fixed beforehand, so a call starts on time even if earlier calls haven't finished.
    """
    began = seconds()
    calls: list[asyncio.Future[Sent[T]]] = []

    async def call(number: int) -> Sent[T]:
        late = max(seconds() - began - number / rate, 0.0)
        return Sent(late, await act(number))

    for number in range(round(rate * span)):
        await wait(max(began + number / rate - seconds(), 0))
        calls.append(asyncio.ensure_future(call(number)))
    return list(await asyncio.gather(*calls))


@dataclass
class Machine:
    """The load of the machine by other processes before and during a measurement."""

    busy: float
    """The CPU utilization before the measurement, in percent of all processors."""
    late: float = 0.0
    """The delay with which an idle process woke up (p99, in seconds). Set when the measurement ends."""

    @property
    def doubt(self) -> str:
        """The reason why the measurement is invalid; empty if it is valid."""
        if self.busy > BUSY:
            return f"invalid: the machine was {self.busy:.0f} % busy before"
        return f"invalid: an idle process woke {self.late * 1000:.0f} ms late" if self.late > QUIET else ""


@asynccontextmanager
async def idle_machine() -> AsyncIterator[Machine]:
    """Check how quiet the machine is, before and during the block.

    In the block, an idle process sleeps and wakes up repeatedly. Start the app to measure inside the block,
    because its own load would otherwise count as that of other processes.
    """
    psutil.cpu_percent()
    await wait(_LOAD_CHECK)
    busy = psutil.cpu_percent()
    process = await create_subprocess_exec(
        sys.executable, "-m", "bench.timing", cwd=Path(__file__).parents[1], stdin=PIPE, stdout=PIPE
    )
    machine = Machine(busy)
    try:
        yield machine
    finally:
        out, _ = await process.communicate(b"")
    machine.late = float(out)


def _nap_until_input_ends() -> None:
    late = [0.0, 0.0]
    while True:
        began = seconds()
        ended, _, _ = select.select([sys.stdin], [], [], _NAP)
        if ended:
            break
        late.append(seconds() - began - _NAP)
    sys.stdout.write(f"{p99(late)}\n")


if __name__ == "__main__":
    _nap_until_input_ends()
