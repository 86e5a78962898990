"""Whether Slack has a post already: read back after a crash, or after a call without an answer.

docs.slack.dev/reference/methods/conversations.history and conversations.replies, by the id in message metadata.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.clock import Clock
from bot.model.message import Destination, DestinationKind, Message
from handlers.delivery.pace import READ, Pace
from handlers.slack_api.error_codes import NO_ANSWER, TOKEN, TOKEN_RETRY, asked_wait, error_code, passes

METADATA = "gpubot_message"
BEFORE = timedelta(minutes=1)
"""Slack's clock and ours may differ by that much."""
PAGES, PAGE = 5, 200
"""How many pages one pass reads at most. The next pass goes on from there."""
SEARCHES = 1000
"""How many unfinished searches are remembered. One that is forgotten begins again."""

UNREADABLE = frozenset(
    {
        "access_denied",
        "cannot_dm_bot",
        "channel_is_limited_access",
        "channel_not_found",
        "deprecated_endpoint",
        "enterprise_is_restricted",
        "invalid_user_combination",
        "method_deprecated",
        "method_not_supported_for_channel_type",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_in_channel",
        "unknown_method",
        "user_disabled",
        "user_not_found",
        "user_not_visible",
    }
)
"""Answers which say for certain that this bot can't read the place (the error lists of conversations.history,
conversations.replies and conversations.open)."""
NAMED_TRIES = 8
"""An error that is in no list of ours counts as certain too, once it was the answer so many times in a row."""

Place = tuple[str, str]
"""A channel and a ts."""


class Unreadable(Exception):
    """The place can't be read back, so nobody can know whether the post is there."""


class LookAgain(Exception):
    """Nobody knows yet. `until` is real time, None if Slack named none. `named`: Slack refused by a name that we
    don't know. `restart`: what was read so far is of no use."""

    def __init__(self, until: datetime | None = None, *, named: bool = False, restart: bool = False) -> None:
        super().__init__()
        self.until = until
        self.named = named
        self.restart = restart


@dataclass
class _Search:
    """How far a search has come."""

    cursor: str = ""
    by_bots: int = 0
    ours: int = 0


@dataclass(frozen=True)
class _Post:
    """A message of ours as Slack has it."""

    message_id: object
    place: Place


class Finder:
    """Reads conversations back, as fast as the pace allows."""

    def __init__(self, client: AsyncWebClient, clock: Clock, pace: Pace) -> None:
        self._client = client
        self._clock = clock
        self._pace = pace
        self._searches: dict[int, _Search] = {}
        self._named: dict[int, int] = {}
        """How often in a row the answer was an error that we don't know, by message."""

    async def find(
        self, message: Message, to: Destination, thread: str | None, since: datetime | None
    ) -> Place | None:
        """Return where `message` was posted, None if it certainly was not. It can't be older than `since`, by our
        time. Raise Unreadable if Slack lets nobody look or keeps no metadata, LookAgain if the search has to go on
        later."""
        search = self._searches.pop(message.id, _Search())
        named = self._named.pop(message.id, 0)
        try:
            async for post in self._posts(search, to, thread, since):
                if post.message_id == message.id:
                    return post.place
        except LookAgain as again:
            if not again.restart and len(self._searches) < SEARCHES:
                self._searches[message.id] = search
            if again.named and named + 1 >= NAMED_TRIES:
                raise Unreadable from None
            if again.named and len(self._named) < SEARCHES:
                self._named[message.id] = named + 1
            raise
        if search.by_bots and not search.ours:
            raise Unreadable
        return None

    async def all_of(
        self, message: Message, to: Destination, thread: str | None, since: datetime | None
    ) -> list[Place]:
        """Return every place where `message` was posted, among the newest posts. Raise Unreadable, LookAgain."""
        posts = self._posts(_Search(), to, thread, since)
        return [post.place async for post in posts if post.message_id == message.id]

    async def _posts(
        self, search: _Search, to: Destination, thread: str | None, since: datetime | None
    ) -> AsyncIterator[_Post]:
        """Our posts of a few pages. `search` says where to begin, and is kept up to date."""
        channel = await self._direct(to.value) if to.kind is DestinationKind.PERSON else to.value
        asked: dict[str, Any] = {"channel": channel, "limit": PAGE, "include_all_metadata": True}
        if since is not None:
            asked["oldest"] = f"{(since - BEFORE).timestamp():.6f}"
        if thread is not None:
            asked["ts"] = thread
        call = self._client.conversations_replies if thread else self._client.conversations_history
        for _ in range(PAGES):
            answer = await self._call(call, **asked, **({"cursor": search.cursor} if search.cursor else {}))
            if answer is None:
                return
            messages, cursor = _read(answer)
            for one in messages:
                metadata = one.get("metadata")
                search.by_bots += bool(one.get("bot_id"))
                if isinstance(metadata, Mapping) and metadata.get("event_type") == METADATA:
                    search.ours += 1
                    yield _Post(_id(metadata), (channel, str(one.get("ts"))))
            search.cursor = cursor
            if not cursor:
                return
        raise LookAgain(self._clock.real())

    async def _direct(self, user: str) -> str:
        answer = await self._call(self._client.conversations_open, users=user)
        opened = answer.get("channel") if answer is not None else None
        if not isinstance(opened, Mapping) or not isinstance(opened.get("id"), str):
            raise LookAgain
        return str(opened["id"])

    async def _call(
        self, call: Callable[..., Awaitable[AsyncSlackResponse]], **asked: Any
    ) -> AsyncSlackResponse | None:
        """One call. Return None if the thread is gone, and with it what was in it."""
        now = self._clock.real()
        open_at = self._pace.read_at(now)
        if open_at > now:
            raise LookAgain(open_at)
        self._pace.read(now)
        try:
            return await call(**asked)
        except SlackApiError as error:
            if error_code(error) == "thread_not_found":
                return None
            raise self._meaning(error, asked) from None
        except NO_ANSWER:
            raise LookAgain from None

    def _meaning(self, error: SlackApiError, asked: Mapping[str, Any]) -> Exception:
        now, code = self._clock.real(), error_code(error)
        wait = asked_wait(error)
        if wait is not None:
            self._pace.block(READ, now + wait)
            return LookAgain(now + wait)
        if code in TOKEN:
            self._pace.block_all(now + TOKEN_RETRY)
            return LookAgain(now + TOKEN_RETRY)
        if code in UNREADABLE:
            return Unreadable()
        if code == "invalid_cursor" and "cursor" in asked:
            return LookAgain(restart=True)
        return LookAgain(named=not passes(error))


def _read(answer: AsyncSlackResponse) -> tuple[list[Mapping[str, Any]], str]:
    """A page's messages, and the cursor of the next, empty at the end. Raise LookAgain for another shape."""
    messages, more = answer.get("messages"), answer.get("response_metadata")
    if not isinstance(messages, list):
        raise LookAgain
    cursor = more.get("next_cursor") if isinstance(more, Mapping) else None
    return [one for one in messages if isinstance(one, Mapping)], cursor if isinstance(cursor, str) else ""


def _id(metadata: Mapping[str, Any]) -> object:
    payload = metadata.get("event_payload")
    return payload.get("id") if isinstance(payload, Mapping) else None
