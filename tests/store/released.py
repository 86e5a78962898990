"""Databases of the releases, each a dump that its own code made: rentals in every state, and all else.

Each release adds one. `tests/store/make_dump.py` makes that of the release to come.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from tests.databases import Postgres
from tests.store.schemas import at, engine, running

RELEASED = ("v0100",)
"""The revisions of the releases."""

_numbers = count(1)


@dataclass(frozen=True)
class Stored:
    """When a dump was made, and the ids of what is in it. They are the head of the file."""

    rented: datetime
    """By then, the machines in use had been bought."""
    dumped: datetime
    """Shortly before, those were bought that start."""
    searched: str
    """A quote of Ben's from which nobody rented yet."""
    clicked: str
    """A quote of Dora's, who clicked an offer and has no key."""
    for_approver: str
    for_owner: str
    changed: str
    after_failures: str
    """These wait for a decision: the first version, a dearer price, a changed version, and a dearer price that an
    approver decides."""
    blocked: str
    unanswered: str
    starting: str
    """Purchases: blocked by a pause, with an unknown outcome, accepted."""
    in_use: str
    kept: str
    extension_waits: str
    extended: str
    """Leases of machines without a probe. The owner of `kept` clicked "Still needed"."""
    cancelled: str
    alarmed: str
    """Deletions. An admin takes care of the second one."""
    expired: str
    two_ends: str
    """In use. Its end moved on once, and comes soon after the dump."""
    asked: str
    """Idle. Its owner was asked once, and is asked again soon after the dump."""
    escalated: str
    """Idle. The approvers were notified that nobody answers."""
    connected: str
    unseen: str
    """Machines with these verdicts. The setup of the first one failed; the second one refuses logins."""
    lost: str
    """Its vendor took it. Nothing replaces it yet."""
    replaced: str
    replacement: str
    """A machine that did not work, and the one in its place, of another vendor. That one is not what was sold."""
    adopted: str
    """A machine that got an owner."""
    bought_later: str
    """A request that waits. The admins are asked about a machine with its id, because the database is older."""
    open_purchase: str
    """An unknown machine about which the admins are asked. Of the others, one is not ours to manage, and about one
    they are asked again on the next day."""
    probe_key: str
    """The public half of the probe's key."""


def dump_of(revision: str) -> Path:
    """Return the path of the dump of a release."""
    return Path(__file__).parent / f"{revision}.sql"


def stored_in(revision: str) -> Stored:
    """Return what the head of a dump says."""
    found = dict(re.findall(r"^-- (\w+): (.+)$", dump_of(revision).read_text(), flags=re.MULTILINE))
    times = {name: datetime.fromisoformat(found[name]) for name in ("rented", "dumped")}
    return Stored(**{field.name: found[field.name] for field in fields(Stored)} | times)


def rows(revision: str) -> list[str]:
    """Return the statements that fill a database of this revision."""
    return dump_of(revision).read_text().rstrip(";\n").split(";\n")


def schema(revision: str) -> Callable[[Connection], None]:
    """Return a function that migrates a database to this revision."""

    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return run


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture(params=RELEASED)
def release(request: pytest.FixtureRequest) -> str:
    """The revision of the release that stored the database."""
    return str(request.param)


@pytest.fixture
def stored(release: str) -> Stored:
    return stored_in(release)


@pytest.fixture
async def released_url(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, release: str
) -> AsyncIterator[str]:
    """The URL of a database that a release stored."""
    url = f"sqlite:///{tmp_path}/released.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        name = f"released_{next(_numbers)}"
        await server.run(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = engine(url)
    await at(database, schema(release))
    await at(database, running(*rows(release)))
    await database.dispose()
    yield url
    if kind == "postgresql":
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")
