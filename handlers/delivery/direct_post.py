"""A post outside the outbox, for what must be said while the store takes nothing."""

from __future__ import annotations

from enum import Enum

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from handlers.delivery.pace import POST, Pace
from handlers.slack_errors import NO_ANSWER, asked_wait, error_code
from handlers.views.blocks import Rendered

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
