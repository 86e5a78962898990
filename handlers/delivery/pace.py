"""How fast Slack may be called (docs.slack.dev/apis/web-api/rate-limits). All times are real.

There is one `Pace` in the process: Slack counts per method and workspace, and for posts also per channel.
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
"""files.getUploadURLExternal and .completeUploadExternal: Tier 4 each, more than posts are allowed."""
A_MINUTE = {POST: 240, EDIT: 50, READ: 40, PUBLISH: 80}
"""For the whole workspace together. chat.postMessage takes "several hundred" a minute. chat.update is in Tier 3,
50 a minute, and so are conversations.history, .replies and .open each; these are counted together, below the limit
of one. views.publish is in Tier 4, 100 a minute."""
POST_EVERY = timedelta(seconds=1)
"""chat.postMessage: about one a second for each channel."""
PUBLISH_EVERY = timedelta(seconds=10)
"""views.publish for one person, of what changed."""
EDITS_FOR_CHANGES = 25
"""How many edits a minute are kept for changes and never spent on refreshes. Otherwise a card that says "Ready"
could wait for a minute while many machines are starting."""
MINUTE = timedelta(minutes=1)
OUTAGE_FROM = timedelta(seconds=5)
"""For this long, no call must have been answered for that to count as an outage of Slack. A single request that
Slack always fails is none, because others are answered in between."""


def _counts(at: datetime, now: datetime, span: timedelta) -> bool:
    """Return whether a call at that time is less than `span` ago.

    A call more than a minute from now was counted while the machine's clock was ahead, so it doesn't count.
    """
    return -MINUTE <= now - at < span


class _Window:
    """The calls of the last minute of Slack's time, at most `most`."""

    def __init__(self, most: int, minute: timedelta) -> None:
        self._most = most
        self._minute = minute
        self._calls: deque[datetime] = deque()

    def open_at(self, now: datetime, under_way: int) -> datetime:
        """Return when the next call may go. `under_way` is how many calls have begun and are not counted yet."""
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
    """Counts the calls to Slack, and computes when the next call of each kind may go."""

    def __init__(self, *, post_every: timedelta = POST_EVERY, speed: float = 1.0) -> None:
        """`speed` is that of Slack's time: 60 if it allows a minute's calls in a second, as only a sandbox may."""
        self._windows = {method: _Window(most, MINUTE / speed) for method, most in A_MINUTE.items()}
        self.publish_every = PUBLISH_EVERY / speed
        self._every = {POST: post_every / speed, PUBLISH: self.publish_every}
        self._latest: dict[str, dict[str, datetime]] = {POST: {}, PUBLISH: {}}
        self._blocked: dict[str, datetime] = {}
        self._all_blocked_until: datetime | None = None
        self._unanswered_since: datetime | None = None
        """When the first call began that got no answer, since the newest answer."""
        self.answered_at: datetime | None = None
        """When Slack answered last."""
        self.outage_over = False
        """Whether Slack answered after an outage, and what waits for a retry isn't due yet."""

    def open_at(self, method: str, now: datetime, under_way: int = 0) -> datetime:
        """Return when the method may be called next, for a post to a channel that is not `closed`. `under_way` is
        how many calls have begun and are not counted yet.
        """
        window = self._windows.get(method)
        moment = now if window is None else window.open_at(now, under_way)
        waits = [moment, self._blocked.get(method), self._all_blocked_until]
        return max(wait for wait in waits if wait is not None)

    def refresh_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return when the next refresh may go, with as many edits `under_way`."""
        return self.open_at(EDIT, now, under_way + EDITS_FOR_CHANGES)

    def closed(self, method: str, now: datetime) -> dict[str, datetime]:
        """Return the channels that take no post yet, or the people whose Home tab was published just now, each
        with the time from which on the method may be called for them again.
        """
        every = self._every[method]
        latest = {to: at for to, at in self._latest[method].items() if _counts(at, now, every)}
        self._latest[method] = latest
        return {to: at + every for to, at in latest.items()}

    def post_at(self, channel: str, now: datetime) -> datetime:
        """Return when the next post to this channel may go."""
        return max(self.open_at(POST, now), self.closed(POST, now).get(channel, now))

    def count(self, method: str, now: datetime, to: str = "") -> None:
        """Count a call, for a post or a Home tab with the channel or person that it goes `to`. A Home tab that is
        rendered and turns out to be shown already counts too.
        """
        if method in self._windows:
            self._windows[method].add(now)
        if method in self._latest:
            self._latest[method][to] = now

    def block(self, method: str, until: datetime) -> None:
        """Call this method no earlier than `until`, as Slack asked, or than an earlier block ends."""
        self._blocked[method] = max(until, self._blocked.get(method, until))

    def block_all(self, until: datetime) -> None:
        """Call no method until then, because Slack refuses our token."""
        self._all_blocked_until = until

    def unblock_all(self) -> None:
        """End `block_all`: Slack takes our token again."""
        self._all_blocked_until = None

    @contextmanager
    def watching(self, real: Callable[[], datetime]) -> Iterator[None]:
        """Note whether Slack answers the call that is made in this block. `real` returns the real time."""
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
        """Note that Slack answered a call, if only to refuse it or to ask for a wait."""
        since, self._unanswered_since, self.answered_at = self._unanswered_since, None, now
        self.outage_over = self.outage_over or (since is not None and now - since >= OUTAGE_FROM)

    def unanswered(self, began: datetime) -> None:
        """Note that a call got no answer, or only that Slack has a failure. `began` is when it was made."""
        self._unanswered_since = min(self._unanswered_since or began, began)
