"""Renders messages and dialogs as text, so that tests can compare what people read."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from bot.model.event import Event
from bot.model.message import MessageKind
from bot.model.summary import RentalDetails
from bot.model.text import about_span
from bot.policy.team.asking import Mentions
from handlers.messages import render
from handlers.messages.writers import AlertContext, EventContext
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.format import JOINER
from tests.views.stories import ANA, BEN, NAMES, reading, ready

Json = dict[str, Any]
WIDTH = 100
_UNMARKED = ("[", "# ", "| ", "$ ", "- ")
"""The beginnings of lines that are never marked: buttons, headers, fields, text to copy and tasks of a plan."""


def read(markup: str, now: datetime) -> str:
    """Return mrkdwn as a reader in UTC sees it."""

    def token(found: re.Match[str]) -> str:
        moment = datetime.fromtimestamp(int(found[1]), UTC)
        days = (moment.date() - now.date()).days
        pretty = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days, f"{moment:%b %d}")
        ago = f"{about_span(now - moment)} ago"
        shown = found[2].replace("{date_short_pretty}", pretty).replace("{time}", f"{moment:%H:%M}")
        return shown.replace("{ago}", ago)

    shown = re.sub(r"<!date\^(\d+)\^([^|>]*)\|[^>]*>", token, markup)
    return shown.replace(JOINER, "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def message(rendered: Rendered | None, now: datetime) -> str:
    """Render a message as text, with indented small print and with buttons in brackets.

    Text that is only in the fallback text is marked, and so are paragraphs and small print that are missing from
    it. Headers, fields and plans aren't marked, because the fallback text says the same in sentences of its own.
    """
    if rendered is None:
        return "(nothing)"
    assert not (rendered.closed and list(buttons(rendered.blocks))), "a closed message has a live button"
    lines = lines_of(rendered.blocks, now)
    fallback = read(rendered.text, now)
    words, fallback_words = _words(" ".join(lines)), _words(fallback)
    marked = [
        line if line.startswith(_UNMARKED) or _words(line) in fallback_words else f"{line} (not in the fallback)"
        for line in lines
    ]
    only = [f"(fallback) {line}" for line in fallback.splitlines() if _words(line) not in words]
    return _wrapped([*only, *marked])


def _words(text: str) -> str:
    """Remove bold marks, line ends and the buttons at the end of lines."""
    return " ".join(re.sub(r"   \[[^]]*]", "", text).replace("*", "").split())


def dialog(modal: Modal, now: datetime) -> str:
    """Render a dialog as text: its title, its blocks, and the buttons that close it."""
    view = modal.view
    ends = [view[name]["text"] for name in ("submit", "close") if name in view]
    lines = [f"== {view['title']['text']} ==", *lines_of(view["blocks"], now)]
    return _wrapped([*lines, " ".join(f"[{label}]" for label in ends)])


def page(*texts: str) -> str:
    """Join texts, each after an empty line."""
    return "".join(f"\n{text}\n" for text in texts)


def buttons(blocks: tuple[Json, ...]) -> Iterator[Json]:
    """Yield the visible buttons in order."""
    for block in blocks:
        yield from (element for element in block.get("elements", ()) if element["type"] == "button")
        if "accessory" in block:
            yield block["accessory"]


def labels(blocks: tuple[Json, ...]) -> list[str]:
    """Return the labels of the buttons."""
    return [button["text"]["text"].replace(JOINER, "") for button in buttons(blocks)]


def _wrapped(lines: list[str]) -> str:
    """Wrap lines. Lines of text to copy are never joined."""
    lines = [each for line in lines for each in (line.splitlines() if line.startswith("$ ") else [line])]
    return "\n".join(
        textwrap.fill(
            line.strip(),
            WIDTH,
            initial_indent=" " * (len(line) - len(line.lstrip())),
            subsequent_indent="      ",
            break_on_hyphens=False,
            break_long_words=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        for line in lines
    )


def lines_of(blocks: Iterable[Json], now: datetime) -> list[str]:
    """Render blocks as lines of text."""
    return [line for block in blocks for line in _block(block, now)]


def _block(block: Json, now: datetime) -> list[str]:
    match block["type"]:
        case "header":
            return [f"# {block['text']['text'].replace(JOINER, '')}"]
        case "rich_text":
            return [f"$ {part['text']}" for code in block["elements"] for part in code["elements"]]
        case "plan":
            tasks = [f"- {task['status']}: {task['title'].replace(JOINER, '')}" for task in block["tasks"]]
            return [f"# {block['title'].replace(JOINER, '')}", *tasks]
        case "alert":
            return [f"! {read(block['text']['text'], now)}"]
        case "section":
            lines = read(block["text"]["text"], now).splitlines() if "text" in block else []
            lines += [
                "| " + read(field["text"], now).replace("*\n", ": ")[1:] for field in block.get("fields", ())
            ]
            if "accessory" in block:
                lines[0] += f"   [{block['accessory']['text']['text']}]"
            return lines
        case "context":
            return [f"  {line}" for part in block["elements"] for line in read(part["text"], now).splitlines()]
        case "actions":
            return [" ".join(f"[{label}]" for label in labels((block,)))]
        case "input":
            return [f"{block['label']['text']}: {_input(block['element'])}"]
    raise AssertionError(f"no way to show {block['type']}")


def _input(element: Json) -> str:
    if element["type"] == "static_select":
        chosen = element.get("initial_option")
        options = [
            f"({option['text']['text']})" if option == chosen else option["text"]["text"]
            for option in element["options"]
        ]
        return " | ".join(options)
    if element["type"] == "multi_static_select":
        several = element.get("initial_options", [])
        options = [option["text"]["text"] for option in element["options"]]
        chosen_texts = [option["text"]["text"] for option in several]
        return " | ".join(f"({text})" if text in chosen_texts else text for text in options)
    if element["type"] == "datepicker":
        return f"({element['initial_date']})"
    if element["type"] == "multi_users_select":
        return f"({', '.join(element.get('initial_users', ()))})"
    if element["type"] == "users_select":
        return f"({element.get('initial_user', '')})"
    if element["type"] == "checkboxes":
        checked = element.get("initial_options", [])
        return " | ".join(
            f"{'[x]' if option in checked else '[ ]'} {option['text']['text']}" for option in element["options"]
        )
    return f"({element.get('initial_value', '')})"


def outbox(
    kind: MessageKind,
    details: RentalDetails | None,
    now: datetime,
    event: Event | None = None,
    *,
    to: str = ANA,
    shown: int = 1,
    newest: bool = True,
    posted_at: datetime | None = None,
) -> Rendered | None:
    """Render a message of the outbox. `shown` is 0 before the message is posted."""
    reader = reading(now, to if kind is MessageKind.DIRECT else "")
    if event is None:
        return render.card_message(details, reader) if details is not None else None
    if details is None:
        return render.alert_message(AlertContext(event, reader, NAMES))
    asks = Mentions(groups=("S0GPU",), people=(BEN,)) if shown == 0 else None
    write = {
        MessageKind.THREAD: render.thread_reply,
        MessageKind.DIRECT: render.direct_message,
        MessageKind.APPROVAL: render.message_to_approvers,
    }
    return write[kind](EventContext(event, details, reader, posted_at=posted_at, newest=newest, asks=asks))


def card(details: RentalDetails, now: datetime) -> str:
    """Render the card as text."""
    return message(outbox(MessageKind.CARD, details, now), now)


def thread(event: Event, details: RentalDetails | None = None) -> str:
    """Render the reply below the card as text, at the time of its event."""
    return message(outbox(MessageKind.THREAD, details or ready(), event.at, event), event.at)


def direct(
    event: Event, details: RentalDetails, now: datetime | None = None, *, to: str = ANA, newest: bool = True
) -> str:
    """Render the direct message about an event as text, at `now` or at the time of the event."""
    shown_at = now or event.at
    return message(outbox(MessageKind.DIRECT, details, shown_at, event, to=to, newest=newest), shown_at)


def approval(event: Event, details: RentalDetails, now: datetime, *, shown: int = 1) -> str:
    """Render the message to the approvers as text."""
    return message(outbox(MessageKind.APPROVAL, details, now, event, to="C0GPUS", shown=shown), now)
