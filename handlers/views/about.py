"""What several messages say of a rental: what it is, whose, since when, and what it has cost."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.rental import Decider
from bot.model.state import State
from bot.model.story import Spent, Story, Summary
from bot.policy.rules import Rules
from handlers.views.words import (
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


def owner(story: Summary) -> str:
    """The owner's name, pinging nobody."""
    return person(story.names, story.rental.owner)


def state_word(story: Summary) -> str:
    """The state as the word that leads."""
    rental = story.rental
    if rental.state is State.AWAITING_APPROVAL and rental.decider is Decider.OWNER:
        return f"Waiting for {owner(story)}"
    return STATES[rental.state]


def subject(story: Story) -> str:
    """`1x H100 EU, Ana, k7mq2`."""
    return f"{what(story.rental.request)}, {owner(story)}, {story.rental.id}"


def machine(story: Story) -> str:
    """`1x H100 (k7mq2)`."""
    return f"{machines(story.rental.request.count, story.rental.request.gpu)} ({story.rental.id})"


def whose(story: Story, reader: str) -> str:
    """`your` for the owner, `Ana's` for others."""
    return "your" if reader == story.rental.owner else f"{owner(story)}'s"


def source(story: Story) -> str:
    """`Hyperstack nor-1, $2.15/h`; empty before the first attempt."""
    rental = story.rental
    if rental.vendor is None:
        return ""
    return place(rental.vendor, rental.vendor_region) + (f", {per_hour(rental.rate)}" if rental.rate else "")


def billing_since(story: Story) -> datetime | None:
    """When the machine that is live or was last began to cost."""
    if story.current is None:
        return story.rental.ready_at
    starts = [
        resource.valid_from or story.current.intended_at
        for resource in story.resources
        if resource.attempt == story.current.n
    ]
    return min(starts, default=story.current.intended_at)


def computed(spent: Spent) -> str:
    """`$14.68 computed`, or `estimated` where the API left something out."""
    return f"{dollars(spent.amount)} {'estimated' if spent.estimated else 'computed'}"


def so_far(spent: Spent) -> str:
    """`$4.96 so far`."""
    return f"{dollars(spent.amount)}{' estimated' if spent.estimated else ''} so far"


def billed(story: Story) -> timedelta | None:
    """From the first start to the last end in the ledger; None while nothing is in it."""
    if not story.ledger:
        return None
    return max(row.ended_at for row in story.ledger) - min(row.started_at for row in story.ledger)


def cost_nothing(story: Story) -> bool:
    """Whether the store knows that it cost nothing."""
    return settled(story) and story.spent.amount == 0 and not story.spent.estimated


def settled(story: Story) -> bool:
    """Whether nothing of it can bill any more."""
    return all(attempt.settled for attempt in story.attempts)


def receipt(story: Story) -> str:
    """`6 h 4 min, $14.68.` for what is over."""
    if not story.attempts:
        return "Nothing was rented."
    if cost_nothing(story):
        return "It cost nothing."
    length = billed(story)
    amount = dollars(story.spent.amount) + (" estimated" if story.spent.estimated else "")
    return f"{span(length)}, {amount}." if length is not None else f"{amount}."


def why_ended(story: Story) -> str:
    """Why a rental failed or was lost, as a sentence; empty where its end says it all."""
    rental = story.rental
    if rental.end_why is None or rental.state not in {State.FAILED, State.LOST}:
        return ""
    return sentence(reason(rental.end_why, rental.vendor))


def ended(story: Story, name: str, at: Times) -> str:
    """`Destroyed 18:41: your 1x H100 (k7mq2).`, for a message that was about something before it ended. What it
    cost is told with its end."""
    rental = story.rental
    when = f" {at.at(rental.over_at)}" if rental.state.over and rental.over_at else ""
    return " ".join(filter(None, (f"{STATES[rental.state]}{when}: {name}.", why_ended(story))))


def outcome(story: Story, at: Times) -> str:
    """Where a rental is now, for a message that was about something before."""
    rental = story.rental
    if rental.state is State.DESTROYING:
        return "It is being destroyed."
    if rental.state.over:
        when = f" {at.at(rental.over_at)}" if rental.over_at else ""
        return " ".join(filter(None, (f"{STATES[rental.state]}{when}.", why_ended(story))))
    if rental.state is State.READY:
        return f"It is ready, until {at.at(rental.ends_at)}." if rental.ends_at else "It is ready."
    if rental.state is State.AWAITING_APPROVAL:
        return f"It waits for {owner(story) if rental.decider is Decider.OWNER else 'approval'}."
    return "It is being made."
