"""Offers as the rules judge them for who asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.errors import Refused
from bot.lifecycle.ports import Usage
from bot.model.offer import Offer
from bot.model.quote import Quote
from bot.policy.rules import Rules
from bot.policy.spending import check_usage, judge
from handlers.views.offers import Row


def rows(quote: Quote, usage: Usage, rules: Rules, usuals: Mapping[str, timedelta]) -> list[Row]:
    """A row for each offer of a quote. `usuals` is how long each vendor's machines usually take."""
    return [row(offer, quote, usage, rules, usuals.get(offer.vendor)) for offer in quote.offers]


def row(offer: Offer, quote: Quote, usage: Usage, rules: Rules, usual: timedelta | None = None) -> Row:
    """One offer, as in `rows`."""
    refused, room = None, None
    try:
        room = check_usage(offer.rate, usage.person_rentals, usage.team_rate, rules)
    except Refused as no:
        refused = no.words
    verdict = judge(quote.request, offer.rate, rules, room=room)
    return Row(
        offer=offer, envelope=verdict.envelope, needs_approval=bool(verdict.over), refused=refused, usual=usual
    )
