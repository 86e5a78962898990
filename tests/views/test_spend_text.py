"""The answer to `/gpu spend`, its limits with foreign names, and its tables as text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.budget import TEAM, Scope, ScopeKind, UseCosts
from bot.model.spend import Period, PeriodKind, RowsOf, SpendPoint, SpendReport, SpendRow, Spent
from bot.policy.team.rules import Rules
from handlers.actions import spend
from handlers.phrases.classic import classic
from handlers.phrases.format import Reader
from handlers.phrases.tables import bar_chart, number_cell, table, text_cell
from tests.slack_limits import problems_of_message
from tests.views import strategies as some
from tests.views.screens import read

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOVEMBER = Period(
    kind=PeriodKind.MONTH,
    month="2026-11",
    start=datetime(2026, 11, 1, tzinfo=UTC),
    end=datetime(2026, 12, 1, tzinfo=UTC),
    running=True,
)
READER = Reader(id="U0ANA", rules=Rules(), now=NOON)
DOLLAR = 1_000_000


def spent(amount: int, **use: int) -> Spent:
    return Spent(rentals=3, gpu_time=timedelta(hours=12, minutes=30), use=UseCosts(unknown=amount, **use))


def report(**fields: Any) -> SpendReport:
    return SpendReport(
        **{
            "scope": TEAM,
            "period": NOVEMBER,
            "own": spent(181_200_000, idle=31_200_000),
            "whole": spent(4_310_110_000),
            "budget": 9_000 * DOLLAR,
            "rows_of": RowsOf.PEOPLE,
            "rows": (SpendRow(key="U0ANA", spent=spent(5_000)),),
            "sees_use": True,
            "points": (),
            "names": {"U0ANA": "Ana"},
            "rentals": {},
            "chooses_rows": True,
            "file": TEAM,
            **fields,
        }
    )


def cells(shown: SpendReport, kind: str) -> list[list[str]]:
    """Return the texts in the table of an answer, without its first row."""
    found = [block for block in spend.report(shown, READER).blocks if block["type"] == kind]
    return [[cell["text"] for cell in row] for row in found[0]["rows"][1:]]


def cents(text: str) -> int:
    return int(text.replace("$", "").replace(",", "").replace(".", ""))


USE = st.fixed_dictionaries({name: st.integers(0, 10**8) for name in UseCosts.model_fields})


@given(st.lists(USE.map(UseCosts.model_validate), min_size=1, max_size=20))
def test_rows_add_up_to_the_headline_and_parts_to_their_row(costs: list[UseCosts]) -> None:
    rows = [SpendRow(key=f"U{n}", spent=Spent(rentals=1, use=one)) for n, one in enumerate(costs)]
    whole = sum((row.spent for row in rows), start=Spent())
    shown = report(own=whole, whole=whole, budget=None, rows=tuple(rows[:-1]), rest=rows[-1].spent, left_out=1)
    table = cells(shown, "data_table")
    headline = spend.report(shown, READER).text.split(" The team has spent ")[1]
    assume(whole.amount >= 10_000)
    assert sum(cents(row[-1]) for row in table) == cents(headline.removesuffix("."))
    for row in table:
        assert sum(map(cents, row[3:-1])) == cents(row[-1])


def test_the_points_of_the_chart_add_up_to_the_headline() -> None:
    points = tuple(SpendPoint(first=day, last=day, amount=4_000) for day in (date(2026, 11, n) for n in (1, 2, 3)))
    answer = spend.report(report(whole=spent(12_000), points=points), READER)
    (chart,) = [block for block in answer.blocks if block["type"] == "data_visualization"]
    assert [point["value"] for point in chart["chart"]["series"][0]["data"]] == [0.01, 0, 0]
    assert "The team has spent $0.01 of" in answer.text


def test_the_headline_has_the_idle_share_if_the_table_does() -> None:
    own = Scope(kind=ScopeKind.PERSON, name="U0ANA")
    whole = spent(2_110_000, idle=405_000)
    rows = (SpendRow(key="k7mq2", spent=whole),)
    shown = report(scope=own, own=whole, whole=whole, budget=None, rows_of=RowsOf.RENTALS, rows=rows)
    assert (
        spend.report(shown, READER).text
        == "November so far: you've spent $2.52 on 3 rentals, 16% of it on idle machines."
    )
    hidden = spend.report(changed(shown, sees_use=False), READER)
    assert hidden.text == "November so far: you've spent $2.52 on 3 rentals, $0.40 of it on idle machines."


def test_the_time_at_which_a_budget_is_used_up_takes_the_place_of_the_forecast() -> None:
    """The two assume different rates, so a report with both of them could contradict itself."""
    both = report(forecast=9_120 * DOLLAR, own_budget=500 * DOLLAR, own_used_up_at=NOON + timedelta(hours=30))
    shown = changed(both, used_up_at=NOON + timedelta(days=4))
    mine = changed(shown, scope=Scope(kind=ScopeKind.PERSON, name="U0ANA"), used_up_at=both.own_used_up_at)
    texts = [read(spend.report(one, READER).text, NOON) for one in (both, shown, mine)]
    assert [text.split(" At today's rate, ")[1] for text in texts] == [
        "your budget will be used up tomorrow at about 18:00.",
        "your budget will be used up tomorrow at about 18:00, and the team's budget on Nov 28.",
        "your budget will be used up tomorrow at about 18:00.",
    ]
    assert not any("by the 30th" in text for text in texts)
    assert "by the 30th" in spend.report(changed(both, own_used_up_at=None), READER).text


MONEY = st.integers(0, 10**12)
SPENT = st.builds(lambda amount, idle: spent(amount, idle=idle), MONEY, MONEY)


@given(
    names=st.lists(some.text, max_size=50),
    one=SPENT,
    scope=st.sampled_from(
        [
            TEAM,
            Scope(kind=ScopeKind.PROJECT, name="3d_vision"),
            *[Scope(kind=ScopeKind.PERSON, name=name) for name in ("U0ANA", "U0BEN")],
        ]
    ),
    days=st.integers(0, 31),
    forecast=st.none() | MONEY,
)
def test_any_report_stays_within_slacks_limits(
    names: list[str], one: Spent, scope: Scope, days: int, forecast: int | None
) -> None:
    keys = [f"U{n}" for n in range(len(names))]
    days_of_chart = [date(2026, 10, 1) + timedelta(days=n) for n in range(min(days, 20))]
    shown = report(
        scope=scope,
        period=changed(NOVEMBER, running=days > 3),
        own=one,
        whole=one,
        own_budget=one.amount,
        rows=tuple(SpendRow(key=key, spent=one) for key in keys),
        rest=one if keys else None,
        left_out=3 if keys else 0,
        names=dict(zip(keys, names, strict=True)),
        points=tuple(SpendPoint(first=day, last=day, amount=one.amount) for day in days_of_chart),
        forecast=forecast,
    )
    rendered = spend.report(shown, READER)
    assert problems_of_message(rendered.text, rendered.blocks) == []
    assert problems_of_message(rendered.text, classic(rendered.blocks)) == []


def test_the_report_reads_as_designed() -> None:
    words = spend.report(report(), READER).text
    assert words == (
        "November so far: you've spent $212.40, $31.20 of it on idle machines. "
        "The team has spent $4,310.11 of $9,000.00."
    )


@pytest.mark.parametrize(
    ("amount", "words"), [(2_939_600_000, "about $2,940"), (9_994_000, "about $9.99"), (0, "about $0.00")]
)
def test_a_forecast_is_rounded(amount: int, words: str) -> None:
    text = spend.report(report(forecast=amount), READER).text
    assert text.endswith(f"At this rate, the team will have spent {words} by the 30th.")


def test_a_table_as_text_is_aligned_in_columns() -> None:
    rows = [[text_cell("Ana <b>"), number_cell(1234.5, "$1,234.50")], [text_cell("B`"), number_cell(0, "$0.00")]]
    shown = table("x", ["Person", "Total"], rows)
    assert shown is not None
    (block,) = classic([shown])
    assert block["text"]["text"] == ("```Person       Total\nAna &lt;b&gt;  $1,234.50\nB'           $0.00```")


def test_a_long_table_as_text_is_split_into_paragraphs() -> None:
    rows = [[text_cell(f"person {n:02}" + "x" * 50), number_cell(1, "$1.00")] for n in range(50)]
    shown = table("x", ["Person", "Total"], rows)
    assert shown is not None
    parts = [block["text"]["text"] for block in classic([shown])]
    assert len(parts) > 1
    assert sum(part.count("person") for part in parts) == 50


def test_without_data_there_is_no_table_or_chart() -> None:
    assert table("x", ["Person"], []) is None
    assert bar_chart("x", "Total", [("28 Nov", 1)]) is None
    assert bar_chart("x", "Total", [("27 Nov", 0), ("28 Nov", 0)]) is None
