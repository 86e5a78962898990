"""Searches Slack for a post that may or may not exist.

This is necessary after a crash during a call, or after a call that got no response.

Each post has metadata with the ID of its message and the version that the post shows. The search recognizes a post
by this metadata (docs.slack.dev/reference/methods/conversations.history and conversations.replies).
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
from bot.model.message import Destination, DestinationKind, Message, lowest_version
from handlers.delivery.pace import READ, Pace
from handlers.slack_api.web_api import (
    NO_ANSWER,
    TOKEN_REFUSED,
    TOKEN_RETRY,
    error_code,
    is_temporary,
    requested_wait,
)

METADATA = "gpubot_message"
CLOCK_SKEW = timedelta(minutes=1)
"""The maximum time by which Slack's clock may be behind ours."""
PAGES, PAGE = 5, 200
"""The maximum number of pages that one call of `Finder.find` reads, and the number of posts per page.

If a search needs more pages, the next call of `find` continues where the last one stopped.
"""
SEARCHES = 1000
"""The maximum number of unfinished searches that are kept in memory.

Any further search can't be continued, so it starts again from the newest page.
"""

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
"""The errors that mean for certain that this bot can't read the conversation.

They come from the error lists of conversations.history, conversations.replies and conversations.open.
"""
UNKNOWN_ERROR_TRIES = 8
"""The number of unknown errors in a row after which a conversation is treated as unreadable."""

Place = tuple[str, str]
"""The channel and the `ts` of a post."""


def metadata_of(message_id: int, version: int) -> dict[str, Any]:
    """Return the metadata with which a message is posted."""
    return {"event_type": METADATA, "event_payload": {"id": message_id, "version": version}}


class Unreadable(Exception):
    """The conversation can't be read, so the bot can't find out whether the post exists."""

    def __init__(self, *, has_left: bool = False) -> None:
        """Create the error. `has_left` is True if the person in this conversation has left the workspace."""
        super().__init__()
        self.has_left = has_left


class SearchAgain(Exception):
    """The search isn't finished and has to be continued later."""

    def __init__(
        self, until: datetime | None = None, *, unknown_error: bool = False, restart: bool = False
    ) -> None:
        """Create the error.

        Args:
            until: The wall-clock time at which the search can continue. None if it isn't known.
            unknown_error: Whether Slack's response was an error that isn't in our lists.
            restart: Whether the search has to start again from the first page.
        """
        super().__init__()
        self.until = until
        self.unknown_error = unknown_error
        self.restart = restart


@dataclass
class Search:
    """The progress of an unfinished search."""

    cursor: str = ""
    posts_of_bots: int = 0
    posts_of_ours: int = 0
    """The number of posts that have our metadata. They are also counted in `posts_of_bots`."""


class Finder:
    """Finds posts by reading conversations, as fast as Slack's rate limits allow."""

    def __init__(self, client: AsyncWebClient, clock: Clock, pace: Pace) -> None:
        self._client = client
        self._clock = clock
        self._pace = pace
        self._searches: dict[int, Search] = {}
        self._unknown_errors: dict[int, int] = {}
        """By message ID, the number of errors in a row that aren't in our lists."""

    async def find(
        self, message: Message, to: Destination, thread: str | None, since: datetime | None
    ) -> Place | None:
        """Find out whether the bot has already posted a message in a conversation.

        Returns the channel and the `ts` of the post. None if the message certainly hasn't been posted. The search
        ignores posts that are older than `since`, a time of the bot's own clock.

        Raises:
            Unreadable: The bot can't read the conversation, or Slack keeps no metadata there.
            SearchAgain: The search isn't finished and has to be continued later.
        """
        search = self._searches.pop(message.id, Search())
        errors = self._unknown_errors.pop(message.id, 0)
        try:
            async for metadata, place in self._posts(search, to, thread, since):
                if _is_of(metadata, message):
                    return place
        except SearchAgain as again:
            if not again.restart and len(self._searches) < SEARCHES:
                self._searches[message.id] = search
            if again.unknown_error and errors + 1 >= UNKNOWN_ERROR_TRIES:
                raise Unreadable from None
            if again.unknown_error and len(self._unknown_errors) < SEARCHES:
                self._unknown_errors[message.id] = errors + 1
            raise
        # The thread of another app's message begins with a bot's post that isn't ours, so it proves nothing.
        if search.posts_of_bots and not search.posts_of_ours and message.thread_ts is None:
            raise Unreadable
        return None

    async def version_shown(self, message: Message) -> int | None:
        """Return the version of a message that Slack currently shows.

        The version is read from the post's metadata. None if the post is missing, or its metadata has no version.

        Raises the same errors as `find`.
        """
        at = message.ts or ""
        query = {"channel": message.channel or message.to.value, "latest": at, "oldest": at, "inclusive": True}
        call = self._client.conversations_history
        answer = await self._call(call, **query, limit=1, include_all_metadata=True)
        posts = _page(answer)[0] if answer is not None else []
        return next((_version(post["metadata"]) for post in posts if _is_ours(post)), None)

    async def _posts(
        self, search: Search, to: Destination, thread: str | None, since: datetime | None
    ) -> AsyncIterator[tuple[Mapping[str, Any], Place]]:
        """Yield the posts of this bot: the metadata, the channel and the `ts` of each.

        Reads at most PAGES pages, starts where `search` stopped, and updates `search`. Raises SearchAgain if there
        are more pages.
        """
        channel = await self._direct_channel(to.value) if to.kind is DestinationKind.PERSON else to.value
        query: dict[str, Any] = {"channel": channel, "limit": PAGE, "include_all_metadata": True}
        if since is not None:
            query["oldest"] = f"{(since - CLOCK_SKEW).timestamp():.6f}"
        if thread is not None:
            query["ts"] = thread
        call = self._client.conversations_replies if thread else self._client.conversations_history
        for _ in range(PAGES):
            answer = await self._call(call, **query, **({"cursor": search.cursor} if search.cursor else {}))
            if answer is None:
                return
            posts, cursor = _page(answer)
            for post in posts:
                # Slack creates the post of an uploaded file itself, without the bot's metadata, so the post can't
                # be recognized as the bot's. Don't count posts with files.
                search.posts_of_bots += bool(post.get("bot_id")) and not post.get("files")
                if _is_ours(post):
                    search.posts_of_ours += 1
                    yield post["metadata"], (channel, str(post.get("ts")))
            search.cursor = cursor
            if not cursor:
                return
        raise SearchAgain(self._clock.real())

    async def _direct_channel(self, user: str) -> str:
        answer = await self._call(self._client.conversations_open, users=user)
        opened = answer.get("channel") if answer is not None else None
        if not isinstance(opened, Mapping) or not isinstance(opened.get("id"), str):
            raise SearchAgain
        return str(opened["id"])

    async def _call(
        self, call: Callable[..., Awaitable[AsyncSlackResponse]], **query: Any
    ) -> AsyncSlackResponse | None:
        """Call one of Slack's methods. Return None if Slack reports that the searched thread was deleted."""
        now = self._clock.real()
        open_at = self._pace.open_at(READ, now)
        if open_at > now:
            raise SearchAgain(open_at)
        self._pace.count(READ, now)
        try:
            with self._pace.watching(self._clock.real):
                return await call(**query)
        except SlackApiError as error:
            if error_code(error) == "thread_not_found":
                return None
            raise self._exception_for(error, query) from None
        except NO_ANSWER:
            raise SearchAgain from None

    def _exception_for(self, error: SlackApiError, query: Mapping[str, Any]) -> Exception:
        """Return the exception with which `_call` reports an error from Slack.

        If Slack requested a wait, further searches are blocked until it is over. If Slack refused our token, all
        calls are blocked for a while.
        """
        now, code = self._clock.real(), error_code(error)
        wait = requested_wait(error)
        if wait is not None:
            self._pace.block(READ, now + wait)
            return SearchAgain(now + wait)
        if code in TOKEN_REFUSED:
            self._pace.block_all(now + TOKEN_RETRY)
            return SearchAgain(now + TOKEN_RETRY)
        if code in UNREADABLE:
            return Unreadable(has_left=code == "user_disabled")
        if code == "invalid_cursor" and "cursor" in query:
            return SearchAgain(restart=True)
        return SearchAgain(unknown_error=not is_temporary(error))


def _page(answer: AsyncSlackResponse) -> tuple[list[Mapping[str, Any]], str]:
    """Return the posts of a page, and the cursor of the next page. The cursor is empty on the last page.

    Raises SearchAgain if the response doesn't have the expected format.
    """
    posts, more = answer.get("messages"), answer.get("response_metadata")
    if not isinstance(posts, list):
        raise SearchAgain
    cursor = more.get("next_cursor") if isinstance(more, Mapping) else None
    return [post for post in posts if isinstance(post, Mapping)], cursor if isinstance(cursor, str) else ""


def _is_ours(post: Mapping[str, Any]) -> bool:
    metadata = post.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("event_type") == METADATA


def _is_of(metadata: Mapping[str, Any], message: Message) -> bool:
    """Return whether a post with this metadata shows the given message.

    After a backup is restored, a new message can get the ID of an old post. So besides the IDs, this compares the
    versions: the post of an old message has a lower version than any version of the new message.

    Posts from older releases of the bot have no version. For them, only the IDs are compared.
    """
    version = _version(metadata)
    queued_since = version is None or version >= lowest_version(message.created_at)
    return _payload(metadata).get("id") == message.id and queued_since


def _payload(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, Mapping) else {}


def _version(metadata: Mapping[str, Any]) -> int | None:
    version = _payload(metadata).get("version")
    return version if isinstance(version, int) else None
