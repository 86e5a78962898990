"""The limits of blocks: the largest size that is accepted, and the smallest size that is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.slack.arguments import read_json
from sandbox.slack.blocks import message_problems, view_problems, with_ids, without_nulls
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


def copies(element: Json, count: int) -> list[Json]:
    return [{**element, "action_id": f"a{number}"} for number in range(count)]


def table(rows: int = 1, columns: int = 1, *, text: int = 1, **more: Any) -> Json:
    cell = {"type": "raw_text", "text": "x" * text}
    return {"type": "data_table", "caption": "x", "rows": [[cell] * columns] * (rows + 1), **more}


def chart(series: int = 1, points: int = 1, *, label: int = 1, kind: str = "bar", **more: Any) -> Json:
    labels = [f"{n:0{label}}" for n in range(points)]
    data = [{"label": each, "value": 1.5} for each in labels]
    lines = [{"name": str(n), "data": data} for n in range(series)]
    shown = {"type": kind, "series": lines, "axis_config": {"categories": labels, "y_label": "USD"}}
    return {"type": "data_visualization", "title": "x", "chart": shown, **more}


def pie(segments: int, value: int = 1) -> Json:
    shown = {"type": "pie", "segments": [{"label": "x", "value": value}] * segments}
    return {"type": "data_visualization", "title": "x", "chart": shown}


def task(number: int = 0, **more: Any) -> Json:
    return {"type": "task_card", "task_id": f"t{number}", "title": "x", "status": "pending", **more}


def plan(*tasks: Json, **more: Any) -> Json:
    return {"type": "plan", "title": "x", "tasks": list(tasks), **more}


def rich(*pieces: Json, kind: str = "rich_text_preformatted") -> Json:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(pieces)}]}


def piece(length: int = 1, **more: Any) -> Json:
    return {"type": "text", "text": "x" * length, **more}


def alert(length: int = 1, **more: Any) -> Json:
    return {"type": "alert", "text": {"type": "mrkdwn", "text": "x" * length}, **more}


MESSAGES: list[tuple[str, int, Make]] = [
    ("blocks", 50, lambda n: [{"type": "divider"}] * n),
    ("block_id", 255, lambda n: [section("x", block_id="b" * n)]),
    ("action_id", 255, lambda n: [actions(button("x", "a" * n))]),
    ("section text", 3000, lambda n: [section("x" * n)]),
    ("section fields", 10, lambda n: [{"type": "section", "fields": [plain(1)] * n}]),
    ("field text", 2000, lambda n: [{"type": "section", "fields": [plain(n)]}]),
    ("header", 150, lambda n: [{"type": "header", "text": plain(n)}]),
    ("context elements", 10, lambda n: [{"type": "context", "elements": [plain(1)] * n}]),
    ("actions elements", 25, lambda n: [actions(*copies(button("x", "a"), n))]),
    ("button text", 75, lambda n: [actions(button("x" * n, "a"))]),
    ("button value", 2000, lambda n: [actions(button("x", "a", "v" * n))]),
    ("button url", 3000, lambda n: [actions(button("x", "a", url="https://" + "u" * (n - 8)))]),
    ("options", 100, lambda n: [actions(menu(options=[option()] * n))]),
    ("option text", 75, lambda n: [actions(menu(options=[option(text=n)]))]),
    ("option value", 150, lambda n: [actions(menu(options=[option(value=n)]))]),
    ("option description", 75, lambda n: [actions(menu(options=[option(description=plain(n))]))]),
    ("placeholder", 150, lambda n: [actions(menu(placeholder=plain(n)))]),
    ("radio", 10, lambda n: [actions({"type": "radio_buttons", "action_id": "o", "options": [option()] * n})]),
    ("checkboxes", 10, lambda n: [actions({"type": "checkboxes", "action_id": "o", "options": [option()] * n})]),
    ("button label", 75, lambda n: [actions(button("x", "a", accessibility_label="x" * n))]),
    ("context text", 3000, lambda n: [{"type": "context", "elements": [plain(n)]}]),
    ("option groups", 100, lambda n: [actions(menu(**grouped(n)))]),
    ("group label", 75, lambda n: [actions(menu(**grouped(1, label=n)))]),
    ("group options", 100, lambda n: [actions(menu(**grouped(1, options=n)))]),
    ("table rows", 100, lambda n: [table(n)]),
    ("table columns", 20, lambda n: [table(columns=n)]),
    ("table text", 6000, lambda n: [table(text=n)]),
    ("page_size", 100, lambda n: [table(page_size=n)]),
    ("row header", 2, lambda n: [table(columns=3, row_header_column_index=n)]),
    ("charts", 2, lambda n: [chart()] * n),
    ("chart title", 50, lambda n: [chart(title="x" * n)]),
    ("series", 12, lambda n: [chart(n)]),
    ("points", 20, lambda n: [chart(points=n)]),
    ("labels", 20, lambda n: [chart(label=n)]),
    ("segments", 12, lambda n: [pie(n)]),
    ("plan title", 150, lambda n: [plan(title="x" * n)]),
    ("tasks", 50, lambda n: [plan(*map(task, range(n)))]),
    ("task_id", 255, lambda n: [plan(task(task_id="x" * n))]),
    ("task title", 150, lambda n: [plan(task(title="x" * n))]),
    ("rich text", 3000, lambda n: [rich(piece(n))]),
    ("summed text", 12_000, lambda n: [section("x" * 3000)] * 3 + [section("x" * (n - 9000))]),
    ("summed titles", 11_998, lambda n: [section("x" * 3000)] * 3 + [section("x" * (n - 9000)), plan(task())]),
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
    ("alert", 200, lambda n: modal(alert(n))),
]


@pytest.mark.parametrize(("most", "make"), [each[1:] for each in MESSAGES], ids=[each[0] for each in MESSAGES])
def test_a_message_at_the_limit_is_accepted_and_above_it_refused(most: int, make: Make) -> None:
    assert message_problems(make(most)) == ("", [])
    assert message_problems(make(most + 1))[0] in {"invalid_blocks", "msg_blocks_too_long"}


@pytest.mark.parametrize(("most", "make"), [each[1:] for each in VIEWS], ids=[each[0] for each in VIEWS])
def test_a_modal_at_the_limit_is_accepted_and_above_it_refused(most: int, make: Make) -> None:
    assert view_problems(make(most)) == ("", [])
    assert view_problems(make(most + 1))[0] == "invalid_arguments"


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([section("")], "must be more than 0 characters"),
        ([{"type": "section"}], "must provide either text or fields"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "unsupported type: mrkdwn"),
        ([section("x", colour="red")], "invalid additional property: colour"),
        ([{"type": "image"}], "unsupported type: image"),
        ([actions()], "must have at least 1 items"),
        ([actions(button("x", "a"), button("y", "a"))], "action_id already exists: a"),
        ([section("x", block_id="b"), section("y", block_id="b")], "block_id already exists: b"),
        ([actions(button("x", "a", style="loud"))], "must be one of: primary, danger"),
        ([actions(button("x", "a", url="ssh me"))], "must be a valid url"),
        ([actions({"type": "static_select", "action_id": "m"})], "either options or option_groups"),
        ([section("x", accessory={"type": "plain_text_input", "action_id": "a"})], "unsupported type"),
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
        (
            [actions(menu(focus_on_load=True)), actions(menu(focus_on_load=True))],
            "only one element can have focus_on_load",
        ),
        ([table(0)], "must have at least 2 items"),
        ([{**table(), "rows": [[], []]}], "must have at least 1 items"),
        ([{**table(), "caption": None}], "must be a string"),
        ([table(page_size=0)], "must be from 1 to 100"),
        ([{**table(), "rows": [*table()["rows"], *table(columns=2)["rows"]]}], "same number of cells"),
        ([{**table(), "rows": [[{"type": "rich_text", "elements": []}]] * 2}], "unsupported type: rich_text"),
        ([{**table(), "rows": [[{"type": "raw_number", "value": "1"}]] * 2}], "must be a number"),
        ([pie(1, value=0)], "must be more than 0"),
        ([chart(kind="radar")], "unsupported type: radar"),
        (
            [{**chart(2), "chart": {**chart()["chart"], "series": chart()["chart"]["series"] * 2}}],
            "must be unique",
        ),
        (
            [{**chart(), "chart": {**chart()["chart"], "axis_config": {"categories": ["a"]}}}],
            "match the categories",
        ),
        ([plan(title=None)], "must be a string"),
        ([plan(title=plain(1))], "must be a string"),
        ([plan(task(type="section"))], "must be one of: task_card"),
        (
            [plan(task(status="completed"))],
            "must be one of: pending, in_progress, complete",
        ),
        (
            [plan(task(), task())],
            "task_id already exists: t0 [json-pointer:/blocks/0/tasks/1/",
        ),
        ([plan({"type": "task_card", "title": "x"})], "missing required field: task_id"),
        ([plan(task(details=rich(piece())))], "invalid additional property: details"),
        ([task(status="complete")], "unsupported type: task_card"),
        ([alert()], "unsupported type: alert"),
        ([{"type": "rich_text", "elements": []}], "must have at least 1 items"),
        ([rich()], "must have at least 1 items"),
        ([rich(piece(), kind="rich_text_list")], "unsupported type: rich_text_list"),
        ([rich({"type": "user", "user_id": "U1"})], "unsupported type: user"),
        ([rich(piece(style={"bold": True}))], "invalid additional property: style"),
        (["text"], "unsupported type: a block"),
        ("text", "must be an array"),
    ],
)
def test_wrong_blocks_are_refused_with_the_reason(blocks: Any, reason: str) -> None:
    code, reasons = message_problems(blocks)
    assert code == "invalid_blocks"
    assert reason in reasons[0]


def test_tables_charts_and_plans_are_for_messages_and_alerts_for_modals() -> None:
    for block in (table(), chart(kind="area"), chart(kind="line"), plan()):
        assert message_problems([block]) == ("", [])
        for kind in ("modal", "home"):
            assert view_problems({**modal(block), "type": kind}, kind)[0] == "invalid_arguments"
    assert view_problems(modal(alert(level="warning"))) == ("", [])
    assert message_problems([alert()])[0] == "invalid_blocks"
    assert view_problems({**modal(alert()), "type": "home"}, "home")[0] == "invalid_arguments"
    for level in ("loud", None, 1):
        accepted = view_problems(without_nulls(modal(alert(level=level))))[0]
        assert accepted == ("" if level is None else "invalid_arguments")


@pytest.mark.parametrize("block", [table(), chart(), plan(), rich(piece()), {"type": "header", "text": plain(1)}])
def test_a_workspace_refuses_unsupported_blocks(block: Json) -> None:
    code, reasons = message_problems([section("x"), block], refused=[block["type"]])
    assert code == "invalid_blocks"
    assert reasons == [f"unsupported type: {block['type']} [json-pointer:/blocks/1]"]
    assert message_problems([block], refused=["alert"]) == ("", [])


def test_a_workspace_without_alerts_refuses_a_modal_with_one() -> None:
    assert view_problems(modal(section("x"), alert()), refused=["alert"]) == (
        "invalid_arguments",
        ["unsupported type: alert [json-pointer:/view/blocks/1]"],
    )


def test_every_kind_of_block_and_element_is_accepted() -> None:
    """The blocks are shortened examples from Slack's documentation."""
    two = [option(), option(value=2)]
    mrkdwn = {"type": "mrkdwn", "text": "*x*"}
    elements: list[Json] = [
        button("Go", "go", url="https://x", style="primary"),
        menu(options=two, initial_option=two[1]),
        menu(
            action_id="grouped",
            options=None,
            option_groups=[{"label": plain(1), "options": two}],
            initial_option=two[0],
        ),
        {"type": "multi_static_select", "options": two, "initial_options": two, "max_selected_items": 2},
        {"type": "users_select", "initial_user": "U1"},
        {"type": "datepicker", "initial_date": "2026-12-14", "placeholder": plain(1)},
        {"type": "multi_users_select", "initial_users": ["U1", "U2"], "max_selected_items": 5},
        {"type": "checkboxes", "options": [{**option(), "text": mrkdwn, "description": mrkdwn}]},
        {"type": "radio_buttons", "options": two, "initial_option": two[0]},
    ]
    blocks = [
        section("x", accessory=button("Go", "go"), expand=True),
        {"type": "header", "text": plain(1)},
        {"type": "divider"},
        {"type": "context", "elements": [mrkdwn, plain(1)]},
        actions(*elements),
        rich(piece()),
    ]
    steps = plan(task(0), {"task_id": "t1", "title": "x"})
    assert message_problems(without_nulls([*blocks, steps])) == ("", [])
    form = modal(*blocks, text_input("note", focus_on_load=True))
    assert view_problems(without_nulls(form)) == ("", [])


def test_a_view_over_250_kb_is_refused() -> None:
    """The view is refused even though each of its parts is within its own limit."""
    element = {"type": "context", "elements": [plain(3000)] * 10}
    assert view_problems(modal(*[element] * 9))[0] == "view_too_large"


def test_blocks_and_elements_without_an_id_get_one() -> None:
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
        "plan",
        "tasks",
        "task_id",
        "rich_text",
        "rich_text_preformatted",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(JSON)
def test_any_json_is_accepted_or_refused_without_a_crash(value: Any) -> None:
    assert message_problems(value)[0] in {"", "invalid_blocks"}
    assert view_problems(value)[0] in {"", "invalid_arguments"}


@pytest.mark.parametrize("text", ["{", "NaN", '{"a": Infinity}', "1e999", "[" * 100_000, "[" * 70 + "]" * 70])
def test_json_with_bad_numbers_or_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
