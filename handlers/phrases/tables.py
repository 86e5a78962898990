"""Builds tables and charts within Slack's limits, and converts tables to text for workspaces that refuse them.

Tables and charts work only in messages. Slack doesn't parse their texts, so the texts aren't escaped. The limits
come from docs.slack.dev/reference/block-kit/blocks/data-table-block and .../data-visualization-block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import zip_longest

from bot.model.money import MICROS_PER_DOLLAR, Micros
from handlers.phrases.blocks import Json, section
from handlers.phrases.format import clean, literal

TABLE, CHART = "data_table", "data_visualization"
ROWS = 100
"""The maximum number of rows of a table, not counting its header."""
COLUMNS = 20
POINTS = 20
PAGE = 10
"""The number of rows that Slack shows on one page of a table."""
CELL_TEXT = 60
CHART_TITLE = 50
LABEL = 20
_PLAIN_TEXT = 2700
"""The maximum number of bytes in one paragraph that contains a table as text.

Slack allows 3,000 characters. This limit is a bit lower, to be safe.
"""


def text_cell(text: str) -> Json:
    """Return a table cell with text. The text must not be escaped, because Slack doesn't parse it."""
    return {"type": "raw_text", "text": clean(text, CELL_TEXT) or "-"}


def number_cell(value: float, shown: str) -> Json:
    """Return a table cell with a number. Slack sorts by `value` and shows `shown`."""
    return {"type": "raw_number", "value": value, "text": shown}


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Json]]) -> Json | None:
    """Return a table whose first column names the rows. None if there are no rows, because Slack requires one."""
    cells = [list(row[:COLUMNS]) for row in rows][:ROWS]
    if not cells:
        return None
    return {
        "type": TABLE,
        "caption": caption,
        "rows": [[text_cell(column) for column in columns[:COLUMNS]], *cells],
        "page_size": PAGE,
        "row_header_column_index": 0,
    }


def bar_chart(title: str, name: str, points: Sequence[tuple[str, Micros]]) -> Json | None:
    """Return a chart of up to 20 labelled amounts in US dollars. None if there is nothing to compare.

    `name` says what the amounts are, for example `Total`.
    """
    shown = [(clean(label, LABEL), amount) for label, amount in points[:POINTS]]
    if len(shown) < 2 or not any(amount for _, amount in shown):
        return None
    data = [{"label": label, "value": drawn_dollars(amount)} for label, amount in shown]
    return {
        "type": CHART,
        "title": clean(title, CHART_TITLE),
        "chart": {
            "type": "bar",
            "series": [{"name": clean(name, LABEL), "data": data}],
            "axis_config": {"categories": [label for label, _ in shown], "y_label": "USD"},
        },
    }


def drawn_dollars(amount: Micros) -> float:
    """Return an amount in dollars, rounded to the cent.

    Use the result only for drawing and sorting. It is a float, so never calculate with it.
    """
    return round(Fraction(amount * 100, MICROS_PER_DOLLAR)) / 100


def as_text(block: Json) -> list[Json]:
    """Return a table as text in columns, for a workspace that refuses tables."""
    return code_blocks(map(literal, lines_of(block)))


def code_blocks(lines: Iterable[str]) -> list[Json]:
    """Return lines of text in as few code blocks as possible. The lines must already be escaped for code."""
    return [section(f"```{part}```") for part in _parts(lines)]


def lines_of(block: Json) -> list[str]:
    """Return a table as lines of plain text."""
    rows = [[cell["text"] for cell in row] for row in block["rows"]]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    numbers = [cell["type"] == "raw_number" for cell in block["rows"][1]]
    return [
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in rows
    ]


def _parts(lines: Iterable[str]) -> list[str]:
    """Combine lines into as few texts as possible, each short enough for a paragraph."""
    parts: list[str] = []
    for line in lines:
        if parts and len((longer := f"{parts[-1]}\n{line}").encode()) <= _PLAIN_TEXT:
            parts[-1] = longer
        else:
            parts.append(line)
    return parts
