"""Tests of messages and actions as `gpubot demo` and `gpubot sandbox` print them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from demo.printing import Printer, as_json, as_text, of_action, of_message
from sandbox.client import SeenMessage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def card(**changes: object) -> SeenMessage:
    """Return a card as Ana sees it, with the given fields changed."""
    fields = {
        "seq": 1,
        "at": NOON,
        "channel": "C0TRAIN00",
        "channel_name": "training",
        "is_dm": False,
        "ts": "1.0",
        "author": "gpubot",
        "only_you": False,
        "text": "Ready: 1x H100",
        "reads": "Ready: 1x H100\nEnds 18:40.",
        "buttons": ({"text": "Details"}, {"text": "Extend"}),
    }
    return SeenMessage.model_validate(fields | changes)


def test_a_message_is_printed_with_its_time_place_and_author() -> None:
    assert as_text(of_message("Ana", card())).splitlines() == [
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
def test_the_first_line_shows_who_sees_a_message_and_whether_it_was_edited(
    changes: dict[str, object], head: str
) -> None:
    shown = as_text(of_message("Ana", card(**changes)))
    assert shown.startswith(f"12:00:00  {head}Ready")


@pytest.mark.parametrize(
    ("where", "shown"),
    [("#training", "#training"), ("training", "#training"), ("dm", "DM with Ana"), ("terminal", "terminal")],
)
def test_an_action_is_printed_with_the_place_in_which_it_happens(where: str, shown: str) -> None:
    assert of_action("Ana", where, "/gpu list", NOON).where == shown


def test_a_json_line_has_every_field_of_a_message() -> None:
    assert json.loads(as_json(of_message("Ana", card(only_you=True)))) == {
        "at": "2026-11-24T12:00:00+00:00",
        "who": "gpubot",
        "where": {"place": "#training", "only": "Ana"},
        "thread": None,
        "text": "Ready: 1x H100\nEnds 18:40.",
        "buttons": ["Details", "Extend"],
        "edited": False,
    }


def test_the_demo_prints_edits_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    for edits, times in ((False, 1), (True, 2)):
        printer = Printer(as_text, edits=edits)
        printer.message("Ana", card())
        printer.message("Ana", card(seq=2, edited=True, reads="Ready: 1x H100\nIdle for 35 min."))
        assert capsys.readouterr().out.count("Ready") == times


def test_an_edit_without_a_visible_difference_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_text)
    printer.message("Ana", card())
    printer.message("Ana", card(seq=2, edited=True))
    assert capsys.readouterr().out.count("Ready") == 1
