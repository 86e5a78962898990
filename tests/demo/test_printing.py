"""How the demo and the sandbox are shown in a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot.demo.outside import Seen
from bot.demo.printing import Printer, as_json, as_text, of_action, of_message
from bot.model.base import changed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CARD = Seen(
    seq=1,
    at=NOON,
    channel="C0TRAIN00",
    channel_name="training",
    is_dm=False,
    ts="1.0",
    author="gpubot",
    only_you=False,
    text="Ready: 1x H100",
    reads="Ready: 1x H100\nEnds 18:40.",
    buttons=({"text": "Details"}, {"text": "Extend"}),
)


def test_a_message_says_when_where_and_by_whom() -> None:
    assert as_text(of_message("Ana", CARD)).splitlines() == [
        "12:00:00  #training  gpubot: Ready: 1x H100",
        "          Ends 18:40.",
        "          [Details]  [Extend]",
    ]


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"edited": True}, "#training  gpubot (edited): "),
        ({"only_you": True}, "#training (only Ana)  gpubot: "),
        ({"ts": "2.0", "thread_ts": "1.0"}, "#training thread  gpubot: "),
        ({"is_dm": True}, "DM with Ana  gpubot: "),
    ],
)
def test_who_sees_it_and_whether_it_changed(changes: dict[str, object], head: str) -> None:
    shown = as_text(of_message("Ana", changed(CARD, **changes)))
    assert shown.startswith(f"12:00:00  {head}Ready")


@pytest.mark.parametrize(
    ("where", "shown"),
    [("#training", "#training"), ("training", "#training"), ("dm", "DM with Ana"), ("terminal", "terminal")],
)
def test_where_someone_does_something(where: str, shown: str) -> None:
    assert of_action("Ana", where, "/gpu list", NOON).where == shown


def test_json_has_all_of_it() -> None:
    assert json.loads(as_json(of_message("Ana", changed(CARD, only_you=True)))) == {
        "at": "2026-11-24T12:00:00+00:00",
        "who": "gpubot",
        "where": {"place": "#training", "only": "Ana"},
        "thread": None,
        "text": "Ready: 1x H100\nEnds 18:40.",
        "buttons": ["Details", "Extend"],
        "edited": False,
    }


def test_an_edit_that_changes_nothing_for_readers_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_text)
    printer.message("Ana", CARD)
    printer.message("Ana", changed(CARD, seq=2, edited=True))
    assert capsys.readouterr().out.count("Ready") == 1
