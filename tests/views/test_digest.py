"""The weekly digest in the home channel."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bot.model.base import changed
from bot.model.budget import UseCosts
from bot.model.event import EventKind
from bot.model.facts import DigestFacts
from bot.model.spend import Digest, ProjectWeek, Spent
from bot.policy.team.rules import Rules
from handlers.messages.render import alert_message
from handlers.messages.writers import AlertContext
from handlers.phrases.format import Reader
from tests.databases import START
from tests.store import make


def spent(rentals: int, used: int, idle: int = 0) -> Spent:
    return Spent(rentals=rentals, use=UseCosts(used=used, idle=idle))


VISION = ProjectWeek(
    project="vision", spent=spent(40, 1_109_200_000, 101_200_000), running=3, rate=Decimal("20.10")
)
OTHERS = ProjectWeek(
    project="unassigned", spent=spent(21, 618_220_000, 111_500_000), running=2, rate=Decimal("11.10")
)
WEEK = Digest(
    first=date(2026, 11, 16),
    last=date(2026, 11, 22),
    projects=(VISION, OTHERS),
    month="2026-11",
    forecast=2_939_700_000,
)


def text(week: Digest) -> str:
    event = make.event(EventKind.DIGEST, None, facts=DigestFacts(digest=week))
    rendered = alert_message(AlertContext(event, Reader(rules=Rules(), now=START), {}))
    assert rendered is not None
    return rendered.text


def test_a_digest_has_totals_and_a_line_for_each_project() -> None:
    assert text(WEEK).splitlines() == [
        "Last week (16 to 22 Nov) the team spent $1,940.12 on 61 rentals, of which $212.70 (11%) was idle. "
        "5 machines are running now, at $31.20/h. At this rate, November will cost about $2,940.",
        "vision: $1,210.40 for 40 rentals, 8% of it on idle machines; 3 machines are running now, at $20.10/h",
        "unassigned: $729.72 for 21 rentals, 15% of it on idle machines; 2 machines are running now, at $11.10/h",
    ]


def test_the_amounts_of_the_projects_add_up_to_the_first_line() -> None:
    thirds = tuple(ProjectWeek(project=name, spent=spent(1, 3_334_000)) for name in ("a", "b", "c"))
    first, *lines = text(changed(WEEK, projects=thirds)).splitlines()
    assert first.startswith("Last week (16 to 22 Nov) the team spent $10.00 on 3 rentals.")
    assert [line.split(" for ")[0] for line in lines] == ["a: $3.34", "b: $3.33", "c: $3.33"]


def test_a_machine_whose_deletion_is_not_confirmed_does_not_count_as_running() -> None:
    last = changed(OTHERS, running=0, rate=Decimal(0), not_confirmed=1)
    first, _, unassigned = text(changed(WEEK, projects=(VISION, last))).splitlines()
    assert "3 machines are running now, at $20.10/h. 1 deletion isn't confirmed yet. At this rate" in first
    assert unassigned.endswith("15% of it on idle machines; 1 deletion isn't confirmed yet")


def test_a_digest_of_one_project_is_one_line() -> None:
    quiet = ProjectWeek(project="vision", spent=spent(1, 4_000))
    week = changed(WEEK, first=date(2026, 11, 30), last=date(2026, 12, 6), projects=(quiet,), forecast=None)
    assert (
        text(week)
        == "Last week (30 Nov to 6 Dec) the team spent &lt;$0.01 on 1 rental. No machine is running now."
    )


def test_a_digest_of_many_projects_names_the_most_expensive() -> None:
    week = changed(WEEK, projects=tuple(changed(VISION, project=f"p{n}") for n in range(13)))
    lines = text(week).splitlines()
    assert (len(lines), lines[10].split(":")[0], lines[11]) == (12, "p9", "3 more projects: /gpu spend shows all.")
