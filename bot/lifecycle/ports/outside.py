"""What the lifecycle needs from outside besides the store: the marketplace, SSH and Slack."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.offer import Catalog, Offer
from bot.model.person import Channel
from bot.model.request import Request


class Procured(Frozen):
    """The marketplace's answer to a procure call: accepted, refused without doubt, bought by an earlier call, or
    failed (which may still have made a resource)."""

    accepted: bool
    resource_ids: tuple[str, ...] = ()
    detail: str = ""
    expired: bool = False
    """410: the price no longer stands."""
    refused: bool = False
    """404, 422: nothing was bought."""
    bought_before: bool = False
    """409: this account bought the offer already, perhaps by a call that an older database doesn't know of."""


class OfferProgress(Frozen):
    """How far an offer's procurement is. No flag is set if nobody procured it: the status is `available` or
    `expired`, or the offer is not found."""

    ready: bool = False
    failed: bool = False
    in_progress: bool = False
    """Procurement began and has not ended; also for words we don't know."""
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
    name: str | None = None
    gpu: str | None = None
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
        """Whether the vendor confirmed that it is gone."""
        return self.status == "deleted"


class Market(Protocol):
    """Compute Clear. Every call raises MarketAway or LockedOut where there is no usable answer; none is
    repeated inside."""

    async def catalog(self) -> Catalog:
        """The four discovery endpoints."""

    async def offers(self, request: Request) -> tuple[Offer, ...]:
        """Offers that fit, cheapest first, filtered again by us."""

    async def procure(self, offer_id: str, public_key: str, resource_name: str) -> Procured:
        """Buys, once. MarketAway with `acted` means that nobody knows."""

    async def progress(self, offer_id: str) -> OfferProgress:
        """The offer's procurement status."""

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        """The account's resources, or those of one offer."""

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        """One resource, None on 404; `fresh` asks the vendor live."""

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        """The status of each resource of an offer, by its id. Nothing else of them is read, so that no other
        field of an answer can keep a machine from being deleted."""

    async def delete(self, resource_id: str) -> bool:
        """Asks for deletion with force. True when accepted or already deleted (409), False on 404."""


class Prober(Protocol):
    """Looks at a port from outside."""

    async def banner(self, host: str, port: int) -> bool:
        """Whether an SSH server introduces itself there, within a few real seconds."""


class DirectPosts(Protocol):
    """Messages outside the outbox, for when the store can't take them."""

    async def post(self, user: str, event: Event) -> bool:
        """Sends an event of the account to a person. Returns False if Slack did not take it. Never raises."""


class Channels(Protocol):
    """What is known of Slack conversations."""

    async def get(self, channel: str) -> Channel:
        """Return the conversation. If Slack doesn't answer, return one that we are no member of. Never raise."""
