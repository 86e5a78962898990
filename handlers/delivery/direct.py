"""Posts to people without the outbox, for when the store can't take them."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model.event import Event
from bot.policy.rules import Rules
from handlers.delivery.direct_post import direct_post
from handlers.delivery.pace import Pace
from handlers.views.notices import notice


class DirectMessages:
    """bot.lifecycle.ports.DirectPosts. Never waits for Slack's pace: the self-check has more to look at."""

    def __init__(self, client: AsyncWebClient, pace: Pace, clock: Clock, rules: Rules) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._rules = rules

    async def post(self, user: str, event: Event) -> bool:
        """Sends the notice of an event to a person. Returns False if Slack doesn't take it now. Never raises."""
        real = self._clock.real()
        if self._pace.post_at(user, real) > real:
            return False
        shown = notice(event, rules=self._rules, now=self._clock.now())
        return shown is None or await direct_post(self._client, self._clock, self._pace, user, shown, tries=1)
