"""What several messages say of a rental: what it is, whose, since when, and what it has cost."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails, RentalSummary
from bot.policy.rules import Rules
from handlers.views.format import (
    STATES,
    Times,
    dollars,
    machines,
    per_hour,
    person,
    place,
    reason,
    sentence,
    span,
    what,
)


def times(rules: Rules, now: datetime, zone: str | None) -> Times:
    """Times for a reader in `zone`, or for the team where the reader isn't known."""
    return Times(now=now, zone=zone or rules.timezone)


def owner(details: RentalSummary) -> str:
    """The owner's name, pinging nobody."""
    return person(details.names, details.rental.owner)


def state_word(details: RentalSummary) -> str:
    """The state as the word that leads."""
    rental = details.rental
    if rental.owner_decides:
        return f"Waiting for {owner(details)}"
    return STATES[rental.state]


def subject(details: RentalDetails) -> str:
    """`1x H100 EU, Ana, k7mq2`."""
    return f"{what(details.rental.request)}, {owner(details)}, {details.rental.id}"


def machine(details: RentalDetails) -> str:
    """`1x H100 (k7mq2)`."""
    return f"{machines(details.rental.request.count, details.rental.request.gpu)} ({details.rental.id})"


def whose(details: RentalDetails, reader: str) -> str:
    """`your` for the owner, `Ana's` for others."""
    return "your" if reader == details.rental.owner else f"{owner(details)}'s"


def source(details: RentalDetails) -> str:
    """`Hyperstack nor-1, $2.15/h`; empty before the first attempt."""
    rental = details.rental
    if rental.vendor is None:
        return ""
    return place(rental.vendor, rental.vendor_region) + (f", {per_hour(rental.rate)}" if rental.rate else "")


def billing_since(details: RentalDetails) -> datetime | None:
    """When the machine that is live or was last began to cost."""
    if details.current is None:
        return details.rental.lease.ready_at if details.rental.lease else None
    starts = [
        resource.valid_from or details.current.intended_at
        for resource in details.resources
        if resource.attempt == details.current.n
    ]
    return min(starts, default=details.current.intended_at)


def computed(spent: AccruedCost) -> str:
    """`$14.68 computed`, or `estimated` where the API left something out."""
    return f"{dollars(spent.amount)} {'estimated' if spent.estimated else 'computed'}"


def so_far(spent: AccruedCost) -> str:
    """`$4.96 so far`."""
    return f"{dollars(spent.amount)}{' estimated' if spent.estimated else ''} so far"


def billed(details: RentalDetails) -> timedelta | None:
    """From the first start to the last end in the ledger; None while nothing is in it."""
    if not details.ledger:
        return None
    return max(row.ended_at for row in details.ledger) - min(row.started_at for row in details.ledger)


def cost_nothing(details: RentalDetails) -> bool:
    """Whether the store knows that it cost nothing."""
    return settled(details) and details.spent.amount == 0 and not details.spent.estimated


def settled(details: RentalDetails) -> bool:
    """Whether nothing of it can bill any more."""
    return all(attempt.settled for attempt in details.attempts)


def receipt(details: RentalDetails) -> str:
    """`6 h 4 min, $14.68.` for what is over."""
    if not details.attempts:
        return "Nothing was rented."
    if cost_nothing(details):
        return "It cost nothing."
    length = billed(details)
    amount = dollars(details.spent.amount) + (" estimated" if details.spent.estimated else "")
    return f"{span(length)}, {amount}." if length is not None else f"{amount}."


def why_ended(details: RentalDetails) -> str:
    """Why a rental failed or was lost, as a sentence; empty where its end says it all."""
    rental, ending = details.rental, details.rental.ending
    if ending is None or ending.why is None or rental.state not in {State.FAILED, State.LOST}:
        return ""
    return sentence(reason(ending.why, rental.vendor))


def ended(details: RentalDetails, name: str, at: Times) -> str:
    """`Destroyed 18:41: your 1x H100 (k7mq2).`, for a message that was about something before it ended. What it
    cost is told with its end."""
    rental = details.rental
    when = f" {at.at(rental.over_at)}" if rental.state.over and rental.over_at else ""
    return " ".join(filter(None, (f"{STATES[rental.state]}{when}: {name}.", why_ended(details))))


def outcome(details: RentalDetails, at: Times) -> str:
    """Where a rental is now, for a message that was about something before."""
    rental = details.rental
    if rental.state is State.DESTROYING:
        return "It is being destroyed."
    if rental.state.over:
        when = f" {at.at(rental.over_at)}" if rental.over_at else ""
        return " ".join(filter(None, (f"{STATES[rental.state]}{when}.", why_ended(details))))
    if rental.state is State.READY:
        return f"It is ready, until {at.at(rental.running.ends_at)}."
    if rental.state is State.AWAITING_APPROVAL:
        return f"It waits for {owner(details) if rental.owner_decides else 'approval'}."
    return "It is starting."
