"""Quotes: what somebody asked for, and what was found for it."""

from __future__ import annotations

from enum import StrEnum

from bot.model.base import Frozen, Instant
from bot.model.budget import UNASSIGNED, ScopeKind
from bot.model.message import Destination
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.request import OfferQuery, Request


class QuoteState(StrEnum):
    """How far a quote is."""

    LOOKING = "looking"
    FOUND = "found"
    NONE = "none"
    """No offer matches now. `nearby` has similar requests that have offers."""
    UNANSWERED = "unanswered"
    """The marketplace gave no answer in time."""
    WAITING = "waiting"
    """It waits until an offer fits. `waitlist_entry` says until when, and what happens then."""


class Nearby(Frozen):
    """A request similar to one that found nothing, and the cheapest offer for it."""

    request: Request
    cheapest: Offer


class WaitlistEntry(Frozen):
    """What happens once the market has what a quote asks for, and until when it is looked for."""

    until: Instant
    """When the wish ends if nothing fitted."""
    since: Instant | None = None
    """When it began to wait: its place among equal wishes. None until its owner clicked what is done then."""
    rents: bool = False
    """Whether an offer that fits is rented at once by the rental that waits. Otherwise its owner is told."""
    any_time: bool = False
    """Whether its owner is also told, or it is rented, outside of the owner's hours (the policy's `hours`)."""
    gpu: str | None = None
    """The canonical name of the GPU that the owner saw a price of: only what fits this one is rented. None: any
    GPU that the request's words name."""
    budgets: dict[ScopeKind, Micros] | None = None
    """The budgets of the owner, the project and the team when the rental reserved its share of them. A kind of
    scope that had no budget is missing. None if that is unknown, or if nothing was reserved."""


class Quote(Frozen):
    """A request and the offers found for it. At most one rental comes from it."""

    id: str
    state: QuoteState
    owner: str
    """Slack user id."""
    asked_in: str
    """The channel the command was typed in."""
    project: str = UNASSIGNED
    """The project that is charged."""
    card_channel: str | None = None
    """Where the rental's card will go. None until that is known."""
    request: Request
    rent_now: bool = False
    """Whether the command had `now`: rent the recommended offer if it needs no approval and no confirmation."""
    changes: str | None = None
    """The rental whose waiting request this quote would change."""
    replaces_rental: str | None = None
    """The rental whose place is to be taken: the first offer within what that rental left is rented."""
    reply_to: Destination | None = None
    """Where the answer goes. A `response_url` works 5 times within 30 minutes. None: to the owner."""
    replaces: bool = False
    """Whether the answer replaces the message that was clicked."""
    created_at: Instant
    offers: tuple[Offer, ...] = ()
    """Cheapest first."""
    nearby: tuple[Nearby, ...] = ()
    rental_id: str | None = None
    clicked_offer: str | None = None
    """The offer that the owner clicked while they had no SSH key. It is rented when they add one."""
    clicked_another: bool = False
    """Whether the owner clicked that offer although they rent the same already."""
    waitlist_entry: WaitlistEntry | None = None
    """None if nobody asked to wait."""
    waits_for: str | None = None
    """The key of the search that it shares with equal wishes, while it waits for offers."""
    due_at: Instant | None = None

    @property
    def told(self) -> bool:
        """Whether its owner asked to be told of an offer. A direct message says then what came of it."""
        return (
            self.waitlist_entry is not None
            and self.waitlist_entry.since is not None
            and not self.waitlist_entry.rents
        )


class SharedSearch(Frozen):
    """What the market is asked for wishes with the same query."""

    id: str
    """The quotes' `waits_for`."""
    query: OfferQuery
    """Without a highest price: each wish has its own."""
    asked_at: Instant | None = None
    """When the market was asked last. None if it was not asked yet."""
    misses: int = 0
    """How often it was asked in a row without an offer that fitted a wish."""
    due_at: Instant | None = None
