"""Posts to people without the outbox, for when the store can't take them."""

from __future__ import annotations

from datetime import timedelta

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model.event import Event
from bot.policy.rules import Rules
from handlers.delivery.pace import Pace
from handlers.slack_errors import NO_ANSWER, error_code, retry_after, status_code
from handlers.views.notices import notice

log = structlog.get_logger("gpubot.delivery")


class DirectMessages:
    """bot.lifecycle.ports.DirectPosts. Sends nothing while Slack's pace doesn't allow it."""

    def __init__(self, client: AsyncWebClient, pace: Pace, clock: Clock, rules: Rules) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._rules = rules

    async def post(self, user: str, event: Event) -> bool:
        """Sends the notice of an event to a person. Returns False if Slack doesn't take it now. Never raises."""
        real = self._clock.real()
        if self._pace.posts_at(real) > real or user in self._pace.resting(real):
            return False
        shown = notice(event, rules=self._rules, now=self._clock.now())
        if shown is None:
            return True
        self._pace.posted(user, real)
        try:
            await self._client.chat_postMessage(channel=user, text=shown.text, blocks=list(shown.blocks))
        except NO_ANSWER as error:
            if isinstance(error, SlackApiError) and status_code(error) == 429:
                self._pace.block("chat.postMessage", real + _wait(error))
            log.warning("direct.not_taken", kind=event.kind, error=error_code(error))
            return False
        return True


def _wait(error: SlackApiError) -> timedelta:
    asked = retry_after(error)
    return timedelta(seconds=min(int(asked), 3600) if asked.isdecimal() else 30)
