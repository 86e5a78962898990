"""Posts to people without the outbox, for when the store can't take them."""

from __future__ import annotations

from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model.event import Event, EventKind
from bot.policy.rules import Rules
from handlers.delivery.direct_post import direct_post
from handlers.delivery.pace import Pace
from handlers.views.notices import notice

FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)
"""Real time until a post that failed is made again; doubles each time. If only Slack's answer was lost, the person
has the post already, and no search can find it: it has no message id."""


class DirectMessages:
    """bot.lifecycle.ports.DirectPosts. Never waits for Slack's pace: the self-check has more to look at."""

    def __init__(self, client: AsyncWebClient, pace: Pace, clock: Clock, rules: Rules) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._rules = rules
        self._failed: dict[tuple[str, EventKind, str | None], tuple[datetime, timedelta]] = {}
        """By person and what it is about: when to post it again, and how long that wait was."""

    async def post(self, user: str, event: Event) -> bool:
        """Sends the notice of an event to a person. Returns False if Slack doesn't take it now, or didn't a short
        while ago. Never raises."""
        real, what = self._clock.real(), (user, event.kind, event.facts.name)
        again_at, waited = self._failed.get(what, (real, timedelta()))
        if max(again_at, self._pace.post_at(user, real)) > real:
            return False
        shown = notice(event, rules=self._rules, now=self._clock.now())
        if shown is None or await direct_post(self._client, self._clock, self._pace, user, shown, tries=1):
            self._failed.pop(what, None)
            return True
        wait = min(max(FIRST_RETRY, waited * 2), LONGEST_RETRY)
        self._failed[what] = self._clock.real() + wait, wait
        return False
