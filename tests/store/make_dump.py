"""Recreates the dump of the next release, after its schema or a stored value has changed.

    .venv/bin/python -m tests.store.make_dump

This simulates half a day with the current code on SQLite, and writes `tests/store/HEAD.sql`. The dump of a version
that has been released is never recreated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Boolean, Connection, Table, select, text

from bot.errors import NeedsKey
from bot.lifecycle.actions import account, admin_questions, ending, renting, replacing, sharing
from bot.lifecycle.actions.action import carry_out
from bot.model.account_facts import Counter
from bot.model.admin_question import AdminQuestion
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.machine_use import GpuModel, Missed, SetupProgress, SetupState
from bot.model.person import Channel, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.buying.resource_names import make_name
from bot.policy.team.rules import Hours, Limits
from bot.probe.key import stored_probe_key
from store.migrations import HEAD
from store.tables import metadata
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, PROBE, RULES, SECOND, TRAINING, World, world
from tests.store.make import REPLY_TO
from tests.store.released import Stored, dump_of
from tests.store.schemas import at, engine

HOURS = Hours(time=(0, 24 * 60), days=frozenset(range(7)))
TEAM = changed(
    RULES,
    hours=HOURS,
    limits=Limits(per_person_rentals=30, team_per_hour=Decimal(1000)),
    setup={"torch": "#!/bin/sh\npip install torch\n"},
)
CHEAPEST, SECOND_PLACE = "hyperstack", "nebius"
_NUMBERED = frozenset({"events", "messages"})
"""Tables whose rows get their IDs from the database, starting at 1."""


async def play(here: World) -> Stored:
    """Simulate people who rent, and things that go wrong. Returns a description of what is stored at the end."""
    expired = await ended_rentals(here)
    probe_key = (await stored_probe_key(here.deps)).public_line
    async with here.deps.store.write() as tx:
        await tx.people.put_channel(Channel(id=TRAINING, member=True), here.now)

    rented = here.now
    # Begin with the purchases, because a machine takes minutes to become ready.
    in_use, kept, extension_waits, extended, alarmed = [
        await get(here, probe=False, lease=hours * HOUR, setup="torch") for hours in (12, 12, 12, 6, 12)
    ]
    two_ends = await get(here, lease=5 * HOUR, up_to=9 * HOUR)
    escalated, connected, unseen = [await get(here, lease=24 * HOUR, setup="torch") for _ in range(3)]
    lost = await get(here, contract=Contract.SPOT, lease=24 * HOUR)
    for rental in (in_use, kept, extension_waits, extended, alarmed, lost, escalated):
        await here.until(rental, State.READY)
    here.machines[await here.until(two_ends, State.READY)].use(97)
    machine = here.machines[await here.until(connected, State.READY)]
    machine.use(0, peers=["p1"])
    machine.answers(setup=SetupProgress(state=SetupState.FAILED, line=3))
    here.machines[await here.until(unseen, State.READY)].misses(Missed.REFUSED)
    await carry_out(here.deps, ANA, sharing.Share(in_use.id, [BEN.id]))
    replaced, replacement = await replace_one(here)
    adopted, open_purchase, put_off = await unmanaged_ones(here)

    await wait_until(here, rented + 2 * HOUR + 45 * MINUTE)
    await here.vanish(lost, "deleted")
    await here.until(lost, State.LOST)
    asked = await ready(here, lease=24 * HOUR)
    await here.extend(extended, 8 * HOUR)
    await wait_until(here, rented + 5 * HOUR + 5 * MINUTE)
    await here.extend(extension_waits, 36 * HOUR)

    await here.behaves(CHEAPEST, "sold_out")
    await here.behaves(SECOND_PLACE, "sold_out")
    for_owner = await here.until(await get(here, probe=False), State.AWAITING_APPROVAL)
    after_failures = await here.approve(await get(here, count=8, probe=False))
    await here.until(after_failures, State.AWAITING_APPROVAL)
    await here.pass_time(10 * MINUTE)
    await here.behaves(SECOND_PLACE, "normal")
    await here.behaves(CHEAPEST, "delete_500", seconds=None)
    await here.destroy(alarmed)
    await here.until_event(alarmed, E.NOT_CONFIRMED)
    await carry_out(here.deps, CLEO, ending.TakeOnAlarm(alarmed.id))

    here.slack_is_down = True
    await here.keep(kept, 4 * HOUR)
    async with here.deps.store.write() as tx:
        await tx.account.increment(Counter.GIVEN_UP)
        await tx.account.note_answered("U0ANA:1764000000.1", here.clock.real(), here.clock.real())
    await carry_out(here.deps, CLEO, admin_questions.AskAgain(put_off.id, put_off.version))
    for_approver = await get(here, count=8)
    request = await get(here, count=8)
    await here.rent(await ask(here, count=8, lease=3 * HOUR, region="US", changes=request.id))
    bought_later = await get(here, count=8)
    await add_machine(here, make_name(bought_later.id, 1, ANA.id))
    await here.sweep()
    await carry_out(here.deps, CLEO, account.Resume())
    searched = await ask(here, BEN)
    clicked = await ask(here, DORA)
    with suppress(NeedsKey):
        await carry_out(here.deps, DORA, renting.Rent(clicked.id, clicked.offers[0].offer_id, another=False))

    starting = await get(here, probe=False)
    cancelled = await get(here, probe=False)
    await here.destroy(cancelled)
    await here.fault("offer_status", "status", status=503, times=None)
    await here.fault("list_resources", "status", status=503, times=None)
    await here.fault("procure_offer", "cut_after")
    unanswered = await get(here, probe=False)
    blocked = await here.rent(await ask(here, probe=False), settle=False)
    await carry_out(here.deps, CLEO, account.Pause("the bill"))
    await here.settle()
    return Stored(
        rented=rented,
        dumped=here.now,
        probe_key=probe_key,
        expired=expired,
        open_purchase=open_purchase.id,
        searched=searched.id,
        clicked=clicked.id,
        for_approver=for_approver.id,
        for_owner=for_owner.id,
        changed=request.id,
        after_failures=after_failures.id,
        blocked=blocked.id,
        unanswered=unanswered.id,
        starting=starting.id,
        in_use=in_use.id,
        kept=kept.id,
        extension_waits=extension_waits.id,
        extended=extended.id,
        cancelled=cancelled.id,
        alarmed=alarmed.id,
        two_ends=two_ends.id,
        asked=asked.id,
        escalated=escalated.id,
        connected=connected.id,
        unseen=unseen.id,
        lost=lost.id,
        replaced=replaced.id,
        replacement=replacement.id,
        adopted=adopted.id,
        bought_later=bought_later.id,
    )


async def ask(here: World, person: Person = ANA, **waitlist_entry: Any) -> Quote:
    """Request offers, at most five times a minute, because six are the limit."""
    await here.pass_time(12 * SECOND)
    return await here.ask(person, **waitlist_entry)


async def get(here: World, **waitlist_entry: Any) -> Rental:
    """Start a new rental, and return it."""
    return await here.rent(await ask(here, **waitlist_entry))


async def ready(here: World, **waitlist_entry: Any) -> Rental:
    """Start a new rental, wait until it is ready, and return it."""
    return await here.until(await get(here, **waitlist_entry), State.READY)


async def wait_until(here: World, moment: datetime) -> None:
    await here.pass_time(moment - here.now)


async def ended_rentals(here: World) -> str:
    """Create a rental in each state that is over, except LOST. Returns the one that expired."""
    await here.deny(await get(here, count=8))
    await here.withdraw(await get(here, count=8))
    expired = await get(here, count=8)
    await here.until(expired, State.EXPIRED, within=9 * HOUR)
    await here.behaves("*", "sold_out")
    await here.until(await get(here, gpu="L4"), State.FAILED)
    await here.behaves("*", "normal")
    await here.until(await here.destroy(await get(here)), State.CANCELLED)
    await here.until(await here.destroy(await ready(here, probe=False)), State.DESTROYED)
    return expired.id


async def replace_one(here: World) -> tuple[Rental, Rental]:
    """Replace a machine that doesn't work. Returns its rental and the new one."""
    replaced = await ready(here, lease=20 * HOUR)
    await here.pass_time(5 * MINUTE)
    quote = await carry_out(here.deps, ANA, replacing.Replace(replaced.id, reply_to=REPLY_TO, reason="no driver"))
    await here.settle()
    found = (await here.quote(quote.id)).rental_id
    assert found is not None
    replacement = await here.until(found, State.READY)
    here.machines[replacement].answers(models=(GpuModel(name="NVIDIA H100 PCIe", memory_mib=81559),))
    await here.until(replaced, State.DESTROYED)
    return replaced, replacement


async def unmanaged_ones(here: World) -> tuple[Rental, AdminQuestion, AdminQuestion]:
    """Add four unmanaged machines, one of which the admins decide not to manage.

    Returns the rental of the machine that gets an owner, and the two machines that the admins are asked about.
    """
    for name in ("train-3", "train-4", "web-1", "ci-2"):
        await add_machine(here, name)
    await here.sweep()
    async with here.deps.store.read() as tx:
        found = {one.purchase.machines[0].name: one for one in await tx.questions.purchases()}
    own, theirs = found["train-3"], found["web-1"]
    adopted = await carry_out(
        here.deps, CLEO, admin_questions.GiveOwner(own.id, own.version, owner=BEN, span=12 * HOUR)
    )
    await carry_out(here.deps, CLEO, admin_questions.NotOurs(theirs.id, theirs.version, reason="the web team's"))
    await here.settle()
    return adopted, found["train-4"], found["ci-2"]


def rows(connection: Connection) -> list[str]:
    """Return the statements that fill an empty database with the same rows, on both kinds of database."""
    return [statement for table in metadata.sorted_tables for statement in _inserts(connection, table)]


def _inserts(connection: Connection, table: Table) -> Iterable[str]:
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    found = connection.execute(select(text("*")).select_from(table).order_by(text(key))).mappings().all()
    if table.name in _NUMBERED:
        assert [row["id"] for row in found] == list(range(1, len(found) + 1))
    for columns, group in groupby(found, lambda row: _columns(table, row)):
        names = ", ".join(f'"{name}"' for name in columns)
        lines = (f"({', '.join(_literal(table, name, row[name]) for name in columns)})" for row in group)
        yield f"INSERT INTO {table.name} ({names})\nVALUES " + ",\n".join(lines)


def _columns(table: Table, row: Any) -> tuple[str, ...]:
    """Return the columns of a row, except those that are null or that the database fills in itself."""
    given = {"id"} if table.name in _NUMBERED else set()
    return tuple(name for name, value in row.items() if value is not None and name not in given)


def _literal(table: Table, name: str, value: Any) -> str:
    if isinstance(table.c[name].type, Boolean):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


async def dump() -> str:
    """Return the dump as text."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/gpubot.db"
        async with world(url, rules=TEAM, probe_line=PROBE) as here:
            stored = await play(here)
            states = {rental.state for rental in await here.rentals()}
            assert states == set(State), set(State) - states
        database = engine(url)
        statements = await at(database, rows)
        await database.dispose()
    head = [f"-- A database of {HEAD}, made by tests/store/make_dump.py. The probe's key in it opens no machine."]
    for name, value in asdict(stored).items():
        head.append(f"-- {name}: {value.isoformat() if isinstance(value, datetime) else value}")
    return "\n".join([*head, "", ""]) + ";\n\n".join(statements) + ";\n"


if __name__ == "__main__":
    dump_of(HEAD).write_text(asyncio.run(dump()))
