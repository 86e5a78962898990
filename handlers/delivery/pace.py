"""Slack's rate limits (docs.slack.dev/apis/web-api/rate-limits). All times are wall-clock.

The whole process shares one `Pace`, because Slack counts all calls of a method in a workspace together. It also
counts the posts to each channel.
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
"""Stands for the methods files.getUploadURLExternal and files.completeUploadExternal.

Slack allows about 100 calls of each per minute (Tier 4). They have no limit here, because uploads are counted as
posts.
"""
A_MINUTE = {POST: 240, EDIT: 50, READ: 40, PUBLISH: 80}
"""The maximum number of calls of each method per minute, in the whole workspace.

Slack allows "several hundred" chat.postMessage calls, 50 chat.update calls (Tier 3) and 100 views.publish calls
(Tier 4). READ stands for three methods together: conversations.history, .replies and .open. Slack allows 50 calls
of each (Tier 3).
"""
POST_EVERY = timedelta(seconds=1)
"""The minimum time between two posts to the same channel: Slack allows about one a second."""
PUBLISH_EVERY = timedelta(seconds=10)
"""The minimum time between two updates of one person's Home tab."""
EDITS_FOR_CHANGES = 25
"""The number of edits a minute that are reserved for changes, so that refreshes can't use them.

A refresh only updates how much time has passed. Without the reserve, a card that should say "Ready" could wait for
a minute while many machines are starting.
"""
MINUTE = timedelta(minutes=1)
OUTAGE_FROM = timedelta(seconds=5)
"""The length of time without any response after which Slack is considered down.

If only one request keeps failing, this isn't an outage, because other requests get responses.
"""


def _counts(at: datetime, now: datetime, span: timedelta) -> bool:
    """Return whether the call at `at` was made less than `span` ago.

    False for a call that seems to be more than a minute in the future. It was recorded while the machine's clock
    was ahead.
    """
    return -MINUTE <= now - at < span


class _Window:
    """A rate limit: at most `most` calls within any period of length `minute`.

    In a sandbox, `minute` can be shorter than a minute.
    """

    def __init__(self, most: int, minute: timedelta) -> None:
        self._most = most
        self._minute = minute
        self._calls: deque[datetime] = deque()

    def open_at(self, now: datetime, under_way: int) -> datetime:
        """Return the earliest time for the next call.

        `under_way` is the number of calls that have been started, but not recorded with `add` yet.
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
        """Create the limits for a process that hasn't called Slack yet.

        Only a sandbox uses `speed`, which shortens all periods. With a speed of 60, the calls of one minute are
        allowed every second.
        """
        self._windows = {method: _Window(most, MINUTE / speed) for method, most in A_MINUTE.items()}
        self.publish_every = PUBLISH_EVERY / speed
        self._every = {POST: post_every / speed, PUBLISH: self.publish_every}
        self._latest: dict[str, dict[str, datetime]] = {POST: {}, PUBLISH: {}}
        self._blocked: dict[str, datetime] = {}
        self._all_blocked_until: datetime | None = None
        self._unanswered_since: datetime | None = None
        """The start of the first unanswered call since Slack last responded. None if all calls were answered."""
        self.answered_at: datetime | None = None
        """The time of Slack's last response."""
        self.outage_over = False
        """True after an outage of Slack, until the loop has scheduled the waiting retries."""

    def open_at(self, method: str, now: datetime, under_way: int = 0) -> datetime:
        """Return the earliest time at which a method can be called.

        Slack also limits the calls for each channel and person. This function ignores those limits, and `closed`
        checks them. `under_way` is the number of calls that have been started, but not recorded with `count` yet.
        """
        window = self._windows.get(method)
        moment = now if window is None else window.open_at(now, under_way)
        waits = [moment, self._blocked.get(method), self._all_blocked_until]
        return max(wait for wait in waits if wait is not None)

    def refresh_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return the earliest time for the next refresh, an edit that only updates how much time has passed.

        `under_way` is the number of edits that have been started, but not recorded with `count` yet.
        """
        return self.open_at(EDIT, now, under_way + EDITS_FOR_CHANGES)

    def closed(self, method: str, now: datetime) -> dict[str, datetime]:
        """Return the channels or people for which `method` can't be called yet, each with the time to wait for.

        For posts, these are the channels that have just received a post. For Home tabs, these are the people whose
        tab has just been published.
        """
        every = self._every[method]
        latest = {to: at for to, at in self._latest[method].items() if _counts(at, now, every)}
        self._latest[method] = latest
        return {to: at + every for to, at in latest.items()}

    def post_at(self, channel: str, now: datetime) -> datetime:
        """Return the earliest time for the next post to this channel."""
        return max(self.open_at(POST, now), self.closed(POST, now).get(channel, now))

    def count(self, method: str, now: datetime, to: str = "") -> None:
        """Record a call of one of Slack's methods.

        `to` is the channel of a post, or the person whose Home tab is published. If Slack already shows the
        current content of a Home tab, no call is needed. The call is recorded nevertheless.
        """
        if method in self._windows:
            self._windows[method].add(now)
        if method in self._latest:
            self._latest[method][to] = now

    def block(self, method: str, until: datetime) -> None:
        """Allow no calls of one of Slack's methods until `until`. A longer existing block isn't shortened."""
        self._blocked[method] = max(until, self._blocked.get(method, until))

    def block_all(self, until: datetime) -> None:
        """Allow no calls to Slack until `until`, because Slack refuses our token."""
        self._all_blocked_until = until

    def unblock_all(self) -> None:
        """Undo `block_all`, because Slack accepts our token again."""
        self._all_blocked_until = None

    @contextmanager
    def watching(self, real: Callable[[], datetime]) -> Iterator[None]:
        """Record whether Slack responds to the call that is made inside the `with` statement.

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
        """Record that Slack responded to a call. A refusal or a requested wait is a response too."""
        since, self._unanswered_since, self.answered_at = self._unanswered_since, None, now
        self.outage_over = self.outage_over or (since is not None and now - since >= OUTAGE_FROM)

    def unanswered(self, began: datetime) -> None:
        """Record that a call got no response, or only an error saying that Slack itself failed.

        `began` is the time at which the call started.
        """
        self._unanswered_since = min(self._unanswered_since or began, began)
