"""Protocols of the outside: the marketplace, SSH, GitHub and Slack. bot/app.py passes the implementations in."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Protocol

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.facts import AlertFacts
from bot.model.machine_use import EndToTell, ProbeResult
from bot.model.offer import Catalog, Offer
from bot.model.person import Channel
from bot.model.request import OfferQuery


class Procured(Frozen):
    """The marketplace's answer to a procure call."""

    why: Why | None = None
    """Why it was not accepted. None if it was."""
    resource_ids: tuple[str, ...] = ()
    detail: str = ""

    @property
    def bought_nothing(self) -> bool:
        """Whether the call certainly bought nothing. If it failed, it may still have made a resource. If the offer
        was bought before, perhaps a call did that which is not in this database.
        """
        return self.why in {Why.EXPIRED, Why.REFUSED, Why.SCRIPT_REFUSED}


class OfferProgress(Frozen):
    """How far an offer's procurement is. No flag is set if nobody procured it: the status is `available` or
    `expired`, or the offer is not found.
    """

    ready: bool = False
    failed: bool = False
    in_progress: bool = False
    """Procurement began and has not ended. Also set for words that we don't know."""
    progress: str = ""
    detail: str = ""
    all_running: bool = False
    """There are instances, and every one of them runs."""
    resource_ids: tuple[str, ...] = ()
    """The resources that the status names."""


class ResourceView(Frozen):
    """A resource as the marketplace shows it."""

    resource_id: str
    status: str
    runs: bool = False
    """Whether the status says that it runs."""
    name: str | None = None
    gpu: str | None = None
    count: int | None = None
    """How many GPUs it has."""
    vendor: str | None = None
    offer_ids: tuple[str, ...] = ()
    created_at: Instant | None = None
    rate: Decimal | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    """A validated IP address or host name; None until there is one."""
    port: int | None = None

    @property
    def deleted(self) -> bool:
        """Return whether the vendor confirmed that it is gone."""
        return self.status == "deleted"


class Market(Protocol):
    """Compute Clear. Every call raises MarketAway or TokenRefused if there is no usable answer. No call is retried
    inside.
    """

    async def catalog(self) -> Catalog:
        """Return the answers of the four discovery endpoints."""

    async def offers(self, query: OfferQuery) -> tuple[Offer, ...]:
        """Return the offers that fit and whose price still stands, cheapest first."""

    async def procure(self, offer_id: str, public_key: str, resource_name: str, startup_script: str) -> Procured:
        """Buy an offer with one call. An empty boot script is not sent. If it raises MarketAway, its
        `may_have_bought` tells whether a machine may have been bought.
        """

    async def progress(self, offer_id: str) -> OfferProgress:
        """Return how far the procurement of an offer is."""

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        """Return the account's resources, or those of one offer. Return none if the offer is not found."""

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        """Return a resource. Return None on 404. `fresh` asks the vendor instead of the market's cache."""

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        """Return the status of each resource of an offer by its id. Nothing else is parsed, because an unusable
        field would prevent the deletion of a machine. Return none if the offer is not found.
        """

    async def delete(self, resource_id: str) -> bool:
        """Delete a resource with force. Return True if that is accepted or done already (409). Return False on
        404.
        """


class Prober(Protocol):
    """Connects to machines from outside. `vendor` is the machine's vendor: only two host names of one vendor are
    looked up at a time.
    """

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        """Return whether an SSH server sends its banner within a few real seconds. Never raise."""

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        """Return the fingerprint of an SSH server's host key: `SHA256:...`. Return None if it gives none within a
        few real seconds. Never raise.
        """

    async def run_probe(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> ProbeResult:
        """Log in with the probe's key, run its script, and return its report or why there is none. Never raise.

        `host_key` is the fingerprint that the machine had before. A server that shows another one gets no login.
        At the first contact it is None. The machine is told the end `ending`; if it is None, only the report is
        asked for. A visit takes at most 15 real seconds.
        """


class KeySource(Protocol):
    """GitHub, where people have public SSH keys that anyone can read."""

    async def key_lines(self, name: str) -> tuple[str, ...] | None:
        """Return the lines of a user's keys, without the empty ones. Return None if there is no such user.

        `name` has letters, digits and hyphens only. Raise KeysUnavailable, within 2 real seconds, if there is no
        usable answer.
        """


class DirectPosts(Protocol):
    """Messages outside the outbox, for when the store can't take them."""

    async def post(self, user: str, event: Event[AlertFacts]) -> bool:
        """Send an event of the account to a person. Return False if Slack did not take it. Never raise."""


class Channels(Protocol):
    """Knows Slack conversations."""

    async def get(self, channel: str) -> Channel:
        """Return the conversation. If Slack doesn't answer, return one that we are no member of. Never raise."""


class Directory(Protocol):
    """Knows the people of Slack."""

    async def refresh(self, user_ids: Collection[str]) -> None:
        """Bring what the store knows of these people up to date, if it is older than 15 minutes. Leave those about
        whom Slack doesn't answer within a real second as they are. Never raise.
        """

    async def ask_anew(self, user_id: str) -> bool:
        """Ask Slack about a person, although the store may have a new answer. Return whether Slack answered within
        a real second. If it didn't, leave what the store knows as it is. Never raise.
        """

    async def members(self, group: str) -> frozenset[str] | None:
        """Return the members of a user group, or an empty set if Slack says for certain that there is no such
        group for us. Return None if Slack doesn't answer within a real second. Never raise.
        """
