"""People who wait for a machine get one while the market has what they allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from soak.checks.machines import near
from soak.evidence import CARD, Evidence

PATIENCE = timedelta(minutes=25)
"""The longest time until a wish is rented if nothing fails and an offer stands. After earlier failures, the next
question to the market can be ten minutes away, and the purchase after it ten more."""
_WAITS = ("On the waitlist: ", "Starting later: ")
_CAP = re.compile(r"\bat up to \$([\d,]+\.\d+)/h")
_STARTS = re.compile(r"\bIt starts (?:[^.;,]*? )?(\d\d):(\d\d)")
_NOT_ALLOWED = "An offer matched this request, but"


def wishes_are_fulfilled(evidence: Evidence) -> list[str]:
    """A wish is rented within PATIENCE if nothing fails and an offer within its highest price stands. Wishes that
    the rules don't allow don't count: their thread says so.
    """
    found = []
    for rental in evidence.cards:
        replies = (reply.text for reply in evidence.thread(rental))
        if any(text.startswith(_NOT_ALLOWED) for text in replies) or evidence.owners.get(rental) in evidence.left:
            continue
        waited = sum((_in_vain(evidence, *idle_period) for idle_period in _waits(evidence, rental)), timedelta(0))
        if waited > PATIENCE:
            found.append(f"{rental} waited for {waited}, although the market had what it waits for")
    return found


def _waits(evidence: Evidence, rental: str) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield each state of a rental's card that says what it waits for, with the time in which the card showed it.

    Cards show times in the reader's zone. These are Ben's, whose zone is UTC in November.
    """
    cards = [(card, m) for m in evidence.seen.get("Ben", ()) if (card := CARD.match(m.text)) and not m.only_you]
    states = [message for card, message in cards if card["id"] == rental]
    for number, state in enumerate(states):
        if state.text.startswith(_WAITS):
            yield state.text, state.at, states[number + 1].at if number + 1 < len(states) else evidence.now


def _in_vain(evidence: Evidence, text: str, since: datetime, until: datetime) -> timedelta:
    """Return how long a rental waited undisturbed while an offer stood that its card allows."""
    card, cap, starts = CARD.match(text), _CAP.search(text), _STARTS.search(text)
    if card is None or cap is None or evidence.calm_since is None:
        return timedelta(0)
    # A start time allows more than the cheapest price of the time when it was named, and prices never change.
    price = Decimal(0) if starts else evidence.cheapest.get(f"{card['what']}{card['region'] or ''}")
    if price is None or price > Decimal(cap[1].replace(",", "")):
        return timedelta(0)
    begins = max(since, evidence.calm_since, near(since, int(starts[1]), int(starts[2])) if starts else since)
    return max(until - begins - evidence.excused(begins, until), timedelta(0))


CHECKS = (wishes_are_fulfilled,)
