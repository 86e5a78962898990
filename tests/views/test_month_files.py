"""The message that accompanies a monthly file of costs."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from bot.model.base import changed
from bot.model.budget import TEAM, MonthPart, Scope, ScopeKind
from bot.policy.buying.focus import BillingMonth, FileRow, MonthFile
from handlers.messages.money import file_on_its_way, month_file_text, no_file
from tests.policy.test_focus import CHARGE, MACHINE
from tests.store.make import ANA

VISION = Scope(kind=ScopeKind.PROJECT, name="vision")
OF_ANA = Scope(kind=ScopeKind.PERSON, name=ANA)
FEW = "The invoice may differ by tax and by machines not rented through me."


def a_file(
    scope: Scope = TEAM,
    owner: str | None = None,
    *,
    complete: bool = False,
    running: bool = False,
    unknown: int = 0,
) -> MonthFile:
    part = MonthPart(month="2026-11", scope=scope)
    billing = BillingMonth(month="2026-11", zone=ZoneInfo("UTC"), account="a")
    row = FileRow(charge=CHARGE, machine=MACHINE, requester="Ana", cost_center="", running=running)
    text = "" if complete else None
    return MonthFile(part=part, owner=owner, billing=billing, rows=(row,), complete=text, unmanaged_count=unknown)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (a_file(), f"Everyone's costs in November 2026: $27.60 for 1 rental. The month isn't complete yet. {FEW}"),
        (
            a_file(owner=ANA),
            f"Your costs in November 2026: $27.60 for 1 rental. The month isn't complete yet. {FEW}",
        ),
        (
            a_file(OF_ANA, ANA),
            f"Your costs in November 2026: $27.60 for 1 rental. The month isn't complete yet. {FEW}",
        ),
        (
            a_file(OF_ANA, "U0BEN"),
            f"One person's costs in November 2026: $27.60 for 1 rental. The month isn't complete yet. {FEW}",
        ),
        (
            a_file(VISION),
            f"Costs of project vision in November 2026: $27.60 for 1 rental. The month isn't complete yet. {FEW}",
        ),
        (
            a_file(VISION, ANA),
            "Your costs of project vision in November 2026: $27.60 for 1 rental. "
            f"The month isn't complete yet. {FEW}",
        ),
        (
            a_file(running=True, unknown=2),
            "Everyone's costs in November 2026: $27.60 for 1 rental. The month isn't complete: 1 machine is still "
            "running, and counted up to now. The invoice may differ by tax and by machines not rented through me "
            "(2 running now).",
        ),
        (
            a_file(complete=True, unknown=1),
            "Everyone's costs in November 2026: $27.60 for 1 rental. The month is complete, so this file "
            "won't change. Costs found later are in a later month's file. The invoice may differ by tax and by "
            "machines not rented through me (1 running now).",
        ),
    ],
)
def test_the_message_says_whose_costs_the_file_contains_and_if_complete(file: MonthFile, words: str) -> None:
    assert month_file_text(file, ANA) == words
    assert no_file(file, ANA).text.startswith(words)


def test_the_message_mentions_estimated_amounts() -> None:
    file = a_file()
    (row,) = file.rows
    estimated = FileRow(changed(row.charge, estimated=True), MACHINE, "Ana", "", running=False)
    words = month_file_text(changed_rows(file, row, estimated), ANA)
    assert "$27.60 of the total is estimated. The invoice may differ by tax" in words


def changed_rows(file: MonthFile, *rows: FileRow) -> MonthFile:
    return MonthFile(file.part, file.owner, file.billing, rows, file.complete)


def test_the_reply_to_the_click_names_the_month() -> None:
    assert (
        file_on_its_way(MonthPart(month="2027-01")).text
        == "I'll send you the file for January 2027 in a direct message."
    )
