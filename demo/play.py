"""Lets people act in the sandbox, and lets time pass only when the bot is idle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import aiohttp

from bot.errors import GpubotError
from demo.dialogs import field_value
from demo.processes import Bot
from sandbox.client import Modal, Outcome, SandboxClient, SeenMessage

PEOPLE = {"Ana": "U0ANA0000", "Ben": "U0BEN0000", "Cleo": "U0CLEO000"}
"""The Slack user IDs of the people. Ana and Cleo are members, and Ben is the admin and therefore the approver."""
HOME = "C0GPUS000"
GITHUB_NAME = "ana-dev"
"""Ana's user name on GitHub."""
SETTLE_SECONDS = 60.0
MAX_JUMPS = 5000


class Missed(GpubotError):
    """Something that should have happened didn't happen."""


@dataclass
class Play:
    """The sandbox, the bot, and the messages that each person has read so far."""

    sandbox: SandboxClient
    bot: Bot
    session: aiohttp.ClientSession
    people: dict[str, str]
    """The Slack user ID of each person, by name."""
    on_message: Callable[[str, SeenMessage], None] = lambda _reader, _message: None
    on_action: Callable[[str, str, str, datetime], None] = lambda _name, _place, _action, _at: None
    _read: dict[str, int] = field(default_factory=dict)
    """The number of the newest change that each person has read, by name."""
    _since: dict[str, int] = field(default_factory=dict)
    """The number of a change, by the person's name. `until_sees` looks only for messages after this change.

    When somebody acts, or after time has passed, the number of the newest change that the person has read is
    stored here. When `until_sees` returns a message, the number of this message is stored.
    """
    _last_read: int = 0
    """The number of the newest change when everyone last read their messages."""
    _known: dict[tuple[str, str, str], SeenMessage] = field(default_factory=dict)
    _reported: set[tuple[str, str, int]] = field(default_factory=set)

    # --- acting

    async def types(self, name: str, channel: str, text: str) -> Outcome:
        """Type `/gpu text`, and wait until the bot is idle. Raise Missed if the command isn't acknowledged."""
        self.on_action(name, channel, f"/gpu {text}".strip(), await self.sandbox.now())
        self._since = dict(self._read)
        outcome = await self.sandbox.command(self.people[name], channel, text)
        if not outcome.ok:
            raise Missed(f"/gpu {text} was not acknowledged: {outcome.error}")
        await self.settle()
        return outcome

    async def clicks(self, name: str, message: SeenMessage, label: str) -> None:
        """Click the button whose text begins with `label`, and wait until the bot is idle.

        Raises Missed if the click isn't acknowledged.
        """
        place = "dm" if message.is_dm else message.channel_name
        self.on_action(name, place, f"[{message.button(label).text}]", await self.sandbox.now())
        self._since = dict(self._read)
        outcome = await self.sandbox.click(self.people[name], message, label)
        if not outcome.ok:
            raise Missed(f"the click on {label} was not acknowledged: {outcome.error}")
        await self.settle()

    async def confirms(
        self, name: str, choice: str | None = None, *, filled: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Submit the open modal, and wait until the bot is idle.

        With a `choice`, the option with this text is chosen first. `filled` has the texts that are typed or chosen
        in other fields, by the label of the field. Raises Missed if there is no such option or field, or if the
        bot refuses the submission.
        """
        modal = await self.sandbox.open_modal(self.people[name])
        done = "; ".join(filter(None, [choice, *(f"{label}: {text}" for label, text in filled.items())]))
        shown = f"{modal.title}: {modal.reads} {f'({done}) ' if done else ''}[{modal.submit}]"
        self.on_action(name, "dialog", shown, await self.sandbox.now())
        self._since = dict(self._read)
        values = {**(_chosen(modal, choice) if choice else {}), **_filled(modal, filled)}
        outcome = await self.sandbox.submit(self.people[name], modal, values or None)
        if not outcome.ok:
            raise Missed(f"the dialog was not taken: {outcome}")
        await self.settle()

    # --- seeing

    async def read(self) -> None:
        """Let each person read the messages that are new to them.

        Several people may see the same version of a message. It is reported only once, for the first person who
        reads it.
        """
        last = await self.sandbox.last_change(next(iter(self.people.values())))
        if last == self._last_read:
            return
        for name, user in self.people.items():
            for message in await self.sandbox.see(user, self._read.get(name, 0), versions=True):
                self._read[name] = max(self._read.get(name, 0), message.seq)
                self._known[name, message.channel, message.ts] = message
                state = (message.channel, message.ts, message.seq)
                if state not in self._reported:
                    self._reported.add(state)
                    self.on_message(name, message)
        self._last_read = last

    def sees(self, name: str, text: str, *, dm: bool | None = None, only_you: bool | None = None) -> SeenMessage:
        """Return the newest message that contains `text` and that `name` sees. Raise Missed if there is none."""
        for (reader, _, _), message in sorted(self._known.items(), key=lambda item: -item[1].seq):
            if reader != name or message.deleted or text not in f"{message.reads}\n{message.text}":
                continue
            if (dm is None or message.is_dm == dm) and (only_you is None or message.only_you == only_you):
                return message
        raise Missed(f"{name} doesn't see {text!r}.")

    async def is_sent(self, name: str, text: str) -> SeenMessage:
        """Wait, in wall-clock time, until `name` sees `text` in the message with a file.

        Slack posts a message with a file some time after the bot's last call. Raises Missed if the message doesn't
        appear.
        """
        user = self.people[name]
        while await self.sandbox.see(user, self._read.get(name, 0), wait=SETTLE_SECONDS):
            await self.read()
            try:
                return self.sees(name, text, dm=True)
            except Missed:
                continue
        raise Missed(f"{name} doesn't see {text!r}.")

    # --- time

    async def settle(self) -> dict[str, Any]:
        """Wait until the bot is idle, let everyone read, and return /health.

        The bot is idle if nothing is due, in progress or undelivered. Raises Missed if it doesn't become idle
        within a minute.
        """
        revision = (await self.sandbox.clock()).revision
        query = {"settled": str(revision), "wait": str(SETTLE_SECONDS)}
        async with self.session.get(self.bot.health, params=query) as answer:
            health = dict(await answer.json())
        await self.read()
        if not health["settled"]:
            raise Missed(f"Things don't settle: {health}")
        return health

    async def until(self, happened: Callable[[], bool], within: timedelta) -> None:
        """Let time pass until `happened` returns True, from one due time of the bot to the next.

        Raises Missed if this takes longer than `within`.
        """
        await self._until(happened, within)
        self._since = dict(self._read)

    async def _until(self, happened: Callable[[], bool], within: timedelta) -> None:
        start = await self.sandbox.now()
        for _ in range(MAX_JUMPS):
            health = await self.settle()
            if happened():
                return
            now = time_of(health)
            if now - start > within:
                raise Missed(f"It didn't happen within {within}.")
            await self.sandbox.jump_to(next_due(health, now, otherwise=now + timedelta(minutes=1)))
        raise Missed("Time passed in too many small steps.")

    async def passes(self, span: timedelta) -> None:
        """Let `span` pass, from one due time of the bot to the next."""
        end = await self.sandbox.now() + span
        while (now := time_of(health := await self.settle())) < end:
            await self.sandbox.jump_to(min(next_due(health, now, otherwise=end), end))
        self._since = dict(self._read)

    async def until_sees(self, name: str, text: str, within: timedelta, *, dm: bool | None = None) -> SeenMessage:
        """Let time pass until `name` sees `text` in a new message, and return the message.

        A message is new if it was sent after the last action, or after the last time that was let pass. The
        message may be there at once, because the bot may have sent it right after the action. Raises Missed if
        this takes longer than `within`.
        """
        since = self._since.get(name, 0)

        def happened() -> bool:
            try:
                return self.sees(name, text, dm=dm).seq > since
            except Missed:
                return False

        try:
            await self._until(happened, within)
        except Missed as missed:
            raise Missed(f"{name} doesn't see {text!r}: {missed.words}") from None
        seen = self.sees(name, text, dm=dm)
        self._since[name] = seen.seq
        return seen


def time_of(health: dict[str, Any]) -> datetime:
    """Return the sandbox's time at which /health was answered."""
    return datetime.fromisoformat(health["clock"]["now"])


def next_due(health: dict[str, Any], now: datetime, *, otherwise: datetime) -> datetime:
    """Return the time at which the bot's next work is due, or `otherwise` if nothing is due.

    The time is at least a second from now.
    """
    due = datetime.fromisoformat(health["next_due"]) if health["next_due"] else otherwise
    return max(due, now + timedelta(seconds=1))


def _chosen(modal: Modal, choice: str) -> dict[str, dict[str, str]]:
    """Return the values that are submitted if the option with the text `choice` is chosen."""
    for field_ in modal.inputs:
        for option in field_.options:
            if option.text == choice:
                return {field_.block_id: {field_.action_id: option.value}}
    raise Missed(f"the dialog has no choice {choice!r}: {[one.text for f in modal.inputs for one in f.options]}")


def _filled(modal: Modal, filled: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that are submitted if these fields are filled in, by their labels."""
    fields = {entry.label: entry for entry in modal.inputs}
    missing = filled.keys() - fields.keys()
    if missing:
        raise Missed(f"the dialog has no field {', '.join(sorted(missing))}: {list(fields)}")
    return {
        fields[label].block_id: {fields[label].action_id: field_value(fields[label], text)}
        for label, text in filled.items()
    }
