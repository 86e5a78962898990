"""The dependencies of the listeners, and their memory of people and open forms.

`bot/app.py` creates the one context, and `handlers.connection` passes it to `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import MarketAway
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.lifecycle.outside import KeySource
from bot.model.offer import Catalog
from bot.model.person import Person
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.direct_posts import DirectPosts
from handlers.directory import People, SlackChannels
from handlers.phrases.format import Reader
from handlers.slack_api.gate import Gate

REMEMBERED = 2000
"""The maximum number of people in memory. The person who has been inactive the longest is forgotten first."""


class Pace:
    """Limits how often each person may do something.

    Each person may do it `at_once` times, and after that `per_second` times a second.
    """

    def __init__(self, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left: dict[str, tuple[float, float]] = {}
        """The number of uses that each person has left, and the `monotonic` time at which it was computed."""

    def wait(self, user_id: str, monotonic: float) -> int:
        """Count one use and return 0 if the person may continue now; otherwise return the seconds to wait."""
        left, at = self._left.pop(user_id, (float(self._at_once), monotonic))
        left = min(left + (monotonic - at) * self._per_second, self._at_once)
        allowed = left >= 1
        self._left[user_id] = (left - 1 if allowed else left), monotonic
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        return 0 if allowed else max(ceil((1 - left) / self._per_second), 1)


FORMS_REMEMBERED = 1000
"""The maximum number of forms in memory.

The form whose last choice was longest ago is forgotten first. Its price is then no longer updated.
"""


@dataclass
class Turn:
    """One choice in an open form."""

    view_id: str
    hash: str
    """Slack's hash of the view that the person saw."""
    replaced: str = ""
    """The hash before the bot's last update of the view."""


@dataclass
class OpenForms:
    """Remembers the newest choice in each open form, so that the form never shows the price of an older choice.

    Choices are kept in memory only. If the choices in one form reach several processes, the form may show the
    price of an older one after all. The text of the price then says which choice it is for.
    """

    _newest: dict[str, Turn] = field(default_factory=dict)

    def begin(self, view_id: str, view_hash: str) -> Turn:
        """Register a choice in a form as its newest one.

        If the choice was made just before the bot's last update arrived, it uses the view's hash after that
        update.
        """
        turn = Turn(view_id, view_hash)
        before = self._newest.pop(view_id, None)
        if before is not None and before.replaced == view_hash:
            turn = Turn(view_id, before.hash, replaced=view_hash)
        self._newest[view_id] = turn
        if len(self._newest) > FORMS_REMEMBERED:
            del self._newest[next(iter(self._newest))]
        return turn

    def is_newest(self, turn: Turn) -> bool:
        """Return whether this choice is still the newest one in its form."""
        return self._newest.get(turn.view_id) is turn

    def updated(self, turn: Turn, view_hash: str) -> None:
        """Store the new hash of a form that was updated. A choice made during the update then uses this hash."""
        newest = self._newest.get(turn.view_id)
        if newest is not None and newest.hash == turn.hash:
            newest.replaced, newest.hash = newest.hash, view_hash

    def forget(self, view_id: str) -> None:
        """Forget a form that was submitted, so that no update removes the errors that it may show now."""
        self._newest.pop(view_id, None)


@dataclass(frozen=True)
class Context:
    """The dependencies of the service, and Slack's client for the few calls that listeners make themselves."""

    deps: Deps
    catalog: Callable[[], Catalog | None]
    """Returns the most recently read catalog without waiting, or None before the first read."""
    key_source: KeySource
    """The source of people's public keys, which is GitHub."""
    prices: Prices
    """Computes the prices for the choices in the request form."""
    people: People
    channels: SlackChannels
    client: AsyncWebClient
    direct: DirectPosts
    block_types: BlockTypes
    """The block types that Slack accepts in dialogs and acknowledgements. Delivery uses the same object."""
    others_work: Callable[[], bool] = lambda: False
    """Returns whether another process is working, in case this machine's clock is wrong.

    If an event isn't acknowledged here, Slack sends it to the other process sooner or later.
    """
    gate: Gate = field(default_factory=Gate)
    hints: Pace = field(default_factory=lambda: Pace(at_once=1, per_second=1 / 3600))
    """Limits how often a person who mentions the bot within a sentence gets a hint about what to write."""
    commands: Pace = field(default_factory=lambda: Pace(at_once=10, per_second=5))
    """Limits how often a person may type commands."""
    github: Pace = field(default_factory=lambda: Pace(at_once=6, per_second=0.1))
    """Limits how often a person may look up keys at GitHub."""
    forms: OpenForms = field(default_factory=OpenForms)
    prices_asked: Pace = field(default_factory=lambda: Pace(at_once=20, per_second=0.5))
    """Limits how often a person's choices in forms may query the market."""

    def with_newest_rules(self) -> Context:
        """Return this context with the newest rules, for a click, command or event that begins now."""
        deps = with_newest_rules(self.deps)
        return self if deps is self.deps else replace(self, deps=deps)

    def reader(self, person: Person) -> Reader:
        """Return this person as the reader of an answer that is written now."""
        return Reader(id=person.id, rules=self.deps.rules, now=self.deps.clock.now(), zone=person.tz)

    def known_catalog(self) -> Catalog:
        """Return the most recently read catalog.

        Raises MarketAway before the first read.
        """
        known = self.catalog()
        if known is None:
            message = "I don't have Compute Clear's catalog yet. Nothing was rented. Try again in a minute."
            raise MarketAway(message, may_have_bought=False)
        return known
