"""Prints the demo, as a conversation for people or as JSON lines for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.client import SeenMessage

INDENT = " " * 10


@dataclass(frozen=True)
class Line:
    """A message or an action."""

    at: datetime
    who: str
    where: str
    only: str | None
    """The person who sees it, or None if several people see it."""
    thread: str | None
    text: str
    buttons: tuple[str, ...] = ()
    edited: bool = False


def of_message(reader: str, message: SeenMessage) -> Line:
    """Return a message as `reader` sees it."""
    return Line(
        at=message.at,
        who=message.author,
        where=f"DM with {reader}" if message.is_dm else f"#{message.channel_name}",
        only=reader if message.only_you or message.is_dm else None,
        thread=message.thread_ts if message.thread_ts != message.ts else None,
        text=message.reads,
        buttons=tuple(button.text for button in message.buttons),
        edited=message.edited,
    )


def of_action(name: str, place: str, action: str, at: datetime) -> Line:
    """Return the line for an action of a person. `place` is a channel, `dm`, `dialog` or `terminal`."""
    private = {"dm": f"DM with {name}", "dialog": "dialog", "terminal": "terminal"}.get(place)
    where = private or f"#{place.lstrip('#')}"
    only = name if private and place != "terminal" else None
    return Line(at=at, who=name, where=where, only=only, thread=None, text=action)


def as_json(line: Line) -> str:
    """Return the line as JSON."""
    return json.dumps(
        {
            "at": line.at.isoformat(),
            "who": line.who,
            "where": {"place": line.where, "only": line.only},
            "thread": line.thread,
            "text": line.text,
            "buttons": list(line.buttons),
            "edited": line.edited,
        },
        ensure_ascii=False,
    )


def as_text(line: Line) -> str:
    """Return the line as text: time, place and first line, with the remaining lines indented below."""
    only = f" (only {line.only})" if line.only and not line.where.startswith("DM") else ""
    thread = " thread" if line.thread else ""
    edited = " (edited)" if line.edited else ""
    head = f"{line.at:%H:%M:%S}  {line.where}{thread}{only}  {line.who}{edited}: "
    first, *further = line.text.splitlines() or [""]
    lines = [head + first, *(INDENT + text for text in further)]
    if line.buttons:
        lines.append(INDENT + "  ".join(f"[{button}]" for button in line.buttons))
    return "\n".join(lines)


@dataclass
class Printer:
    """Prints messages and actions as they happen.

    Edits are printed only if the text or the buttons have changed, and never if `edits` is False.
    """

    render: Callable[[Line], str]
    edits: bool = True
    _last: dict[tuple[str, str], str] = field(default_factory=dict)

    def message(self, reader: str, message: SeenMessage) -> None:
        """Print a message if it is new, or if `edits` is True and it reads differently than before."""
        line = of_message(reader, message)
        shown, before = f"{line.text}\n{line.buttons}", self._last.get((message.channel, message.ts))
        if message.deleted or before == shown or (before is not None and not self.edits):
            return
        self._last[message.channel, message.ts] = shown
        self.say(self.render(line))

    def action(self, name: str, place: str, action: str, at: datetime) -> None:
        """Print an action of a person."""
        self.say(self.render(of_action(name, place, action, at)))

    def say(self, text: str) -> None:
        """Print a text, and flush the output."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
