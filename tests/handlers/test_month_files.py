"""The file of a month's charges: the [CSV] button, the recipients of the upload, and failures of Slack."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.errors import Refused
from bot.lifecycle.actions.spend import ask_for_file
from bot.lifecycle.changes.send import send
from bot.lifecycle.money.month_files import month_file
from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.budget import TEAM, MonthPart, Scope, ScopeKind
from bot.model.event import EventKind, To
from bot.model.facts import MonthFiledFacts
from bot.model.message import MessageKind
from bot.model.person import Person
from bot.policy.team.rules import Finance, Project
from handlers.ids import Action, SpendValue
from sandbox.slack import Timing, from_manifest
from sandbox.slack.default import ANA, BEN, GUS
from tests.handlers.team import EVE, MANIFEST, NOON, RULES, Team, team
from tests.store import make

HOUR = timedelta(hours=1)
FINANCE_RULES = changed(
    RULES,
    finance=Finance(people=(GUS,)),
    projects={"vision": Project(cost_center="4711")},
)
VISION = Scope(kind=ScopeKind.PROJECT, name="vision")
AT_ONCE = Timing(share=0)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Team]:
    """Yield a team in whose November Ana was charged $2.15 for project vision, and Eve $4.30."""
    async with team(tmp_path, rules=FINANCE_RULES, timing=AT_ONCE) as ours:
        await ours.add_eve_and_gus()
        await charge(ours)
        yield ours


async def charge(ours: Team) -> None:
    first = make.charge("r1", "aaaaa", month="2026-11", owner=ANA, project="vision", started_at=NOON)
    first = changed(first, ended_at=NOON + HOUR)
    second = changed(first, resource_id="r2", rental_id="bbbbb", owner=EVE, project="unassigned", estimated=True)
    await make.store_charged(ours.deps.store, first, changed(second, amount=4_300_000, unknown=4_300_000))


async def click(ours: Team, user: str, scope: Scope = TEAM, month: str = "2026-11") -> None:
    await ours.forge(user, Action.SPEND_CSV.id, SpendValue(month=month, scope=scope).encode())


async def file_of(ours: Team, user: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the newest message with a file that a person sees, and the rows of the file."""
    seen = [message for message in await ours.world.see(user, wait=5) if message["files"]]
    if not seen:
        raise LookupError
    (file,) = seen[-1]["files"]
    async with ours.world.session.get(file["url"]) as answer:
        return seen[-1], list(csv.DictReader(io.StringIO(await answer.text(), newline="")))


def total(rows: list[dict[str, str]]) -> Decimal:
    return sum((Decimal(row["BilledCost"]) for row in rows), start=Decimal(0))


async def test_csv_contains_only_the_rows_that_the_person_may_see(ours: Team) -> None:
    ours.deliver_at_once()
    read = set()
    for user, scope, charged in (
        (ANA, TEAM, "2.15"),
        (ANA, VISION, "2.15"),
        (ANA, Scope(kind=ScopeKind.PERSON, name=EVE), "2.15"),
        (EVE, TEAM, "4.30"),
        (EVE, VISION, "0"),
        (BEN, TEAM, "6.45"),
        (BEN, VISION, "2.15"),
        (BEN, Scope(kind=ScopeKind.PERSON, name=EVE), "4.30"),
        (GUS, TEAM, "6.45"),
    ):
        row = f"{user} asks for {scope}"
        await click(ours, user, scope)
        assert await ours.replies() == ["I'll send you the file for November 2026 in a direct message."], row
        await ours.deliver()
        message, rows = await file_of(ours, user)
        assert message["is_dm"], row
        assert message["ts"] not in read, row
        read.add(message["ts"])
        assert total(rows) == Decimal(charged), row
        assert f"${charged if charged != '0' else '0.00'} for" in message["reads"], row


async def test_finance_can_read_charges_but_other_guests_cannot(ours: Team) -> None:
    ours.context = replace(ours.context, deps=replace(ours.deps, rules=RULES))
    with pytest.raises(Refused):
        await ask_for_file(ours.context.deps, await ours.context.people.get(GUS), MonthPart(month="2026-11"))


async def test_a_second_click_does_not_send_the_file_again(ours: Team) -> None:
    for _ in range(3):
        await click(ours, BEN)
    await click(ours, BEN, VISION)
    waiting = [message.charges_of for message in await ours.queued() if message.kind is MessageKind.FILE]
    assert waiting == [MonthPart(month="2026-11"), MonthPart(month="2026-11", scope=VISION)]


async def test_the_text_next_to_a_file_describes_contents_and_invoice_differences(ours: Team) -> None:
    await click(ours, BEN)
    await ours.deliver()
    message, _ = await file_of(ours, BEN)
    assert message["files"][0]["name"] == "gpubot-2026-11-so-far.csv"
    assert message["reads"].splitlines()[0] == (
        "Everyone's costs in November 2026: $6.45 for 2 rentals. The month isn't complete yet. "
        "$4.30 of the total is estimated. The invoice may differ by tax and by machines not rented through me."
    )


async def test_a_complete_file_never_changes(ours: Team) -> None:
    async with ours.deps.store.write() as tx:
        for user_id, name in ((ANA, "Ana"), (EVE, "Eve")):
            await tx.people.put(Person(id=user_id, name=name), ours.clock.real())
    async with ours.deps.store.read() as tx:
        file = await month_file(tx, FINANCE_RULES, NOON, MonthPart(month="2026-11"))
    async with ours.deps.store.write() as tx:
        await tx.budgets.file("2026-11", NOON, file.written())
        await tx.people.put(Person(id=EVE, name="Eve, renamed"), ours.clock.real())
    await click(ours, BEN)
    await ours.deliver()
    message, rows = await file_of(ours, BEN)
    assert message["files"][0]["name"] == "gpubot-2026-11.csv"
    assert "this file won't change" in message["reads"]
    assert [row["x_Requester"] for row in rows] == ["Ana", "Eve"]
    await click(ours, ANA)
    await ours.deliver()
    _, own = await file_of(ours, ANA)
    assert [row["x_Requester"] for row in own] == ["Ana"]


async def test_finance_gets_the_file_before_its_group_members_are_known(ours: Team) -> None:
    async with ours.deps.store.write() as tx:
        event = make.event(EventKind.MONTH_FILED, None, facts=MonthFiledFacts(month="2026-11", amount=0, count=0))
        known, part = {To.FINANCE: (EVE,)}, MonthPart(month="2026-11")
        await send(tx, ours.deps, event, known=known, charges_of=part)
    await ours.deliver()
    _, rows = await file_of(ours, EVE)
    assert total(rows) == Decimal("6.45")


# --- failures of Slack


async def counted(ours: Team) -> list[str]:
    """Return the names of the files that Ben sees."""
    await ours.deliver_all()
    return [file["name"] for message in await ours.world.see(BEN) for file in message["files"]]


@pytest.mark.parametrize("endpoint", ["conversations.open", "files.getUploadURLExternal", "upload"])
async def test_a_failed_call_is_repeated(ours: Team, endpoint: str) -> None:
    await ours.fault(endpoint, "status", status=503)
    await click(ours, BEN)
    await ours.deliver()
    (waiting,) = [message for message in await ours.queued() if message.kind is MessageKind.FILE]
    assert (waiting.sending, waiting.tries) == (False, 1)
    assert await counted(ours) == ["gpubot-2026-11-so-far.csv"]


async def test_a_file_is_sent_twice_if_the_upload_answer_is_lost(ours: Team) -> None:
    await ours.fault("files.completeUploadExternal", "cut_after")
    await click(ours, BEN)
    assert await counted(ours) == ["gpubot-2026-11-so-far.csv"] * 2


async def test_uploads_wait_as_long_as_slack_asks(ours: Team) -> None:
    await ours.fault("files.getUploadURLExternal", "status", status=429, retry_after=1)
    await click(ours, BEN)
    assert await counted(ours) == ["gpubot-2026-11-so-far.csv"]


async def test_an_app_without_the_files_scope_reports_it(tmp_path: Path) -> None:
    app = from_manifest(MANIFEST)
    without = replace(app, scopes=tuple(scope for scope in app.scopes if scope != "files:write"))
    async with team(tmp_path, rules=FINANCE_RULES, app=without) as ours:
        await charge(ours)
        await click(ours, BEN)
        await ours.deliver()
        (message,) = [one for one in await ours.world.see(BEN) if "November 2026" in one["reads"] and one["is_dm"]]
        assert message["reads"].endswith(
            "lacks the scope files:write. An admin can add it: gpubot doctor says how."
        )
        assert not [message for message in await ours.queued() if message.kind is MessageKind.FILE]


async def test_a_file_for_a_person_that_slack_refuses_is_given_up(ours: Team) -> None:
    await ours.refuse("conversations.open", "user_not_found")
    await click(ours, BEN)
    await ours.deliver()
    assert not [message for message in await ours.queued() if message.kind is MessageKind.FILE]
    async with ours.deps.store.read() as tx:
        assert await tx.account.count(Counter.GIVEN_UP) == 1
