"""Which choice of each open form is the newest one."""

from __future__ import annotations

from dataclasses import dataclass, field

REMEMBERED = 1000
"""The most forms in memory. The one that was opened first is forgotten first: it then shows its price no more."""


@dataclass
class Turn:
    """One choice in an open form."""

    view_id: str
    hash: str
    """The state of the view that the person saw, as Slack names it."""


@dataclass
class OpenForms:
    """Remembers the newest choice in each open form, so that the price of an earlier one never replaces its price.
    It is kept in memory: a form whose choices reach several processes may keep an older price, which names its
    choice."""

    _newest: dict[str, Turn] = field(default_factory=dict)

    def begin(self, view_id: str, view_hash: str) -> Turn:
        """Return a new choice in a form, which is the newest one from now on."""
        turn = Turn(view_id, view_hash)
        self._newest.pop(view_id, None)
        self._newest[view_id] = turn
        if len(self._newest) > REMEMBERED:
            del self._newest[next(iter(self._newest))]
        return turn

    def is_newest(self, turn: Turn) -> bool:
        """Return whether a choice is still the newest one in its form."""
        return self._newest.get(turn.view_id) is turn

    def updated(self, turn: Turn, view_hash: str) -> None:
        """Take the new state of a form that was updated. A choice that was made during the update uses it."""
        newest = self._newest.get(turn.view_id)
        if newest is not None and newest.hash == turn.hash:
            newest.hash = view_hash

    def forget(self, view_id: str) -> None:
        """Forget a form that was submitted: errors that it shows then must not go with an update."""
        self._newest.pop(view_id, None)
