"""The values of elements and the text that people type, in the format in which Slack sends them to the app."""

from typing import Any

import pytest

from sandbox.clock import SandboxClock
from sandbox.slack import AppConfig
from sandbox.slack.default import default_workspace
from sandbox.slack.typed_text import typed
from sandbox.slack.values import NotOffered, chosen, client_errors, initial, state_of
from tests.sandbox.slack_world import Json, text_input


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.upper()}, "value": value}


A, B = option("a"), option("b")
GROUPED: Json = {"option_groups": [{"label": {"type": "plain_text", "text": "Group"}, "options": [A, B]}]}


@pytest.mark.parametrize(
    ("element", "selected", "value"),
    [
        ({"type": "static_select", "options": [A, B]}, "b", {"selected_option": B}),
        ({"type": "static_select", **GROUPED}, "a", {"selected_option": A}),
        ({"type": "static_select", "options": [A]}, None, {"selected_option": None}),
        ({"type": "radio_buttons", "options": [A]}, "a", {"selected_option": A}),
        ({"type": "multi_static_select", "options": [A, B]}, ["b", "a"], {"selected_options": [B, A]}),
        ({"type": "checkboxes", "options": [A]}, "a", {"selected_options": [A]}),
        ({"type": "checkboxes", "options": [A]}, None, {"selected_options": []}),
        ({"type": "users_select"}, "U1", {"selected_user": "U1"}),
        ({"type": "multi_users_select"}, ["U1", "U2"], {"selected_users": ["U1", "U2"]}),
        ({"type": "datepicker"}, "2026-12-14", {"selected_date": "2026-12-14"}),
        ({"type": "datepicker"}, None, {"selected_date": None}),
        ({"type": "plain_text_input"}, "x", {"value": "x"}),
        ({"type": "plain_text_input"}, "", {"value": None}),
    ],
)
def test_a_choice_becomes_the_elements_value(element: Json, selected: Any, value: Json) -> None:
    assert chosen(element, selected) == {"type": element["type"], **value}


def test_a_choice_that_is_not_offered_is_refused() -> None:
    with pytest.raises(NotOffered):
        chosen({"type": "static_select", "options": [A]}, "b")


def test_a_date_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotOffered):
        chosen({"type": "datepicker"}, "2026-02-30")


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ({"type": "static_select", "options": [A], "initial_option": A}, {"selected_option": A}),
        ({"type": "checkboxes", "options": [A]}, {"selected_options": []}),
        ({"type": "users_select", "initial_user": "U1"}, {"selected_user": "U1"}),
        ({"type": "multi_users_select"}, {"selected_users": []}),
        ({"type": "datepicker", "initial_date": "2026-12-14"}, {"selected_date": "2026-12-14"}),
        ({"type": "plain_text_input", "initial_value": "x"}, {"value": "x"}),
    ],
)
def test_an_element_starts_with_its_initial_value(element: Json, value: Json) -> None:
    assert initial(element) == {"type": element["type"], **value}


def test_an_input_keeps_its_value_while_its_ids_and_type_stay_the_same() -> None:
    before = {"note": {"typed": {"type": "plain_text_input", "value": "mine"}}}
    assert state_of([text_input("note")], before) == before
    assert state_of([text_input("other")], before)["other"]["typed"]["value"] is None
    menu = {"type": "static_select", "action_id": "typed", "options": [A]}
    assert state_of([{**text_input("note"), "element": menu}], before)["note"]["typed"]["selected_option"] is None


@pytest.mark.parametrize(
    ("block", "typed", "error"),
    [
        (text_input("b"), None, "This field is required."),
        ({**text_input("b"), "optional": True}, None, None),
        (text_input("b", min_length=3), "ab", "At least 3 characters are needed."),
        (text_input("b", max_length=3), "abcd", "At most 3 characters are allowed."),
        (text_input("b", min_length=3, max_length=3), "abc", None),
    ],
)
def test_the_client_checks_an_input_before_it_submits(block: Json, typed: str | None, error: str | None) -> None:
    values = {"b": {"typed": {"type": "plain_text_input", "value": typed}}}
    assert client_errors([block], values).get("b") == error


@pytest.mark.parametrize(
    ("text", "in_a_command", "in_a_message"),
    [
        ("a<b & c", "a&lt;b &amp; c", "a&lt;b &amp; c"),
        ("@ben", "<@U0BEN0000|ben>", "<@U0BEN0000>"),
        ("@approvers", "<!subteam^S0APPROVE|@approvers>", "<!subteam^S0APPROVE|@approvers>"),
        ("@here @nobody", "<!here> @nobody", "<!here> @nobody"),
        ("#gpus #nowhere", "<#C0GPUS000|gpus> #nowhere", "<#C0GPUS000|> #nowhere"),
        ("you@laptop", "you@laptop", "you@laptop"),
        ("you@laptop.example", "<mailto:you@laptop.example|you@laptop.example>", None),
        ("https://x.example/a", "<https://x.example/a>", "<https://x.example/a>"),
    ],
)
def test_typed_text_is_encoded(text: str, in_a_command: str, in_a_message: str | None) -> None:
    workspace = default_workspace(SandboxClock(speed=0), AppConfig())
    assert typed(workspace, text, labels=True) == in_a_command
    assert typed(workspace, text, labels=False) == (in_a_message or in_a_command)
