"""Offers as the rules judge them for who asked."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.ports import Usage
from bot.model.offer import Offer
from bot.model.quote import Quote
from bot.policy.rules import Rules
from bot.policy.spending import check_usage, judge
from handlers.views.offers import Row


def row(offer: Offer, quote: Quote, usage: Usage, rules: Rules, stopped: str | None = None) -> Row:
    """One offer of a quote. `stopped`: why nothing at all is bought now."""
    refused, room = None, None
    try:
        room = check_usage(offer.rate, usage.person_rentals, usage.team_rate, rules)
    except Refused as no:
        refused = no.words
    verdict = judge(quote.request, offer.rate, rules, room=room)
    return Row(offer=offer, envelope=verdict.envelope, over=verdict.over, refused=stopped or refused)
