"""The modals of `gpubot sandbox`: printed line by line, and filled in field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.errors import Mistake
from demo.printing import INDENT
from sandbox.client import Input, Modal, SandboxClient

MAX_CHOICES = 12
"""The maximum number of choices that are shown for a menu."""
CHOSEN = ("value", "selected_option", "selected_options", "selected_date", "selected_user", "selected_users")
TAKE_SEVERAL = frozenset({"checkboxes", "multi_static_select", "multi_users_select"})


@dataclass
class Dialogs:
    """The modal that each person has open, and what they have filled in so far."""

    sandbox: SandboxClient
    people: dict[str, str]
    _filled: dict[tuple[str, str], dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The values that were filled in, by person and view ID.

    The format is the sandbox's: block ID, then action ID, then the value.
    """

    async def shown(self, name: str) -> str:
        """Return the open modal as text with its fields numbered, or an empty string if none is open."""
        modal = await self.sandbox.modal(self.people[name])
        if modal is None:
            return ""
        labels = {text for entry in modal.inputs for text in (entry.label, entry.hint)}
        texts = [line for line in modal.reads.splitlines() if line not in labels]
        lines = [f"dialog: {modal.title}", *(f"  {line}" for line in texts)]
        lines += [f"  {number} {field_line(entry)}" for number, entry in enumerate(modal.inputs, 1)]
        next_steps = [f"fill in a field: {name.lower()} 1=..."] if modal.inputs else []
        next_steps += [f"send it off: {name.lower()} ok"] if modal.submit else []
        lines.append(", ".join([*next_steps, f"close it: {name.lower()} close"]))
        return "\n".join(INDENT + line for line in lines)

    async def fill(self, name: str, number: int, typed: str) -> None:
        """Fill in a field.

        Raises Mistake if there is no such field, or if it doesn't offer the typed choice.
        """
        modal = await self._open(name)
        if not 1 <= number <= len(modal.inputs):
            raise Mistake(f"The dialog has no field {number}.")
        entry = modal.inputs[number - 1]
        filled = self._filled.setdefault((name, modal.view_id), {})
        filled.setdefault(entry.block_id, {})[entry.action_id] = field_value(entry, typed)

    async def send(self, name: str) -> None:
        """Submit the modal.

        Raises Mistake if the bot refuses the input. The message names the wrong fields and the reasons.
        """
        modal = await self._open(name)
        if modal.submit is None:
            raise Mistake(f"There is nothing to send off. Close it: {name.lower()} close")
        filled = self._filled.get((name, modal.view_id), {})
        outcome = await self.sandbox.submit(self.people[name], modal, filled)
        if outcome.errors:
            labels = {entry.block_id: entry.label for entry in modal.inputs}
            wrong = (f"{labels.get(block, block)}: {text}" for block, text in outcome.errors.items())
            raise Mistake("\n".join(wrong))
        if not outcome.ok:
            raise Mistake(f"The bot didn't take it: {outcome.error}. gpubot's log says why.")

    async def close(self, name: str) -> None:
        """Close the modal. Raise Mistake if none is open."""
        await self.sandbox.close(self.people[name], await self._open(name))

    async def _open(self, name: str) -> Modal:
        modal = await self.sandbox.modal(self.people[name])
        if modal is None:
            raise Mistake(f"{name} has no dialog open.")
        return modal


def field_line(entry: Input) -> str:
    """Return the line of a field: its label and value, and its choices or its hint."""
    optional = " (may be left empty)" if entry.optional else ""
    line = f"{entry.label}{optional}: {_shown(entry)}".rstrip()
    choices = [option.text for option in entry.options]
    if choices:
        more = f", and {len(choices) - MAX_CHOICES} more" if len(choices) > MAX_CHOICES else ""
        return f"{line}   of {', '.join(choices[:MAX_CHOICES])}{more}"
    return f"{line}   ({entry.hint})" if entry.hint else line


def _shown(entry: Input) -> str:
    """Return the value of a field as the person sees it."""
    filled = entry.value or {}
    value = next((filled[key] for key in CHOSEN if filled.get(key)), "")
    names = {option.value: option.text for option in entry.options}
    chosen = [each["value"] if isinstance(each, dict) else str(each) for each in _as_list(value)]
    return ", ".join(names.get(each, each) for each in chosen)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def field_value(entry: Input, typed: str) -> str | list[str] | None:
    """Return the value of a field for a typed text.

    If a field takes several choices, they are separated by commas. Raises Mistake if a menu doesn't have such a
    choice.
    """
    if entry.type in TAKE_SEVERAL:
        return [_choice(entry, each.strip()) for each in typed.split(",") if each.strip()]
    return _choice(entry, typed) if entry.options else typed or None


def _choice(entry: Input, typed: str) -> str:
    for option in entry.options:
        if typed.casefold() in (option.text.casefold(), option.value.casefold()):
            return option.value
    names = ", ".join(option.text for option in entry.options[:MAX_CHOICES])
    raise Mistake(f'{entry.label} has no "{typed}". There are: {names}')
