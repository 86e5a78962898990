"""Month files: a file is complete once the month's last machine is terminated.

Charges that are found later are in a later file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.lifecycle.actions.account import Resume
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.spend import report
from bot.lifecycle.deps import Opened
from bot.lifecycle.money.budgets import count_again
from bot.lifecycle.money.month_files import file_months, month_file
from bot.model.base import changed
from bot.model.budget import TEAM, MonthPart
from bot.model.event import EventKind as E
from bot.model.message import Message, MessageKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Bill, Finance, Rules
from tests.lifecycle.adopting import add_machine, adopt, change_owner
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, World, world

FINANCE = changed(RULES, finance=Finance(people=(DORA.id,), groups=("S0FIN",)))
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


async def file_of(here: World, month: str) -> tuple[str, list[dict[str, str]]]:
    """Return the name and the rows of a month's file in its current state."""
    async with here.deps.store.read() as tx:
        file = await month_file(tx, here.deps.rules, here.now, MonthPart(month=month))
    return file.name, list(csv.DictReader(io.StringIO(file.written(), newline="")))


def total(rows: Iterable[dict[str, str]]) -> int:
    return int(sum(Decimal(row["BilledCost"]) for row in rows) * 1_000_000)


async def reported(here: World, month: str) -> int:
    """Return the amount that `/gpu spend team` shows for a month, in micro-dollars."""
    return (await report(here.deps, CLEO, TEAM, month)).whole.amount


async def files_sent(here: World) -> list[tuple[str, str]]:
    """Return the people to whom files were sent, with the months, in order."""
    found: list[Message] = await here.messages(MessageKind.FILE)
    return [(one.to.value, one.charges_of.month) for one in found if one.charges_of is not None]


async def run_job(here: World) -> None:
    await file_months(here.deps)
    await here.settle()


async def before_december(here: World, span: timedelta, rules: Rules = FINANCE) -> None:
    """Set the rules, and jump to the time `span` before December."""
    here.people.groups["S0FIN"] = frozenset({CLEO.id})
    here.restart(replace(here.deps, rules=rules))
    await here.be_down(DECEMBER - span - here.now)


async def test_a_month_is_complete_once_its_last_machine_is_terminated(here: World) -> None:
    """Until then, a machine that runs past the end of the month is charged up to that end."""
    await before_december(here, 5 * HOUR)
    short = await here.until(await here.destroy(await here.ready(person=BEN), BEN), State.DESTROYED)
    long = await here.ready(lease=8 * HOUR)
    await here.be_down(HOUR)
    name, rows = await file_of(here, "2026-11")
    assert name == "gpubot-2026-11-so-far.csv"
    assert [(row["x_RentalId"], row["x_Estimated"]) for row in rows] == [(short.id, "false"), (long.id, "true")]
    assert total(rows[:1]) == sum(row.amount for row in await here.ledger(short))

    await here.be_down(DECEMBER + HOUR - here.now)
    await run_job(here)
    assert await files_sent(here) == []
    name, november = await file_of(here, "2026-11")
    assert name == "gpubot-2026-11-so-far.csv"
    assert await reported(here, "2026-11") == total(november)
    assert november[1]["ChargePeriodEnd"] == "2026-12-01T00:00:00Z"
    assert november[1]["ChargeDescription"].endswith(", still running")
    _, december = await file_of(here, "2026-12")
    assert [(row["x_RentalId"], row["ChargePeriodStart"]) for row in december] == [
        (long.id, "2026-12-01T00:00:00Z")
    ]

    await here.until(await here.destroy(long), State.DESTROYED)
    for _ in range(2):
        await run_job(here)
    assert await files_sent(here) == [(DORA.id, "2026-11"), (CLEO.id, "2026-11")]
    name, complete = await file_of(here, "2026-11")
    assert name == "gpubot-2026-11.csv"
    assert [row["x_Estimated"] for row in complete] == ["false", "false"]
    assert await reported(here, "2026-11") == total(complete)
    event = await here.account_event(E.MONTH_FILED)
    assert (event.facts.month, event.facts.amount, event.facts.count) == ("2026-11", total(complete), 2)
    _, december = await file_of(here, "2026-12")
    assert total(complete) + total(december) == await here.bill()
    ledger = [row for rental in (short, long) for row in await here.ledger(rental)]
    assert total(complete) + total(december) == sum(row.amount for row in ledger)


async def adopted(here: World, resource_id: str) -> Rental:
    return await adopt(here, resource_id, ends_at=here.now + HOUR)


async def test_charges_found_after_filing_are_corrections_in_a_later_file(here: World) -> None:
    await before_december(here, HOUR)
    train = await add_machine(here)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    await here.be_down(2 * HOUR)
    await run_job(here)
    before = await file_of(here, "2026-11")
    rental = await adopted(here, train)
    _, running = await file_of(here, "2026-12")
    assert [(row["ChargeClass"], row["x_Estimated"]) for row in running] == [("Correction", "true"), ("", "true")]
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert await file_of(here, "2026-11") == before
    name, december = await file_of(here, "2026-12")
    assert name == "gpubot-2026-12-so-far.csv"
    assert await reported(here, "2026-12") == total(december)
    assert [(row["ChargeClass"], row["BillingPeriodStart"]) for row in december] == [
        ("Correction", "2026-12-01T00:00:00Z"),
        ("", "2026-12-01T00:00:00Z"),
    ]
    assert december[0]["ChargePeriodEnd"] == "2026-12-01T00:00:00Z"
    assert total(before[1]) + total(december) == await here.bill()


async def test_months_follow_the_billing_time_zone(here: World) -> None:
    rules = changed(FINANCE, billing=Bill(account="acme", timezone="America/Chicago"))
    await before_december(here, HOUR, rules)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    await here.be_down(6 * HOUR)  # December begins at 06:00 UTC
    await run_job(here)
    assert await files_sent(here) == []
    await here.be_down(HOUR + MINUTE)
    await run_job(here)
    assert len(await files_sent(here)) == 2
    _, (row,) = await file_of(here, "2026-11")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-11-01T05:00:00Z", "2026-12-01T06:00:00Z")
    assert row["BillingAccountId"] == "acme"
    # A filed month stays the same, whatever the rules say later.
    here.restart(replace(here.deps, rules=FINANCE))
    assert await file_of(here, "2026-11") == ("gpubot-2026-11.csv", [row])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Chicago"])
async def test_a_new_billing_time_zone_keeps_filed_months_and_all_charges(here: World, zone: str) -> None:
    await before_december(here, 12 * HOUR)
    rental = await here.ready(lease=24 * HOUR)
    await here.be_down(18 * HOUR)
    rental = await here.until(await here.destroy(rental), State.DESTROYED)
    await run_job(here)
    _, november = await file_of(here, "2026-11")
    rules = changed(FINANCE, billing=Bill(timezone=zone))
    here.restart(replace(here.deps, rules=rules))
    async with here.deps.store.write() as tx:
        await count_again(tx, rules, here.now)
    assert await file_of(here, "2026-11") == ("gpubot-2026-11.csv", november)
    _, december = await file_of(here, "2026-12")
    assert total(november) + total(december) == await here.bill()


async def test_each_owner_of_a_machine_has_a_row(here: World) -> None:
    await before_december(here, 5 * HOUR)
    rental = await here.ready(lease=3 * HOUR)
    await here.be_down(HOUR)
    rental = await change_owner(here, CLEO, rental, BEN)
    await here.until(await here.destroy(rental, BEN), State.DESTROYED)
    _, rows = await file_of(here, "2026-11")
    assert [row["x_Requester"] for row in rows] == [ANA.name, BEN.name]
    assert total(rows) == await here.bill()


async def test_the_file_waits_until_slack_lists_the_finance_group(here: World) -> None:
    await before_december(here, HOUR)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    await here.be_down(2 * HOUR)
    here.people.groups["S0FIN"] = None
    await run_job(here)
    assert (await files_sent(here), (await file_of(here, "2026-11"))[0]) == ([], "gpubot-2026-11-so-far.csv")
    here.people.groups["S0FIN"] = frozenset({DORA.id})
    await run_job(here)
    assert await files_sent(here) == [(DORA.id, "2026-11")]


async def test_nothing_is_filed_while_our_machines_are_unmanaged(here: World) -> None:
    await before_december(here, HOUR)
    await here.until(await here.destroy(await here.ready()), State.DESTROYED)
    lost = await add_machine(here, "gpubot-k7mq2-1-u0ana")
    await here.be_down(2 * HOUR)
    here.restart(replace(here.deps, opened=Opened(swept=False)))
    await run_job(here)
    here.restart(replace(here.deps, opened=Opened()))
    await here.sweep()
    await run_job(here)
    assert await files_sent(here) == []
    rental = await adopted(here, lost)
    await here.sweep()
    await run_job(here)
    assert await files_sent(here) == [], "it billed in November"
    await here.until(await here.destroy(rental), State.DESTROYED)
    await run_job(here)
    assert await files_sent(here) == [], "an admin says when buying goes on"
    await carry_out(here.deps, CLEO, Resume())
    await run_job(here)
    assert len(await files_sent(here)) == 2
    _, november = await file_of(here, "2026-11")
    assert [row["ChargeClass"] for row in november] == ["", ""]


async def test_a_month_is_filed_even_if_nobody_is_in_finance(sqlite_url: str) -> None:
    async with world(sqlite_url) as here:
        await before_december(here, HOUR, RULES)
        await here.until(await here.destroy(await here.ready()), State.DESTROYED)
        await here.be_down(2 * HOUR)
        await run_job(here)
        assert (await files_sent(here), (await file_of(here, "2026-11"))[0]) == ([], "gpubot-2026-11.csv")
        await check(here)
