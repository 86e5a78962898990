"""Posts alerts and replies without the outbox, while the outbox can't be used.

There are two such cases. Either the store takes no writes, or the clock of the bot's machine is wrong. With a
wrong clock, the outbox may not deliver anything. A reply that has a `response_url` is never posted this way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.deps import Deps, with_newest_rules
from bot.model.event import Event, EventKind
from bot.model.facts import AlertFacts
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.pace import POST, Pace
from handlers.messages.render import alert_message
from handlers.messages.writers import AlertContext
from handlers.phrases.blocks import Json, Rendered
from handlers.phrases.format import Reader
from handlers.slack_api.web_api import NO_ANSWER, error_code, requested_wait

log = structlog.get_logger("gpubot.delivery")


class PostOutcome(Enum):
    TAKEN = "taken"
    LATER = "later"
    """Nothing was posted, because Slack requested a wait or couldn't be reached."""
    FAILED = "failed"
    """Slack refused the post, or Slack's response was lost. In the second case, the post may exist."""


TRIES = 3
"""The maximum number of times that a post is sent. It is sent again only if Slack requests a wait.

After any other failure, the post isn't sent again, because it may exist.
"""


RETRY_AFTER = timedelta(minutes=5)
"""The time to wait before an alert is repeated, in wall-clock time.

An alert is repeated if Slack's response was lost. Without this wait, people could get it every few seconds.
"""


class DirectPosts:
    """Posts messages without the outbox. Implements `bot.lifecycle.outside.DirectPosts`.

    Posts aren't stored, so use this only while the outbox can't be used.
    """

    def __init__(self, client: AsyncWebClient, pace: Pace, deps: Deps, block_types: BlockTypes) -> None:
        self._client = client
        self._pace = pace
        self._deps = deps
        self._clock = deps.clock
        self._block_types = block_types
        self._failed: dict[tuple[str, EventKind, str | None], datetime] = {}
        """By alert, the time at which it was last sent. Contains only alerts that may not have arrived."""

    async def post(self, user: str, event: Event[AlertFacts]) -> bool:
        """Send the alert about an event to a person. Return False if Slack doesn't accept it now.

        Never raises, and never waits for Slack's rate limits. Otherwise, it would delay the self-check that calls
        it.
        """
        real, key = self._clock.real(), (user, event.kind, event.facts.name)
        failed_at = self._failed.get(key)
        if self._pace.post_at(user, real) > real or (failed_at is not None and real - failed_at < RETRY_AFTER):
            return False
        rules = with_newest_rules(self._deps).rules
        rendered = alert_message(AlertContext(event, Reader(id=user, rules=rules, now=self._clock.now()), {}))
        if rendered is None:
            return True
        outcome = await self.send(user, rendered, tries=1)
        self._failed.pop(key, None)
        if outcome is PostOutcome.FAILED:
            self._failed[key] = real
        return outcome is PostOutcome.TAKEN

    async def send(self, to: str, rendered: Rendered, *, tries: int = TRIES) -> PostOutcome:
        """Post to a channel or a person as soon as Slack's rate limits allow. Never raises.

        If Slack refuses the blocks, the post is sent again at once with simpler blocks. This doesn't count toward
        `tries`.
        """

        async def post(blocks: list[Json]) -> None:
            self._pace.count(POST, self._clock.real(), to)
            await self._client.chat_postMessage(
                channel=to, text=rendered.text, blocks=blocks, unfurl_links=False, unfurl_media=False
            )

        while tries:
            while (open_at := self._pace.post_at(to, now := self._clock.real())) > now:
                await self._clock.pause((open_at - now).total_seconds())
            try:
                await self._block_types.deliver(rendered.blocks, post)
            except NO_ANSWER as error:
                wait = requested_wait(error)
                if wait is None:
                    log.warning("post.not_taken", to=to, error=error_code(error))
                    unreachable = isinstance(error, aiohttp.ClientConnectorError)
                    return PostOutcome.LATER if unreachable else PostOutcome.FAILED
                self._pace.block(POST, self._clock.real() + wait)
                tries -= 1
            else:
                return PostOutcome.TAKEN
        return PostOutcome.LATER
