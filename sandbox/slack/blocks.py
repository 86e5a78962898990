"""Validates blocks: the content that Slack accepts in messages, modals and Home tabs.

Source: https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/reference/views. The sandbox
supports only some of Slack's blocks and elements. It refuses the others (image, video, markdown, table ...)
instead of ignoring them.
"""

import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sandbox.slack import data_blocks, rich_blocks
from sandbox.slack.elements import ID_OR_NONE, in_actions, in_context, in_input, in_section, plain, text
from sandbox.slack.schema import (
    Check,
    Json,
    add_problem,
    anything,
    array,
    boolean,
    both,
    by_type,
    fields,
    one_of,
    string,
)

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
SUMMED_TEXT = 12_000
"""The maximum number of characters in all texts of a message's blocks together.

Slack doesn't publish the limit. This is the lowest figure that its staff has mentioned.
"""
VIEW_BYTES = 250_000

COMMON: dict[str, Check] = {"type": anything}
NAMED: dict[str, Check] = {"block_id": ID_OR_NONE}


def _section_has_text(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and value.get("text") is None and value.get("fields") is None:
        add_problem(problems, "must provide either text or fields", where)


_divider = fields(COMMON, NAMED)
_header = fields({**COMMON, "text": plain(150)}, NAMED)
_section = both(
    fields(
        COMMON,
        {
            **NAMED,
            "text": text(3000),
            "fields": array(text(2000), 10),
            "accessory": in_section,
            "expand": boolean,
        },
    ),
    _section_has_text,
)
_context = fields({**COMMON, "elements": array(in_context, 10)}, NAMED)
_actions = fields({**COMMON, "elements": array(in_actions, 25)}, NAMED)
_input = fields(
    {**COMMON, "label": plain(2000), "element": in_input},
    {**NAMED, "hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
)

_everywhere: dict[str, Check] = {
    "actions": _actions,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "input": _input,
    rich_blocks.RICH_TEXT: rich_blocks.rich_text,
    "section": _section,
}
_of_message: dict[str, Check] = {
    **_everywhere,
    data_blocks.TABLE: data_blocks.table,
    data_blocks.CHART: data_blocks.chart,
    rich_blocks.PLAN: rich_blocks.plan,
}
_of_modal: dict[str, Check] = {**_everywhere, rich_blocks.ALERT: rich_blocks.alert}
BLOCKS = frozenset({*_of_message, *_of_modal})
"""The types of blocks that the sandbox supports."""


def _block(known: Mapping[str, Check], refused: Collection[str]) -> Check:
    return by_type({name: check for name, check in known.items() if name not in refused}, "a block")


_view_common: dict[str, Check] = {
    "callback_id": string(255, least=0),
    "private_metadata": string(3000, least=0),
}


def _view(kind: str, refused: Collection[str]) -> Check:
    is_modal = kind == "modal"
    blocks = array(_block(_of_modal if is_modal else _everywhere, refused), VIEW_BLOCKS, least=0)
    title = {"title": plain(24)}
    return fields(
        {"type": one_of(kind), "blocks": blocks, **(title if is_modal else {})},
        {**_view_common, "submit": plain(24), "close": plain(24), **({} if is_modal else title)},
    )


def _no_duplicates(blocks: Any, where: str, problems: list[str]) -> None:
    """Check that block_ids, and action_ids within a block, are unique, and that at most one element has focus."""
    if not isinstance(blocks, list):
        return
    seen: set[str] = set()
    focused = 0
    for number, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        name = block.get("block_id")
        if isinstance(name, str) and name:
            if name in seen:
                add_problem(problems, f"block_id already exists: {name}", f"{where}/{number}/block_id")
            seen.add(name)
        focused += sum(element.get("focus_on_load") is True for element in elements_of(block))
        actions = [element.get("action_id") for element in elements_of(block)]
        given = [action for action in actions if isinstance(action, str) and action]
        for action in sorted({action for action in given if given.count(action) > 1}):
            add_problem(problems, f"action_id already exists: {action}", f"{where}/{number}")
    if focused > 1:
        add_problem(problems, "only one element can have focus_on_load", where)


def elements_of(block: Json) -> Iterator[Json]:
    """Yield the interactive elements of a block. The block may be malformed."""
    parts = [block.get("accessory"), block.get("element")]
    if block.get("type") == "actions" and isinstance(block.get("elements"), list):
        parts += block["elements"]
    return (part for part in parts if isinstance(part, dict))


def texts_of(value: Any) -> Iterator[str]:
    """Yield every `text` and `title` string at any depth. Slack is believed to count these for its limit."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key in {"text", "title"} and isinstance(entry, str):
                yield entry
            else:
                yield from texts_of(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_of(entry)


def message_problems(blocks: Any, *, refused: Collection[str] = ()) -> tuple[str, list[str]]:
    """Validate the blocks of a message. Return Slack's error code and the reasons.

    The code is empty if the blocks are valid. `refused` are the types of blocks that the workspace doesn't
    support.
    """
    problems: list[str] = []
    array(_block(_of_message, refused), MESSAGE_BLOCKS, least=0)(blocks, "/blocks", problems)
    _no_duplicates(blocks, "/blocks", problems)
    data_blocks.few_enough(blocks, "/blocks", problems)
    if problems:
        return "invalid_blocks", problems
    if sum(map(len, texts_of(blocks))) > SUMMED_TEXT:
        return "msg_blocks_too_long", [f"texts exceed {SUMMED_TEXT} characters [json-pointer:/blocks]"]
    return "", []


def view_problems(view: Any, kind: str = "modal", *, refused: Collection[str] = ()) -> tuple[str, list[str]]:
    """Validate a modal or a Home tab. Return Slack's error code and the reasons.

    The code is empty if the view is valid. `refused` are the types of blocks that the workspace doesn't support.
    """
    problems: list[str] = []
    _view(kind, refused)(view, "/view", problems)
    if isinstance(view, dict):
        _no_duplicates(view.get("blocks"), "/view/blocks", problems)
    needs_submit = not problems and any(block["type"] == "input" for block in view["blocks"])
    if needs_submit and kind == "modal" and not view.get("submit"):
        add_problem(problems, "`submit` is required when an `input` block is within blocks", "/view")
    if problems:
        return "invalid_arguments", problems
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        return "view_too_large", [f"view exceeds {VIEW_BYTES} bytes [json-pointer:/view]"]
    return "", []


def without_nulls(value: Any) -> Any:
    """Return a copy without fields that are null, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


def with_ids(blocks: list[Json]) -> list[Json]:
    """Return a copy in which every block and element has an id. Like Slack, this generates the missing ids.

    Fields that are null are removed, as if they hadn't been sent.
    """
    copied: list[Json] = without_nulls(blocks)
    for block in copied:
        if not block.get("block_id"):
            block["block_id"] = secrets.token_urlsafe(4)
        for element in elements_of(block):
            if not element.get("action_id"):
                element["action_id"] = secrets.token_urlsafe(4)
    return copied
