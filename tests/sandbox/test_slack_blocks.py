"""Block Kit's limits: the last length that is accepted, and the first that is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.slack.blocks import message_problems, view_problems, with_ids, without_nulls
from sandbox.slack.calling import read_json
from tests.sandbox.slack_world import Json, actions, button, modal, section, text_input

Make = Callable[[int], Any]


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def option(text: int = 1, value: int = 1, **more: Any) -> Json:
    return {"text": plain(text), "value": "v" * value, **more}


def menu(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "m", "options": [option()], **more}


def grouped(groups: int, *, label: int = 1, options: int = 1) -> Json:
    return {"options": None, "option_groups": [{"label": plain(label), "options": [option()] * options}] * groups}


def picture() -> Json:
    return {"type": "image", "image_url": "https://x/y.png", "alt_text": "a chart"}


def confirm(**lengths: int) -> Json:
    sizes = {"title": 1, "text": 1, "confirm": 1, "deny": 1, **lengths}
    return actions(button("x", "a", confirm={key: plain(size) for key, size in sizes.items()}))


def table(rows: int, cells: int = 1) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": ""}] * cells] * rows}


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


def rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def rich_cell(words: str) -> Json:
    return rich(text(words))


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
    ("image url", 3000, lambda n: [{"type": "image", "image_url": "https://" + "u" * (n - 8), "alt_text": "x"}]),
    ("image title", 2000, lambda n: [{**picture(), "title": plain(n)}]),
    ("button label", 75, lambda n: [actions(button("x", "a", accessibility_label="x" * n))]),
    ("context text", 3000, lambda n: [{"type": "context", "elements": [plain(n)]}]),
    ("option groups", 100, lambda n: [actions(menu(**grouped(n)))]),
    ("group label", 75, lambda n: [actions(menu(**grouped(1, label=n)))]),
    ("group options", 100, lambda n: [actions(menu(**grouped(1, options=n)))]),
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
    ("external_id", 255, lambda n: modal(external_id="x" * n)),
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
        (
            [actions(menu(options=[{**option(), "text": {"type": "mrkdwn", "text": "x"}}]))],
            "unsupported type: mrkdwn",
        ),
        ([actions(menu(options=[option(url="https://x")]))], "invalid additional property: url"),
        ([actions(menu(initial_option=option(value=2)))], "initial_option must be one of the options"),
        (
            [
                actions(
                    {"type": "checkboxes", "options": [option()], "initial_options": [option(), option(text=2)]}
                )
            ],
            "initial_options must be one of the options",
        ),
        ([actions({"type": "datepicker", "initial_date": "24.11.2026"})], "must be a date, YYYY-MM-DD"),
        ([actions({"type": "datepicker", "initial_date": "2026-02-30"})], "must be a date, YYYY-MM-DD"),
        ([actions({"type": "timepicker", "initial_time": "24:00"})], "must be a time, HH:mm"),
        ([{"type": "image", "image_url": "chart.png", "alt_text": "x"}], "must be a valid url"),
        (
            [{"type": "context", "elements": [{"type": "image", "image_url": "https://x"}]}],
            "missing required field: alt_text",
        ),
        ([actions({"type": "conversations_select", "filter": {}})], "filter must not be empty"),
        (
            [actions(menu(focus_on_load=True)), actions(menu(focus_on_load=True))],
            "only one element can have focus_on_load",
        ),
        ([rich(text("x"), {"type": "marquee"})], "unsupported type: marquee"),
        ([rich({"type": "text", "text": ""})], "must be more than 0 characters"),
        ([rich(text("x", style={"loud": True}))], "invalid additional property: loud"),
        ([rich({"type": "broadcast", "range": "all"})], "must be one of: here, channel, everyone"),
        ([{"type": "rich_text", "elements": [text("x")]}], "unsupported type: text"),
        (
            [{"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "stars", "elements": []}]}],
            "must be one of: bullet, ordered",
        ),
        ([{"type": "table", "rows": [[rich_cell("x"), {"type": "cell"}]]}], "unsupported type: cell"),
        (["text"], "unsupported type: a block"),
        ("text", "must be an array"),
    ],
)
def test_why_blocks_are_refused(blocks: Any, reason: str) -> None:
    code, reasons = message_problems(blocks)
    assert code == "invalid_blocks"
    assert reason in reasons[0]


def test_every_kind_of_block_and_element_is_taken() -> None:
    """What Slack's documents show as examples, in short."""
    two = [option(), option(value=2)]
    mrkdwn = {"type": "mrkdwn", "text": "*x*"}
    elements: list[Json] = [
        menu(options=two, initial_option=two[1], confirm=confirm()["elements"][0]["confirm"]),
        menu(
            action_id="grouped",
            options=None,
            option_groups=[{"label": plain(1), "options": two}],
            initial_option=two[0],
        ),
        {"type": "multi_static_select", "options": two, "initial_options": two, "max_selected_items": 2},
        {"type": "external_select", "min_query_length": 0, "initial_option": option(value=9)},
        {"type": "users_select", "initial_user": "U1"},
        {"type": "conversations_select", "filter": {"include": ["im"], "exclude_bot_users": True}},
        {"type": "multi_channels_select", "initial_channels": ["C1"]},
        {"type": "checkboxes", "options": [{**option(), "text": mrkdwn, "description": mrkdwn}]},
        {"type": "radio_buttons", "options": two, "initial_option": two[0]},
        {"type": "overflow", "options": [option(url="https://x")]},
        {"type": "datepicker", "initial_date": "2026-11-24"},
        {"type": "timepicker", "initial_time": "23:59", "timezone": "Europe/Berlin"},
        {"type": "datetimepicker", "initial_date_time": 1795521600},
    ]
    every = [
        section("x", accessory=picture(), expand=True),
        {"type": "header", "text": plain(1)},
        {"type": "divider"},
        {"type": "context", "elements": [picture(), mrkdwn, plain(1)]},
        {**picture(), "title": plain(1)},
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a chart"},
        actions(*elements),
        rich(
            text("x", style={"bold": True, "code": True}),
            {"type": "link", "url": "https://x", "text": "x"},
            {"type": "user", "user_id": "U1"},
            {"type": "channel", "channel_id": "C1"},
            {"type": "usergroup", "usergroup_id": "S1"},
            {"type": "emoji", "name": "wave"},
            {"type": "broadcast", "range": "here"},
            {"type": "date", "timestamp": 1795521600, "format": "{date}", "fallback": "x"},
            {"type": "color", "value": "#F405B3"},
        ),
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "indent": 1,
                    "elements": rich(text("x"))["elements"],
                },
                {"type": "rich_text_preformatted", "elements": [text("x")], "border": 0},
                {"type": "rich_text_quote", "elements": [text("x")]},
            ],
        },
        {"type": "markdown", "text": "# x"},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}, rich_cell("y")]]},
    ]
    assert message_problems(without_nulls(every)) == ("", [])
    inputs = ["plain_text_input", "email_text_input", "url_text_input"]
    typed = [
        {**text_input(kind), "element": {"type": kind, "focus_on_load": kind == inputs[0]}} for kind in inputs
    ]
    number = {"type": "number_input", "is_decimal_allowed": True, "min_value": "1", "max_value": "9.5"}
    form = modal(*every[:-2], *typed, {**text_input("n"), "element": number})
    assert view_problems(without_nulls(form)) == ("", [])


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
