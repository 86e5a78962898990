"""Things that expire, kept for a while longer so that who comes late is told so, and then forgotten."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
KEPT = 3600.0
"""Seconds of real time."""


@dataclass(frozen=True)
class _Made(Generic[Thing]):
    at: float
    thing: Thing


class Recent(Generic[Thing]):
    """Things by name, each for an hour of real time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._things: OrderedDict[str, _Made[Thing]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def add(self, name: str, thing: Thing) -> None:
        """Keeps it, and forgets what is too old."""
        now = self._monotonic()
        while self._things and now - next(iter(self._things.values())).at >= KEPT:
            self._things.popitem(last=False)
        self._things[name] = _Made(now, thing)

    def get(self, name: str) -> tuple[Thing, float] | None:
        """The thing, and its age in seconds."""
        made = self._things.get(name)
        return None if made is None else (made.thing, self._monotonic() - made.at)

    def pop(self, name: str) -> tuple[Thing, float] | None:
        """As `get`, and it is forgotten."""
        found = self.get(name)
        self._things.pop(name, None)
        return found
