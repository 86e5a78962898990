"""Which offers an attempt may buy, and in which order, after earlier attempts failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from bot.model.attempt import Attempt, Why
from bot.model.gpu import fits_model
from bot.model.machine_use import ProbeAnswers
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.request import Envelope, Request
from bot.policy.buying.offers import fits
from bot.policy.buying.spending import provisioning_budget
from bot.policy.team.rules import Rules
from bot.policy.use.probing import needs_script, runs_scripts

MARKET_UNAVAILABLE = frozenset({Why.OUTAGE, Why.RATE_LIMITED, Why.UNAUTHORIZED})
"""An attempt failed for one of these reasons because of the market, not because of its offer."""
UNCOUNTED = MARKET_UNAVAILABLE | {Why.SCRIPT_REFUSED}
"""An attempt that failed for one of these reasons proves nothing about its offer. It doesn't count towards the
rules' limit of attempts."""
NEEDS_NEW_QUOTE = UNCOUNTED | {Why.EXPIRED}
"""After an attempt that failed for one of these reasons, the same place may still sell the machine under a new
offer id: ask for new offers before buying a dearer one."""
Place: TypeAlias = tuple[str, str | None, str]
"""Where a machine is sold: the vendor, its region and the GPU."""
LEAST_TIME = timedelta(minutes=3)
"""An attempt begins only if the envelope's total pays for at least this long until ready."""


def untried(offers: Iterable[Offer], request: Request, clicked: str, attempts: Sequence[Attempt]) -> list[Offer]:
    """Return the offers that fit the request, except those of places where an attempt failed: the `clicked` one
    first, then the cheapest. A place that just refused a boot script comes before them: it is asked without
    one."""
    ids = {attempt.called_offer.offer_id for attempt in attempts}
    failed = {place_of(attempt.called_offer) for attempt in attempts if attempt.why not in NEEDS_NEW_QUOTE}
    fitting = [o for o in offers if fits(o, request) and o.offer_id not in ids and place_of(o) not in failed]
    answered = [attempt for attempt in attempts if attempt.why not in MARKET_UNAVAILABLE]
    refused_last = _refused_script(answered[-1:])
    return sorted(fitting, key=lambda o: (place_of(o) not in refused_last, o.offer_id != clicked, o.rate))


def with_needed_script(
    offers: Sequence[Offer],
    request: Request,
    teammates: Collection[str],
    answers: Mapping[str, ProbeAnswers],
    chosen_vendor: str | None = None,
) -> tuple[Offer, ...]:
    """Return the offers whose machines run the boot script, or all offers if the request doesn't need one.

    Offers of the vendor that the person chose always stay. `answers` has the last probe answers of each vendor.
    """
    if not needs_script(request, teammates):
        return tuple(offers)
    return tuple(o for o in offers if o.vendor == chosen_vendor or runs_scripts(answers.get(o.vendor)))


def takes_script(offer: Offer, attempts: Sequence[Attempt]) -> bool:
    """Return whether no attempt at the offer's place was refused because of its boot script."""
    return place_of(offer) not in _refused_script(attempts)


def _refused_script(attempts: Sequence[Attempt]) -> set[Place]:
    return {place_of(attempt.called_offer) for attempt in attempts if attempt.why is Why.SCRIPT_REFUSED}


def within_envelope(offers: Iterable[Offer], envelope: Envelope, billed: Micros, rules: Rules) -> list[Offer]:
    """Return the offers that the envelope allows: by its GPU, by its rate, and by its total less what earlier
    attempts `billed`."""
    least = min(LEAST_TIME, rules.procure.provision_timeout)
    return [
        offer
        for offer in offers
        if fits_model(offer.gpu, envelope.gpu)
        and offer.rate <= envelope.max_rate
        and provisioning_budget(envelope.total, billed, offer.rate, envelope.lease, rules) >= least
    ]


def to_ask_about(offers: Sequence[Offer], envelope: Envelope) -> tuple[Why, Offer] | None:
    """Return the offer outside the envelope that people decide about, and why it is outside: the first one that
    only costs more, or else the first one with another GPU. Return None if there is no offer."""
    dearer = next((offer for offer in offers if fits_model(offer.gpu, envelope.gpu)), None)
    if dearer is not None:
        return Why.DEARER, dearer
    return (Why.OTHER_GPU, offers[0]) if offers else None


def place_of(offer: Offer) -> Place:
    """Return the place where an offer is sold."""
    return offer.vendor, offer.vendor_region, offer.gpu
