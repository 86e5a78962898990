"""Rules for the rentals that programs request with a token. No I/O.

A program's request becomes a rental that waits for an offer, as after a person's click on "Rent it for me". These
rules decide which requests a program can make, how long its rental waits, and which offer is rented. Whether a
request exceeds the terms of its token is decided in bot/policy/team/token_terms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from bot.errors import (
    BeyondTerms,
    BuyingBlock,
    BuyingBlocked,
    GpubotError,
    KeyInUse,
    Mistake,
    NeedsKey,
    OverBudget,
    Refused,
    RequestMistake,
)
from bot.model.base import changed
from bot.model.gpu import display_name
from bot.model.money import Micros, micros, rate_for, whole_cents_below
from bot.model.offer import Offer
from bot.model.quote import WaitlistEntry
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.summary import Proposal
from bot.model.text import one_line, say_utc, span
from bot.model.token import BeyondTerms as WhenBeyond
from bot.model.token import Token, TokenTerms
from bot.policy.buying.offers import fits, place_of
from bot.policy.buying.spending import billed_span, may_substitute, propose
from bot.policy.buying.waiting import (
    ONCE_FOR,
    Rent,
    Waiter,
    fewest_failures,
    next_purchase,
    sold_out_places,
    terms_up_to,
)
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import Beyond
from bot.policy.use.leases import LEAST_TIME

ONLY_LOOKS = "This token isn't allowed to do this. Ask the person who gave it to you for one that can rent."
"""The message for a program whose token may only look. It reveals nothing about the token."""
SHOWN_KEY = 100
"""The maximum number of characters of an idempotency key in a message."""
MOST_A_MINUTE = 6
"""The number of rentals that a token can make within a minute, whatever becomes of them.

Each of these rentals queries the market, and can appear in the home channel. People can search as often.
"""
CROWDED_AFTER = 5
"""The number of refused requests within CROWDED_WITHIN after which the token's owner is notified.

If a program asks once too often and then waits, this is no reason for a message.
"""
CROWDED_WITHIN = timedelta(minutes=1)
CROWDED_AGAIN = timedelta(hours=1)
"""The shortest time between two such notifications."""


# --- the request


def check_request(request: Request, terms: TokenTerms) -> None:
    """Refuse a request with parts that programs can't ask for. Raises Mistake.

    These are a start time, teammates, and a project other than that of the token's terms.
    """
    if request.starts_at is not None:
        raise Mistake("A program can't name a start time. Nothing was rented. Ask when the machine is needed.")
    if request.teammates:
        raise Mistake("A program can't share a machine with people. Nothing was rented. Leave them out.")
    if request.project is not None and request.project.lower() != terms.project.lower():
        raise Mistake("The terms of the token name the project. Nothing was rented. Leave the project out.")


def pace_exceeded(token: Token, made: Sequence[datetime]) -> BeyondTerms | None:
    """Return the error for one more request of a token within a minute. None if it is allowed.

    `made` are the times at which the token made rentals in the last minute, oldest first.
    """
    if len(made) < MOST_A_MINUTE:
        return None
    again_at = made[-MOST_A_MINUTE] + CROWDED_WITHIN
    return BeyondTerms(
        f"{token.name} has asked for {len(made)} machines within a minute, as many as a token can. Nothing was "
        f"rented. Ask again after {again_at:%H:%M:%S} UTC.",
        again_at=again_at,
    )


def entry_of_program(
    request: Request, wait_for: timedelta | None, terms: TokenTerms, now: datetime, rules: Rules
) -> WaitlistEntry:
    """Return the waitlist entry for the request of a program.

    It doesn't depend on anyone's working hours. Without `wait_for`, a single search decides. With it, the entry
    expires after this time, after `waiting.longest`, or when too little time is left until the end of the lease,
    whichever comes first. The lease always ends by the token's last day.
    """
    until = now + (ONCE_FOR if wait_for is None else min(wait_for, rules.waiting.longest))
    if wait_for is not None:
        last_end = request.last_end or terms.until
        least = LEAST_TIME if request.last_end is not None else request.longest
        until = max(min(until, last_end - least), now)
    return WaitlistEntry(until=until, since=now, rents=True, any_time=True, once=wait_for is None)


def first_terms(request: Request, rules: Rules, free: Micros | None = None) -> Proposal:
    """Return the terms with which the rental of a program waits for an offer, before any price is known.

    The terms are as high as the request, the token and the budgets allow, so that budgets reserve enough for any
    offer that can be rented. When an offer is found, they are replaced by the terms for this offer
    (`terms_for_offer`).

    Args:
        request: The request. Its highest price, if it has one, was computed from its total.
        rules: The rules of the token (`rules_of_token`).
        free: The amount that the tightest budget has left. None if budgets don't matter.
    """
    left, longest = rules.auto_approve, billed_span(request.longest, request.kept, rules)
    caps = [left.per_hour, rate_for(micros(left.total), longest)]
    if request.max_gpu_rate is not None:
        caps.append(request.max_gpu_rate * request.count)
    if free is not None:
        caps.append(rate_for(free, longest))
    return terms_up_to(request, whole_cents_below(min(caps)), rules)


def terms_for_offer(
    rental: Rental, offer: Offer, rules: Rules, *, spent: Micros = 0, team_rate_left: Decimal | None = None
) -> Proposal:
    """Return the terms for renting an offer that was found for the rental of a program.

    If an approver has approved the rental, the terms stay within the approved ones.

    Args:
        rental: The rental, which waits for an offer.
        offer: The offer.
        rules: The rules of the token (`rules_of_token`).
        spent: The cost of earlier attempts.
        team_rate_left: What is left of the team's limit, in USD per hour.
    """
    request = rental.request
    if rental.approved_by is not None:
        most = rental.terms.max_rate / request.count
        own = request.max_gpu_rate
        request = changed(request, max_gpu_rate=most if own is None else min(own, most))
    found = propose(
        request,
        offer.gpu,
        offer.rate,
        rules,
        version=rental.terms.version,
        spent=spent,
        team_rate_left=team_rate_left,
    )
    if rental.approved_by is None:
        return found
    return changed(found, terms=changed(found.terms, total=min(found.terms.total, rental.terms.total)))


def say_request(request: Request) -> str:
    """Return the GPUs and the length of a request, such as `1x H100 for 4 h`."""
    return f"{request.count}x {display_name(request.gpu, request.features)} for {span(request.longest)}"


def key_in_use(rental: Rental) -> KeyInUse:
    """Return the error for an idempotency key that is used again for another request."""
    key = one_line(rental.idempotency_key or "", SHOWN_KEY)
    return KeyInUse(
        f"The key {key} belongs to another request, {say_request(rental.request)}. Nothing was rented. "
        "Repeat that request, or use a new key for a new machine."
    )


def refusal_words(error: GpubotError, owner: str) -> str:
    """Return the message of an error for a program, without commands that people type in Slack.

    `owner` is the name of the token's owner.
    """
    match error:
        case BuyingBlocked(block=BuyingBlock.PAUSED):
            who = error.by or "An admin"
            why = f': "{one_line(error.why, 200)}"' if error.why else ""
            return f"{who} paused all renting{why}. Nothing was rented. Ask again later."
        case BuyingBlocked():
            return f"Nothing can be rented for anyone at the moment. {error.words} Ask again later."
        case NeedsKey():
            return (
                f"{owner} has no SSH key, so nobody could log in. Nothing was rented. Send a public key with the "
                f"request, or ask {owner} to add one."
            )
        case OverBudget():
            return f"{error.words} {error.instead}"
    return error.words


def words_for_program(error: GpubotError, now: datetime, owner: str) -> str:
    """Return the message of an error for a program, with the time from which it can ask again.

    Programs know neither Slack's commands nor its buttons. `owner` is the name of the token's owner.
    """
    if isinstance(error, RequestMistake):
        return error.words_for_program
    words = refusal_words(error, owner)
    if isinstance(error, Refused) and error.again_at is not None:
        again = say_utc(error.again_at, now)
        return words if again in words else f"{words} Ask again after {again}."
    return words


# --- whose turn it is


class AskApprover(NamedTuple):
    """Ask an approver about this offer, because it exceeds the terms of the token."""

    offer: Offer


class EndSearch(NamedTuple):
    """End the rental, because its only search found nothing that can be rented."""

    beyond: Beyond | None
    """The terms that the cheapest offer exceeds. None if there was no suitable offer at all."""


ProgramTurn: TypeAlias = Rent | AskApprover | EndSearch


def turn_of_program(
    waiter: Waiter,
    offers: Sequence[Offer],
    token: Token,
    exceeds: Callable[[Offer], Beyond | None],
    *,
    now: datetime,
    rules: Rules,
) -> ProgramTurn | None:
    """Return the action to take now for the waiting rental of a program, or None if there is nothing to do.

    If an approver has approved the rental, the offer has to be within the approved terms. It also has to be within
    the terms of the token, unless the approver was asked about an offer that exceeds them. What no approver can
    allow (`Beyond.can_ask`) holds in any case, because the terms may have become tighter since then.

    Args:
        waiter: The rental with its waitlist entry.
        offers: The offers that remain after earlier waitlist entries were served, cheapest first.
        token: The token.
        exceeds: Returns the terms of the token that an offer exceeds, or None if it is within the terms.
        now: The time.
        rules: The team's rules.
    """
    rental, entry = waiter.rental, waiter.waitlist_entry
    if rental is None:
        raise ValueError("a program never only waits for a message")
    called = {attempt.called_offer.offer_id for attempt in waiter.attempts}
    sold_out = sold_out_places(waiter.attempts, now)
    listed = [
        offer
        for offer in offers
        if fits(offer, rental.request) and place_of(offer) not in sold_out and offer.offer_id not in called
    ]
    if rental.approved_by is not None:
        listed = [
            offer
            for offer in listed
            if offer.rate <= rental.terms.max_rate and may_substitute(offer.gpu, rental.terms.gpu, rules)
        ]

    def stops(offer: Offer) -> Beyond | None:
        exceeded = exceeds(offer)
        approved = rental.program is not None and rental.program.beyond_terms
        return None if exceeded is not None and exceeded.can_ask and approved else exceeded

    allowed = [offer for offer in listed if stops(offer) is None]
    beyond = stops(listed[0]) if listed else None
    if allowed:
        return (
            Rent(fewest_failures(allowed, waiter.attempts, now))
            if next_purchase(waiter.attempts, now) <= now
            else None
        )
    if beyond is not None and beyond.can_ask and token.terms is not None and token.terms.beyond is WhenBeyond.ASK:
        return AskApprover(listed[0])
    return EndSearch(beyond) if entry.once else None
