"""Replaces blocks of newer types with older, classic blocks, because some workspaces refuse the newer types.

Checklists, tables and charts work only in messages, and alerts only in dialogs. None of these types works in Home
tabs (docs.slack.dev/reference/block-kit/blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum

from handlers.phrases.blocks import (
    HEADER_TEXT,
    TASK_TITLE,
    Json,
    Task,
    TaskStatus,
    alert,
    header,
    plan,
    preformatted,
    section,
)
from handlers.phrases.format import escape, join_lines, literal
from handlers.phrases.tables import CHART, TABLE, as_text, bar_chart, code_blocks, number_cell, table, text_cell


class Surface(StrEnum):
    """The place where blocks are shown: a message or a dialog. Slack accepts different types of blocks in each."""

    MESSAGE = "message"
    MODAL = "modal"


_STATUS = {
    TaskStatus.COMPLETE: "Done",
    TaskStatus.ERROR: "Failed",
    TaskStatus.IN_PROGRESS: "Now",
    TaskStatus.PENDING: "Next",
}


def _header(block: Json) -> list[Json]:
    return [section(_bold(escape(block["text"]["text"], HEADER_TEXT)))]


def _alert(block: Json) -> list[Json]:
    return [section(_bold(block["text"]["text"]))]


def _bold(markup: str) -> str:
    """Make a text bold, unless it already contains bold words. Slack can't nest bold text."""
    return markup if "*" in markup else f"*{markup}*"


def _plan(block: Json) -> list[Json]:
    steps = [
        f"{_STATUS[TaskStatus(task['status'])]}: {escape(task['title'], TASK_TITLE)}" for task in block["tasks"]
    ]
    return [section(join_lines(_bold(escape(block["title"], TASK_TITLE)), *steps))]


def _rich_text(block: Json) -> list[Json]:
    text = "".join(piece["text"] for part in block["elements"] for piece in part["elements"])
    return code_blocks(map(literal, text.splitlines()))


def _nothing(_: Json) -> list[Json]:
    """Replace a chart with no block at all. The text of the message contains the same numbers."""
    return []


_CLASSIC: Mapping[str, Callable[[Json], list[Json]]] = {
    "header": _header,
    "alert": _alert,
    "plan": _plan,
    "rich_text": _rich_text,
    TABLE: as_text,
    CHART: _nothing,
}
NEW_TYPES = frozenset(_CLASSIC)
"""The newer types of blocks, which some workspaces refuse."""


def classic(blocks: Iterable[Json], types: Collection[str] = NEW_TYPES) -> list[Json]:
    """Replace each block whose type is in `types` with older blocks that every workspace accepts."""
    return [
        each
        for block in blocks
        for each in (_CLASSIC[block["type"]](block) if block["type"] in types else [block])
    ]


def new_types(blocks: Iterable[Json]) -> set[str]:
    """Return the types of the given blocks that are in NEW_TYPES."""
    return {block["type"] for block in blocks} & NEW_TYPES


_SAMPLE_TABLE = table("Spend by person", ["Person", "Total"], [[text_cell("Ana"), number_cell(14.68, "$14.68")]])
_SAMPLE_CHART = bar_chart("Spend by day, in USD", "Total", [("27 Nov", 14_680_000), ("28 Nov", 2_150_000)])
_SAMPLE_STEPS = [Task(f"Step {n}", status) for n, status in enumerate(TaskStatus, start=1)]
SAMPLES: Mapping[Surface, tuple[Json, ...]] = {
    Surface.MESSAGE: (
        header("Your machine is ready").block or {},
        preformatted("ssh root@203.0.113.7").block or {},
        plan("Starting", _SAMPLE_STEPS),
        _SAMPLE_TABLE or {},
        _SAMPLE_CHART or {},
    ),
    Surface.MODAL: (alert("Everything on the disk will be deleted."),),
}
"""A sample block of each newer type, for messages and for dialogs.

The bot sends the samples to Slack's `blocks.validate` to find out which types this workspace accepts.
"""
