"""When machines next change by themselves."""

import heapq
from datetime import datetime
from itertools import count

from sandbox.clock import Bell
from sandbox.compute.machines import Machine


class Agenda:
    """Times and the machines that change then, the soonest first. `bell` rings when something is added."""

    def __init__(self) -> None:
        self._items: list[tuple[datetime, int, Machine]] = []
        self._numbers = count()
        self.bell = Bell()

    def add(self, moment: datetime, machine: Machine) -> None:
        """Notes that something about `machine` changes at `moment`; one entry too many does no harm."""
        heapq.heappush(self._items, (moment, next(self._numbers), machine))
        self.bell.ring()

    def next(self) -> datetime | None:
        """When the soonest change is, if any."""
        return self._items[0][0] if self._items else None

    def pop_due(self, now: datetime) -> list[Machine]:
        """Takes out what is due by `now`, in order."""
        due: list[Machine] = []
        while self._items and self._items[0][0] <= now:
            due.append(heapq.heappop(self._items)[2])
        return due
