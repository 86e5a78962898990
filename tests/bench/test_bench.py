"""Tests of the bench's output and calculations. CI also runs tests/ci/every_figure.py."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from bench.figures import Figure, checked, figure
from bench.late import RHYTHM, missing, rhythm
from bench.measure import PARTS, main
from bench.polls import late_by


def test_an_unknown_name_is_refused_with_a_list_of_the_figures(
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


def test_a_figure_of_a_disturbed_run_is_printed_as_invalid() -> None:
    made = figure("polls_late_100", 0.5, "s", 0.25)
    assert checked(made, "") == made
    invalid = checked(made, "invalid: an idle process woke 40 ms late")
    assert invalid == Figure(name="polls_late_100", value=None, unit="s", note=invalid.note)
    assert invalid.line().split()[:2] == ["polls_late_100", "invalid"]


NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_poll_of_the_peer_is_late_after_its_planned_time() -> None:
    """The next poll is due RHYTHM after the planned time.

    If a poll is so late that it missed its whole turn, the next one is due RHYTHM after the late poll itself.
    """
    polled = {"a": [at(0.5), at(15), at(47)]}
    due = rhythm({"a": NOON}, polled)
    assert due == {"a": [NOON, at(15), at(30), at(47) + RHYTHM]}
    assert late_by(due, polled) == [0.5, 0, 17]


def test_a_poll_that_is_missing_at_the_end_counts_as_late_until_then() -> None:
    due = {"never": [NOON], "in time": [NOON], "since then": [NOON, at(15)], "later": [at(30)]}
    polled = {"in time": [at(1)], "since then": [at(1)]}
    assert missing(due, polled, at(20)) == [20, 5]


def test_the_empty_app_loads_neither_the_store_nor_the_handlers() -> None:
    """Otherwise, the baseline of starts and acknowledgements would contain the bot's own time."""
    command = [sys.executable, "-c", "import sys, bench.empty_app; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own
    assert "handlers.slack_api.sockets" in loaded
    assert {"store.db", "sqlalchemy", "handlers.actions", "bot.model.rental"}.isdisjoint(loaded)
