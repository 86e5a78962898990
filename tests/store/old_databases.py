"""Databases of the schemas that were released, filled with rentals by the code of each schema.

`at_0001.sql` has a rental that bills; the later files have rentals in every state. When a schema is released, a
dump of it is added here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.databases import Postgres
from tests.store.schemas import engine

T = TypeVar("T")

_numbers = count(1)


@dataclass(frozen=True)
class Stored:
    """When a dump was made, and the ids of its rentals."""

    rented: datetime
    """By then, the machines in use had been bought."""
    started: datetime
    """Then those were bought that start."""
    dumped: datetime
    for_approver: str
    for_owner: str
    changed: str
    after_failures: str
    """These wait for a decision; the last two were changed, and wait again after attempts that failed."""
    blocked: str
    unanswered: str
    starting: str
    """Purchases: blocked by a pause, with an unknown outcome, accepted."""
    in_use: str
    kept: str
    extension_waits: str
    extended: str
    """Leases. The owner of `kept` clicked "Keep"."""
    cancelled: str
    alarmed: str
    """Deletions. An admin takes care of the second one."""


def _on(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


STORED = {
    "0003": Stored(
        rented=_on(24, 22, 38),
        started=_on(24, 22, 43, 37),
        dumped=_on(24, 22, 44, 22),
        for_approver="5wjp8",
        for_owner="2bns7",
        changed="jyv2g",
        after_failures="jcb8n",
        blocked="n4g4r",
        unanswered="thsv4",
        starting="2ubud",
        in_use="4qa2k",
        kept="5sdcs",
        extension_waits="jeer3",
        extended="we3fk",
        cancelled="b73vr",
        alarmed="3eg42",
    ),
    "0004": Stored(
        rented=_on(25, 0, 10),
        started=_on(25, 0, 18),
        dumped=_on(25, 0, 18, 45),
        for_approver="7a3nr",
        for_owner="4mzfk",
        changed="utz2p",
        after_failures="hz3tp",
        blocked="6pg5b",
        unanswered="7dvch",
        starting="w5fbr",
        in_use="vnn9u",
        kept="tgc9d",
        extension_waits="8t4s9",
        extended="ssd7q",
        cancelled="g5vn5",
        alarmed="7hzqz",
    ),
    "0005": Stored(
        rented=_on(25, 17, 45, 23),
        started=_on(25, 17, 47, 23),
        dumped=_on(25, 17, 47, 33),
        for_approver="k5ggj",
        for_owner="tev28",
        changed="t756z",
        after_failures="vdqb2",
        blocked="pjyc2",
        unanswered="k3ck8",
        starting="rcw7p",
        in_use="scdzv",
        kept="uhxx5",
        extension_waits="eeyh3",
        extended="k4s52",
        cancelled="ebq9h",
        alarmed="afhpj",
    ),
    "0006": Stored(
        rented=_on(25, 13, 0, 47),
        started=_on(25, 13, 14, 10),
        dumped=_on(25, 13, 14, 10),
        for_approver="yzg89",
        for_owner="ef4dw",
        changed="z9arh",
        after_failures="qjdrr",
        blocked="swya7",
        unanswered="ey2p2",
        starting="c8tht",
        in_use="zauxj",
        kept="p2fga",
        extension_waits="w7hgq",
        extended="yhtqn",
        cancelled="ze4hb",
        alarmed="frwnh",
    ),
}
"""From 0005 on, `in_use` has a teammate, several keys, a set-up and a boot script, and some messages wait for
Slack. In 0005, an admin was told of a machine that nobody knows. In 0006, none of these rentals has a probe;
NEW_IN_0006 has the rest."""
NEWEST = ("0005", "0006")
"""The dumps on which whole stories are played."""
TOLD_ONCE, TOLD_TWICE = "r3x53", "3qmw8"
"""Leases of 0004: the owner got the notice 2 hours before the end of the first, and both notices of the second."""
WAITS_FOR_KEY, STILL_LOOKS = "6d49p67mynkt", "8k8a5zx3bfxc"
"""Quotes of 0004: of somebody without a key, and one for which the market gave no answer yet."""


@dataclass(frozen=True)
class NewIn0006:
    """Ids of rentals whose machines have a probe, and of what else is new in 0006."""

    two_ends: str
    """In use. Its end moved on once, and comes 9 minutes after the dump."""
    asked: str
    """Idle. Its owner was asked once, and is asked again 8 minutes after the dump."""
    escalated: str
    """Idle. The approvers were notified that nobody answers."""
    connected: str
    unseen: str
    """Machines with these verdicts. The set-up of the first one failed; the second one refuses logins."""
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


NEW_IN_0006 = NewIn0006(
    two_ends="ujk6v",
    asked="b57d8",
    escalated="umjhc",
    connected="ubgx8",
    unseen="zk2ew",
    lost="m39wn",
    replaced="yqxse",
    replacement="msay3",
    adopted="hx623",
    bought_later="jbx8k",
    open_purchase="c4akq",
    probe_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPZ512JwKn8rSElcA5A+4/fc5h4ijS+wINiGiPLLtH1H",
)


def _schema(revision: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return run


def _rows(revision: str) -> list[str]:
    """Return the statements that fill a database of this revision."""
    return (Path(__file__).parent / f"at_{revision}.sql").read_text().rstrip(";\n").split(";\n")


def _run(*statements: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return run


async def at(database: AsyncEngine, do: Callable[[Connection], T]) -> T:
    """Call `do` in a transaction and return what it returns."""
    async with database.begin() as conn:
        return await conn.run_sync(do)


async def run(url: str, *statements: str) -> None:
    """Run the statements in one transaction."""
    database = engine(url)
    await at(database, _run(*statements))
    await database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def schema() -> str:
    """The revision of the old database, unless a test has another."""
    return "0001"


@pytest.fixture
async def old_url(request: pytest.FixtureRequest, tmp_path: Path, kind: str, schema: str) -> AsyncIterator[str]:
    """The URL of a database of an older revision that holds rentals."""
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        name = f"old_{next(_numbers)}"
        await server.run(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = engine(url)
    await at(database, _schema(schema))
    await at(database, _run(*_rows(schema)))
    await database.dispose()
    yield url
    if kind == "postgresql":
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")
