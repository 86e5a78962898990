"""A map that knows the age of its values, for tokens that expire.

Values are kept for an hour, which is longer than any token is valid. If an app uses a token too late, the
sandbox can therefore say that the token has expired, and not just that it is unknown.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")
KEEP_FOR = 3600.0
"""The time for which values are kept, in wall-clock seconds."""


@dataclass(frozen=True)
class _Entry(Generic[Value]):
    at: float
    value: Value


class ExpiringMap(Generic[Value]):
    """Values by name, each kept for an hour of wall-clock time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, value: Value) -> None:
        """Add a value, and remove values that are too old."""
        now = self._monotonic()
        while self._entries and now - next(iter(self._entries.values())).at >= KEEP_FOR:
            self._entries.popitem(last=False)
        self._entries[name] = _Entry(now, value)

    def get(self, name: str) -> tuple[Value, float] | None:
        """Return the value and its age in seconds, or None if there is none."""
        entry = self._entries.get(name)
        return None if entry is None else (entry.value, self._monotonic() - entry.at)

    def pop(self, name: str) -> tuple[Value, float] | None:
        """Remove the value, and return it with its age in seconds. Return None if there is none."""
        found = self.get(name)
        self._entries.pop(name, None)
        return found
