"""One message: posting, editing or answering it, and what Slack's answer means for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.desk import Desk
from bot.model.message import Message, MessageKind
from handlers.delivery.finding import METADATA, Unreadable, find
from handlers.delivery.pace import ANSWERS, Pace
from handlers.slack_errors import NO_ANSWER, error_code, retry_after, status_code
from handlers.views.blocks import Rendered

log = structlog.get_logger("gpubot.delivery")

ANSWER_LIFE = timedelta(minutes=30)
"""A `response_url` works for 30 minutes (docs.slack.dev/interactivity/handling-user-interaction)."""
ANSWER_TRIES = 4
SHORTEST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=5)
TOKEN_RETRY = timedelta(minutes=1)

ELSEWHERE = frozenset(
    {"not_in_channel", "is_archived", "channel_not_found", "restricted_action", "channel_type_not_supported"}
)
"""Errors that won't pass: the rental's messages go elsewhere."""
TOKEN = frozenset(
    {
        "invalid_auth",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
    }
)
PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})


@dataclass(frozen=True)
class Sent:
    """A message after it was dealt with, and whether it is to be redirected."""

    message: Message
    elsewhere: bool = False


class Poster:
    """Speaks to Slack for one message at a time. Nothing is repeated inside: that is what `due_at` is for."""

    def __init__(self, desk: Desk, client: AsyncWebClient, pace: Pace, session: aiohttp.ClientSession) -> None:
        self._desk = desk
        self._client = client
        self._pace = pace
        self._session = session
        self.perhaps_twice = 0
        """Posts made again after a gap that could not be read back."""
        self.given_up = 0
        """Messages that Slack never took: refused for good, or answers that came too late."""

    async def answer(self, message: Message, body: dict[str, Any]) -> Sent:
        """Sends to a `response_url`. Such an answer may be lost, and is never the only copy of what matters."""
        now = self._desk.clock.real()
        if now - message.created_at >= ANSWER_LIFE or message.tries >= ANSWER_TRIES or not message.to:
            self.given_up += 1
            return Sent(_closed(message))
        try:
            async with self._session.post(message.to, json=body, allow_redirects=False) as response:
                status, wait = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("answer.failed", message=message.id, error=type(error).__name__)
            return Sent(self._later(message, now))
        if status == 429:
            until = now + timedelta(seconds=_seconds(wait))
            self._pace.block(ANSWERS, until)
            return Sent(message.model_copy(update={"due_at": until}))
        if status >= 500:
            return Sent(self._later(message, now))
        if status != 200:
            log.info("answer.refused", message=message.id, status=status)
            self.given_up += 1
        return Sent(_closed(message.model_copy(update={"posted_at": self._desk.clock.now()})))

    async def find(
        self, message: Message, shown: Rendered, card: Message | None, since: datetime | None
    ) -> Sent | None:
        """A post that was under way before, if Slack has it. It tells what happened at `since`, by our time."""
        channel, thread = _where(message, card)
        try:
            found = await find(self._client, message, channel, thread, since)
        except Unreadable:
            self.perhaps_twice += 1
            log.warning("post.perhaps_twice", message=message.id)
            return None
        return Sent(self._shown(message, shown, found)) if found is not None else None

    async def post(self, message: Message, shown: Rendered, card: Message | None) -> Sent:
        """Posts it, whether or not it was posted before."""
        now = self._desk.clock.real()
        channel, thread = _where(message, card)
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
        self._pace.posted(channel, now)
        try:
            answer = await self._client.chat_postMessage(**body)
        except NO_ANSWER as error:
            return self._failed(message, error, "chat.postMessage")
        return Sent(self._shown(message, shown, (str(answer.get("channel") or channel), str(answer["ts"]))))

    async def edit(self, message: Message, shown: Rendered) -> Sent:
        """Edits it to what it should show; an edit that changes nothing isn't sent."""
        if digest(shown) == message.digest:
            return Sent(_up_to_date(message, shown))
        now = self._desk.clock.real()
        self._pace.edited(now)
        try:
            await self._client.chat_update(
                channel=message.channel or message.to,
                ts=message.ts or "",
                text=shown.text,
                blocks=list(shown.blocks),
            )
        except NO_ANSWER as error:
            return self._failed(message, error, "chat.update")
        return Sent(_up_to_date(message.model_copy(update={"digest": digest(shown)}), shown))

    def _shown(self, message: Message, shown: Rendered, where: tuple[str, str]) -> Message:
        channel, ts = where
        placed = message.model_copy(
            update={
                "channel": channel,
                "ts": ts,
                "digest": digest(shown),
                "sending": False,
                "posted_at": self._desk.clock.now(),
            }
        )
        return _up_to_date(placed, shown)

    def _failed(self, message: Message, error: Exception, method: str) -> Sent:
        """What an error means: wait, go elsewhere, or leave it."""
        now = self._desk.clock.real()
        if not isinstance(error, SlackApiError):
            # Nobody knows whether Slack took it.
            log.warning("slack.no_answer", method=method, message=message.id, error=type(error).__name__)
            return Sent(self._later(message.model_copy(update={"sending": message.ts is None}), now))
        code, status = error_code(error), status_code(error)
        if status == 429 or code == "ratelimited":
            until = now + timedelta(seconds=_seconds(retry_after(error)))
            self._pace.block(method, until)
            return Sent(message.model_copy(update={"sending": False, "due_at": until}))
        log.warning("slack.refused", method=method, message=message.id, kind=message.kind, error=code)
        if code in TOKEN:
            self._pace.block_all(now + TOKEN_RETRY)
            # Still due: whoever starts with a good token says it at once.
            return Sent(message.model_copy(update={"sending": False}))
        if status >= 500 or code in PASSING or code == type(error).__name__:
            return Sent(self._later(message.model_copy(update={"sending": message.ts is None}), now))
        if code in ELSEWHERE and message.ts is None:
            return Sent(message.model_copy(update={"sending": False}), elsewhere=True)
        self.given_up += 1
        return Sent(_closed(message))

    def _later(self, message: Message, now: datetime) -> Message:
        wait = min(SHORTEST_RETRY * 2 ** min(message.tries, 10), LONGEST_RETRY)
        return message.model_copy(update={"tries": message.tries + 1, "due_at": now + wait})


def _where(message: Message, card: Message | None) -> tuple[str, str | None]:
    """The channel to post to, and the thread."""
    if message.kind is MessageKind.THREAD and card is not None:
        return card.channel or card.to, card.ts
    return message.to, None


def digest(shown: Rendered) -> str:
    """What a message shows, in short."""
    said = json.dumps([shown.text, shown.blocks], sort_keys=True).encode()
    return hashlib.sha256(said).hexdigest()[:32]


def _up_to_date(message: Message, shown: Rendered) -> Message:
    said_once = not message.kind.surface
    return message.model_copy(
        update={"shown": message.wanted, "closed": shown.closed or said_once, "due_at": None, "tries": 0}
    )


def _closed(message: Message) -> Message:
    return message.model_copy(update={"closed": True, "due_at": None})


def _seconds(retry_after: str) -> float:
    try:
        return min(max(float(retry_after), 1.0), 3600.0)
    except ValueError:
        return 30.0
