"""How often one person may do something. It is kept in memory, in real time."""

from __future__ import annotations

from math import ceil

REMEMBERED = 2000
"""The most people in memory. The person who has been there longest is forgotten first."""


class Pace:
    """Lets each person do something `at_once` times, and after that `per_second` times a second."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left: dict[str, tuple[float, float]] = {}
        """How many times each person has left, and the time of `monotonic` at which that was computed."""

    def wait(self, user_id: str, monotonic: float) -> int:
        """Count one time and return 0 if the person may do it now. Otherwise return how many whole seconds they
        must wait."""
        left, at = self._left.pop(user_id, (float(self._at_once), monotonic))
        left = min(left + (monotonic - at) * self._per_second, self._at_once)
        allowed = left >= 1
        self._left[user_id] = (left - 1 if allowed else left), monotonic
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        return 0 if allowed else max(ceil((1 - left) / self._per_second), 1)
