"""What listeners are given, and what they remember of people and open forms. bot/app.py makes one context, and
`handlers.connection` passes it to `register`.
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
        must wait.
        """
        left, at = self._left.pop(user_id, (float(self._at_once), monotonic))
        left = min(left + (monotonic - at) * self._per_second, self._at_once)
        allowed = left >= 1
        self._left[user_id] = (left - 1 if allowed else left), monotonic
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        return 0 if allowed else max(ceil((1 - left) / self._per_second), 1)


FORMS_REMEMBERED = 1000
"""The most forms in memory. The one that was opened first is forgotten first: it then shows its price no more."""


@dataclass
class Turn:
    """One choice in an open form."""

    view_id: str
    hash: str
    """The state of the view that the person saw, as Slack names it."""
    replaced: str = ""
    """The state before the bot's last update of the view."""


@dataclass
class OpenForms:
    """Remembers the newest choice in each open form, so that the price of an earlier one never replaces its price.
    It is kept in memory: a form whose choices reach several processes may keep an older price, which names its
    choice.
    """

    _newest: dict[str, Turn] = field(default_factory=dict)

    def begin(self, view_id: str, view_hash: str) -> Turn:
        """Return a new choice in a form, which is the newest one from now on. If it was made just before the bot's
        last update arrived, it uses the state after that.
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
        """Return whether a choice is still the newest one in its form."""
        return self._newest.get(turn.view_id) is turn

    def updated(self, turn: Turn, view_hash: str) -> None:
        """Take the new state of a form that was updated. A choice that was made during the update uses it."""
        newest = self._newest.get(turn.view_id)
        if newest is not None and newest.hash == turn.hash:
            newest.replaced, newest.hash = newest.hash, view_hash

    def forget(self, view_id: str) -> None:
        """Forget a form that was submitted: errors that it shows then must not go with an update."""
        self._newest.pop(view_id, None)


@dataclass(frozen=True)
class Context:
    """The service's dependencies, and Slack's client for the few calls that listeners make themselves."""

    deps: Deps
    catalog: Callable[[], Catalog | None]
    """Return the catalogue as last read, or None before the first read. Never wait."""
    key_source: KeySource
    """Where people's public keys are read from: GitHub."""
    prices: Prices
    """What the request form says of its choice."""
    people: People
    channels: SlackChannels
    client: AsyncWebClient
    direct: DirectPosts
    block_types: BlockTypes
    """Those that Slack takes in dialogs and acknowledgements. Delivery has the same."""
    others_work: Callable[[], bool] = lambda: False
    """Return whether another process works, if this machine's clock is wrong. Slack then sends an event that isn't
    acknowledged to that one sooner or later."""
    gate: Gate = field(default_factory=Gate)
    hints: Pace = field(default_factory=lambda: Pace(at_once=1, per_second=1 / 3600))
    """How often a person who mentions the bot in a sentence is told what to write."""
    commands: Pace = field(default_factory=lambda: Pace(at_once=10, per_second=5))
    """How often one person may type commands."""
    github: Pace = field(default_factory=lambda: Pace(at_once=6, per_second=0.1))
    """How often one person may look up keys at GitHub."""
    forms: OpenForms = field(default_factory=OpenForms)
    prices_asked: Pace = field(default_factory=lambda: Pace(at_once=20, per_second=0.5))
    """How often the market may be asked for what one person chooses in forms."""

    def with_newest_rules(self) -> Context:
        """Return the context of a click, a command or an event that begins now."""
        deps = with_newest_rules(self.deps)
        return self if deps is self.deps else replace(self, deps=deps)

    def reader(self, person: Person) -> Reader:
        """Return this person as the reader of an answer that is made now."""
        return Reader(id=person.id, rules=self.deps.rules, now=self.deps.clock.now(), zone=person.tz)

    def known_catalog(self) -> Catalog:
        """Return the catalogue as last read. Raise MarketAway before the first read."""
        known = self.catalog()
        if known is None:
            words = "I don't have Compute Clear's catalog yet. Nothing was rented. Try again in a minute."
            raise MarketAway(words, may_have_bought=False)
        return known
