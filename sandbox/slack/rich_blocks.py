"""Rich text; a plan, which is a checklist of tasks; and an alert.

Source: https://docs.slack.dev/reference/block-kit/blocks, pages rich-text-block, plan-block, task-card-block and
alert-block. Plans are for messages only, alerts for modals only. Of rich text the sandbox knows
preformatted text, and of tasks the title and status. The rest is refused, as is everything that it does not know.
Slack documents no lengths of the titles of a plan and its tasks, so the sandbox has limits that are safe.
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
"""Of one piece of rich text."""

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
    """Yield how rich text reads, each of its objects on lines of its own."""
    for part in block.get("elements") or []:
        yield "".join(str(piece["text"]) for piece in part["elements"])


def task_line(task: Json) -> str:
    """Return how a task reads: its status, then its title."""
    status = str(task.get("status") or "").replace("_", " ")
    return f"{status}: {task['title']}" if status else str(task["title"])
