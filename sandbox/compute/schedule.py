"""The times at which machines change on their own."""

import heapq
from datetime import datetime
from itertools import count

from sandbox.clock import Notifier
from sandbox.compute.machines import Machine


class Schedule:
    """A queue of machines, ordered by the time at which they change.

    `changes` wakes the waiting tasks each time a machine is added.
    """

    def __init__(self) -> None:
        self._items: list[tuple[datetime, int, Machine]] = []
        self._numbers = count()
        self.changes = Notifier()

    def add(self, moment: datetime, machine: Machine) -> None:
        """Add a time at which `machine` may change. It does no harm if the machine doesn't change at this time."""
        heapq.heappush(self._items, (moment, next(self._numbers), machine))
        self.changes.notify()

    def next(self) -> datetime | None:
        """Return the time of the next change, or None if there is none."""
        return self._items[0][0] if self._items else None

    def pop_due(self, now: datetime) -> list[Machine]:
        """Remove and return the machines that change by `now`, in order of time."""
        due: list[Machine] = []
        while self._items and self._items[0][0] <= now:
            due.append(heapq.heappop(self._items)[2])
        return due
