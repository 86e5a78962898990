"""A conversation between people and the bot: they act, things settle, and time passes only when they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from bot.demo.outside import Json, Outside, Seen
from bot.demo.processes import Bot, NotRunning

SETTLE_SECONDS = 60.0
STEPS_AT_MOST = 5000


class Missed(NotRunning):
    """Something that should have happened did not."""


@dataclass
class Play:
    """The stage: the outside, the bot, and what each person has read so far."""

    outside: Outside
    bot: Bot
    session: aiohttp.ClientSession
    people: dict[str, str]
    """Name to Slack user id."""
    on_message: Callable[[str, Seen], None] = lambda reader, message: None
    on_action: Callable[[str, str, str, datetime], None] = lambda who, where, what, at: None
    _read: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], Seen] = field(default_factory=dict)
    _shown: set[tuple[str, str, int]] = field(default_factory=set)

    # --- acting

    async def types(self, name: str, channel: str, text: str) -> Json:
        """Types `/gpu text`."""
        now, _ = await self.outside.clock()
        self.on_action(name, channel, f"/gpu {text}".strip(), now)
        answer = await self.outside.command(self.people[name], channel, text)
        if not answer["ok"]:
            raise Missed(f"/gpu {text} was not acknowledged: {answer['error']}")
        await self.settle()
        return answer

    async def clicks(self, name: str, message: Seen, label: str) -> None:
        """Clicks a button, and goes through the dialog that it opens, if it opens one."""
        now, _ = await self.outside.clock()
        where = "dm" if message.is_dm else message.channel_name
        self.on_action(name, where, f"[{message.button(label)['text']}]", now)
        answer = await self.outside.click(self.people[name], message, label)
        if not answer["ok"]:
            raise Missed(f"the click on {label} was not acknowledged: {answer['error']}")
        await self.settle()

    async def confirms(self, name: str) -> None:
        """Sends off the dialog that is open."""
        view = await self.outside.modal(self.people[name])
        now, _ = await self.outside.clock()
        self.on_action(name, "dialog", f"{view['title']}: {view['reads']} [{view['submit']}]", now)
        answer = await self.outside.submit(self.people[name], view)
        if not answer["ok"]:
            raise Missed(f"the dialog was not taken: {answer}")
        await self.settle()

    # --- seeing

    async def read(self) -> None:
        """Everyone reads what is new to them."""
        for name, user in self.people.items():
            for message in await self.outside.see(user, self._read.get(name, 0), versions=True):
                self._read[name] = max(self._read.get(name, 0), message.seq)
                self._known[name, message.channel, message.ts] = message
                first = (message.channel, message.ts, message.seq)
                if first not in self._shown:
                    self._shown.add(first)
                    self.on_message(name, message)

    def sees(self, name: str, words: str, *, dm: bool | None = None, only_you: bool | None = None) -> Seen:
        """The newest message that `name` sees with these words in it. Raises Missed."""
        for (reader, _, _), message in sorted(self._known.items(), key=lambda item: -item[1].seq):
            if reader != name or message.deleted or words not in f"{message.reads}\n{message.text}":
                continue
            if (dm is None or message.is_dm == dm) and (only_you is None or message.only_you == only_you):
                return message
        raise Missed(f"{name} doesn't see {words!r}.")

    # --- time

    async def settle(self) -> Json:
        """Waits until nothing is due, under way or undelivered; everyone reads. Answers /health."""
        _, revision = await self.outside.clock()
        async with self.session.get(
            self.bot.health, params={"settled": str(revision), "wait": str(SETTLE_SECONDS)}
        ) as answer:
            health = dict(await answer.json())
        await self.read()
        if not health["settled"]:
            raise Missed(f"Things don't settle: {health}")
        return health

    async def until(self, happened: Callable[[], bool], within: timedelta) -> None:
        """Lets time pass, one due moment after the other, until it happened. Raises Missed after `within`."""
        start, _ = await self.outside.clock()
        for _ in range(STEPS_AT_MOST):
            health = await self.settle()
            if happened():
                return
            now, _ = await self.outside.clock()
            due = datetime.fromisoformat(health["next_due"]) if health["next_due"] else now + timedelta(minutes=1)
            if now - start > within:
                raise Missed(f"It didn't happen within {within}.")
            await self.outside.jump_to(max(due, now + timedelta(seconds=1)))
        raise Missed("Time passed in too many small steps.")

    async def passes(self, span: timedelta) -> None:
        """Lets that much time pass, one due moment after the other."""
        end = (await self.outside.clock())[0] + span
        while (now := (await self.outside.clock())[0]) < end:
            health = await self.settle()
            due = datetime.fromisoformat(health["next_due"]) if health["next_due"] else end
            await self.outside.jump_to(min(max(due, now + timedelta(seconds=1)), end))
        await self.settle()

    async def until_sees(self, name: str, words: str, within: timedelta, *, dm: bool | None = None) -> Seen:
        """As `until`, for words that `name` sees in a message that is newer than now."""
        since = self._read.get(name, 0)

        def happened() -> bool:
            try:
                return self.sees(name, words, dm=dm).seq > since
            except Missed:
                return False

        try:
            await self.until(happened, within)
        except Missed as missed:
            raise Missed(f"{name} doesn't see {words!r}: {missed.words}") from None
        return self.sees(name, words, dm=dm)
