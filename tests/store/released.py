"""Databases of earlier releases, each from a dump that the release's own code made.

Each dump has rentals in every state, and everything else that a database can contain. Each release adds a dump;
`tests/store/make_dump.py` creates the one for the next release.
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
    """The time at which a dump was made, and the IDs of important rows. The head of the file lists them."""

    rented: datetime
    """The time by which the machines in use had been bought."""
    dumped: datetime
    """The time of the dump. The machines that are starting were bought shortly before."""
    searched: str
    """A quote of Ben's that nobody has rented from yet."""
    clicked: str
    """A quote of Dora's. She clicked an offer, but has no SSH key."""
    for_approver: str
    for_owner: str
    changed: str
    after_failures: str
    """Rentals that wait for a decision.

    In order: the first version, a higher price, a changed version, and a higher price that an approver decides.
    """
    blocked: str
    unanswered: str
    starting: str
    """Purchases: blocked by a pause, with an unknown outcome, and accepted."""
    in_use: str
    kept: str
    extension_waits: str
    extended: str
    """Leases of machines without a probe. The owner of `kept` clicked "Still needed"."""
    cancelled: str
    alarmed: str
    """Deletions. An admin has acknowledged the alarm about the second one."""
    expired: str
    two_ends: str
    """A machine in use. Its end has moved once, and comes soon after the dump."""
    asked: str
    """An idle machine. Its owner was asked once, and will be asked again soon after the dump."""
    escalated: str
    """An idle machine. The approvers were notified that nobody responds."""
    connected: str
    unseen: str
    """Machines with these usage statuses.

    The setup script of the first one failed; the second one refuses logins.
    """
    lost: str
    """A machine that its vendor terminated. Nothing replaces it yet."""
    replaced: str
    replacement: str
    """A machine that didn't work, and its replacement from another vendor, which has a GPU mismatch."""
    adopted: str
    """A machine that was given an owner."""
    bought_later: str
    """A pending request. The admins are asked about a machine with its ID, because the database was restored."""
    open_purchase: str
    """An unmanaged machine that the admins are asked about.

    Of the other unmanaged machines, one is left unmanaged, and the admins will be asked about another one the next
    day.
    """
    probe_key: str
    """The public half of the probe's key."""


def dump_of(revision: str) -> Path:
    """Return the path of a release's dump."""
    return Path(__file__).parent / f"{revision}.sql"


def stored_in(revision: str) -> Stored:
    """Parse the head of a dump."""
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
    """Return the kind of database."""
    return str(request.param)


@pytest.fixture(params=RELEASED)
def release(request: pytest.FixtureRequest) -> str:
    """Return the revision of the release that the database comes from."""
    return str(request.param)


@pytest.fixture
def stored(release: str) -> Stored:
    return stored_in(release)


@pytest.fixture
async def released_url(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, release: str
) -> AsyncIterator[str]:
    """Yield the URL of a database with the rows of an earlier release."""
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
