"""Quotes: a person's request, together with the offers that were found for it."""

from __future__ import annotations

from enum import StrEnum

from bot.model.base import Frozen, Instant
from bot.model.budget import UNASSIGNED, ScopeKind
from bot.model.message import Destination
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.request import OfferQuery, Request


class QuoteState(StrEnum):
    """The progress of a quote."""

    LOOKING = "looking"
    FOUND = "found"
    NONE = "none"
    """No offer matches at the moment. `nearby` contains similar requests that have offers."""
    UNANSWERED = "unanswered"
    """The marketplace didn't answer in time."""
    WAITING = "waiting"
    """The owner waits for a suitable offer. `waitlist_entry` says for how long and has their wishes."""


class Nearby(Frozen):
    """A suggestion for a request that has no offers: a similar request, and its cheapest offer."""

    request: Request
    cheapest: Offer


class WaitlistEntry(Frozen):
    """A person's wait for an offer: what to do when a suitable offer is found, and when to give up."""

    until: Instant
    """The time at which the entry expires if there was no suitable offer."""
    since: Instant | None = None
    """The time at which the wait began.

    If several entries have the same query, the oldest one gets an offer first. None until the owner has chosen
    what should happen when a suitable offer is found.
    """
    rents: bool = False
    """True if a suitable offer is rented automatically. False if the owner is only notified."""
    any_time: bool = False
    """True if renting or notifying is also allowed outside the owner's working hours (the policy key `hours`)."""
    gpu: str | None = None
    """The canonical name of the GPU whose price the owner saw.

    Another GPU is only rented if `may_substitute` accepts it as a substitute. None if any GPU that matches the
    request can be rented.
    """
    once: bool = False
    """True if a single search decides: if it finds no suitable offer, the rental ends."""
    budgets: dict[ScopeKind, Micros] | None = None
    """The budgets of the owner, the project and the team when the rental reserved money from them.

    People, projects and teams without a budget aren't included. None if the budgets aren't known, or if nothing
    was reserved.
    """


class Quote(Frozen):
    """A request and the offers that were found for it. A quote leads to at most one rental."""

    id: str
    state: QuoteState
    owner: str
    """Slack user ID."""
    asked_in: str
    """The channel in which the command was typed."""
    project: str = UNASSIGNED
    """The project that is charged."""
    card_channel: str | None = None
    """The channel in which the rental's card will be posted. None until it is known."""
    request: Request
    rent_now: bool = False
    """True if the command contained `now`.

    The recommended offer is then rented at once, unless it needs an approval or a confirmation.
    """
    changes: str | None = None
    """The ID of a rental that waits for a decision, if this quote is meant to change its request."""
    replaces_rental: str | None = None
    """The ID of the rental to replace. None if this quote doesn't replace one.

    The first offer within that rental's remaining time and cost limits is rented.
    """
    reply_to: Destination | None = None
    """The destination of the answer. None for the owner's direct messages.

    A `response_url` works five times within 30 minutes.
    """
    replaces: bool = False
    """True if the answer replaces the message whose button was clicked. False if the answer is a new message."""
    created_at: Instant
    offers: tuple[Offer, ...] = ()
    """The offers that were found, cheapest first."""
    nearby: tuple[Nearby, ...] = ()
    rental_id: str | None = None
    clicked_offer: str | None = None
    """The ID of the offer that the owner clicked while they had no SSH key. It is rented when they add a key."""
    clicked_another: bool = False
    """True if the owner confirmed the click after a warning that they already rent a machine like it."""
    waitlist_entry: WaitlistEntry | None = None
    """The owner's waitlist entry. None if they don't wait for an offer."""
    token_id: str | None = None
    """The ID of the token with which a program made this request. None if a person made it in Slack."""
    waits_for: str | None = None
    """The ID of the `SharedSearch` for this quote's waitlist entry. Entries with equal queries share a search."""
    due_at: Instant | None = None

    @property
    def told(self) -> bool:
        """True if the owner waits to be notified of an offer, instead of having one rented automatically.

        The owner gets a direct message when a suitable offer is found, or when their waitlist entry expires.
        """
        return (
            self.waitlist_entry is not None
            and self.waitlist_entry.since is not None
            and not self.waitlist_entry.rents
        )


class SharedSearch(Frozen):
    """A query to the market on behalf of all waitlist entries that ask for the same GPUs."""

    id: str
    """The `waits_for` of the quotes that share this search."""
    query: OfferQuery
    """The query without a highest price, because each waitlist entry has its own."""
    asked_at: Instant | None = None
    """The time at which the market was last queried. None before the first query."""
    misses: int = 0
    """The number of consecutive queries without a suitable offer for any of the waitlist entries."""
    due_at: Instant | None = None
