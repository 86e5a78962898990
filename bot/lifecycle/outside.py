"""Protocols for the outside world: the marketplace, machines over SSH, GitHub and Slack.

bot/app.py passes the implementations in.
"""

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
    """The marketplace's response to a procure call."""

    why: Why | None = None
    """The reason why the call was not accepted. None if it was accepted."""
    resource_ids: tuple[str, ...] = ()
    detail: str = ""

    @property
    def bought_nothing(self) -> bool:
        """True if the call is certain to have bought nothing.

        False for a failed call, because it may still have created a resource. Also False if the offer is already
        sold. The bot itself may have bought the offer, in a purchase that a restored database doesn't contain.
        """
        return self.why in {Why.EXPIRED, Why.REFUSED, Why.SCRIPT_REFUSED}


class OfferProgress(Frozen):
    """The progress of an offer's procurement.

    If nobody has procured the offer, none of the fields below is true.
    """

    ready: bool = False
    failed: bool = False
    in_progress: bool = False
    """True if procurement has begun and not yet ended. Also true for a status that the bot doesn't recognize."""
    progress: str = ""
    detail: str = ""
    all_running: bool = False
    """True if there is at least one instance, and every instance is running."""
    resource_ids: tuple[str, ...] = ()
    """The IDs of the resources that the status names."""


class ResourceView(Frozen):
    """A resource as the marketplace reports it."""

    resource_id: str
    status: str
    runs: bool = False
    """True if the status says that the resource is running."""
    name: str | None = None
    gpu: str | None = None
    count: int | None = None
    """The number of GPUs."""
    vendor: str | None = None
    offer_ids: tuple[str, ...] = ()
    created_at: Instant | None = None
    rate: Decimal | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    """A validated IP address or host name. None until the marketplace reports one."""
    port: int | None = None

    @property
    def deleted(self) -> bool:
        """True if the vendor has confirmed the termination."""
        return self.status == "deleted"


class Market(Protocol):
    """The Compute Clear API.

    Every method raises MarketAway or TokenRefused if there is no usable response. The implementation doesn't
    retry.
    """

    async def catalog(self) -> Catalog:
        """Return the responses of the four discovery endpoints."""

    async def offers(self, query: OfferQuery) -> tuple[Offer, ...]:
        """Return the offers that fit the query and whose price is still valid, cheapest first."""

    async def procure(self, offer_id: str, public_key: str, resource_name: str, startup_script: str) -> Procured:
        """Buy an offer with a single call.

        An empty startup script is left out of the call. If MarketAway is raised, its `may_have_bought` says
        whether the call may have bought a machine.
        """

    async def progress(self, offer_id: str) -> OfferProgress:
        """Return the progress of an offer's procurement."""

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        """Return the account's resources, or only those of one offer. Empty if the offer isn't found."""

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        """Return a resource, or None if the marketplace responds with 404.

        With `fresh`, the marketplace queries the vendor instead of its own cache.
        """

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        """Return the status of each resource of an offer, by resource ID. Empty if the offer isn't found.

        No other field is parsed, so that an unusable field can't prevent the deletion of a machine.
        """

    async def delete(self, resource_id: str) -> bool:
        """Delete a resource, with the API's option `force`.

        Returns True if the deletion was accepted or has already happened (409), and False if the resource isn't
        found (404).
        """


class Prober(Protocol):
    """Connects to machines from outside.

    In all methods, `vendor` is the machine's vendor. It is needed because at most two host names per vendor are
    resolved at the same time.
    """

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        """Return whether an SSH server sends its banner within a few seconds of wall-clock time. Never raises."""

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        """Return the fingerprint of an SSH server's host key: `SHA256:...`. Never raises.

        None if the server presents no key within a few seconds of wall-clock time.
        """

    async def run_probe(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> ProbeResult:
        """Log in with the probe's key, run the probe script, and return its report or the reason for its absence.

        A probe run takes at most 15 seconds of wall-clock time. The method never raises.

        Args:
            host_key: The fingerprint that the machine had before, or None at the first contact. The bot doesn't
                log in to a server that presents a different key.
            ending: The end of the lease, which is sent to the machine. None to request only the report.
        """


class KeySource(Protocol):
    """GitHub, where people publish their public SSH keys."""

    async def key_lines(self, name: str) -> tuple[str, ...] | None:
        """Return a user's keys, one line each, without empty lines. None if there is no such user.

        `name` must contain only letters, digits and hyphens. Raises KeysUnavailable if there is no usable
        response within 2 seconds of wall-clock time.
        """


class DirectPosts(Protocol):
    """Sends messages to people without the outbox, for when the store doesn't accept any messages."""

    async def post(self, user: str, event: Event[AlertFacts]) -> bool:
        """Send an event about the account to a person. Return whether Slack accepted the message. Never raises."""


class Channels(Protocol):
    """Gives access to Slack's conversations."""

    async def get(self, channel: str) -> Channel:
        """Return a conversation. Never raises.

        If Slack doesn't respond, the result says that the bot isn't a member of the conversation.
        """


class Directory(Protocol):
    """Gives access to the people and user groups in Slack."""

    async def refresh(self, user_ids: Collection[str]) -> None:
        """Update the store's entries about these people that are older than 15 minutes. Never raises.

        If Slack doesn't respond about a person within a second of wall-clock time, their entry stays as it is.
        """

    async def ask_anew(self, user_id: str) -> bool:
        """Query Slack about a person even if the store's entry is recent. Never raises.

        Returns whether Slack responded within a second of wall-clock time. If it didn't, the store's entry stays
        as it is.
        """

    async def members(self, group: str) -> frozenset[str] | None:
        """Return the members of a user group. Never raises.

        The set is empty if Slack says definitively that no such group is visible to the bot. Returns None if Slack
        doesn't respond within a second of wall-clock time.
        """
