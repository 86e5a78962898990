"""Builds Block Kit blocks that always stay within Slack's limits, however long the texts are.

The limits come from docs.slack.dev/reference/block-kit (blocks, elements, composition objects, views). A text that
is too long is cut, and ends with `…`. If there are too many blocks or elements, the last ones are dropped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from bot.model.base import Frozen
from handlers.ids import NO_VALUE, ActionId, Callback, CallbackId, Field, V, Value, numbered
from handlers.phrases.format import escape, join, join_lines, literal, with_full_stop

Json = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
SECTION_TEXT = 3000
HEADER_TEXT = 150
FIELDS = 10
FIELD_TEXT = 2000
ALERT_TEXT = 200
PLAN_TASKS = 50
TASK_TITLE = 150
"""The maximum number of characters in the title of a plan or a task. Slack documents no limit for these titles."""
CONTEXT_ELEMENTS = 10
ACTION_ELEMENTS = 25
BUTTON_TEXT = 75
SUBJECT_TEXT = 40
"""The maximum number of characters in each part that `named` adds to a button for screen readers.

Examples of parts are the ID and the name of a machine.
"""
OPTION_TEXT = 75
OPTIONS = 100
CHECKBOXES = 10
MODAL_TITLE = 24
SUM_OF_TEXT = 8900
"""The maximum number of characters in all texts of a message together.

Slack refuses messages with more than about 11,000 characters (bolt-js#2509).
"""
FALLBACK_TEXT = 3900
"""The maximum length of a message's `text`, which notifications show.

Slack's chat.update refuses more than 4,000 characters, and an ephemeral message can have at most 4,000 bytes.
"""

_UNITS = re.compile(r"<[^<>]*>|&(?:amp|lt|gt);|.", re.DOTALL)


class Rendered(Frozen):
    """A message that is ready to be sent to Slack."""

    text: str
    """The text for notifications and screen readers. It contains everything important."""
    blocks: tuple[Json, ...] = ()
    closed: bool = True
    """True if the message will never be edited again. A closed message has no buttons."""
    refresh_after: timedelta | None = None
    """The time after which the message is rendered again, for example because a button then disappears.

    None if the message changes only when the rental changes.
    """


class Modal(Frozen):
    """A dialog that is ready to be sent to Slack, except for its metadata.

    The metadata is added when the dialog is opened.
    """

    view: Json
    value: Value
    """The value that is passed to the dialog's handler when a person submits the dialog."""


def cut(markup: str, limit: int) -> str:
    """Shorten mrkdwn to at most `limit` bytes in UTF-8.

    The text is never cut inside an entity, a token or a code span, because Slack would show broken markup.
    """
    if len(markup.encode()) <= limit:
        return markup
    units, used = [], len("…`") + 2
    for unit in _UNITS.findall(markup):
        used += len(unit.encode())
        if used > limit:
            break
        units.append(unit)
    shortened = "".join(units)
    return shortened + ("`…" if shortened.count("`") % 2 else "…")


def plain(markup: str, limit: int) -> Json:
    """Return a plain-text object. Slack doesn't parse plain text, so escaped characters are converted back."""
    text = markup.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": text or "-", "emoji": False}


def mrkdwn(markup: str, limit: int = SECTION_TEXT) -> Json:
    """Return a mrkdwn object in which Slack doesn't create links or mentions on its own."""
    return {"type": "mrkdwn", "text": cut(markup, limit) or " ", "verbatim": True}


def section(markup: str, accessory: Json | None = None) -> Json:
    """Return a paragraph, with an optional button on its right."""
    block: Json = {"type": "section", "text": mrkdwn(markup)}
    return block if accessory is None else {**block, "accessory": accessory}


def lines(*markups: str) -> Json:
    """Return a paragraph with one line for each text. Empty texts are left out."""
    return section(join_lines(*markups))


def context(*markups: str) -> Json | None:
    """Return a block that Slack shows in small gray type. None if all texts are empty."""
    shown = [mrkdwn(markup) for markup in markups if markup][:CONTEXT_ELEMENTS]
    return {"type": "context", "elements": shown} if shown else None


def button(label: str, action: ActionId[V], value: V, *, about: str = "", style: str | None = None) -> Json:
    """Return a button.

    If a click spends money or destroys something, the label has to say so.

    Args:
        label: The visible label.
        action: The action that a click triggers.
        value: The value that the action's handler receives.
        about: A description for screen readers. It is needed if `value` contains the ID of a search, an offer or a
            question, which means nothing to people. The ID of a rental is added to the description automatically.
        style: `primary` or `danger`.
    """
    block: Json = {"type": "button", "text": plain(label, BUTTON_TEXT), "action_id": action.id}
    encoded = value.encode()
    if encoded:
        block["value"] = encoded
    if style is not None:
        block["style"] = style
    return named(block, getattr(value, "rental_id", ""), about)


def named(shown: Json, *subject: str) -> Json:
    """Add a description for screen readers to a button, such as `Extend 2 h, k7mq2, 1x H100 EU`.

    `subject` describes the thing that the button changes, such as a rental's ID and its GPU. The description is
    the label, followed by each text in `subject` that the label doesn't contain. If the label is too long, it is
    cut between words, so that an amount never loses digits.

    Slack supports `accessibility_label` only for buttons, with at most 75 characters
    (docs.slack.dev/reference/block-kit/block-elements/button-element).
    """
    label = shown["text"]["text"]
    parts = [part for part in (plain(part, SUBJECT_TEXT)["text"] for part in subject if part) if part not in label]
    if not parts:
        return shown
    after = "".join(f", {part}" for part in parts)
    room = BUTTON_TEXT - len(after)
    if len(label) > room:
        label = label[:room].rsplit(" ", 1)[0].rstrip(" ,:;…")[: room - 1] + "…"
    return {**shown, "accessibility_label": label + after}


def short_label(label: str, name: str) -> str:
    """Replace `{}` in a button's label with a person's name. A long name is cut."""
    return label.format(escape(name, 30))


def actions(*buttons: Json | None) -> Json | None:
    """Return a row of buttons. None if there are no buttons.

    Slack refuses two buttons with the same ID. So if several buttons have the same action, numbers are added to
    their IDs.
    """
    seen: Counter[str] = Counter()
    row = []
    for shown in [shown for shown in buttons if shown is not None][:ACTION_ELEMENTS]:
        seen[shown["action_id"]] += 1
        row.append({**shown, "action_id": numbered(shown["action_id"], seen[shown["action_id"]])})
    return {"type": "actions", "elements": row} if row else None


def message(text: str, *blocks: Json | None, closed: bool = True) -> Rendered:
    """Return a message with the given blocks. If there are none, it has a single block with the text."""
    shown = [block for block in blocks if block is not None] or [section(text)]
    return Rendered(text=cut(text, FALLBACK_TEXT) or "-", blocks=tuple(_fit(shown, MESSAGE_BLOCKS)), closed=closed)


def with_buttons(text: str, *buttons: Json | None, closed: bool = False) -> Rendered:
    """Return a message with one paragraph and a row of buttons below it."""
    return message(text, section(text), actions(*buttons), closed=closed)


class Part(NamedTuple):
    """A part of a message, in two forms: as text and as a block."""

    text: str
    """The text for notifications and screen readers."""
    block: Json | None
    """The block that Slack shows."""


def paragraph(text: str, accessory: Json | None = None) -> Part:
    """Return a paragraph. If there is no text, return an empty part."""
    return Part(text, section(text, accessory) if text else None)


def heading(text: str) -> Part:
    return Part(text, section(f"*{text}*"))


def lead(title: str, *sentences: str, by: str = " ") -> Part:
    """Return a paragraph that begins with a bold title. `by` separates the title from the sentences."""
    rest, said = join(*sentences), with_full_stop(title)
    stop = said[len(title) :] if rest and by == " " else ""
    return Part(join(said, rest), section(join(f"*{title}*{stop}", rest, by=by)))


def small(*texts: str) -> Part:
    """Return a part that Slack shows in small gray type. If there is no text, the part is empty."""
    return Part(join_lines(*texts), context(*texts))


def header(text: str) -> Part:
    """Return a large title. It is plain text, so Slack doesn't convert date tokens in it."""
    return Part(with_full_stop(text), {"type": "header", "text": plain(text, HEADER_TEXT)})


class Fact(NamedTuple):
    """A label with a value, such as `Price` with `$2.15/h`. See `facts`."""

    label: str
    value: str
    sentence: str = ""
    """The fact as a complete sentence, for the fallback text. If it is empty, label and value are used."""


def facts(*shown: Fact | None) -> Part:
    """Return facts in two columns, or in one column on a phone. Each label is shown above its value."""
    given = [fact for fact in shown if fact is not None and fact.value][:FIELDS]
    cells = [mrkdwn(f"*{fact.label}*\n{fact.value}", FIELD_TEXT) for fact in given]
    text = join(*(fact.sentence or with_full_stop(f"{fact.label}: {fact.value}") for fact in given))
    return Part(text, {"type": "section", "fields": cells} if cells else None)


def preformatted(text: str, said: str = "") -> Part:
    """Return a block with text for people to copy.

    `text` must not be escaped, because Slack shows it exactly as it is. The fallback text begins with the sentence
    `said`.
    """
    fence = "```" if "\n" in text else "`"
    code = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return Part(join(said, f"{fence}{literal(text)}{fence}"), {"type": "rich_text", "elements": [code]})


class TaskStatus(StrEnum):
    """The progress of an item in a checklist (docs.slack.dev/reference/block-kit/blocks/task-card-block)."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    ERROR = "error"


class Task(NamedTuple):
    """One item of a checklist."""

    title: str
    status: TaskStatus


def plan(title: str, tasks: Sequence[Task]) -> Json:
    """Return a checklist. Checklists work only in messages.

    Each version gets a new `block_id`, as Slack recommends (docs.slack.dev/reference/block-kit/blocks/plan-block).
    """
    steps = [
        {
            "type": "task_card",
            "task_id": f"step-{n}",
            "title": _plain_string(task.title),
            "status": task.status.value,
        }
        for n, task in enumerate(tasks[:PLAN_TASKS], start=1)
    ]
    block = {"type": "plan", "title": _plain_string(title), "tasks": steps}
    version = hashlib.sha256(json.dumps(block).encode()).hexdigest()[:16]
    return {**block, "block_id": f"plan-{version}"}


def _plain_string(markup: str) -> str:
    return str(plain(markup, TASK_TITLE)["text"])


def alert(text: str, level: str = "warning") -> Json:
    """Return a highlighted warning for the top of a dialog. Slack shows this type of block only in dialogs.

    `level` is `default`, `info`, `warning`, `error` or `success`
    (docs.slack.dev/reference/block-kit/blocks/alert-block).
    """
    return {"type": "alert", "text": mrkdwn(text, ALERT_TEXT), "level": level}


def of_parts(*parts: Part | Json | None, closed: bool = False) -> Rendered:
    """Return a message that consists of the given parts and blocks, in their order.

    Each part adds its text to the fallback text. Blocks that aren't parts don't appear in the fallback text.
    """
    return message(
        text_of(parts), *(part.block if isinstance(part, Part) else part for part in parts), closed=closed
    )


def text_of(parts: Iterable[Part | Json | None]) -> str:
    """Return the texts of the given parts, one per line."""
    return join_lines(*(part.text for part in parts if isinstance(part, Part)))


def _fit(blocks: Sequence[Json], most: int) -> list[Json]:
    """Return the blocks without those that exceed Slack's limits.

    Starts with the last paragraphs, and keeps the first one. Only then drops other blocks, such as buttons.
    """
    fitting = list(blocks)
    while len(fitting) > most or sum(map(text_length, fitting)) > SUM_OF_TEXT:
        spare = [n for n, block in enumerate(fitting) if block["type"] in {"section", "context", "divider"}]
        del fitting[spare[-1] if len(spare) > 1 else -1]
    return fitting


def fit_view(blocks: Iterable[Json | None]) -> list[Json]:
    """Return the blocks of a dialog or Home tab without those that exceed Slack's limits."""
    return _fit([block for block in blocks if block is not None], VIEW_BLOCKS)


def text_length(part: Any) -> int:
    """Return the total number of characters in all texts and titles of a block."""
    if isinstance(part, dict):
        own = sum(len(part[key]) for key in ("text", "title") if isinstance(part.get(key), str))
        return own + sum(text_length(value) for value in part.values())
    return sum(map(text_length, part)) if isinstance(part, list | tuple) else 0


# --- modals


NONE = "none"
"""The value of the only choice in a list that would be empty. Slack refuses lists without choices."""


def option(label: str, value: str) -> Json:
    """Return a choice in a list. Its `value` can have at most 150 characters."""
    return {"text": plain(label, OPTION_TEXT), "value": value}


def select(
    field: Field, label: str, options: Iterable[Json], *, chosen: str | None, required: bool = True
) -> Json:
    """Return an input with a list of up to 100 choices.

    The choice with the value `chosen` is selected at first.
    """
    shown = [choice for choice in options if 0 < len(choice["value"]) <= 150][:OPTIONS] or [option("none", NONE)]
    preset = next((choice for choice in shown if choice["value"] == chosen), None)
    return _input(field, label, "static_select", {"options": shown, "initial_option": preset}, required=required)


def checkboxes(
    field: Field, label: str, options: Sequence[Json], *, chosen: Sequence[Json], required: bool = True
) -> Json:
    """Return an input with 1 to 10 checkboxes. The checkboxes in `chosen` are checked at first."""
    shown = list(options[:CHECKBOXES])
    checked = [option for option in shown if option in chosen]
    return _input(field, label, "checkboxes", {"options": shown, "initial_options": checked}, required=required)


def text_input(
    field: Field, label: str, *, value: str = "", hint: str = "", longest: int, required: bool = True
) -> Json:
    text = {"max_length": longest, "initial_value": value[:longest]}
    return _input(field, label, "plain_text_input", text, hint=hint, required=required)


def people_select(
    field: Field, label: str, *, most: int, chosen: Sequence[str] = (), hint: str = "", required: bool
) -> Json:
    """Return an input for selecting people. `most` is the maximum number of people.

    The people with the IDs in `chosen` are selected at first.
    """
    people = {"max_selected_items": most, "initial_users": list(chosen)[:most]}
    return _input(field, label, "multi_users_select", people, hint=hint, required=required)


def person_select(field: Field, label: str, *, chosen: str | None, hint: str = "") -> Json:
    """Return an input for selecting one person. The person with the ID `chosen` is selected at first."""
    return _input(field, label, "users_select", {"initial_user": chosen}, hint=hint, required=True)


def several(
    field: Field,
    label: str,
    options: Iterable[Json],
    *,
    chosen: Sequence[str] = (),
    hint: str = "",
    required: bool,
) -> Json:
    """Return an input with a list of up to 100 choices, of which people can select several.

    The choices with the values in `chosen` are selected at first. These values can't contain spaces.
    """
    shown = [choice for choice in options if 0 < len(choice["value"]) <= 150][:OPTIONS] or [option("none", NONE)]
    preset = [choice for choice in shown if choice["value"] in chosen]
    element = {"options": shown, "initial_options": preset}
    return _input(field, label, "multi_static_select", element, hint=hint, required=required)


def day_input(field: Field, label: str, *, chosen: date, hint: str = "") -> Json:
    """Return an input for a day. The day `chosen` is selected at first."""
    return _input(field, label, "datepicker", {"initial_date": chosen.isoformat()}, hint=hint, required=True)


def heard(block: Json) -> Json:
    """Return a copy of an input that reports each change to the bot while the dialog is open.

    A text field reports a change only when the person presses Enter
    (docs.slack.dev/reference/block-kit/blocks/input-block).
    """
    return {**block, "dispatch_action": True}


def _input(field: Field, label: str, kind: str, element: Json, *, hint: str = "", required: bool) -> Json:
    known = {name: value for name, value in element.items() if value}
    block: Json = {
        "type": "input",
        "block_id": field.value,
        "label": plain(label, 2000),
        "element": {"type": kind, "action_id": field.value, **known},
        "optional": not required,
    }
    return {**block, "hint": plain(hint, 2000)} if hint else block


def modal(
    callback: CallbackId[V],
    title: str,
    *blocks: Json | None,
    submit: str | None,
    close: str = "Go back",
    value: V,
) -> Modal:
    """Return a dialog. When a person submits the dialog, `value` is passed to its handler."""
    view: Json = {
        "type": "modal",
        "callback_id": callback.id,
        "title": plain(title, MODAL_TITLE),
        "close": plain(close, MODAL_TITLE),
        "blocks": fit_view(blocks),
    }
    if submit is not None:
        # The label of the button can contain an amount of money. If the label were cut, the amount could look like
        # a smaller one. If the label is too long, use only its first word, the verb.
        fits = len(plain(submit, 2 * MODAL_TITLE)["text"]) <= MODAL_TITLE
        view["submit"] = plain(submit if fits else submit.split()[0], MODAL_TITLE)
    return Modal(view=view, value=value)


def notice(title: str, text: str) -> Modal:
    """Return a dialog that only shows a text, for example after a click that came too late."""
    return modal(Callback.NOTICE, title, section(text), submit=None, close="Close", value=NO_VALUE)
