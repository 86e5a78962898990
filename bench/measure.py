"""Measures every figure, one after the other."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bench import acks, idle, page, polls, spends, starts, visits
from bench.figures import HEADER, Figure, figure, write
from bench.sizes import FULL, Size
from bot.config.settings import LogFormat
from bot.errors import GpubotError
from bot.ops.logs import set_up_logs
from sandbox.client import ControlError
from soak.databases import POSTGRES, databases


async def figures(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Measure every figure in an empty folder. Raise NotRunning or ControlError if something does not run."""
    started = await starts.measure(size, folder)
    yield figure("start", started.bot, "s", started.empty)
    async for each in acks.measure(size, folder):
        yield each
    polled = await polls.measure(size, folder, provisioning=size.provisioning)
    yield figure("poll_lateness_p99", polled.lateness, "s")
    yield figure("polls_per_cpu_second", polled.per_cpu_second, "1/s")
    async with databases({POSTGRES}) as created:
        url = (await created.new(POSTGRES, folder)).url
        on_postgres = await polls.measure(size, folder, provisioning=size.provisioning, postgres=url)
    yield figure("polls_per_cpu_postgres", on_postgres.per_cpu_second, "1/s", polled.per_cpu_second)
    yield figure("memory", polled.memory, "MB", started.memory)
    many = await polls.measure(size, folder, provisioning=size.many_provisioning)
    yield figure("poll_many_p99", many.lateness, "s", polled.lateness)
    yield figure("polls_many_per_cpu", many.per_cpu_second, "1/s", polled.per_cpu_second)
    visited = await polls.measure(size, folder, provisioning=size.provisioning, visited=size.visited)
    yield figure("poll_visited_p99", visited.lateness, "s", polled.lateness)
    yield figure("probe_memory", visited.memory - polled.memory, "MB")
    yield await idle.measure(size, folder)
    yield await spends.measure(size, folder)
    yield await visits.measure(size)
    yield await page.measure(size)


async def _run(size: Size, file: Path | None) -> None:
    measured = []
    sys.stdout.write(HEADER + "\n")
    with tempfile.TemporaryDirectory(prefix="gpubot-bench-") as folder:
        async for each in figures(size, Path(folder)):
            measured.append(each)
            sys.stdout.write(each.line() + "\n")
            sys.stdout.flush()
    if file is not None:
        write(measured, file)


def main() -> None:
    """Run the bench. If something does not run, print what and exit with status 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gpubot, in about 15 minutes.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    set_up_logs(LogFormat.CONSOLE)
    try:
        asyncio.run(_run(FULL, options.json))
    except GpubotError as error:
        sys.exit(error.words)
    except ControlError as error:
        sys.exit(str(error))
