"""Validates rich text, plans and alerts. A plan is a checklist of tasks.

Source: https://docs.slack.dev/reference/block-kit/blocks, pages rich-text-block, plan-block, task-card-block and
alert-block. Slack allows plans only in messages, and alerts only in modals. The sandbox supports only preformatted
text in rich text, and only the title and status of tasks; it refuses everything else. Slack documents no maximum
length for the titles of plans and tasks, so the sandbox has a safe limit.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.slack.elements import ID_OR_NONE, text
from sandbox.slack.schema import (
    Check,
    Json,
    add_problem,
    anything,
    array,
    both,
    by_type,
    fields,
    one_of,
    string,
)

RICH_TEXT, PLAN, TASK, ALERT = "rich_text", "plan", "task_card", "alert"
TASKS = 50
TITLE = 150
RICH_CHARACTERS = 3000
"""The maximum number of characters in one piece of rich text."""

_COMMON: dict[str, Check] = {"type": anything}
_NAMED: dict[str, Check] = {"block_id": ID_OR_NONE}

_piece = by_type({"text": fields({**_COMMON, "text": string(RICH_CHARACTERS)}, {})}, "a rich text element")
_code = fields({**_COMMON, "elements": array(_piece, most=1000)}, {})
rich_text = fields(
    {**_COMMON, "elements": array(by_type({"rich_text_preformatted": _code}, "a rich text object"), most=100)},
    _NAMED,
)
_task = fields(
    {"task_id": string(255), "title": string(TITLE)},
    {**_NAMED, "type": one_of(TASK), "status": one_of("pending", "in_progress", "complete", "error")},
)


def _task_ids_differ(value: Any, where: str, problems: list[str]) -> None:
    tasks = value.get("tasks") if isinstance(value, dict) else None
    seen: set[str] = set()
    for number, task in enumerate(tasks if isinstance(tasks, list) else ()):
        name = task.get("task_id") if isinstance(task, dict) else None
        if isinstance(name, str):
            if name in seen:
                add_problem(problems, f"task_id already exists: {name}", f"{where}/tasks/{number}/task_id")
            seen.add(name)


plan = both(
    fields(
        {**_COMMON, "title": string(TITLE)},
        {**_NAMED, "tasks": array(_task, TASKS, least=0)},
    ),
    _task_ids_differ,
)
alert = fields(
    {**_COMMON, "text": text(200)},
    {**_NAMED, "level": one_of("default", "info", "warning", "error", "success")},
)


def rich_lines(block: Json) -> Iterator[str]:
    """Yield the objects of a rich text block as plain text. An object may have several lines."""
    for part in block.get("elements") or []:
        yield "".join(str(piece["text"]) for piece in part["elements"])


def task_line(task: Json) -> str:
    """Render a task as its status and its title, such as `in progress: Start the machine`."""
    status = str(task.get("status") or "").replace("_", " ")
    return f"{status}: {task['title']}" if status else str(task["title"])
