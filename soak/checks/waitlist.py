"""Checks that people who wait for a machine get one while the market has an offer that they allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from soak.checks.machines import near
from soak.evidence import CARD, Evidence

PATIENCE = timedelta(minutes=25)
"""The longest time until a waitlist entry leads to a rental if nothing fails and an offer is available.

After earlier failures, the next request to the market can be ten minutes away, and the purchase another ten.
"""
_WAITS = ("On the waitlist: ", "Starting later: ")
_CAP = re.compile(r"\bat up to \$([\d,]+\.\d+)/h")
_STARTS = re.compile(r"\bIt starts (?:[^.;,]*? )?(\d\d):(\d\d)")
_NOT_ALLOWED = "An offer matched this request, but"


def waitlist_entries_are_fulfilled(evidence: Evidence) -> list[str]:
    """Check that a waitlist entry leads to a rental within PATIENCE.

    The time is measured only while nothing fails and the market has an offer that costs at most the entry's
    highest price. Entries that the team's rules don't allow are ignored; their thread says so.
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
    """Yield the versions of a rental's card in which the rental waits for an offer or a start time.

    For each version, yields its text, and the times at which it appeared and disappeared. Cards show times in the
    reader's zone. The cards read here are Ben's, whose zone is UTC in November.
    """
    cards = [(card, m) for m in evidence.seen.get("Ben", ()) if (card := CARD.match(m.text)) and not m.only_you]
    states = [message for card, message in cards if card["id"] == rental]
    for number, state in enumerate(states):
        if state.text.startswith(_WAITS):
            yield state.text, state.at, states[number + 1].at if number + 1 < len(states) else evidence.now


def _in_vain(evidence: Evidence, text: str, since: datetime, until: datetime) -> timedelta:
    """Return the time for which a rental waited although it could have got a machine.

    Only time counts in which no disturbance was active and the market had an offer within the highest price on
    the card.
    """
    card, cap, starts = CARD.match(text), _CAP.search(text), _STARTS.search(text)
    if card is None or cap is None or evidence.calm_since is None:
        return timedelta(0)
    # A request with a start time gets a highest price above the cheapest price at that moment. Prices never change
    # in a soak, so some offer is always cheap enough for such a request.
    price = Decimal(0) if starts else evidence.cheapest.get(f"{card['what']}{card['region'] or ''}")
    if price is None or price > Decimal(cap[1].replace(",", "")):
        return timedelta(0)
    begins = max(since, evidence.calm_since, near(since, int(starts[1]), int(starts[2])) if starts else since)
    return max(until - begins - evidence.excused(begins, until), timedelta(0))


CHECKS = (waitlist_entries_are_fulfilled,)
