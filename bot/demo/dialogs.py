"""The dialogs of `gpubot sandbox`: shown line by line, filled in field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.demo.outside import Json, Outside
from bot.demo.printing import INDENT
from bot.errors import Mistake

MOST_CHOICES = 12
"""Choices of a menu that are shown."""
CHOSEN = ("value", "selected_option", "selected_date", "selected_time")


@dataclass
class Dialogs:
    """What each person has open, and has filled in so far."""

    outside: Outside
    people: dict[str, str]
    _filled: dict[tuple[str, str], dict[str, dict[str, Any]]] = field(default_factory=dict)
    """By person and view id, as the sandbox wants it: block id, action id, value."""

    async def shown(self, name: str) -> str:
        """The dialog that is open, with its fields numbered; nothing where none is."""
        view = await self.outside.open_modal(self.people[name])
        if view is None:
            return ""
        labels = {entry["label"] for entry in view["inputs"]} | {entry["hint"] for entry in view["inputs"]}
        words = [line for line in view["reads"].splitlines() if line not in labels]
        lines = [f"dialog: {view['title']}", *(f"  {line}" for line in words)]
        lines += [f"  {number} {_field(entry)}" for number, entry in enumerate(view["inputs"], 1)]
        ways = [f"fill in a field: {name.lower()} 1=..."] if view["inputs"] else []
        ways += [f"send it off: {name.lower()} ok"] if view["submit"] else []
        lines.append(", ".join([*ways, f"close it: {name.lower()} close"]))
        return "\n".join(INDENT + line for line in lines)

    async def fill(self, name: str, number: int, typed: str) -> None:
        """Fills in a field. Raises Mistake where there is none, or it doesn't offer that."""
        view = await self._open(name)
        if not 1 <= number <= len(view["inputs"]):
            raise Mistake(f"The dialog has no field {number}.")
        entry = view["inputs"][number - 1]
        filled = self._filled.setdefault((name, view["view_id"]), {})
        filled.setdefault(entry["block_id"], {})[entry["action_id"]] = _value(entry, typed)

    async def send(self, name: str) -> None:
        """Sends it off. Raises Mistake with what is wrong in which field."""
        view = await self._open(name)
        if view["submit"] is None:
            raise Mistake(f"There is nothing to send off. Close it: {name.lower()} close")
        answer = await self.outside.submit(self.people[name], view, self._filled.get((name, view["view_id"]), {}))
        if answer["errors"]:
            labels = {entry["block_id"]: entry["label"] for entry in view["inputs"]}
            wrong = (f"{labels.get(block, block)}: {words}" for block, words in answer["errors"].items())
            raise Mistake("\n".join(wrong))
        if not answer["ok"]:
            raise Mistake(f"The bot didn't take it: {answer['error']}. gpubot's log says why.")

    async def close(self, name: str) -> None:
        """Closes it."""
        await self.outside.close(self.people[name], await self._open(name))

    async def _open(self, name: str) -> Json:
        view = await self.outside.open_modal(self.people[name])
        if view is None:
            raise Mistake(f"{name} has no dialog open.")
        return view


def _field(entry: Json) -> str:
    chosen = entry["value"] or {}
    value = next((chosen[key] for key in CHOSEN if chosen.get(key)), "")
    if isinstance(value, dict):
        value = value["text"]["text"]
    optional = " (may be left empty)" if entry["optional"] else ""
    line = f"{entry['label']}{optional}: {value}".rstrip()
    choices = [choice["text"] for choice in entry["options"]]
    if choices:
        more = f", and {len(choices) - MOST_CHOICES} more" if len(choices) > MOST_CHOICES else ""
        return f"{line}   of {', '.join(choices[:MOST_CHOICES])}{more}"
    return f"{line}   ({entry['hint']})" if entry["hint"] else line


def _value(entry: Json, typed: str) -> str | None:
    if not entry["options"]:
        return typed or None
    for choice in entry["options"]:
        if typed.casefold() in (choice["text"].casefold(), choice["value"].casefold()):
            return str(choice["value"])
    names = ", ".join(choice["text"] for choice in entry["options"][:MOST_CHOICES])
    raise Mistake(f'{entry["label"]} has no "{typed}". There are: {names}')
