"""Which offers fit a request, which similar requests to try if none does, and which offers an attempt may buy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from bot.model.attempt import USUAL_CHANCE, Attempt, SuccessRate, Why
from bot.model.base import changed
from bot.model.gpu import fits_model, has_features, same_name
from bot.model.machine_use import ProbeAnswers
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.request import Contract, OfferQuery, Request, Terms
from bot.policy.buying.spending import provisioning_budget
from bot.policy.team.rules import Rules
from bot.policy.use.probing import needs_script, runs_scripts

_NEAREST = {
    **dict.fromkeys(("Europe", "Africa", "Atlantic"), "EU"),
    **dict.fromkeys(("America", "US", "Canada"), "US"),
    **dict.fromkeys(("Asia", "Australia", "Pacific", "Indian"), "APAC"),
}
"""The market's region group that is nearest to a time zone, by the zone's first part."""
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


def fits(offer: Offer, query: OfferQuery) -> bool:
    """Return whether an offer is what the query asks for, and not above its highest price per GPU."""
    return (
        (same_name(offer.gpu, query.gpu) or same_name(offer.family, query.gpu))
        and has_features(offer.gpu, offer.family, query.features)
        and offer.count == query.count
        and (query.region is None or same_name(offer.region, query.region))
        and same_name(offer.contract, query.contract)
        and (query.vendor is None or same_name(offer.vendor, query.vendor))
        and not (query.without_vendor and same_name(offer.vendor, query.without_vendor))
        and offer.rate > 0
        and (query.max_gpu_rate is None or offer.rate <= query.max_gpu_rate * offer.count)
    )


def cheapest_first(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """Return offers sorted by price. The order of equal prices doesn't depend on the ids of the offers."""
    return tuple(
        sorted(
            offers,
            key=lambda o: (o.rate, o.vendor, o.region, o.vendor_region or "", o.gpu, o.expires_at, o.offer_id),
        )
    )


def likeliest_first(
    offers: Iterable[Offer], success_rates: Mapping[tuple[str, str], SuccessRate]
) -> tuple[Offer, ...]:
    """Return offers sorted by price, and of those with equal prices the likeliest to get ready first. Otherwise
    their order stays. `success_rates` has what is known by vendor and GPU.
    """
    chances = {place: one.chance for place, one in success_rates.items()}
    return tuple(sorted(offers, key=lambda o: (o.rate, -chances.get((o.vendor, o.gpu), USUAL_CHANCE))))


def nearest_first(
    offers: Iterable[Offer], success_rates: Mapping[tuple[str, str], SuccessRate], zone: str | None
) -> tuple[Offer, ...]:
    """Return offers as `likeliest_first`, but of equal ones those nearest to a person's time zone first.

    This is the order in which people read offers. Purchases don't follow it.
    """
    near = _NEAREST.get((zone or "").partition("/")[0])
    by_distance = sorted(offers, key=lambda o: near is not None and not same_name(o.region, near))
    return likeliest_first(by_distance, success_rates)


def one_for_each_vendor(offers: Iterable[Offer]) -> list[tuple[Offer, int]]:
    """Return the first offer of each GPU of a vendor at one price, and how many other regions have the same."""
    found: dict[tuple[object, ...], list[Offer]] = {}
    for offer in offers:
        key = (offer.vendor, offer.gpu, offer.count, offer.contract, offer.rate)
        found.setdefault(key, []).append(offer)
    return [(same[0], len({one.vendor_region for one in same}) - 1) for same in found.values()]


def nearby(request: Request) -> list[Request]:
    """Return the similar requests to try if nothing was found. Each drops the highest price, the region or the
    vendor, or all of them, or asks for any model of the family, or for the other contract.
    """
    waitlist_entries = {
        "max_gpu_rate": request.max_gpu_rate is not None,
        "region": request.region is not None,
        "vendor": request.vendor is not None,
    }
    other = Contract.SPOT if request.contract is Contract.ONDEMAND else Contract.ONDEMAND
    changes: list[dict[str, object]] = [{name: None} for name, given in waitlist_entries.items() if given]
    if len(changes) > 1:
        changes.append(dict.fromkeys(waitlist_entries))
    changes = [{**change, "max_total": None} if "max_gpu_rate" in change else change for change in changes]
    if request.features:
        changes.append({"features": ()})
    changes.append({"contract": other})
    return [changed(request, **change) for change in changes]


# --- which offers an attempt may buy, and in which order, after earlier attempts failed


def untried(offers: Iterable[Offer], request: Request, clicked: str, attempts: Sequence[Attempt]) -> list[Offer]:
    """Return the offers that fit the request, except those of places where an attempt failed: the `clicked` one
    first, then the cheapest. A place that just refused a boot script comes before them: it is asked without
    one.
    """
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


def within_terms(offers: Iterable[Offer], terms: Terms, billed: Micros, rules: Rules) -> list[Offer]:
    """Return the offers that the envelope allows: its GPU, its rate, its total less what was `billed` before."""
    least = min(LEAST_TIME, rules.procure.provision_timeout)
    return [
        offer
        for offer in offers
        if fits_model(offer.gpu, terms.gpu)
        and offer.rate <= terms.max_rate
        and provisioning_budget(terms.total, billed, offer.rate, terms.lease, rules) >= least
    ]


def to_ask_about(offers: Sequence[Offer], terms: Terms) -> tuple[Why, Offer] | None:
    """Return the offer outside the envelope that people decide about, and why it is outside: the first one that
    only costs more, or else the first one with another GPU. Return None if there is no offer.
    """
    dearer = next((offer for offer in offers if fits_model(offer.gpu, terms.gpu)), None)
    if dearer is not None:
        return Why.DEARER, dearer
    return (Why.OTHER_GPU, offers[0]) if offers else None


def place_of(offer: Offer) -> Place:
    """Return the place where an offer is sold."""
    return offer.vendor, offer.vendor_region, offer.gpu
