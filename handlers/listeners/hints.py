"""Whether someone who writes to the bot is told that it reads commands: once an hour, and only who may use it."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

import structlog

from bot.errors import Outage, Refused
from bot.lifecycle.ports.store import Tx
from bot.policy.roles import may_use
from bot.policy.rules import Rules
from handlers.directory.people import People

_log = structlog.get_logger("gpubot.events")

ONCE_IN = timedelta(hours=1)
"""Real time."""
A_MINUTE = 20
"""Hints a minute for all together: they share the pace of posts, and asking who someone is has a limit too."""
KNOWN = 2000
"""How many people are remembered. Who is forgotten is looked up in the store."""
MARK = "hint:"


class Hints:
    """Remembers who needs no hint. Messages come in any number, so most are answered from here."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}
        self._given: deque[datetime] = deque()

    async def wanted(self, people: People, rules: Rules, user_id: str, real_now: datetime) -> bool:
        """Return whether this person is to be looked up in the store with `mark`. Nobody is asked for twice in an
        hour, whatever the answer was. Raise StoreBusy."""
        if real_now < self._until.get(user_id, real_now) or self._full(real_now):
            return False
        # Before anything is waited for: the next message of the same person may be here already.
        self._remember(user_id, real_now)
        self._given.append(real_now)
        try:
            return may_use(await people.who(user_id), rules)
        except Refused:
            return False
        except Outage as error:
            _log.info("hint.not_given", user=user_id, error=type(error).__name__)
            self.forget(user_id)
            return False

    def forget(self, user_id: str) -> None:
        """The hint wasn't written: the next message asks again."""
        self._until.pop(user_id, None)

    def _full(self, real_now: datetime) -> bool:
        while self._given and real_now - self._given[0] >= timedelta(minutes=1):
            self._given.popleft()
        return len(self._given) >= A_MINUTE

    def _remember(self, user_id: str, real_now: datetime) -> None:
        if len(self._until) >= KNOWN:
            self._until = {user: until for user, until in self._until.items() if real_now < until}
        if len(self._until) >= KNOWN:
            self._until.pop(next(iter(self._until)))
        self._until[user_id] = real_now + ONCE_IN


async def mark(tx: Tx, user_id: str, real_now: datetime) -> bool:
    """Write that this person gets a hint now. Return False if they had one within the hour, also from a process
    that ended since."""
    before = real_now - ONCE_IN
    await tx.account.drop_marks(MARK, before)
    return await tx.account.mark(f"{MARK}{user_id}", real_now, before)
