"""Tries an upgrade from the last release to this version and back, on both databases, with live rentals.

    .venv/bin/python -m tests.by_hand.upgrade [--release REF] [--database sqlite|postgres] [--keep FOLDER]

The release is installed from this repository's history, with its own dependencies, into a separate virtual
environment. Without --release, it is the commit before the one that added the newest revision of the schema. Each
database is tried twice: first, the bot is ended by SIGTERM before the upgrade and by SIGKILL before going back,
then the other way round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text

from demo.processes import NotRunning, free_port, start_bot
from sandbox.client import SeenMessage
from soak.databases import POSTGRES, SERVER_PACKAGE, SQLITE, postgres_server
from store.connections import postgres_engines, sqlite_engines, sqlite_path
from store.migrations import HEAD
from tests.journeys.checks import check_consistency
from tests.journeys.world import World, open_world

REPOSITORY = Path(__file__).parents[2]
HOUR = timedelta(hours=1)


class Failed(Exception):
    """The upgrade, or going back, didn't work as the documentation says."""


def check(fact: bool, statement: str) -> None:
    """Print the statement with its result. Raise Failed if `fact` is False."""
    print(f"    {'ok  ' if fact else 'NOT '} {statement}", flush=True)
    if not fact:
        raise Failed(statement)


# --- the release


def last_release() -> str:
    """Return the commit before the one that added the newest revision of the schema."""
    (revision,) = (REPOSITORY / "store/migrations/versions").glob(f"{HEAD}_*.py")
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(revision.relative_to(REPOSITORY)))
    return _git("rev-parse", "--short", f"{added.split()[-1]}^")


def install(release: str, folder: Path) -> str:
    """Install a commit of this repository into a new virtual environment, and return the path of its Python."""
    source, python = folder / "source", folder / "venv/bin/python"
    source.mkdir()
    archive = folder / "release.tar"
    _git("archive", "--output", str(archive), release)
    subprocess.run(["tar", "-xf", archive, "-C", source], check=True)  # noqa: S603, S607 - our own file
    pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    for command in (
        (sys.executable, "-m", "venv", str(folder / "venv")),
        (*pip, "-c", str(source / "constraints.txt"), str(source)),
    ):
        subprocess.run(command, check=True)  # noqa: S603 - our own commands
    return str(python)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True)  # noqa: S603, S607 - git reads only our own words
    return done.stdout.strip()


# --- the databases


@dataclass
class Play:
    """One upgrade, and the way back."""

    world: World
    old_python: str
    kind: str
    go_back: list[str]
    """The commands that go back, as the newer version printed them. Empty until then."""

    @property
    def url(self) -> str:
        return self.world.settings["GPUBOT_DATABASE_URL"]

    async def start(self, *, old: bool = False) -> None:
        """Start the old version or this one, and wait until it is idle."""
        self.world.settings["GPUBOT_HTTP"] = f"127.0.0.1:{free_port()}"
        python = self.old_python if old else sys.executable
        self.world.processes.append(await start_bot(self.world.settings, self.world.log, python=python))
        self.world.play.bot = self.world.bot
        await self.world.play.settle()

    async def end(self, how: str) -> None:
        """End the running version with SIGKILL or SIGTERM."""
        if how == "SIGKILL":
            await self.world.kill()
        else:
            check(await self.world.stop() == 0, "SIGTERM ended it in order")

    def shell(self, command: str) -> None:
        """Run a command through a shell, as if an operator had pasted it."""
        print(f"    $ {command}", flush=True)
        subprocess.run(command, shell=True, check=True, cwd=self.world.folder)  # noqa: S602 - it is about what a shell makes of it

    async def upgrade(self) -> None:
        """Start this version on the old database, following docs/upgrade.md.

        Stores the commands that go back in `go_back`.
        """
        if self.kind == POSTGRES:
            try:
                await self.start()
            except NotRunning:
                *_, refused = self.world.log.read_text(encoding="utf-8").splitlines()
            else:
                raise Failed("gpubot run migrated a PostgreSQL while rentals live")
            _, dump, migrate = re.split(r"migrate it:  |  &&  ", refused)
            check(
                migrate == "gpubot migrate",
                f"gpubot run refuses, and names 2 commands: {refused.partition('.')[0]}",
            )
            # The refusal isn't a line of JSON like the rest of the log, so remove it before the log is parsed.
            self._without_last_line()
            self.shell(dump)
            await self._migrate()
        await self.start()
        event = "database.copied" if self.kind == SQLITE else "database.migrates"
        lines = map(json.loads, self.world.log.read_text(encoding="utf-8").splitlines())
        (line,) = [line for line in lines if line["event"] == event]
        self.go_back = line["go_back"]
        if self.kind == SQLITE:
            copied = self.world.folder / f"gpubot.sqlite.before-{HEAD}"
            check(copied.stat().st_mode & 0o777 == 0o600, f"it kept {copied.name}, 0600")

    def _without_last_line(self) -> None:
        lines = self.world.log.read_text(encoding="utf-8").splitlines(keepends=True)
        self.world.log.write_text("".join(lines[:-1]), encoding="utf-8")

    async def _migrate(self) -> None:
        with self.world.log.open("a") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "migrate"),
                env=self.world.settings,
                cwd=self.world.folder,
                stdout=out,
                stderr=out,
            )
            check(await process.wait() == 0, "gpubot migrate")

    def back(self) -> None:
        """Restore the older database with the printed commands."""
        for command in self.go_back:
            self.shell(command)
        if self.kind == POSTGRES:
            name = shlex.split(self.go_back[0])[-1]
            self.world.settings["GPUBOT_DATABASE_URL"] = re.sub(r"/play\d+", f"/{name}", self.url)
            print(f"    GPUBOT_DATABASE_URL names {name}", flush=True)

    async def column(self, query: str) -> set[str]:
        """Return the values that a query finds in the database. The query is given without its SELECT."""
        path = sqlite_path(self.url)
        engines = postgres_engines(self.url, "check") if path is None else sqlite_engines(path)
        try:
            async with engines.reader.connect() as conn:
                return set((await conn.execute(text(f"SELECT {query}"))).scalars())
        finally:
            await engines.dispose()


@contextmanager
def programs(server: Any) -> Iterator[None]:
    """Put pg_dump, createdb and pg_restore of the server's own version at the front of the PATH."""
    version = asyncio.run(_version(server))
    package = find_spec(SERVER_PACKAGE)
    if package is None or package.origin is None:
        raise Failed(f"{SERVER_PACKAGE} is not installed: make setup")
    for folder in Path(package.origin).parent.glob("pginstall*/bin"):
        shown = subprocess.run([folder / "pg_dump", "--version"], check=True, capture_output=True, text=True)  # noqa: S603 - as above
        if f" {version}." in shown.stdout:
            os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    yield


async def _version(server: Any) -> int:
    connection = await asyncpg.connect(server.get_uri(database="postgres"))
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()


@asynccontextmanager
async def played(kind: str, number: int, server: Any, old_python: str, folder: Path) -> AsyncIterator[Play]:
    """Yield a play with an empty database of the given kind."""
    url = f"sqlite:///{folder / 'gpubot.sqlite'}"
    if kind == POSTGRES:
        connection = await asyncpg.connect(server.get_uri(database="postgres"))
        await connection.execute(f"CREATE DATABASE play{number}")
        await connection.close()
        url = server.get_uri(database=f"play{number}")
    async with open_world(folder, GPUBOT_DATABASE_URL=url) as world:
        world.settings.pop("PYTHONPATH", None)
        yield Play(world, old_python, kind, [])


# --- the story


async def play(it: Play, first_end: str, second_end: str) -> None:
    """Upgrade and go back with live rentals.

    Raises Failed or AssertionError if anything is lost, or bought twice.
    """
    world = it.world
    print("  the release rents", flush=True)
    await it.start(old=True)
    await world.sets_key()
    ready = await world.rents(text="get H100 EU for 6h")
    ends = (await world.until_card(ready, "Ready")).text
    waits = await world.rents(text="get 8x H100 in EU for 6h")
    starting = await world.rents(text="get A100 for 6h")
    check(
        (await world.card(starting)).text.startswith("Starting"),
        f"{ready} is ready, {waits} waits, {starting} starts",
    )
    await it.end(first_end)

    print(f"  upgrade, after {first_end}", flush=True)
    await it.upgrade()
    await world.until_card(starting, "Ready")
    check((await world.card(ready)).text == ends, "the ready machine has its end, the starting one got ready")
    await world.approves("Cleo")
    await world.until_card(waits, "Ready")
    await world.play.types("Ana", "#training", f"extend {ready} 2h")
    check((await world.card(ready)).text != ends, "the waiting request was approved, the lease extended")
    await world.destroys("Ana", starting)
    await world.until_card(starting, "Ended")
    later = await world.rents(text="get L4 EU for 6h")
    await world.until_card(later, "Ready")
    bought = await _bought(world)
    check(len(bought) == 4, f"4 machines were bought, one of them ({later}) by this version, one was destroyed")
    await it.end(second_end)

    print(f"  back, after {second_end}", flush=True)
    it.back()
    await it.start(old=True)
    question = await world.reads("Cleo", "My database is older than the account: 2 machines of mine run")
    await _all_known(it, question)
    check(
        (await world.card(ready)).text == ends,
        "the ready machine has the end from before; its owner is told again",
    )
    await world.clicks("Cleo", question, "Restore all")
    await world.play.settle()
    await world.commands("Cleo", "resume")
    await world.play.settle()
    await _all_known(it, None)
    await world.until_card(waits, "Cancelled")
    live = sorted(await it.column("id FROM rentals WHERE live"))
    check({ready, later} < set(live), f"{', '.join(live)} live; {waits} is over, as its machine has an owner")
    for rental in live:
        await world.destroys("Ana", rental)
        await world.until_any_card(rental, ("Ended", "Withdrawn", "Cancelled"))
    check(await _bought(world) == bought, "nothing was bought twice")
    check(await world.alive() == [], "no machine lives")
    await it.end("SIGTERM")

    print("  upgrade again, without a live rental", flush=True)
    await it.start()
    limited = sum(request.status == 429 for request in await world.sandbox.slack.traffic())
    vendors = [vendor for _, vendor in bought]
    await check_consistency(world, bought=vendors, rate_limited=limited, moved=True)
    check(True, "the bill is the ledger, and every rental is over")


async def _bought(world: World) -> list[tuple[str, str]]:
    """Return the offer and the vendor of each purchase. Raise Failed if an offer was bought twice."""
    purchases = (await world.sandbox.account()).offers_bought
    if max(Counter(one.offer_id for one in purchases).values()) > 1:
        raise Failed("an offer was bought twice")
    return [(one.offer_id, one.vendor) for one in purchases]


async def _all_known(it: Play, question: SeenMessage | None) -> None:
    """Check that each machine on the account is either watched, or named in the question to the admins."""
    stored, alive = await it.column("resource_id FROM resources"), await it.world.alive()
    asked = [one for one in alive if one.resource_id not in stored]
    named = [one for one in asked if question is not None and one.name.split("-")[1] in question.text]
    check(
        named == asked,
        f"of {len(alive)} machines, {len(alive) - len(asked)} are watched, {len(asked)} are asked about",
    )


def main() -> None:
    """Try everything, and exit with status 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.by_hand.upgrade", description=__doc__)
    parser.add_argument("--release", help="a commit or tag; by default the last release")
    parser.add_argument("--database", choices=[SQLITE, POSTGRES], help="by default both")
    parser.add_argument("--keep", type=Path, help="a new folder for logs and databases, which stays")
    options = parser.parse_args()
    release = options.release or last_release()
    with tempfile.TemporaryDirectory(prefix="gpubot-upgrade-") as temporary:
        folder = options.keep or Path(temporary)
        print(f"installing {release}", flush=True)
        (Path(temporary) / "release").mkdir()
        python = install(release, Path(temporary) / "release")
        kinds = [options.database] if options.database else [SQLITE, POSTGRES]
        if SQLITE in kinds:
            _play_both(SQLITE, None, python, folder)
        if POSTGRES in kinds:
            with postgres_server() as server, programs(server):
                _play_both(POSTGRES, server, python, folder)
    print("all of it holds")


def _play_both(kind: str, server: Any, python: str, folder: Path) -> None:
    ends = ("SIGTERM", "SIGKILL")
    for number, (first, second) in enumerate((ends, ends[::-1]), start=1):
        print(f"{kind}, {first} then {second}", flush=True)

        mine = folder / f"{kind}{number}"
        mine.mkdir(parents=True)

        async def once(mine: Path = mine, number: int = number, first: str = first, second: str = second) -> None:
            async with played(kind, number, server, python, mine) as it:
                await play(it, first, second)

        asyncio.run(once())


if __name__ == "__main__":
    main()
