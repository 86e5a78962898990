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

    def post_at(self, channel: str, now: datetime) -> datetime:
        """When the next post to a channel may go."""
        last = self._posted.get(channel)
        return self._open("chat.postMessage", now if last is None else max(now, last + POST_EVERY))

    def edit_at(self, now: datetime) -> datetime:
        """When the next edit may go."""
        while self._edits and now - self._edits[0] >= MINUTE:
            self._edits.popleft()
        full = len(self._edits) >= EDITS_A_MINUTE
        return self._open("chat.update", max(now, self._edits[0] + MINUTE) if full else now)

    def answer_at(self, now: datetime) -> datetime:
        """When the next answer to a `response_url` may go."""
        return self._open(ANSWERS, now)

    def posted(self, channel: str, now: datetime) -> None:
        """A post went out."""
        if len(self._posted) > 1000:
            self._posted = {name: at for name, at in self._posted.items() if now - at < POST_EVERY}
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
