"""A month ends while a machine is running.

Ana gets her part of the file; Ben, who is in finance, gets all of it.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World, open_world

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)

POLICY = f"""
finance: {{people: [{PEOPLE["Ben"]}]}}
digest: "mon 09:00"
"""


async def until(world: World, moment: datetime) -> None:
    """Skip the time until a moment, and let only the last minute pass."""
    await world.skips(moment - MINUTE - await world.now())
    await world.passes(MINUTE)


async def rows_of(world: World, message: SeenMessage) -> list[dict[str, str]]:
    """Download the file of a message. Return its rows."""
    (file,) = message.files
    async with world.session.get(file.url) as answer:
        return list(csv.DictReader(io.StringIO(await answer.text(), newline="")))


def micros(rows: list[dict[str, str]]) -> int:
    return int(sum(Decimal(row["BilledCost"]) for row in rows) * 1_000_000)


async def export(world: World, *options: str) -> str:
    """Run `gpubot export` next to the bot, in the world's folder. Return its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "export", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=world.folder,
        env={**world.settings, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    out, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return out.decode()


async def test_finance_gets_the_month_file_once_its_last_machine_ended(folder: Path) -> None:
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    async with open_world(folder, GPUBOT_POLICY=str(policy)) as world:
        await world.start()
        await world.sets_key()
        first = await world.rents()
        await world.skips(45 * MINUTE)
        await world.until_card(first, "Ended")
        await until(world, datetime(2026, 11, 30, 9, tzinfo=UTC))
        digest = await world.reads("Cleo", "Last week (23 to 29 Nov) the team spent $")
        assert "on 1 rental" in digest.text
        assert "No machine is running now. At this rate, November will cost about $" in digest.text

        await until(world, DECEMBER - 2 * HOUR)
        second = await world.rents(text="get H100 EU for 4h")
        await world.until_card(second, "Ready")
        await until(world, DECEMBER - 30 * MINUTE)
        await world.play.types("Ana", "#training", "spend")
        report = world.play.sees("Ana", "November so far", only_you=True)
        await world.play.clicks("Ana", report, "CSV")
        own = await world.reads("Ana", "Your costs in November 2026: $")
        assert [(row["x_RentalId"], row["x_Requester"]) for row in await rows_of(world, own)] == [
            (first, "Ana"),
            (second, "Ana"),
        ]

        await world.skips(DECEMBER + 110 * MINUTE - await world.now())
        await world.until_card(second, "Ended")
        await world.skips(25 * MINUTE)
        await world.passes(5 * MINUTE)
        sent = await world.reads("Ben", "Everyone's costs in November 2026: $")
        assert [file.name for file in sent.files] == ["gpubot-2026-11.csv"]
        assert "The month is complete, so this file won't change." in sent.text
        november = await rows_of(world, sent)
        line = await export(world, "--month", "2026-12")
        assert line.startswith("gpubot-2026-12-so-far.csv: $")
        with (folder / "gpubot-2026-12-so-far.csv").open(encoding="utf-8", newline="") as file:
            december = list(csv.DictReader(file))
        assert [row["x_RentalId"] for row in (*november, *december)] == [first, second, second]
        assert micros(november) + micros(december) == sum(bill.micros for bill in await world.sandbox.bill())
        events = await export(world, "events", "--from", "2026-11-24", "--to", "2026-12-01")
        kinds = [json.loads(one)["kind"] for one in events.splitlines()]
        assert (kinds.count("digest"), kinds.count("month_filed"), kinds.count("ended")) == (1, 1, 2)
        await check_consistency(world, bought=["hyperstack", "hyperstack"])
