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

POST_EVERY = timedelta(seconds=1)
"""chat.postMessage: about one a second for each channel."""
POSTS_A_MINUTE = 240
"""chat.postMessage: "several hundred" a minute for the whole workspace."""
EDITS_A_MINUTE = 50
"""chat.update: Tier 3, for the whole workspace together."""
READS_A_MINUTE = 40
"""conversations.history, .replies and .open: Tier 3 each. They are counted together, below the limit of one
method."""
EDITS_FOR_CHANGES = 25
"""How many edits a minute are kept for changes and never spent on refreshes. Otherwise a card that says "Ready"
could wait for a minute while many machines are starting."""
MINUTE = timedelta(minutes=1)
PUBLISHES_A_MINUTE = 80
"""views.publish: Tier 4, which is 100 a minute for the whole workspace."""
PUBLISH_EVERY = timedelta(seconds=10)
"""views.publish for one person, of what changed."""
POST, EDIT, READ, ANSWER = "chat.postMessage", "chat.update", "conversations", "response_url"
PUBLISH = "views.publish"
UPLOAD = "files"
"""files.getUploadURLExternal and .completeUploadExternal: Tier 4 each, more than posts are allowed."""
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
        self._post_every, minute = post_every / speed, MINUTE / speed
        self._posted: dict[str, datetime] = {}
        self._posts = _Window(POSTS_A_MINUTE, minute)
        self._edits = _Window(EDITS_A_MINUTE, minute)
        self._reads = _Window(READS_A_MINUTE, minute)
        self._publishes = _Window(PUBLISHES_A_MINUTE, minute)
        self.publish_every = PUBLISH_EVERY / speed
        self._published: dict[str, datetime] = {}
        self._blocked: dict[str, datetime] = {}
        self._all_blocked_until: datetime | None = None
        self._unanswered_since: datetime | None = None
        """When the first call began that got no answer, since the newest answer."""
        self.answered_at: datetime | None = None
        """When Slack answered last."""
        self.outage_over = False
        """Whether Slack answered after an outage, and what waits for a retry isn't due yet."""

    def posts_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return when the next post may go to a channel that is not in `closed_channels`. `under_way` is how many
        posts have begun and are not counted yet."""
        return self._open(POST, self._posts.open_at(now, under_way))

    def closed_channels(self, now: datetime) -> dict[str, datetime]:
        """Return the channels that take no post yet, each with the time from which on it takes one."""
        self._posted = {to: at for to, at in self._posted.items() if _counts(at, now, self._post_every)}
        return {channel: at + self._post_every for channel, at in self._posted.items()}

    def post_at(self, channel: str, now: datetime) -> datetime:
        """Return when the next post to this channel may go."""
        return max(self.posts_at(now), self.closed_channels(now).get(channel, now))

    def edit_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return when the next edit may go. `under_way` is how many edits have begun and are not counted yet."""
        return self._open(EDIT, self._edits.open_at(now, under_way))

    def refresh_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return when the next refresh may go. `under_way` is how many edits have begun and are not counted
        yet."""
        return self.edit_at(now, under_way + EDITS_FOR_CHANGES)

    def publish_at(self, now: datetime, under_way: int = 0) -> datetime:
        """Return when the next Home tab may be published. `under_way` is how many have begun and are not counted
        yet."""
        return self._open(PUBLISH, self._publishes.open_at(now, under_way))

    def closed_homes(self, now: datetime) -> dict[str, datetime]:
        """Return the people whose Home tab was published just now, each with the time from which on it is
        published again."""
        every = self.publish_every
        self._published = {to: at for to, at in self._published.items() if _counts(at, now, every)}
        return {person: at + every for person, at in self._published.items()}

    def read_at(self, now: datetime) -> datetime:
        """Return when the next page of a conversation may be read."""
        return self._open(READ, self._reads.open_at(now, 0))

    def answer_at(self, now: datetime) -> datetime:
        """Return when the next request to a `response_url` may go."""
        return self._open(ANSWER, now)

    def posted(self, channel: str, now: datetime) -> None:
        """Count a post."""
        self._posted[channel] = now
        self._posts.add(now)

    def edited(self, now: datetime) -> None:
        """Count an edit."""
        self._edits.add(now)

    def published(self, person: str, now: datetime) -> None:
        """Count a Home tab that is published, or that is rendered and turns out to be shown already."""
        self._published[person] = now
        self._publishes.add(now)

    def read(self, now: datetime) -> None:
        """Count a page of a conversation."""
        self._reads.add(now)

    def block(self, method: str, until: datetime) -> None:
        """Call this method no earlier than `until`, because Slack asked to wait. An earlier block that ends later
        still holds."""
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

    def _open(self, method: str, moment: datetime) -> datetime:
        waits = [moment, self._blocked.get(method), self._all_blocked_until]
        return max(wait for wait in waits if wait is not None)
