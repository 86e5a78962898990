"""Slack's rate limits, in real time: before it acts, a method asks how long it has to wait.

Numbers: https://docs.slack.dev/apis/web-api/rate-limits. chat.postMessage takes one message a second per channel
after a burst of `POST_BURST`; the tiers count calls in any 60 seconds. A refused call does not count.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

POST_BURST = 3
POSTS_PER_MINUTE = 300
"""Posts of the whole workspace; Slack says "several hundred"."""


@dataclass(frozen=True)
class Tier:
    """How many calls of a method the workspace may make in any minute."""

    per_minute: int


TIER_2, TIER_3, TIER_4 = Tier(20), Tier(50), Tier(100)
SPECIAL = Tier(300)


class RateLimits:
    """The limits. `scale` is the speed of their time (60: a minute's calls in a second). 0 switches the limits
    off.
    """

    def __init__(self, monotonic: Callable[[], float], scale: float = 1.0) -> None:
        self.scale = scale
        self._monotonic = monotonic
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._next_post: dict[str, float] = {}

    def call(self, method: str, tier: Tier) -> int:
        """Return 0 if the call may go on, else the real seconds after which to try again."""
        if self.scale == 0:
            return 0
        now = self._monotonic() * self.scale
        calls = self._calls[method]
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= tier.per_minute:
            return self._seconds(calls[0] + 60 - now)
        calls.append(now)
        return 0

    def post(self, channel: str) -> int:
        """Return 0 if a message may be posted to the channel, else the real seconds after which to try again."""
        if self.scale == 0:
            return 0
        now = self._monotonic() * self.scale
        free = max(self._next_post.get(channel, now), now)
        if free - now > POST_BURST - 1:
            return self._seconds(free - now - (POST_BURST - 1))
        wait = self.call("chat.postMessage", Tier(POSTS_PER_MINUTE))
        if wait == 0:
            self._next_post[channel] = free + 1
        return wait

    def _seconds(self, wait: float) -> int:
        return max(1, math.ceil(wait / self.scale))
