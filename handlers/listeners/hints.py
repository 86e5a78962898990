"""Who may get an answer to a message that is no command: people who may use the bot, at a pace."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import Outage, Refused
from bot.lifecycle.ports.store import Tx
from bot.model.person import Person
from bot.policy.roles import may_use
from bot.policy.rules import Rules
from handlers.directory.people import People
from handlers.listeners.pace import Pace

_log = structlog.get_logger("gpubot.events")

INTERVAL = timedelta(hours=1)
"""Real time between two hints to one person who mentions the bot. For so long the store also knows which direct
messages were answered."""
PER_MINUTE = 20
"""The most messages a minute that may get an answer: each can take a post and a call of users.info."""
REMEMBERED = 2000
"""The most people in memory."""
MARK = "hint:"


class Hints:
    """Remembers who needs no hint. Messages come in any number, so most are decided without the store."""

    def __init__(self) -> None:
        self._no_hint_until: dict[str, datetime] = {}
        self._considered: deque[datetime] = deque()
        self._direct = Pace(at_once=6, per_second=0.1)
        """Of a person's direct messages."""

    async def may_answer(self, people: People, rules: Rules, user_id: str, clock: Clock) -> Person | None:
        """Return the person if their direct message gets an answer. Return None if they may not use the bot, or
        write more than six messages a minute. Raise Outage if it is not known who they are."""
        if self._at_limit(clock.real()) or self._direct.wait(user_id, clock.monotonic()):
            return None
        self._considered.append(clock.real())
        try:
            person = await people.get(user_id)
        except Refused:
            return None
        return person if may_use(person, rules) else None

    async def wanted(self, people: People, rules: Rules, user_id: str, real_now: datetime) -> bool:
        """Return whether this person, who mentions the bot, may get a hint now. For an hour after this, return
        False. Raise StoreBusy."""
        if real_now < self._no_hint_until.get(user_id, real_now) or self._at_limit(real_now):
            return False
        # Before the first await: the next message of the same person may be handled meanwhile.
        self._remember(user_id, real_now)
        self._considered.append(real_now)
        try:
            return may_use(await people.get(user_id), rules)
        except Refused:
            return False
        except Outage as error:
            _log.info("hint.not_given", user=user_id, error=type(error).__name__)
            self.forget(user_id)
            return False

    def forget(self, user_id: str) -> None:
        """Forget a person whose hint wasn't written, so that their next message is considered again."""
        self._no_hint_until.pop(user_id, None)

    def _at_limit(self, real_now: datetime) -> bool:
        while self._considered and real_now - self._considered[0] >= timedelta(minutes=1):
            self._considered.popleft()
        return len(self._considered) >= PER_MINUTE

    def _remember(self, user_id: str, real_now: datetime) -> None:
        if len(self._no_hint_until) >= REMEMBERED:
            self._no_hint_until = {user: until for user, until in self._no_hint_until.items() if real_now < until}
        if len(self._no_hint_until) >= REMEMBERED:
            self._no_hint_until.pop(next(iter(self._no_hint_until)))
        self._no_hint_until[user_id] = real_now + INTERVAL


async def mark(tx: Tx, direct_message: str, real_now: datetime) -> bool:
    """Note in the store that a direct message is answered now. Return False if it was within the hour: Slack may
    send its event twice."""
    before = real_now - INTERVAL
    await tx.account.drop_marks(MARK, before)
    return await tx.account.mark(f"{MARK}{direct_message}", real_now, before)
