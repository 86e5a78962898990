"""Validates the blocks for data: sortable tables and charts.

Source: https://docs.slack.dev/reference/block-kit/blocks/data-table-block and
https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block. Slack allows both only in messages. The
sandbox doesn't support cells with rich_text and refuses them.
"""

from typing import Any

from sandbox.slack.elements import ID_OR_NONE
from sandbox.slack.schema import (
    Check,
    Json,
    add_problem,
    anything,
    array,
    both,
    by_type,
    fields,
    integer,
    number,
    string,
)

TABLE, CHART = "data_table", "data_visualization"
TABLE_ROWS = 101
"""The maximum number of rows, including the header."""
TABLE_COLUMNS = 20
TABLE_CHARACTERS = 20_000
"""The maximum number of characters in all cells of a message's tables together."""
CHARTS = 2
SERIES = 12
POINTS = 20

_COMMON: dict[str, Check] = {"type": anything}
_NAMED: dict[str, Check] = {"block_id": ID_OR_NONE}

_cell = by_type(
    {
        "raw_text": fields({"type": anything, "text": string(TABLE_CHARACTERS)}, {}),
        "raw_number": fields({"type": anything, "value": number}, {"text": string(TABLE_CHARACTERS)}),
    },
    "a cell",
)


def _rows_are_even(value: Any, where: str, problems: list[str]) -> None:
    """Check that each row has as many cells as the header, and that the column of the row headers exists."""
    if not isinstance(value, dict) or not isinstance(value.get("rows"), list):
        return
    lengths = [len(row) for row in value["rows"] if isinstance(row, list)]
    if len(set(lengths)) > 1:
        add_problem(problems, "all rows must have the same number of cells", f"{where}/rows")
    index = value.get("row_header_column_index")
    if isinstance(index, int) and lengths and index >= lengths[0]:
        add_problem(problems, "must be the index of a column", f"{where}/row_header_column_index")


table = both(
    fields(
        {
            **_COMMON,
            "caption": string(TABLE_CHARACTERS),
            "rows": array(array(_cell, TABLE_COLUMNS), TABLE_ROWS, least=2),
        },
        {
            **_NAMED,
            "page_size": integer(1, 100),
            "row_header_column_index": integer(0, TABLE_COLUMNS - 1),
        },
    ),
    _rows_are_even,
)

_label = string(20)


def _more_than_nothing(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, int | float) and value <= 0:
        add_problem(problems, "must be more than 0", where)


_pie = fields(
    {
        "type": anything,
        "segments": array(fields({"label": _label, "value": both(number, _more_than_nothing)}, {}), SERIES),
    },
    {},
)


def _points_match(value: Any, where: str, problems: list[str]) -> None:
    """Check that names of series are unique, and that each series has one point per category, in order."""
    if problems:
        return
    names = [series["name"] for series in value["series"]]
    if len(set(names)) < len(names):
        add_problem(problems, "names of series must be unique", f"{where}/series")
    for n, series in enumerate(value["series"]):
        if [point["label"] for point in series["data"]] != value["axis_config"]["categories"]:
            add_problem(problems, "labels must match the categories", f"{where}/series/{n}/data")


_on_axes = both(
    fields(
        {
            "type": anything,
            "series": array(
                fields(
                    {"name": _label, "data": array(fields({"label": _label, "value": number}, {}), POINTS)}, {}
                ),
                SERIES,
            ),
            "axis_config": fields(
                {"categories": array(_label, POINTS)}, {"x_label": string(50), "y_label": string(50)}
            ),
        },
        {},
    ),
    _points_match,
)

chart = fields(
    {
        **_COMMON,
        "title": string(50),
        "chart": by_type({"pie": _pie, "bar": _on_axes, "area": _on_axes, "line": _on_axes}, "a chart"),
    },
    _NAMED,
)


def few_enough(blocks: Any, where: str, problems: list[str]) -> None:
    """Check the limits that apply to a whole message: the number of charts, and the characters in its tables."""
    known = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    if sum(block.get("type") == CHART for block in known) > CHARTS:
        add_problem(problems, f"no more than {CHARTS} blocks of type {CHART} allowed", where)
    cells = [cell for block in known if block.get("type") == TABLE for row in texts(block) for cell in row]
    if sum(map(len, cells)) > TABLE_CHARACTERS:
        add_problem(problems, f"cells must have less than {TABLE_CHARACTERS + 1} characters", where)


def texts(block: Json) -> list[list[str]]:
    """Return the text that people see in each cell of a table, row by row."""
    rows = block.get("rows")
    return [
        [str(cell.get("text", cell.get("value", ""))) for cell in row if isinstance(cell, dict)]
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, list)
    ]
