"""Slack's rate limits (docs.slack.dev/apis/web-api/rate-limits). All times are wall-clock.

There is one `Pace` in the process, because Slack counts calls per method and workspace, and posts also per
channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError

from handlers.slack_api.web_api import NO_ANSWER, is_temporary, requested_wait

POST, EDIT, READ, ANSWER = "chat.postMessage", "chat.update", "conversations", "response_url"
PUBLISH = "views.publish"
UPLOAD = "files"
"""The methods files.getUploadURLExternal and files.completeUploadExternal.

Each is in Tier 4, which allows more calls than our limit for posts.
"""
A_MINUTE = {POST: 240, EDIT: 50, READ: 40, PUBLISH: 80}
"""The maximum number of calls of each method per minute, in the whole workspace.

Slack allows "several hundred" chat.postMessage calls, 50 chat.update calls (Tier 3) and 100 views.publish calls
(Tier 4). READ stands for conversations.history, .replies and .open. Slack allows 50 calls of each (Tier 3), but we
count all three together.
"""
POST_EVERY = timedelta(seconds=1)
"""The minimum time between two posts to the same channel: Slack allows about one a second."""
PUBLISH_EVERY = timedelta(seconds=10)
"""The minimum time between two updates of one person's Home tab."""
EDITS_FOR_CHANGES = 25
"""The number of edits a minute that are reserved for changes and never spent on refreshes.

Otherwise, a card that should say "Ready" could wait for a minute while many machines are starting.
"""
MINUTE = timedelta(minutes=1)
OUTAGE_FROM = timedelta(seconds=5)
"""The time without any response after which Slack counts as down.

A single request that Slack always fails is no outage, because other requests get responses in the meantime.
"""


def _counts(at: datetime, now: datetime, span: timedelta) -> bool:
    """Return whether a call at that time is less than `span` ago.

    A call more than a minute in the future was counted while the machine's clock was ahead, so it doesn't count.
    """
    return -MINUTE <= now - at < span


class _Window:
    """A sliding window that allows at most `most` calls in a `minute`, which is shorter in a sandbox."""

    def __init__(self, most: int, minute: timedelta) -> None:
        self._most = most
        self._minute = minute
        self._calls: deque[datetime] = deque()

    def open_at(self, now: datetime, under_way: int) -> datetime:
        """Return the earliest time for the next call.

        `under_way` is the number of calls that have begun and haven't been counted yet.
        """
        while self._calls and not _counts(self._calls[0], now, self._minute):
            self._calls.popleft()
        too_many = len(self._calls) + under_way - self._most
        if too_many < 0:
            return now
        if too_many >= len(self._calls):
            return now + self._minute
        return max(now, self._calls[too_many] + self._minute)

    def add(self, now: datetime) -> None:
        self._calls.append(now)


class Pace:
    """Counts the calls to Slack, and computes when the next call of each kind is allowed."""

    def __init__(self, *, post_every: timedelta = POST_EVERY, speed: float = 1.0) -> None:
        """Create a pace without any calls.

        `speed` shortens all limits: with 60, the calls of one minute are allowed every second. Only a sandbox
        permits that.
        """
        self._windows = {method: _Window(most, MINUTE / speed) for method, most in A_MINUTE.items()}
        self.publish_every = PUBLISH_EVERY / speed
        self._every = {POST: post_every / speed, PUBLISH: self.publish_every}
        self._latest: dict[str, dict[str, datetime]] = {POST: {}, PUBLISH: {}}
        self._blocked: dict[str, datetime] = {}
        self._all_blocked_until: datetime | None = None
        self._unanswered_since: datetime | None = None
        """The start of the oldest unanswered call. None if Slack's last response is newer."""
        self.answered_at: datetime | None = None
        """The time of Slack's last response."""
        self.outage_over = False
        """True if Slack responds again after an outage, and waiting retries haven't been scheduled yet."""

    def open_at(self, method: str, now: datetime, under_way: int = 0) -> datetime:
        """Return the earliest time at which the method may be called.

        A post also has to wait until its channel is no longer `closed`. `under_way` is the number of calls that
        have begun and haven't been counted yet.
        """
        window = self._windows.get(method)
        moment = now if window is None else window.open_at(now, under_way)
        waits = [moment, self._blocked.get(method), self._all_blocked_until]
        return max(wait for wait in waits if wait is not None)

    def refresh_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return the earliest time for the next refresh, given the number of edits `under_way`."""
        return self.open_at(EDIT, now, under_way + EDITS_FOR_CHANGES)

    def closed(self, method: str, now: datetime) -> dict[str, datetime]:
        """Return the channels or people for which the method may not be called yet, with the time at which it may.

        These are the channels that have just received a post, or the people whose Home tab has just been
        published.
        """
        every = self._every[method]
        latest = {to: at for to, at in self._latest[method].items() if _counts(at, now, every)}
        self._latest[method] = latest
        return {to: at + every for to, at in latest.items()}

    def post_at(self, channel: str, now: datetime) -> datetime:
        """Return the earliest time for the next post to this channel."""
        return max(self.open_at(POST, now), self.closed(POST, now).get(channel, now))

    def count(self, method: str, now: datetime, to: str = "") -> None:
        """Count a call, and for a post or a Home tab also the channel or person that it goes `to`.

        A Home tab also counts if it was rendered and turned out to be up to date.
        """
        if method in self._windows:
            self._windows[method].add(now)
        if method in self._latest:
            self._latest[method][to] = now

    def block(self, method: str, until: datetime) -> None:
        """Block the method until the time that Slack requested. An earlier, longer block stays in place."""
        self._blocked[method] = max(until, self._blocked.get(method, until))

    def block_all(self, until: datetime) -> None:
        """Block all methods until then, because Slack refuses our token."""
        self._all_blocked_until = until

    def unblock_all(self) -> None:
        """End `block_all`, because Slack accepts our token again."""
        self._all_blocked_until = None

    @contextmanager
    def watching(self, real: Callable[[], datetime]) -> Iterator[None]:
        """Record whether Slack responds to the call that is made in this block.

        `real` returns the wall-clock time.
        """
        began = real()
        try:
            yield
        except NO_ANSWER as error:
            if isinstance(error, SlackApiError) and (requested_wait(error) or not is_temporary(error)):
                self.answered(real())
            else:
                self.unanswered(began)
            raise
        self.answered(real())

    def answered(self, now: datetime) -> None:
        """Record that Slack responded to a call, if only to refuse it or to request a wait."""
        since, self._unanswered_since, self.answered_at = self._unanswered_since, None, now
        self.outage_over = self.outage_over or (since is not None and now - since >= OUTAGE_FROM)

    def unanswered(self, began: datetime) -> None:
        """Record that a call got no response, or only a report of a failure at Slack.

        `began` is the start of the call.
        """
        self._unanswered_since = min(self._unanswered_since or began, began)
