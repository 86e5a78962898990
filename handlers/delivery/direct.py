"""Posts to people without the outbox, for when the store can't take them."""

from __future__ import annotations

from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model.event import Event, EventKind
from bot.policy.rules import Rules
from handlers.delivery.direct_post import Outcome, direct_post
from handlers.delivery.pace import Pace
from handlers.views.notices import notice

AGAIN_AFTER = timedelta(minutes=5)
"""Real time until a notice whose answer was lost is sent again. Without it, a person gets it every few seconds
while answers of Slack are lost."""


class DirectMessages:
    """bot.lifecycle.ports.DirectPosts. Never waits for Slack's pace: the self-check has more to look at."""

    def __init__(self, client: AsyncWebClient, pace: Pace, clock: Clock, rules: Rules) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._rules = rules
        self._failed: dict[tuple[str, EventKind, str | None], datetime] = {}
        """When each notice that Slack did not clearly take was last sent."""

    async def post(self, user: str, event: Event) -> bool:
        """Sends the notice of an event to a person. Returns False if Slack doesn't take it now. Never raises."""
        real, key = self._clock.real(), (user, event.kind, event.facts.name)
        failed_at = self._failed.get(key)
        if self._pace.post_at(user, real) > real or (failed_at is not None and real - failed_at < AGAIN_AFTER):
            return False
        shown = notice(event, rules=self._rules, now=self._clock.now())
        if shown is None:
            return True
        outcome = await direct_post(self._client, self._clock, self._pace, user, shown, tries=1)
        self._failed.pop(key, None)
        if outcome is Outcome.FAILED:
            self._failed[key] = real
        return outcome is Outcome.TAKEN
