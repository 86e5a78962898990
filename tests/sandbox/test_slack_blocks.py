"""Block Kit's limits: the last length that is accepted, and the first that is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.slack.blocks import message_problems, view_problems, with_ids
from sandbox.slack.calling import read_json
from tests.sandbox.slack_world import Json, actions, button, modal, section, text_input

Make = Callable[[int], Any]


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def option(text: int = 1, value: int = 1, **more: Any) -> Json:
    return {"text": plain(text), "value": "v" * value, **more}


def menu(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "m", "options": [option()], **more}


def confirm(**lengths: int) -> Json:
    sizes = {"title": 1, "text": 1, "confirm": 1, "deny": 1, **lengths}
    return actions(button("x", "a", confirm={key: plain(size) for key, size in sizes.items()}))


def table(rows: int, cells: int = 1) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": ""}] * cells] * rows}


def many(element: Json, count: int) -> list[Json]:
    return [{**element, "action_id": f"a{number}"} for number in range(count)]


MESSAGES: list[tuple[str, int, Make]] = [
    ("blocks", 50, lambda n: [{"type": "divider"}] * n),
    ("block_id", 255, lambda n: [section("x", block_id="b" * n)]),
    ("action_id", 255, lambda n: [actions(button("x", "a" * n))]),
    ("section text", 3000, lambda n: [section("x" * n)]),
    ("section fields", 10, lambda n: [{"type": "section", "fields": [plain(1)] * n}]),
    ("field text", 2000, lambda n: [{"type": "section", "fields": [plain(n)]}]),
    ("header", 150, lambda n: [{"type": "header", "text": plain(n)}]),
    ("context elements", 10, lambda n: [{"type": "context", "elements": [plain(1)] * n}]),
    ("actions elements", 25, lambda n: [actions(*many(button("x", "a"), n))]),
    ("button text", 75, lambda n: [actions(button("x" * n, "a"))]),
    ("button value", 2000, lambda n: [actions(button("x", "a", "v" * n))]),
    ("button url", 3000, lambda n: [actions(button("x", "a", url="https://" + "u" * (n - 8)))]),
    ("confirm title", 100, lambda n: [confirm(title=n)]),
    ("confirm text", 300, lambda n: [confirm(text=n)]),
    ("confirm button", 30, lambda n: [confirm(confirm=n)]),
    ("deny button", 30, lambda n: [confirm(deny=n)]),
    ("options", 100, lambda n: [actions(menu(options=[option()] * n))]),
    ("option text", 75, lambda n: [actions(menu(options=[option(text=n)]))]),
    ("option value", 150, lambda n: [actions(menu(options=[option(value=n)]))]),
    ("option description", 75, lambda n: [actions(menu(options=[option(description=plain(n))]))]),
    ("placeholder", 150, lambda n: [actions(menu(placeholder=plain(n)))]),
    ("overflow", 5, lambda n: [actions({"type": "overflow", "action_id": "o", "options": [option()] * n})]),
    ("radio", 10, lambda n: [actions({"type": "radio_buttons", "action_id": "o", "options": [option()] * n})]),
    ("checkboxes", 10, lambda n: [actions({"type": "checkboxes", "action_id": "o", "options": [option()] * n})]),
    ("image alt", 2000, lambda n: [{"type": "image", "image_url": "https://x", "alt_text": "x" * n}]),
    ("markdown", 12_000, lambda n: [{"type": "markdown", "text": "x" * n}]),
    ("summed text", 12_000, lambda n: [section("x" * 3000)] * 3 + [section("x" * (n - 9000))]),
    ("table rows", 100, lambda n: [table(n)]),
    ("table cells", 20, lambda n: [table(1, n)]),
]

VIEWS: list[tuple[str, int, Make]] = [
    ("blocks", 100, lambda n: modal(*[{"type": "divider"}] * n)),
    ("title", 24, lambda n: modal(title=plain(n))),
    ("submit", 24, lambda n: modal(submit=plain(n))),
    ("close", 24, lambda n: modal(close=plain(n))),
    ("private_metadata", 3000, lambda n: modal(private_metadata="x" * n)),
    ("callback_id", 255, lambda n: modal(callback_id="x" * n)),
    ("label", 2000, lambda n: modal({**text_input("b"), "label": plain(n)})),
    ("hint", 2000, lambda n: modal({**text_input("b"), "hint": plain(n)})),
    ("max_length", 3000, lambda n: modal(text_input("b", max_length=n))),
]


@pytest.mark.parametrize(("most", "make"), [each[1:] for each in MESSAGES], ids=[each[0] for each in MESSAGES])
def test_a_message_takes_the_limit_and_no_more(most: int, make: Make) -> None:
    assert message_problems(make(most)) == ("", [])
    assert message_problems(make(most + 1))[0] in {"invalid_blocks", "msg_blocks_too_long"}


@pytest.mark.parametrize(("most", "make"), [each[1:] for each in VIEWS], ids=[each[0] for each in VIEWS])
def test_a_modal_takes_the_limit_and_no_more(most: int, make: Make) -> None:
    assert view_problems(make(most)) == ("", [])
    assert view_problems(make(most + 1))[0] == "invalid_arguments"


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([section("")], "must be more than 0 characters"),
        ([{"type": "section"}], "must provide either text or fields"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "unsupported type: mrkdwn"),
        ([section("x", colour="red")], "invalid additional property: colour"),
        ([{"type": "video"}], "unsupported type: video"),
        ([actions()], "must have at least 1 items"),
        ([actions(button("x", "a"), button("y", "a"))], "action_id already exists: a"),
        ([section("x", block_id="b"), section("y", block_id="b")], "block_id already exists: b"),
        ([actions(button("x", "a", style="loud"))], "must be one of: primary, danger"),
        ([actions(button("x", "a", url="ssh me"))], "must be a valid url"),
        ([actions({"type": "static_select", "action_id": "m"})], "either options or option_groups"),
        ([section("x", accessory={"type": "plain_text_input", "action_id": "a"})], "unsupported type"),
        ([{"type": "image", "alt_text": "x"}], "either image_url or slack_file"),
        (["text"], "unsupported type: a block"),
        ("text", "must be an array"),
    ],
)
def test_why_blocks_are_refused(blocks: Any, reason: str) -> None:
    code, reasons = message_problems(blocks)
    assert code == "invalid_blocks"
    assert reason in reasons[0]


def test_a_message_has_one_table_at_most() -> None:
    assert message_problems([table(1), table(1)])[0] == "only_one_table_allowed"


def test_a_view_has_a_size() -> None:
    """Each part within its limit, the whole over 250 kB."""
    element = {"type": "context", "elements": [plain(3000)] * 10}
    assert view_problems(modal(*[element] * 9))[0] == "view_too_large"


def test_what_has_no_id_gets_one_and_nothing_else_changes() -> None:
    blocks = [section("x"), actions({"type": "button", "text": plain(1)}, button("y", "kept"))]
    filled = with_ids(blocks)
    assert [element["action_id"] for element in filled[1]["elements"]][1] == "kept"
    assert all(block["block_id"] for block in filled)
    assert "block_id" not in blocks[0]
    assert message_problems(filled) == ("", [])


WORDS = st.sampled_from(
    [
        "type",
        "text",
        "blocks",
        "elements",
        "element",
        "accessory",
        "fields",
        "options",
        "action_id",
        "block_id",
        "value",
        "confirm",
        "section",
        "actions",
        "button",
        "input",
        "plain_text",
        "mrkdwn",
        "title",
        "rows",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_judged(value: Any) -> None:
    assert message_problems(value)[0] in {"", "invalid_blocks"}
    assert view_problems(value)[0] in {"", "invalid_arguments"}


@pytest.mark.parametrize("text", ["{", "NaN", '{"a": Infinity}', "1e999", "[" * 100_000, "[" * 70 + "]" * 70])
def test_json_that_nobody_should_send_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
