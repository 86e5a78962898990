"""Rich text; a plan, which is a checklist of tasks; and an alert.

Source: https://docs.slack.dev/reference/block-kit/blocks, pages rich-text-block, plan-block, task-card-block and
alert-block. Plans and tasks are for messages only, alerts for modals only. Of rich text the sandbox knows
paragraphs and preformatted text, with text and links in them; the rest is refused, as is everything that it does
not know.
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
    boolean,
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

_style = fields({}, dict.fromkeys(("bold", "italic", "strike", "code"), boolean))
_pieces = array(
    by_type(
        {
            "text": fields({**_COMMON, "text": string(RICH_CHARACTERS)}, {"style": _style}),
            "link": fields(
                {**_COMMON, "url": string(3000)},
                {"text": string(RICH_CHARACTERS), "style": _style, "unsafe": boolean},
            ),
        },
        "a rich text element",
    ),
    most=1000,
)
rich_text = fields(
    {
        **_COMMON,
        "elements": array(
            by_type(
                {
                    "rich_text_section": fields({**_COMMON, "elements": _pieces}, {}),
                    "rich_text_preformatted": fields(
                        {**_COMMON, "elements": _pieces}, {"border": anything, "language": string(50)}
                    ),
                },
                "a rich text object",
            ),
            most=100,
        ),
    },
    _NAMED,
)


def _one_element(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and isinstance(value.get("elements"), list) and len(value["elements"]) != 1:
        add_problem(problems, "must have exactly one element", f"{where}/elements")


_of_task = both(by_type({RICH_TEXT: rich_text}, "rich text"), _one_element)
_source = fields({"type": one_of("url"), "url": string(3000), "text": string(TITLE)}, {})


def _task(*statuses: str) -> Check:
    return fields(
        {**_COMMON, "task_id": string(255), "title": string(TITLE)},
        {
            **_NAMED,
            "status": one_of(*statuses),
            "details": _of_task,
            "output": _of_task,
            "sources": array(_source, most=TASKS),
        },
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


task = _task("in_progress", "complete", "error")
"""A task outside a plan, which can't be pending."""
plan = both(
    fields(
        {**_COMMON, "title": string(TITLE)},
        {
            **_NAMED,
            "tasks": array(
                by_type({TASK: _task("pending", "in_progress", "complete", "error")}, "a task"), TASKS, least=0
            ),
        },
    ),
    _task_ids_differ,
)
alert = fields(
    {**_COMMON, "text": text(200)},
    {**_NAMED, "level": one_of("default", "info", "warning", "error", "success")},
)


def no_task_beside_a_plan(blocks: Any, where: str, problems: list[str]) -> None:
    """Check that a message with a plan has no task outside it."""
    known = [block.get("type") for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    if PLAN in known and TASK in known:
        add_problem(problems, f"{PLAN} and {TASK} exclude each other", f"{where}/{known.index(TASK)}")


def rich_lines(block: Json) -> Iterator[str]:
    """Yield how rich text reads, each of its objects on lines of its own."""
    for part in block.get("elements") or []:
        yield "".join(str(piece.get("text") or piece.get("url") or "") for piece in part["elements"])


def task_line(task: Json) -> str:
    """Return how a task reads: its status, then its title."""
    status = str(task.get("status") or "").replace("_", " ")
    return f"{status}: {task['title']}" if status else str(task["title"])
