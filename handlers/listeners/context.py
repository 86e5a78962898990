"""The dependencies of the listeners, and the state that they keep in memory about people and open forms.

`bot/app.py` creates one context for the process, and `handlers.connection` passes it to `register`.
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
    """Limits how often each person can do something.

    This is a token bucket: a person can do something `at_once` times in a row, and in the long run `per_second`
    times a second.
    """

    def __init__(self, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left: dict[str, tuple[float, float]] = {}
        """For each person, the number of uses that are left, and the `monotonic` time at which it was computed."""

    def wait(self, user_id: str, monotonic: float, *, record: bool = True) -> int:
        """Return 0 if the person can proceed now, and record this use unless `record` is false.

        If the limit is reached, return the number of seconds to wait.
        """
        left, at = self._left.pop(user_id, (float(self._at_once), monotonic))
        left = min(left + (monotonic - at) * self._per_second, self._at_once)
        allowed = left >= 1
        self._left[user_id] = (left - 1 if allowed and record else left), monotonic
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        return 0 if allowed else max(ceil((1 - left) / self._per_second), 1)


FORMS_REMEMBERED = 1000
"""The maximum number of forms in memory.

The form in which nobody has chosen anything for the longest time is forgotten first. If the bot is still looking
up a price for a forgotten form, the price isn't shown.
"""


@dataclass
class Turn:
    """A person's choice in an input of an open form. The form must then show the price of this choice."""

    view_id: str
    hash: str
    """Slack's hash of the view, which an update of the view must contain."""
    replaced: str = ""
    """The hash that the bot's last update of the view replaced. Empty if the bot hasn't updated the view."""


@dataclass
class OpenForms:
    """Remembers the newest choice in each open form, so that the form never shows the price of an older choice.

    Choices are kept in memory only. If Slack sends the choices in one form to several processes, the form may
    still show the price of an older choice. This is acceptable, because the price is shown together with the
    request that it applies to.
    """

    _newest: dict[str, Turn] = field(default_factory=dict)

    def begin(self, view_id: str, view_hash: str) -> Turn:
        """Register a person's choice as the newest choice in a form.

        If the bot has just updated the form, `view_hash` can still be the hash before this update. The returned
        choice contains the current hash.
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
        """Return whether nobody has made a later choice in the same form."""
        return self._newest.get(turn.view_id) is turn

    def updated(self, turn: Turn, view_hash: str) -> None:
        """Store the new hash of a form that the bot has updated, because the next update must contain this hash.

        `turn` is the choice whose price the bot has shown. If the person has made a later choice in the form, the
        hash is stored for the later choice.
        """
        newest = self._newest.get(turn.view_id)
        if newest is not None and newest.hash == turn.hash:
            newest.replaced, newest.hash = newest.hash, view_hash

    def forget(self, view_id: str) -> None:
        """Forget a submitted form, so that the bot doesn't update its price any more.

        After the submission, the form shows errors below its inputs. An update would remove these errors.
        """
        self._newest.pop(view_id, None)


@dataclass(frozen=True)
class Context:
    """The dependencies of the listeners.

    These include Slack's client, because the listeners make a few calls to Slack themselves.
    """

    deps: Deps
    catalog: Callable[[], Catalog | None]
    """Returns the most recently read catalog without waiting, or None before the first read."""
    key_source: KeySource
    """The place from which people's public keys are read: GitHub."""
    prices: Prices
    """Computes the prices for the choices in the request form."""
    people: People
    channels: SlackChannels
    client: AsyncWebClient
    direct: DirectPosts
    block_types: BlockTypes
    """The block types that Slack accepts in dialogs and acknowledgements. Delivery uses the same object."""
    others_work: Callable[[], bool] = lambda: False
    """Returns whether another process of the bot can handle Slack's events.

    If this machine's clock is wrong, this process leaves events to the other process. It doesn't acknowledge the
    events, so Slack sends them again.
    """
    gate: Gate = field(default_factory=Gate)
    hints: Pace = field(default_factory=lambda: Pace(at_once=1, per_second=1 / 3600))
    """Limits how often a person gets a hint on how to write a command, after mentioning the bot in a sentence."""
    commands: Pace = field(default_factory=lambda: Pace(at_once=10, per_second=5))
    """Limits how often a person can type commands."""
    apps: Pace = field(default_factory=lambda: Pace(at_once=60, per_second=1 / 60))
    """Limits how often the Slack apps that use a token can give commands: 60 times at once, then once a minute.

    Without this limit, two apps that answer each other's messages would never stop. Beyond the limit, `destroy` is
    still carried out, but not answered.
    """
    github: Pace = field(default_factory=lambda: Pace(at_once=6, per_second=0.1))
    """Limits how often a person can look up keys at GitHub."""
    codes: Pace = field(default_factory=lambda: Pace(at_once=10, per_second=1 / 60))
    """Limits how often a person can type a wrong code of a login: ten times within ten minutes."""
    forms: OpenForms = field(default_factory=OpenForms)
    prices_asked: Pace = field(default_factory=lambda: Pace(at_once=20, per_second=0.5))
    """Limits how often the market is queried because of a person's choices in forms."""

    def with_newest_rules(self) -> Context:
        """Return this context with the newest version of the rules.

        The bot calls this once for each click, command and event. So the rules don't change while the bot handles
        the click, command or event.
        """
        deps = with_newest_rules(self.deps)
        return self if deps is self.deps else replace(self, deps=deps)

    def reader(self, person: Person) -> Reader:
        """Return the data that a reply to this person depends on, such as the rules and the time zone."""
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
