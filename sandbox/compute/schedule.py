"""The times at which machines next change on their own."""

import heapq
from datetime import datetime
from itertools import count

from sandbox.clock import Notifier
from sandbox.compute.machines import Machine


class Schedule:
    """Times and the machines that change then, the soonest first. `changes` is notified when one is added."""

    def __init__(self) -> None:
        self._items: list[tuple[datetime, int, Machine]] = []
        self._numbers = count()
        self.changes = Notifier()

    def add(self, moment: datetime, machine: Machine) -> None:
        """Add a time at which `machine` changes. An entry at which nothing changes does no harm."""
        heapq.heappush(self._items, (moment, next(self._numbers), machine))
        self.changes.notify()

    def next(self) -> datetime | None:
        """Return the time of the soonest change, if there is one."""
        return self._items[0][0] if self._items else None

    def pop_due(self, now: datetime) -> list[Machine]:
        """Remove and return the machines that are due by `now`, in order."""
        due: list[Machine] = []
        while self._items and self._items[0][0] <= now:
            due.append(heapq.heappop(self._items)[2])
        return due
