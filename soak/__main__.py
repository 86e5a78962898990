"""The command `python -m soak --seed 1 --kills 100`.

Runs the episodes, prints a line for each and then the counts, and exits with status 1 if a check found something.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from soak.databases import KINDS, REPLICAS, SERVER_PACKAGE, SQLITE, databases
from soak.episode import Outcome, run
from soak.plan import Plan, plans
from soak.report import episode_line, last_lines
from soak.use.checks import check
from soak.use.costs import table
from soak.use.plan import plan_use
from soak.use.run import simulate

AT_ONCE = 2
"""The number of episodes that run at the same time. An episode mostly waits: it uses about a third of a CPU
core."""


async def soak(episodes: list[Plan], folder: Path) -> list[Outcome]:
    """Run the episodes, AT_ONCE at a time, and print a line for each one as it finishes."""
    free, here = asyncio.Semaphore(AT_ONCE), asyncio.current_task()
    assert here is not None  # noqa: S101 - asyncio.run makes a task of it
    # Without this handler, SIGTERM would end only this process, and the bots and the database server would keep
    # running.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)
    async with databases({plan.database for plan in episodes}) as new_databases:

        async def one(plan: Plan) -> Outcome:
            async with free:
                home = folder / f"episode-{plan.episode}-{plan.database}"
                home.mkdir()
                outcome = await run(plan, new_databases, home)
            sys.stdout.write(episode_line(outcome, home) + "\n")
            sys.stdout.flush()
            return outcome

        return await asyncio.gather(*map(one, episodes))


async def month(seed: int) -> int:
    """Simulate a month with 50 people and 400 rentals twice, and print the cost of idle machines.

    In the second simulation, people start their work with gpubot-run. Returns the exit status: 1 if a check found
    something.
    """
    plan, found = plan_use(seed, people=50, rentals=400, days=30), 0
    for jobs in (False, True):
        with tempfile.TemporaryDirectory(prefix="gpubot-month-") as folder:
            record = await simulate(f"sqlite:///{folder}/month.sqlite", plan, jobs=jobs)
        findings = check(record)
        found += len(findings)
        title = f"## {'With' if jobs else 'Without'} jobs"
        sys.stdout.write(
            "\n".join([title, "", table(record), "", *findings, f"{len(findings)} findings\n"]) + "\n"
        )
        sys.stdout.flush()
    return 1 if found else 0


def main() -> None:
    """Read the options and run the soak.

    Exits with status 1 if a check found something, or if a package is missing.
    """
    parser = argparse.ArgumentParser(prog="python -m soak", description="Soaks gpubot; see docs/soak.md.")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same plan (default: 1)")
    parser.add_argument("--kills", type=int, default=20, help="the number of kills of the bot (default: 20)")
    parser.add_argument(
        "--replica-kills",
        type=int,
        default=200,
        help="with `--database all`, the number of kills with two processes that share a database (default: 200)",
    )
    parser.add_argument(
        "--database",
        choices=(*KINDS, "all"),
        default="all",
        help="the kind of database (default: all); replicas: two processes share a PostgreSQL database",
    )
    parser.add_argument("--episode", type=int, help="run only this episode")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where logs go (default: a temporary folder)")
    parser.add_argument("--month", action="store_true", help="simulate a month of use instead; see docs/idling.md")
    options = parser.parse_args()
    if options.month:
        sys.exit(asyncio.run(month(options.seed)))
    kills = max(options.kills, 1)
    if options.database == "all":
        episodes = plans(options.seed, kills, only=options.episode)
        if options.replica_kills > 0 and options.episode is None:
            episodes += plans(options.seed, options.replica_kills, (REPLICAS,))
    else:
        episodes = plans(options.seed, kills, (options.database,), options.episode)
    if find_spec(SERVER_PACKAGE) is None and any(plan.database != SQLITE for plan in episodes):
        sys.exit("soak needs the development packages for PostgreSQL. Run: make soak (or add --database sqlite)")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="gpubot-soak-"))
    folder.mkdir(exist_ok=True, parents=True)
    outcomes = asyncio.run(soak(episodes, folder))
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())
    findings = sum(len(outcome.findings) for outcome in outcomes)
    sys.stdout.write(last_lines(counts, findings) + "\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
