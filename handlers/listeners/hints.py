"""Who may get an answer to a message that is no command: people who may use the bot, at a pace."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import Outage, Refused
from bot.lifecycle.ports.store import Tx
from bot.model.person import Person
from bot.policy.team.roles import may_use
from bot.policy.team.rules import Rules
from handlers.directory.people import People
from handlers.listeners.pace import Pace

_log = structlog.get_logger("gpubot.events")

ANSWERED_FOR = timedelta(hours=1)
"""Real time for which the store knows which direct messages were answered."""
PER_MINUTE = 20
"""How many messages of all people together may get an answer: each can take a post and a call of users.info."""
_EVERYBODY = ""


class Hints:
    """Decides, mostly without the store, who gets a hint: any number of messages may come."""

    def __init__(self) -> None:
        self._direct = Pace(at_once=6, per_second=0.1)
        """How often one person's direct messages are answered."""
        self._mentions = Pace(at_once=1, per_second=1 / 3600)
        """How often one person's mentions of the bot are answered."""
        self._all = Pace(at_once=PER_MINUTE, per_second=PER_MINUTE / 60)

    async def may_answer(self, people: People, rules: Rules, user_id: str, clock: Clock) -> Person | None:
        """Return the person if their direct message gets an answer. Return None if they may not use the bot, or if
        they or all people together wrote too many. Raise Outage if it is not known who they are."""
        now = clock.monotonic()
        if self._direct.wait(user_id, now) or self._all.wait(_EVERYBODY, now):
            return None
        try:
            person = await people.get(user_id)
        except Refused:
            return None
        return person if may_use(person, rules) else None

    async def wanted(self, people: People, rules: Rules, user_id: str, clock: Clock) -> bool:
        """Return whether this person, who mentions the bot, may get a hint now. After that, return False for an
        hour. Raise StoreBusy."""
        now = clock.monotonic()
        if self._mentions.wait(user_id, now) or self._all.wait(_EVERYBODY, now):
            return False
        try:
            return may_use(await people.get(user_id), rules)
        except Refused:
            return False
        except Outage as error:
            _log.info("hint.not_given", user=user_id, error=type(error).__name__)
            self.forget(user_id)
            return False

    def forget(self, user_id: str) -> None:
        """Forget a person whose hint wasn't written, so that their next mention is considered again."""
        self._mentions.forget(user_id)


async def mark(tx: Tx, direct_message: str, real_now: datetime) -> bool:
    """Note in the store that a direct message is answered now. Return False if it was answered before: Slack may
    send its event twice."""
    return await tx.account.note_answered(direct_message, real_now, real_now - ANSWERED_FOR)
