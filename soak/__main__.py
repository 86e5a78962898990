"""`python -m soak --seed 1 --kills 100`: soaks, prints what it counted, and ends with 1 if it found something."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from soak.databases import KINDS, databases
from soak.episode import Outcome, run
from soak.plan import Plan, plans
from soak.report import episode_line, last_lines


async def soak(chosen: list[Plan], folder: Path) -> list[Outcome]:
    """Runs the episodes one after the other, and prints a line for each."""
    outcomes = []
    async with databases(tuple({one.database for one in chosen})) as made:
        for one in chosen:
            home = folder / f"episode-{one.episode}-{one.database}"
            home.mkdir()
            outcomes.append(await run(one, made, home))
            sys.stdout.write(episode_line(outcomes[-1], home) + "\n")
            sys.stdout.flush()
    return outcomes


def main() -> None:
    """Reads the options and soaks. Ends with status 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m soak", description="Soaks gpubot; docs/soak.md tells more.")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same plan (default: 1)")
    parser.add_argument("--kills", type=int, default=20, help="how often the bot is killed (default: 20)")
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both", help="default: both, in turn")
    parser.add_argument("--episode", type=int, help="this one of the episodes alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where logs go (default: a temporary folder)")
    options = parser.parse_args()
    kinds = KINDS if options.database == "both" else (options.database,)
    chosen = plans(options.seed, max(options.kills, 1), kinds, options.episode)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="gpubot-soak-"))
    folder.mkdir(exist_ok=True, parents=True)
    outcomes = asyncio.run(soak(chosen, folder))
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())
    findings = sum(len(outcome.findings) for outcome in outcomes)
    sys.stdout.write(last_lines(counts, findings) + "\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
