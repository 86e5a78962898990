"""A request and the offers found for it."""

from __future__ import annotations

from enum import StrEnum

from bot.model.base import Frozen, Instant
from bot.model.offer import Offer
from bot.model.request import Request


class QuoteState(StrEnum):
    """How far a quote is."""

    WAITING_FOR_KEY = "waiting_for_key"
    """Its owner has no SSH key yet; it goes on by itself when one is set."""
    LOOKING = "looking"
    FOUND = "found"
    NONE = "none"
    """Nothing matches now; `nearby` says what would have."""
    UNANSWERED = "unanswered"
    """The marketplace gave no answer in time."""


class Nearby(Frozen):
    """A request close to the one that found nothing, and the cheapest price it would find."""

    request: Request
    cheapest: Offer


class Quote(Frozen):
    """A request and the offers found for it; makes at most one rental."""

    id: str
    state: QuoteState
    owner: str
    """Slack user id."""
    asked_in: str
    """The channel the command was typed in."""
    card_channel: str | None = None
    """Where a rental's card will go, once that is known."""
    request: Request
    rent_now: bool = False
    """Asked with `now`: rent the recommended offer if neither approval nor confirmation is needed."""
    changes: str | None = None
    """The rental whose waiting request this quote would change."""
    reply_url: str | None = None
    """Slack's `response_url`: 5 uses within 30 minutes."""
    replaces: bool = False
    """Whether the answer takes the place of the message that was clicked."""
    created_at: Instant
    found_at: Instant | None = None
    offers: tuple[Offer, ...] = ()
    """Cheapest first."""
    nearby: tuple[Nearby, ...] = ()
    rental_id: str | None = None
    due_at: Instant | None = None
