"""What listeners are given. bot/app.py makes one context; `handlers.connection` passes it to `register`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import MarketAway
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.lifecycle.outside import KeySource
from bot.model.offer import Catalog
from bot.model.person import Person
from handlers.delivery.direct_posts import DirectPosts
from handlers.directory.channels import SlackChannels
from handlers.directory.people import People
from handlers.listeners.open_forms import OpenForms
from handlers.listeners.pace import Pace
from handlers.phrases.format import Reader
from handlers.slack_api.gate import Gate


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
            words = (
                "Compute Clear hasn't told me yet what there is to rent. Nothing is rented. Try again in a minute."
            )
            raise MarketAway(words, may_have_bought=False)
        return known
