"""A map whose values have an age. They are kept for an hour, so that a late use is answered as expired."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")
KEEP_FOR = 3600.0
"""Seconds of real time."""


@dataclass(frozen=True)
class _Entry(Generic[Value]):
    at: float
    value: Value


class ExpiringMap(Generic[Value]):
    """Values by name, each for an hour of real time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, value: Value) -> None:
        """Add a value, and forget those that are too old."""
        now = self._monotonic()
        while self._entries and now - next(iter(self._entries.values())).at >= KEEP_FOR:
            self._entries.popitem(last=False)
        self._entries[name] = _Entry(now, value)

    def get(self, name: str) -> tuple[Value, float] | None:
        """Return the value and its age in seconds."""
        entry = self._entries.get(name)
        return None if entry is None else (entry.value, self._monotonic() - entry.at)

    def pop(self, name: str) -> tuple[Value, float] | None:
        """Return the value and its age, and forget it."""
        found = self.get(name)
        self._entries.pop(name, None)
        return found
