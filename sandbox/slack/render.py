"""Renders messages as a person reads them: with names in mentions, and dates in the person's time zone.

Formatting characters such as `*` aren't shown, unless they are inside a word, where they have no effect. Slack's
rules (https://docs.slack.dev/messaging/formatting-message-text) don't define the end of a word. The sandbox
follows Unicode (UAX #29): a word joiner or zero-width joiner is part of the adjacent word, a zero-width space is
not. Word joiners are invisible and therefore removed. Times have 24 hours. A plain_text object is shown unchanged,
including entities, so that a test notices text that was escaped needlessly.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.slack.blocks import elements_of
from sandbox.slack.data_blocks import texts as table_texts
from sandbox.slack.elements import choices
from sandbox.slack.rich_blocks import rich_lines, task_line
from sandbox.slack.schema import Json

TOKEN = re.compile(r"<([^<>\n]+)>")
_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_WORD = r"\w\u200d\u2060"
_SIGNS = {
    style: re.compile(rf"(?<![{_WORD}{s}]){s}(?=\S)([^{s}\n]+?)(?<=\S){s}(?![{_WORD}{s}])")
    for style, s in (("bold", r"\*"), ("italic", "_"), ("strike", "~"))
}
_QUOTE = re.compile(r"^(?:&gt;|>) ?", re.MULTILINE)
_DATE = re.compile(r"!date\^(-?\d+)\^([^^|]*)(?:\^[^|]*)?$")
_DATE_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Reader:
    """The information needed to render text for a person.

    This is their time zone, the current time, and functions that return the names of people, channels and groups.
    """

    tz: str
    now: datetime
    person: Callable[[str], str | None]
    channel: Callable[[str], str | None]
    group: Callable[[str], str | None]


def unescape(text: str) -> str:
    """Replace Slack's three entities with `<`, `>` and `&`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@dataclass(frozen=True)
class Span:
    """A piece of text with the same formatting throughout."""

    text: str
    styles: frozenset[str] = frozenset()
    """A subset of `bold`, `italic`, `strike`, `code` and `mention`."""
    url: str | None = None

    def as_json(self) -> Json:
        """Return the span in the form that the page expects."""
        return {"text": self.text, "styles": sorted(self.styles), **({"url": self.url} if self.url else {})}


def mrkdwn(text: str, reader: Reader) -> str:
    """Render mrkdwn as plain text."""
    return "".join(span.text for span in spans(text, reader))


def spans(text: str, reader: Reader) -> list[Span]:
    """Split mrkdwn into pieces of visible text with their formatting."""
    return [replace(span, text=shown) for span in _code(text, reader) if (shown := _visible(span.text))]


def _visible(text: str) -> str:
    """Remove word joiners, which are invisible."""
    return text.replace("\u2060", "")


def _code(text: str, reader: Reader) -> Iterator[Span]:
    rest = 0
    for code in _CODE.finditer(text):
        yield from _styled(_QUOTE.sub("", text[rest : code.start()]), reader, frozenset())
        yield from _tokens(code[1] or code[2], reader, frozenset({"code"}))
        rest = code.end()
    yield from _styled(_QUOTE.sub("", text[rest:]), reader, frozenset())


def _styled(text: str, reader: Reader, styles: frozenset[str]) -> Iterator[Span]:
    found = [(sign, style) for style, pattern in _SIGNS.items() if (sign := pattern.search(text))]
    if not found:
        yield from _tokens(text, reader, styles)
        return
    first, style = min(found, key=lambda each: each[0].start())
    yield from _tokens(text[: first.start()], reader, styles)
    yield from _styled(first[1], reader, styles | {style})
    yield from _styled(text[first.end() :], reader, styles)


def _tokens(text: str, reader: Reader, styles: frozenset[str]) -> Iterator[Span]:
    rest = 0
    for token in TOKEN.finditer(text):
        yield Span(unescape(text[rest : token.start()]), styles)
        yield _token(token[1], reader, styles)
        rest = token.end()
    yield Span(unescape(text[rest:]), styles)


def _token(inside: str, reader: Reader, styles: frozenset[str]) -> Span:
    target, _, label = inside.partition("|")
    label = unescape(label)
    if target.startswith("@"):
        name = "@" + (reader.person(target[1:]) or label or target[1:])
    elif target.startswith("#"):
        name = "#" + (reader.channel(target[1:]) or label or target[1:])
    elif target.startswith("!subteam^"):
        name = "@" + (reader.group(target[9:]) or label.lstrip("@") or target[9:])
    elif target.startswith("!date^"):
        return Span(_date(target, reader) or label, styles)
    elif target.startswith("!"):
        name = "@" + (label or target[1:].split("^")[0])
    else:
        url = unescape(target)
        return Span(label or url, styles, url if url.startswith(("https://", "http://", "mailto:")) else None)
    return Span(name, styles | {"mention"})


def _date(target: str, reader: Reader) -> str | None:
    found = _DATE.match(target)
    if not found or not _DATE_PART.search(found[2]):
        return None
    try:
        when = datetime.fromtimestamp(int(found[1]), UTC).astimezone(ZoneInfo(reader.tz))
    except (OverflowError, ValueError, OSError):
        return None
    now = reader.now.astimezone(when.tzinfo)
    known = _date_parts(when, now)
    return unescape(_DATE_PART.sub(lambda part: known.get(part[1], part[0]), found[2]))


def _date_parts(when: datetime, now: datetime) -> dict[str, str]:
    month, short = f"{when:%B}", f"{when:%b}"
    forms = {
        "date_num": f"{when:%Y-%m-%d}",
        "date": f"{month} {_ordinal(when.day)}, {when.year}",
        "date_short": f"{short} {when.day}, {when.year}",
        "date_long": f"{when:%A}, {month} {_ordinal(when.day)}, {when.year}",
    }
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((when.date() - now.date()).days)
    pretty = {f"{name}_pretty": near or shown for name, shown in forms.items()}
    return {
        **forms,
        **pretty,
        "time": f"{when:%H:%M}",
        "time_secs": f"{when:%H:%M:%S}",
        "ago": _ago((now - when).total_seconds()),
    }


def _ordinal(day: int) -> str:
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _ago(seconds: float) -> str:
    size = abs(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if size >= length:
            count = int(size // length)
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "now"


def text_object(value: Any, reader: Reader) -> str:
    """Render a text object as plain text. Empty if the value isn't one."""
    if not isinstance(value, dict):
        return ""
    shown = str(value.get("text", ""))
    return mrkdwn(shown, reader) if value.get("type") == "mrkdwn" else _visible(shown)


def reads(blocks: list[Json], reader: Reader) -> str:
    """Render blocks as plain text, without the texts of buttons and menus. Each block starts on a new line."""
    return "\n".join(line for block in blocks for line in _lines(block, reader) if line)


def _lines(block: Json, reader: Reader) -> Iterator[str]:
    match block.get("type"):
        case "section":
            yield text_object(block.get("text"), reader)
            for entry in block.get("fields") or []:
                yield text_object(entry, reader)
        case "header" | "alert":
            yield text_object(block.get("text"), reader)
        case "rich_text":
            yield from map(_visible, rich_lines(block))
        case "plan":
            yield _visible(str(block["title"]))
            yield from (_visible(task_line(task)) for task in block.get("tasks") or [])
        case "context":
            yield " ".join(text_object(entry, reader) for entry in block.get("elements") or [])
        case "data_table":
            yield str(block.get("caption", ""))
            for row in table_texts(block):
                yield " | ".join(row)
        case "data_visualization":
            yield f"[chart: {block.get('title', '')}]"
        case "input":
            yield text_object(block.get("label"), reader)
            yield text_object(block.get("hint"), reader)


def buttons(blocks: list[Json], reader: Reader) -> list[Json]:
    """Return the buttons and menus in reading order, as `see` shows them."""
    return [
        _button(block, element, reader)
        for block in blocks
        if block.get("type") != "input"
        for element in elements_of(block)
    ]


def _button(block: Json, element: Json, reader: Reader) -> Json:
    shown: Json = {
        "text": text_object(element.get("text") or element.get("placeholder"), reader),
        "action_id": element.get("action_id"),
        "block_id": block.get("block_id"),
        "value": element.get("value"),
        "style": element.get("style"),
        "type": element.get("type"),
    }
    if element.get("accessibility_label"):
        shown["label"] = element["accessibility_label"]
    if element.get("url"):
        shown["url"] = element["url"]
    if choices(element):
        shown["options"] = [
            {"text": text_object(choice.get("text"), reader), "value": choice.get("value")}
            for choice in choices(element)
        ]
    return shown
