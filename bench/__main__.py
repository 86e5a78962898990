"""`python -m bench [--json FILE]`: measures, and prints a line a figure."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bench import acks, idle, polls, starts
from bench.figures import HEADER, Figure, figure, write
from bench.sizes import FULL, Size
from bot.errors import GpubotError
from bot.logs import set_up_logs
from bot.settings import LogFormat


async def figures(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Measures one after the other, in a folder that is its own. Raises NotRunning."""
    started = await starts.measure(size, folder)
    yield figure("start", started.bot, "s", started.empty)
    for one in await acks.measure(size, folder):
        yield one
    polled = await polls.measure(size, folder)
    yield figure("poll_lateness_p99", polled.lateness, "s")
    yield figure("memory", polled.memory, "MB", started.memory)
    yield await idle.measure(size, folder)


async def _run(size: Size, file: Path | None) -> None:
    done = []
    sys.stdout.write(HEADER + "\n")
    with tempfile.TemporaryDirectory(prefix="gpubot-bench-") as folder:
        async for one in figures(size, Path(folder)):
            done.append(one)
            sys.stdout.write(one.line() + "\n")
            sys.stdout.flush()
    if file is not None:
        write(done, file)


def main() -> None:
    """Runs the bench. Where something doesn't run, it says what and ends with exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures gpubot; takes about 4 minutes.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    set_up_logs(LogFormat.CONSOLE)
    try:
        asyncio.run(_run(FULL, options.json))
    except GpubotError as error:
        sys.stderr.write(error.words + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
