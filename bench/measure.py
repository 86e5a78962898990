"""The command line of the bench: measures all figures, or only those with a given name."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bench import acks, cpu, home, idle, kills, late, page, polls, probe_runs, spends, starts, takeover
from bench.figures import HEADER, Figure, figure, write
from bench.peer import LACKS
from bench.sizes import FULL, Size
from bot.config.settings import LogFormat
from bot.errors import GpubotError
from bot.model.base import changed
from bot.ops.logs import set_up_logs
from sandbox.client import ControlError
from soak.databases import POSTGRES, databases


class Part(NamedTuple):
    """Figures that are measured together."""

    begins: tuple[str, ...]
    """The prefixes of the names of this part's figures."""
    measure: Callable[[Size, Path], AsyncIterator[Figure]]
    """Measures the figures, using an empty folder. Raises NotRunning or ControlError if something doesn't run."""

    def has(self, name: str) -> bool:
        """Return whether this part has a figure with this name or prefix."""
        return any(begin.startswith(name) or name.startswith(begin) for begin in self.begins)


async def _start(size: Size, folder: Path) -> AsyncIterator[Figure]:
    started = await starts.measure(size, folder)
    yield figure("start", started.bot, "s", started.empty)


async def _polls(size: Size, folder: Path) -> AsyncIterator[Figure]:
    idle_bot = await starts.measure(changed(size, starts=1), folder)
    baselines = await cpu.measure(size, folder)
    polled = await polls.measure(size, folder, provisioning=size.provisioning)
    yield figure("poll_lateness_p99", polled.lateness, "s")
    yield figure("polls_per_cpu_second", polled.per_cpu_second, "1/s", baselines.bare)
    yield figure("polls_per_cpu_peer", polled.per_cpu_second, "1/s", baselines.peer)
    async with databases({POSTGRES}) as created:
        url = (await created.new(POSTGRES, folder)).url
        on_postgres = await polls.measure(size, folder, provisioning=size.provisioning, postgres=url)
    yield figure("polls_per_cpu_postgres", on_postgres.per_cpu_second, "1/s", polled.per_cpu_second)
    yield figure("memory", polled.memory, "MB", idle_bot.memory)
    many = await polls.measure(size, folder, provisioning=size.many_provisioning)
    yield figure("poll_many_p99", many.lateness, "s", polled.lateness)
    yield figure("polls_many_per_cpu", many.per_cpu_second, "1/s", polled.per_cpu_second)
    probed = await polls.measure(size, folder, provisioning=size.provisioning, probed=size.probed)
    yield figure("poll_visited_p99", probed.lateness, "s", polled.lateness)
    yield figure("probe_memory", probed.memory - polled.memory, "MB")


async def _takeover(size: Size, folder: Path) -> AsyncIterator[Figure]:
    yield await takeover.measure(size, folder)


async def _idle(size: Size, folder: Path) -> AsyncIterator[Figure]:
    yield await idle.measure(size, folder)


async def _spends(size: Size, folder: Path) -> AsyncIterator[Figure]:
    yield await spends.measure(size, folder)


async def _probe_runs(size: Size, _folder: Path) -> AsyncIterator[Figure]:
    yield await probe_runs.measure(size)


async def _page(size: Size, _folder: Path) -> AsyncIterator[Figure]:
    yield await page.measure(size)


TAKEOVER = Part(("takeover",), _takeover)
PARTS = (
    Part(("start",), _start),
    Part(("commits_", "ack_"), acks.measure),
    Part(("poll_", "polls_per_cpu", "polls_many", "memory", "probe_memory"), _polls),
    Part(("polls_late", "restart"), late.measure),
    Part(("lost_after_kill", "billing_after_kill"), kills.measure),
    Part(("idle_engine",), _idle),
    Part(("spend_query",), _spends),
    Part(("home_publish",), home.measure),
    Part(("probe_cpu",), _probe_runs),
    Part(("page_effect",), _page),
)
"""All parts except TAKEOVER, which is measured only on request."""


async def figures(size: Size, folder: Path, parts: Iterable[Part] = PARTS) -> AsyncIterator[Figure]:
    """Measure these parts, and yield their figures."""
    for number, part in enumerate(parts):
        home = folder / str(number)
        home.mkdir()
        async for each in part.measure(size, home):
            yield each


async def _run(size: Size, parts: Iterable[Part], only: str, file: Path | None) -> None:
    measured = []
    sys.stdout.write(HEADER + "\n")
    with tempfile.TemporaryDirectory(prefix="gpubot-bench-") as folder:
        async for each in figures(size, Path(folder), parts):
            if each.name.startswith(only):
                measured.append(each)
                sys.stdout.write(each.line() + "\n")
                sys.stdout.flush()
    sys.stdout.write(f"{LACKS}\n")
    if file is not None:
        write(measured, file)


def main() -> None:
    """Run the bench. If a program doesn't run, print an error message and exit with status 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gpubot, in about 15 minutes.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--only", default="", metavar="NAME", help="a figure, or how the names of several begin")
    options = parser.parse_args()
    parts = [part for part in (*PARTS, TAKEOVER) if options.only and part.has(options.only)] or PARTS
    if options.only and parts is PARTS:
        known = ", ".join(begin for part in (*PARTS, TAKEOVER) for begin in part.begins)
        parser.error(f"no figure begins with {options.only}. They begin with {known}.")
    set_up_logs(LogFormat.CONSOLE)
    try:
        asyncio.run(_run(FULL, parts, options.only, options.json))
    except GpubotError as error:
        sys.exit(error.words)
    except ControlError as error:
        sys.exit(str(error))
