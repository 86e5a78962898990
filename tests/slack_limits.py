"""Checks messages and views against Slack's limits.

The limits come from docs.slack.dev/reference/block-kit (blocks, block elements, composition objects) and
docs.slack.dev/reference/views.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

TOKEN = re.compile(r"<(?:!date\^-?\d+\^[^|<>]*\|[^<>|]*|#[CG][A-Z0-9]+)>")
FORGED = re.compile(r"(?<![^\W_])(?:[*]bold[*]|_it_|~no~)(?![^\W_])|:tada(?=[\w+'-]*(?::|$))", re.MULTILINE)
"""Matches formatting and emoji in the hostile text of the tests' Hypothesis strategies, if Slack would show them.

Formatting characters inside a word have no effect, so they don't match.
"""
QUOTED = re.compile(r"^ ?&gt;", re.MULTILINE)
"""Matches quotes in the hostile text. They exist only in mrkdwn: plain text shows a typed `&gt;` as it is."""
ENTITY = re.compile(r"&(?:amp|lt|gt);")
OWN_DATE = re.compile(r"<!date\^[^<>]* UTC>")
"""Matches a date token of the bot's own, which plain text would show literally.

The date tokens in the hostile text look different.
"""


def problems_of_message(text: str, blocks: list[Json] | tuple[Json, ...]) -> list[str]:
    """Return the problems for which Slack would refuse a message."""
    found = []
    if not 0 < len(text.encode()) <= 4000:
        found.append(f"text has {len(text.encode())} bytes")
    if not 0 < len(blocks) <= 50:
        found.append(f"{len(blocks)} blocks")
    return found + _problems(list(blocks), modal=False)


def problems_of_view(view: Json) -> list[str]:
    """Return the problems for which Slack would refuse a modal or a Home view."""
    found = []
    if not 0 < len(view["blocks"]) <= 100:
        found.append(f"{len(view['blocks'])} blocks")
    if view["type"] == "modal":
        for part in ("title", "submit", "close"):
            if part in view:
                found += _plain(view[part], 24, part)
        if any(block["type"] == "input" for block in view["blocks"]) and "submit" not in view:
            found.append("inputs without submit")
    if len(view.get("private_metadata", "")) > 3000:
        found.append("private_metadata too long")
    if not 0 < len(view.get("callback_id", "x")) <= 255:
        found.append("callback_id")
    return found + _problems(view["blocks"], modal=True)


def _problems(blocks: list[Json], *, modal: bool) -> list[str]:
    found = []
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)) or any(not 0 < len(name) <= 255 for name in ids):
        found.append(f"block ids {ids}")
    for block in blocks:
        found += _block(block, modal=modal)
    total = sum(len(text["text"]) for text in text_objects(blocks))
    total += sum(len(cell["text"]) for block in blocks for row in block.get("rows", ()) for cell in row)
    total += sum(map(len, (text for block in blocks for text in plain_strings(block))))
    if total > 9000:
        found.append(f"{total} characters in all")
    return found


def text_objects(part: Any) -> Iterator[Json]:
    """Yield every text object in a part of a message."""
    if isinstance(part, dict):
        if part.get("type") in {"mrkdwn", "plain_text"}:
            yield part
        else:
            for value in part.values():
                yield from text_objects(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from text_objects(value)


def plain_strings(block: Json) -> Iterator[str]:
    """Yield the strings that plans and rich text show as they are."""
    match block["type"]:
        case "plan":
            yield block["title"]
            yield from (task["title"] for task in block["tasks"])
        case "rich_text":
            yield from (piece["text"] for part in block["elements"] for piece in part["elements"])


def buttons(part: Any) -> Iterator[Json]:
    """Yield every button in a part of a message."""
    if isinstance(part, dict):
        if part.get("type") == "button":
            yield part
        else:
            for value in part.values():
                yield from buttons(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from buttons(value)


def _block(block: Json, *, modal: bool) -> list[str]:
    match block["type"]:
        case "section":
            cells = block.get("fields", [])
            found = [] if "text" in block or cells else ["section without text and fields"]
            found += [] if len(cells) <= 10 else [f"{len(cells)} fields"]
            found += [wrong for cell in cells for wrong in _mrkdwn(cell, 2000, "field")]
            found += _mrkdwn(block["text"], 3000, "section") if "text" in block else []
            return found + (_element(block["accessory"]) if "accessory" in block else [])
        case "context":
            many = [] if 0 < len(block["elements"]) <= 10 else [f"{len(block['elements'])} context elements"]
            return many + [wrong for part in block["elements"] for wrong in _mrkdwn(part, 3000, "context")]
        case "actions":
            row = block["elements"]
            found = [] if 0 < len(row) <= 25 else [f"{len(row)} elements"]
            names = [element["action_id"] for element in row]
            if len(names) != len(set(names)):
                found.append(f"action ids {names}")
            return found + [wrong for element in row for wrong in _element(element)]
        case "header":
            return _plain(block["text"], 150, "header")
        case "divider":
            return []
        case "rich_text":
            return _rich_text(block)
        case "plan" if not modal:
            return _plan(block)
        case "alert" if modal:
            levels = {"default", "info", "warning", "error", "success"}
            found = [] if block.get("level", "default") in levels else [f"alert level {block['level']}"]
            return found + _mrkdwn(block["text"], 200, "alert")
        case "data_table" if not modal:
            return _table(block)
        case "data_visualization" if not modal:
            return _chart(block)
        case "input" if modal:
            found = _plain(block["label"], 2000, "label") + _element(block["element"])
            return found + (_plain(block["hint"], 2000, "hint") if "hint" in block else [])
    return [f"block {block['type']}"]


def _rich_text(block: Json) -> list[str]:
    found = [] if block["elements"] else ["empty rich text"]
    for part in block["elements"]:
        if part["type"] != "rich_text_preformatted":
            found.append(f"rich text {part['type']}")
        if not part["elements"] or any(piece["type"] != "text" for piece in part["elements"]):
            found.append(f"pieces of {part['type']}")
    return found + [wrong for text in plain_strings(block) for wrong in _string(text, 3000, "rich text")]


def _plan(block: Json) -> list[str]:
    tasks = block["tasks"]
    found = [] if 0 < len(tasks) <= 50 else [f"{len(tasks)} tasks"]
    names = [task["task_id"] for task in tasks]
    if len(names) != len(set(names)) or not all(0 < len(name) <= 255 for name in names):
        found.append(f"task ids {names}")
    for task in tasks:
        if task["type"] != "task_card" or task["status"] not in {"pending", "in_progress", "complete", "error"}:
            found.append(f"{task['type']} with status {task['status']}")
    for text in plain_strings(block):
        found += _string(text, 150, "plan")
    return found


def _string(text: str, limit: int, where: str) -> list[str]:
    if OWN_DATE.search(text):
        return [f"{where}: a date token in plain text"]
    return [] if 0 < len(text) <= limit else [f"{where}: {len(text)} characters"]


def _table(block: Json) -> list[str]:
    rows = block["rows"]
    found = [] if 2 <= len(rows) <= 101 else [f"{len(rows)} rows"]
    found += [] if {len(row) for row in rows} == {len(rows[0])} and len(rows[0]) <= 20 else ["columns"]
    found += [] if block["caption"] and 1 <= block["page_size"] <= 100 else ["caption or page"]
    cells = [cell for row in rows for cell in row]
    if not all(cell["text"] and cell["type"] in {"raw_text", "raw_number"} for cell in cells):
        found.append("cells")
    if any(not isinstance(cell["value"], int | float) for cell in cells if cell["type"] == "raw_number"):
        found.append("numbers")
    characters = sum(len(cell["text"]) for cell in cells)
    return found if characters <= 10_000 else [*found, f"{characters} characters of cells"]


def _chart(block: Json) -> list[str]:
    chart = block["chart"]
    labels = chart["axis_config"]["categories"]
    found = [] if 0 < len(block["title"]) <= 50 else ["title"]
    found += [] if 0 < len(labels) <= 20 and all(0 < len(label) <= 20 for label in labels) else ["labels"]
    found += [] if 0 < len(chart["series"]) <= 12 else ["series"]
    for series in chart["series"]:
        if not 0 < len(series["name"]) <= 20 or [point["label"] for point in series["data"]] != labels:
            found.append("points")
    return found


def _element(element: Json) -> list[str]:
    found = [] if 0 < len(element["action_id"]) <= 255 else ["action_id"]
    match element["type"]:
        case "button":
            found += _button(element)
        case "static_select" | "multi_static_select":
            found += _select(element, 100)
        case "datepicker":
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", element.get("initial_date", "2026-12-14")):
                found.append("initial date")
        case "checkboxes":
            found += _select(element, 10)
        case "multi_users_select":
            if not 0 < len(element.get("initial_users", ["U1"])) <= 100:
                found.append("initial users")
        case "plain_text_input":
            longest = element.get("max_length", 3000)
            if not 0 < longest <= 3000 or len(element.get("initial_value", "")) > longest:
                found.append("length of an input")
        case other if other != "users_select":
            found.append(f"element {element['type']}")
    return found


def _button(element: Json) -> list[str]:
    found = _plain(element["text"], 75, "button")
    found += [] if 0 < len(element.get("accessibility_label", "-")) <= 75 else ["accessibility label"]
    if "value" in element and not 0 < len(element["value"]) <= 2000:
        found.append("button value")
    if element.get("style", "primary") not in {"primary", "danger"}:
        found.append("button style")
    if "confirm" in element:
        for part, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            found += _plain(element["confirm"][part], limit, f"confirm {part}")
    return found


def _select(element: Json, most: int) -> list[str]:
    options = element["options"]
    found = [] if 0 < len(options) <= most else [f"{len(options)} options"]
    for option in options:
        found += _plain(option["text"], 75, "option")
        if not 0 < len(option["value"]) <= 150:
            found.append("option value")
    if "initial_option" in element and element["initial_option"] not in options:
        found.append("initial option")
    if any(option not in options for option in element.get("initial_options", ())):
        found.append("initial options")
    return found


def _plain(text: Json, limit: int, where: str) -> list[str]:
    if text["type"] != "plain_text" or not 0 < len(text["text"]) <= limit:
        return [f"{where}: {text['type']} of {len(text['text'])} characters"]
    if OWN_DATE.search(text["text"]):
        return [f"{where}: a date token in plain text"]
    return [f"{where}: formatting from outside"] if FORGED.search(text["text"]) else []


def _mrkdwn(text: Json, limit: int, where: str) -> list[str]:
    if text["type"] != "mrkdwn" or not 0 < len(text["text"]) <= limit:
        return [f"{where}: {text['type']} of {len(text['text'])} characters"]
    if text.get("verbatim") is not True:
        return [f"{where}: not verbatim"]
    return unescaped_markup(text["text"])


def unescaped_markup(markup: str, *, mentions: tuple[str, ...] = ()) -> list[str]:
    """Return the problems with escaping in a text with mrkdwn.

    These are angle brackets other than those of date tokens, channels and `mentions`, a bare `&`, an unclosed code
    span, control or direction characters, and formatting or emoji of hostile text.
    """
    bare = TOKEN.sub("", markup)
    for mention in mentions:
        bare = bare.replace(mention, "")
    without_code = re.sub(r"```.*?```|`[^`]*`", "", bare, flags=re.DOTALL)
    forged = FORGED.search(without_code) or QUOTED.search(without_code)
    bare = ENTITY.sub("", bare)
    found = [f"stray {sign}" for sign in "<>&" if sign in bare]
    if bare.count("`") % 2:
        found.append("open code span")
    if forged:
        found.append("formatting from outside")
    if re.search(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\x00-\x09\x0b-\x1f]", bare):
        found.append("control or direction character")
    return found
