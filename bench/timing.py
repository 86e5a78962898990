"""Stopwatches and load. No other module of the bench reads a clock or sleeps.

`python -m bench.timing` sleeps again and again until its input ends, and prints how late it woke.
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
"""Seconds. If an idle process woke up later than this, or the bench itself sent later, the machine was not quiet,
and the run is invalid. It holds for the 99th percentile."""
BUSY = 20.0
"""Percent of all processors. If other processes take more before the run, the run is invalid as well."""
ROUNDS = 10
"""In how many rounds acts that are compared take turns, so that a change of the machine's speed favours none."""
_NAP, _LOOK = 0.01, 0.5


def seconds() -> float:
    """Return real seconds since some fixed moment."""
    return time.perf_counter()


def cpu_ms() -> float:
    """Return the CPU milliseconds that this process has used, in all its threads."""
    return time.process_time() * 1000


async def compare(acts: Sequence[Callable[[], Awaitable[None]]], count: int) -> list[float]:
    """Return the CPU milliseconds of each act, over about `count` runs of it, in turns. A first run of each is not
    counted.
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
    """Sleep for `span` real seconds."""
    await asyncio.sleep(span)


@dataclass(frozen=True)
class Sent(Generic[T]):
    """The result of a call, and how many seconds after its planned time the call began."""

    late: float
    result: T


async def at_rate(rate: float, span: float, act: Callable[[int], Awaitable[T]]) -> list[Sent[T]]:
    """Call `act` with 0, 1, 2 and so on, `rate` times a second for `span` seconds, and return all results.

    All calls are planned beforehand: one starts on time even if earlier calls have not ended.
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
    """How quiet the machine was while something was measured."""

    busy: float
    """Percent of all processors, before."""
    late: float = 0.0
    """How late an idle process woke up meanwhile: p99 in seconds, after the block of `idle_machine`."""

    @property
    def doubt(self) -> str:
        """Why what was measured is invalid. Empty if it is not."""
        if self.busy > BUSY:
            return f"invalid: the machine was {self.busy:.0f} % busy before"
        return f"invalid: an idle process woke {self.late * 1000:.0f} ms late" if self.late > QUIET else ""


@asynccontextmanager
async def idle_machine() -> AsyncIterator[Machine]:
    """Look how busy the machine is, and let an idle process sleep and wake until the end of the block. Start the
    app in the block.
    """
    psutil.cpu_percent()
    await wait(_LOOK)
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
