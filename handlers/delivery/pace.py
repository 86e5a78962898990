"""How fast Slack may be spoken to (docs.slack.dev/apis/web-api/rate-limits). All times are real."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

POST_EVERY = timedelta(seconds=1)
"""chat.postMessage: about one a second for each channel."""
EDITS_A_MINUTE = 50
"""chat.update: Tier 3, for the whole workspace together."""
MINUTE = timedelta(minutes=1)
ANSWERS = "response_url"


class Pace:
    """Remembers what was sent, and says when the next call of a kind may go."""

    def __init__(self) -> None:
        self._posted: dict[str, datetime] = {}
        self._edits: deque[datetime] = deque()
        self._blocked: dict[str, datetime] = {}
        self._all_until: datetime | None = None

    def posts_at(self, now: datetime) -> datetime:
        """When the next post may go, to a channel that isn't `resting`."""
        return self._open("chat.postMessage", now)

    def resting(self, now: datetime) -> dict[str, datetime]:
        """The channels that take no post yet, and when they do."""
        self._posted = {channel: at for channel, at in self._posted.items() if now < at + POST_EVERY}
        return {channel: at + POST_EVERY for channel, at in self._posted.items()}

    def edit_at(self, now: datetime, under_way: int = 0) -> datetime:
        """When the next edit may go, where so many are about to."""
        while self._edits and now - self._edits[0] >= MINUTE:
            self._edits.popleft()
        full = len(self._edits) + under_way >= EDITS_A_MINUTE
        first = self._edits[0] if self._edits else now
        return self._open("chat.update", max(now, first + MINUTE) if full else now)

    def answer_at(self, now: datetime) -> datetime:
        """When the next answer to a `response_url` may go."""
        return self._open(ANSWERS, now)

    def posted(self, channel: str, now: datetime) -> None:
        """A post went out."""
        self._posted[channel] = now

    def edited(self, now: datetime) -> None:
        """An edit went out."""
        self._edits.append(now)

    def block(self, method: str, until: datetime) -> None:
        """Slack asked to wait with a method."""
        self._blocked[method] = until

    def block_all(self, until: datetime) -> None:
        """Slack takes nothing from us at the moment."""
        self._all_until = until

    def _open(self, method: str, moment: datetime) -> datetime:
        waits = [moment, self._blocked.get(method), self._all_until]
        return max(wait for wait in waits if wait is not None)
