"""Tests of `gpubot export`: a month's charges for finance, and events for auditors, while the bot runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.clock import MovedClock
from bot.config.settings import Settings
from bot.errors import Mistake, Unusable
from bot.model.attempt import Why
from bot.model.event import EventKind
from bot.model.facts import EndedFacts
from bot.model.state import State
from bot.ops.export import event_line, export_events, export_month, month_written
from store.db import Database
from tests.databases import fresh_sqlite
from tests.store import make

START = datetime(2025, 3, 31, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = """
billing: {timezone: Europe/Berlin}
projects: {vision: {cost_center: "4711"}}
"""


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Yield the settings of a running bot, whose March has two charges, one of them for project vision."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    url = await fresh_sqlite(tmp_path / "db" / "gpubot.db")
    made: dict[str, Any] = {
        "SLACK_BOT_TOKEN": SecretStr("xoxb-1"),
        "SLACK_APP_TOKEN": SecretStr("xapp-1"),
        "COMPUTE_CLEAR_TOKEN": SecretStr("token"),
        "GPUBOT_CHANNEL": "C0HOME",
        "GPUBOT_ADMINS": "U0CLEO",
        "GPUBOT_POLICY": policy,
        "GPUBOT_DATABASE_URL": SecretStr(url),
    }
    database = await Database.open(url, claimant="test", clock=MovedClock(START))
    of_march = {"month": "2025-03", "started_at": START, "ended_at": START + HOUR}
    await make.store_charged(
        database,
        make.charge("r1", "aaaaa", project="vision", **of_march),
        make.charge("r2", "bbbbb", **of_march),
        make.charge("r3", "ccccc", month="2025-04", started_at=START + 2 * HOUR, ended_at=START + 3 * HOUR),
    )
    yield Settings(**made)
    await database.close()


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


async def test_a_month_is_written_to_a_file(settings: Settings, tmp_path: Path) -> None:
    file = await export_month(settings, "2025-03", None, tmp_path)
    assert month_written(file) == "gpubot-2025-03-so-far.csv: $4.30 in 2 rows. The month is not complete."
    rows = read(tmp_path / "gpubot-2025-03-so-far.csv")
    assert [(row["x_RentalId"], row["x_CostCenter"]) for row in rows] == [("aaaaa", "4711"), ("bbbbb", "")]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("4.30")


async def test_a_project_is_written_to_a_separate_file(settings: Settings, tmp_path: Path) -> None:
    file = await export_month(settings, "2025-03", "vision", tmp_path)
    assert file.name == "gpubot-2025-03-vision-so-far.csv"
    assert [row["x_RentalId"] for row in read(tmp_path / file.name)] == ["aaaaa"]
    empty = await export_month(settings, "2025-04", "vision", tmp_path)
    assert read(tmp_path / empty.name) == []


@pytest.mark.parametrize(
    ("month", "project", "message"),
    [
        ("", None, "write a year and a month"),
        ("2025-13", None, "write a year and a month"),
        ("last month", None, "write a year and a month"),
        ("9999-01", None, "has not begun"),
        ("2025-03", "visoin", "nothing was charged to visoin in 2025-03. Projects of the policy: vision"),
    ],
)
async def test_an_unknown_month_or_project_is_a_mistake(
    settings: Settings, tmp_path: Path, month: str, project: str | None, message: str
) -> None:
    with pytest.raises(Mistake, match=message):
        await export_month(settings, month, project, tmp_path)


async def test_the_error_about_a_folder_that_cannot_be_written_names_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Unusable, match=r"I can't write .*gpubot-2025-03-so-far.csv: No such file"):
        await export_month(settings, "2025-03", None, tmp_path / "none")


async def events(settings: Settings, first: str, last: str) -> list[dict[str, object]]:
    out = io.StringIO()
    await export_events(settings, first, last, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


async def test_events_of_whole_days_are_exported_as_lines_of_json(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ops.export.PAGE", 2)
    assert [event["rental_id"] for event in await events(settings, "2025-03-04", "2025-03-04")] == [
        "aaaaa",
        "bbbbb",
        "ccccc",
    ]
    assert await events(settings, "2025-03-05", "2025-03-31") == []
    assert await events(settings, "2025-03-04", "2025-03-03") == []
    with pytest.raises(Mistake, match="--to: write a day"):
        await events(settings, "2025-03-04", "yesterday")


def test_an_event_line_contains_the_actor_the_time_and_the_facts() -> None:
    known: dict[str, Any] = {"why": Why.PAUSED, "amount": 1, "rate": Decimal("2.150"), "span": 6 * HOUR}
    facts = EndedFacts(end=State.FAILED, detail="bill check\n", **known)
    event = make.event(EventKind.ENDED, id=7, facts=facts)
    line = event_line(event)
    assert "\n" not in line
    assert json.loads(line) == {
        "id": 7,
        "rental_id": "k7mq2",
        "kind": "ended",
        "at": "2025-03-04T09:00:00Z",
        "actor": "U0ANA",
        "facts": {
            "detail": "bill check\n",
            "amount": 1,
            "end": "failed",
            "why": "paused",
            "rate": "2.150",
            "span": "PT6H",
        },
    }
    assert json.loads(event_line(make.event(EventKind.ACKNOWLEDGED, actor=None)))["facts"] == {}
