"""How the demo is shown: as a conversation for people, or as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bot.demo.outside import Seen

INDENT = " " * 10


@dataclass(frozen=True)
class Line:
    """One message or action."""

    at: datetime
    who: str
    where: str
    only: str | None
    """The one person who sees it, where it is only one."""
    thread: str | None
    text: str
    buttons: tuple[str, ...] = ()
    edited: bool = False


def of_message(reader: str, message: Seen) -> Line:
    """A message as `reader` sees it."""
    where = f"DM with {reader}" if message.is_dm else f"#{message.channel_name}"
    only = reader if message.only_you or message.is_dm else None
    return Line(
        at=message.at,
        who=message.author,
        where=where,
        only=only,
        thread=message.thread_ts if message.thread_ts != message.ts else None,
        text=message.reads,
        buttons=tuple(str(button["text"]) for button in message.buttons),
        edited=message.edited,
    )


def of_action(who: str, where: str, what: str, at: datetime) -> Line:
    """What somebody does."""
    alone = {"dm": f"DM with {who}", "dialog": "dialog", "terminal": "terminal"}.get(where)
    place = alone or f"#{where.lstrip('#')}"
    only = who if alone and where != "terminal" else None
    return Line(at=at, who=who, where=place, only=only, thread=None, text=what)


def as_json(line: Line) -> str:
    """One JSON line."""
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
    """A line or a few, indented below the time and the place."""
    seen = f" (only {line.only})" if line.only and not line.where.startswith("DM") else ""
    kind = " thread" if line.thread else ""
    again = " (edited)" if line.edited else ""
    head = f"{line.at:%H:%M:%S}  {line.where}{kind}{seen}  {line.who}{again}: "
    first, *rest = line.text.splitlines() or [""]
    lines = [head + first, *(INDENT + more for more in rest)]
    if line.buttons:
        lines.append(INDENT + "  ".join(f"[{button}]" for button in line.buttons))
    return "\n".join(lines)


@dataclass
class Printer:
    """Writes lines as they come, and leaves out edits that a reader wouldn't notice."""

    render: Callable[[Line], str]
    _last: dict[tuple[str, str], str] = field(default_factory=dict)

    def message(self, reader: str, message: Seen) -> None:
        """Prints a message that somebody reads for the first time, or reads changed."""
        line = of_message(reader, message)
        shown = f"{line.text}\n{line.buttons}"
        if message.deleted or self._last.get((message.channel, message.ts)) == shown:
            return
        self._last[message.channel, message.ts] = shown
        self.say(self.render(line))

    def action(self, who: str, where: str, what: str, at: datetime) -> None:
        """Prints what somebody does."""
        self.say(self.render(of_action(who, where, what, at)))

    def say(self, text: str) -> None:
        """Prints one line at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
