"""Posts that bypass the outbox, for what must be said while the store takes no writes."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model.event import Event, EventKind
from bot.policy.rules import Rules
from handlers.delivery.pace import POST, Pace
from handlers.slack_api.error_codes import NO_ANSWER, asked_wait, error_code
from handlers.views.blocks import Rendered
from handlers.views.notices import notice

log = structlog.get_logger("gpubot.delivery")


class Outcome(Enum):
    """What became of a post."""

    TAKEN = "taken"
    LATER = "later"
    """It was not posted: Slack asked to wait, or could not be reached."""
    FAILED = "failed"
    """It was refused, or its answer was lost, and then it may be there."""


TRIES = 3
"""Only a post that Slack answers with "later" is tried again: any other failure may have posted it."""


async def direct_post(
    client: AsyncWebClient, clock: Clock, pace: Pace, to: str, said: Rendered, *, tries: int = TRIES
) -> Outcome:
    """Post to a channel or a person as soon as the pace allows it, and return what became of it. Never raises."""
    for _ in range(tries):
        while (open_at := pace.post_at(to, now := clock.real())) > now:
            await clock.pause((open_at - now).total_seconds())
        pace.posted(to, now)
        try:
            await client.chat_postMessage(
                channel=to, text=said.text, blocks=list(said.blocks), unfurl_links=False, unfurl_media=False
            )
        except NO_ANSWER as error:
            wait = asked_wait(error)
            if wait is None:
                log.warning("post.not_taken", to=to, error=error_code(error))
                return Outcome.LATER if isinstance(error, aiohttp.ClientConnectorError) else Outcome.FAILED
            pace.block(POST, clock.real() + wait)
        else:
            return Outcome.TAKEN
    return Outcome.LATER


AGAIN_AFTER = timedelta(minutes=5)
"""Real time until a notice whose answer was lost is sent again. Without it, a person gets it every few seconds
while answers of Slack are lost."""


class DirectNotices:
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
