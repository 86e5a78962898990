"""The bench itself, at a size that takes seconds: it measures every figure, however fast anything is."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.figures import Figure, checked, figure, write
from bench.late import RHYTHM, missing, rhythm
from bench.measure import PARTS, figures, main
from bench.polls import late_by
from bench.sizes import TINY
from tests.programs import program

ACKS = {
    f"ack_{action}_{of}{place}"
    for action in ("command", "click")
    for of in ("p50", "p99", "max")
    for place in ("", "_disk")
}
WITHOUT_BASELINE = {
    "commits_command",
    "commits_click",
    "poll_lateness_p99",
    "probe_memory",
}
WITH_BASELINE = {
    "start",
    "memory",
    "idle_engine",
    "poll_visited_p99",
    "polls_per_cpu_second",
    "polls_per_cpu_peer",
    "poll_many_p99",
    "polls_many_per_cpu",
    "polls_per_cpu_postgres",
    "probe_cpu",
    "spend_query",
    "home_publish_5",
    "page_effect_p95",
} | ACKS
LIVE = max(TINY.live)
OR_INVALID = {f"polls_late_{LIVE}", f"polls_late_{LIVE}_free", f"restart_{LIVE}"}
"""These have a baseline too, and no number if the machine was not quiet."""
COUNTS = {"lost_after_kill", "billing_after_kill"}
"""The same, but a baseline of 0 gives no ratio."""


def modes_of_logs(folder: Path) -> set[tuple[str, int]]:
    return {(log.name, log.stat().st_mode & 0o777) for log in folder.rglob("*.log")}


async def test_every_figure_is_measured_and_written(tmp_path: Path) -> None:
    program("chromium")
    measured = [each async for each in figures(TINY, tmp_path)]
    assert {each.name for each in measured} == WITH_BASELINE | WITHOUT_BASELINE | OR_INVALID | COUNTS
    may_be_invalid = ACKS | OR_INVALID | COUNTS
    for each in measured:
        if each.value is None:
            assert each.name in may_be_invalid
            assert each.note
            assert "invalid" in each.line()
        else:
            assert math.isfinite(each.value)
            assert (each.baseline is not None) == (each.name not in WITHOUT_BASELINE)

    assert modes_of_logs(tmp_path) == {("sandbox.log", 0o600), ("app.log", 0o600)}

    write(measured, tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in written] == [each.name for each in measured]
    assert {key for each in written for key in each} == {"name", "value", "unit", "baseline", "ratio", "note"}


def test_a_name_that_no_figure_has_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--only", "pols_late"])
    with pytest.raises(SystemExit):
        main()
    assert "no figure begins with pols_late. They begin with start, commits_, ack_" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "begins"), [("polls_late_1000", "polls_late"), ("polls_late", "polls_late"), ("ack", "commits_")]
)
def test_a_name_selects_the_part_that_measures_it(name: str, begins: str) -> None:
    (part,) = [part for part in PARTS if part.has(name)]
    assert part.begins[0] == begins


def test_a_figure_of_a_doubtful_run_is_printed_as_invalid_without_a_number() -> None:
    made = figure("polls_late_100", 0.5, "s", 0.25)
    assert checked(made, "") == made
    invalid = checked(made, "invalid: an idle process woke 40 ms late")
    assert invalid == Figure(name="polls_late_100", value=None, unit="s", note=invalid.note)
    assert invalid.line().split()[:2] == ["polls_late_100", "invalid"]


NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_poll_of_the_peer_is_late_from_its_planned_time_and_the_next_one_follows_the_rhythm() -> None:
    polled = {"a": [at(0.5), at(15), at(47)]}
    due = rhythm({"a": NOON}, polled)
    assert due == {"a": [NOON, at(15), at(30), at(47) + RHYTHM]}
    assert late_by(due, polled) == [0.5, 0, 17]


def test_a_poll_that_is_missing_at_the_end_counts_with_how_late_it_is_by_then() -> None:
    due = {"never": [NOON], "in time": [NOON], "since then": [NOON, at(15)], "later": [at(30)]}
    polled = {"in time": [at(1)], "since then": [at(1)]}
    assert missing(due, polled, at(20)) == [20, 5]
