"""One message: finding, posting, editing or answering it, and what Slack's answer means for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, to_channel
from handlers.delivery.pace import ANSWER, EDIT, POST, Pace
from handlers.delivery.read_back import METADATA, Finder, LookAgain, Unreadable
from handlers.delivery.reposts import Repost
from handlers.delivery.unsaved import Sent
from handlers.slack_api.error_codes import NO_ANSWER, TOKEN, TOKEN_RETRY, asked_wait, error_code, passes, wait_of
from handlers.views.blocks import Rendered

log = structlog.get_logger("gpubot.delivery")

ANSWER_LIFE = timedelta(minutes=30)
"""A `response_url` works for 30 minutes (docs.slack.dev/interactivity/handling-user-interaction)."""
ANSWER_TRIES = 4
SHORTEST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=5)

BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_large"})
"""What is said is refused, wherever it is said. Its words alone may pass."""
GONE = frozenset({"message_not_found", "thread_not_found"})
"""Somebody deleted the card, or the workspace keeps nothing for long. It is posted anew, its thread below it."""


class Poster:
    """Speaks to Slack for one message at a time. Nothing is repeated inside: that is what `due_at` is for."""

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        pace: Pace,
        session: aiohttp.ClientSession,
        on_refused: Callable[[], None],
    ) -> None:
        """`on_refused` is called if Slack refuses our token."""
        self._deps = deps
        self._client = client
        self._pace = pace
        self._session = session
        self._on_refused = on_refused
        self.finder = Finder(client, deps.clock, pace)

    async def answer(self, message: Message, body: dict[str, Any]) -> Sent:
        """Sends to a `response_url`. Such an answer may be lost, and is never the only copy of what matters."""
        now = self._deps.clock.real()
        if now - message.created_at >= ANSWER_LIFE or message.tries >= ANSWER_TRIES:
            return Sent(_closed(message), given_up=True)
        try:
            async with self._session.post(message.to.value, json=body, allow_redirects=False) as response:
                status, wait = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("answer.failed", message=message.id, error=type(error).__name__)
            return Sent(self._later(message, now))
        if status == 429:
            until = now + timedelta(seconds=wait_of(wait))
            self._pace.block(ANSWER, until)
            return Sent(changed(message, due_at=until))
        if status >= 500:
            return Sent(self._later(message, now))
        if status != 200:
            log.info("answer.refused", message=message.id, status=status)
        done = _closed(changed(message, posted_at=self._deps.clock.now()))
        return Sent(done, given_up=status != 200)

    async def find(
        self, message: Message, card: Message | None, since: datetime | None, repost: Repost | None
    ) -> Sent:
        """Look for a post whose outcome is unknown. It tells what happened at `since`, by our time; `repost` says
        whether it was posted again before. A post that is found gives its place and nothing else: what it shows
        may be old, so a surface stays due and the next pass edits it."""
        now = self._deps.clock.real()
        to, thread = post_target(message, card)
        try:
            place = await self.finder.find(message, to, thread, since)
        except LookAgain as again:
            log.info("post.looked_for_again", message=message.id, tries=message.tries)
            if again.until is not None:
                return Sent(changed(message, due_at=again.until))
            return Sent(self._later(message, now))
        except Unreadable:
            return self._unreadable(message, now, repost)
        if place is None:
            return Sent(changed(message, sending=False, due_at=now), again=True)
        found = self._placed(message, place)
        if not message.kind.surface:
            return Sent(_up_to_date(found, closes=True))
        return Sent(changed(found, shown=1, digest="", tries=0, due_at=now))

    def _unreadable(self, message: Message, now: datetime, repost: Repost | None) -> Sent:
        """Nobody can know. It is posted once more, and after that only after long waits."""
        if repost is not None and repost.again_at > now:
            return Sent(changed(message, due_at=repost.again_at))
        log.warning("post.perhaps_twice", message=message.id)
        again = changed(message, sending=False, due_at=now)
        return Sent(again, again=True, perhaps_twice=True)

    async def post(self, message: Message, shown: Rendered, card: Message | None) -> Sent:
        """Posts it, whether or not it was posted before."""
        to, thread = post_target(message, card)
        channel = to.value
        body: dict[str, Any] = {
            "channel": channel,
            "text": shown.text,
            "blocks": list(shown.blocks),
            "metadata": {"event_type": METADATA, "event_payload": {"id": message.id}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread is not None:
            body |= {"thread_ts": thread, "reply_broadcast": message.broadcast}

        def count() -> None:
            self._pace.posted(channel, self._deps.clock.real())

        try:
            answer = await _with_blocks(self._client.chat_postMessage, body, count)
        except NO_ANSWER as error:
            return self._failed(message, error, POST)
        place = (str(answer.get("channel") or channel), str(answer["ts"]))
        placed = changed(self._placed(message, place), digest=digest(shown))
        return Sent(_up_to_date(placed, closes=shown.closed))

    async def edit(self, message: Message, shown: Rendered) -> Sent:
        """Edits it to what it should show; an edit that changes nothing isn't sent."""
        if digest(shown) == message.digest:
            return Sent(_up_to_date(message, closes=shown.closed))
        body = {
            "channel": message.channel or message.to.value,
            "ts": message.ts or "",
            "text": shown.text,
            "blocks": list(shown.blocks),
        }

        def count() -> None:
            self._pace.edited(self._deps.clock.real())

        try:
            await _with_blocks(self._client.chat_update, body, count)
        except NO_ANSWER as error:
            return self._failed(message, error, EDIT)
        return Sent(_up_to_date(changed(message, digest=digest(shown)), closes=shown.closed))

    def _placed(self, message: Message, place: tuple[str, str]) -> Message:
        channel, ts = place
        now = self._deps.clock.now()
        return changed(message, channel=channel, ts=ts, sending=False, posted_at=now)

    def _failed(self, message: Message, error: Exception, method: str) -> Sent:
        """What an error means: wait, go elsewhere, or leave it."""
        now = self._deps.clock.real()
        if not isinstance(error, SlackApiError):
            # Nobody knows whether Slack took it.
            log.warning("slack.no_answer", method=method, message=message.id, error=type(error).__name__)
            return Sent(self._later(changed(message, sending=message.ts is None), now))
        code, wait = error_code(error), asked_wait(error)
        if wait is not None:
            self._pace.block(method, now + wait)
            return Sent(changed(message, sending=False, due_at=now + wait))
        log.warning("slack.refused", method=method, message=message.id, kind=message.kind, error=code)
        if code in TOKEN:
            self._pace.block_all(now + TOKEN_RETRY)
            self._on_refused()
            # Still due: whoever starts with a good token says it at once.
            return Sent(changed(message, sending=False))
        if passes(error):
            return Sent(self._later(changed(message, sending=message.ts is None), now))
        if code in GONE and message.kind in {MessageKind.CARD, MessageKind.THREAD}:
            return Sent(message, gone=True)
        if message.ts is None:
            # It won't be taken here, for a reason that has a name today or gets one next year.
            return Sent(changed(message, sending=False), elsewhere=True)
        return Sent(_closed(message), given_up=True)

    def _later(self, message: Message, now: datetime) -> Message:
        wait = min(SHORTEST_RETRY * 2 ** min(message.tries, 10), LONGEST_RETRY)
        return changed(message, tries=message.tries + 1, due_at=now + wait)


async def _with_blocks(
    call: Callable[..., Awaitable[AsyncSlackResponse]], body: dict[str, Any], count: Callable[[], None]
) -> AsyncSlackResponse:
    """Make a call, and if Slack refuses its blocks, make it again with the text alone: nothing was taken until
    then. `count` tells the pace of each call."""
    count()
    try:
        return await call(**body)
    except SlackApiError as error:
        if error_code(error) not in BLOCKS:
            raise
        log.error("slack.blocks_refused", error=error_code(error))
        count()
        return await call(**{**body, "blocks": []})


def post_target(message: Message, card: Message | None) -> tuple[Destination, str | None]:
    """Return where to post a message, and the `ts` of its thread if it belongs to one."""
    if message.kind is MessageKind.THREAD and card is not None:
        return to_channel(card.channel) if card.channel else card.to, card.ts
    return message.to, None


def digest(shown: Rendered) -> str:
    """What a message shows, in short."""
    said = json.dumps([shown.text, shown.blocks], sort_keys=True).encode()
    return hashlib.sha256(said).hexdigest()[:32]


def _up_to_date(message: Message, *, closes: bool) -> Message:
    said_once = not message.kind.surface
    return changed(message, shown=message.wanted, closed=closes or said_once, due_at=None, tries=0)


def _closed(message: Message) -> Message:
    return changed(message, closed=True, due_at=None)
