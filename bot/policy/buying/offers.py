"""Matches offers to requests, suggests similar requests, and chooses the offers to buy next for a rental."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from bot.model.attempt import USUAL_CHANCE, Attempt, SuccessRate, Why
from bot.model.base import changed
from bot.model.gpu import has_features, same_name
from bot.model.machine_use import ProbeAnswers
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.request import Contract, OfferQuery, Request, Terms
from bot.policy.buying.spending import may_substitute, provisioning_budget
from bot.policy.team.rules import Rules
from bot.policy.use.probing import needs_script, runs_scripts

_NEAREST = {
    **dict.fromkeys(("Europe", "Africa", "Atlantic"), "EU"),
    **dict.fromkeys(("America", "US", "Canada"), "US"),
    **dict.fromkeys(("Asia", "Australia", "Pacific", "Indian"), "APAC"),
}
"""The nearest region group, by the first part of the time zone's name: `Europe` for `Europe/Berlin`."""
MARKET_UNAVAILABLE = frozenset({Why.OUTAGE, Why.RATE_LIMITED, Why.UNAUTHORIZED})
"""The failure reasons that concern the whole market, and not only the offer of the attempt."""
UNCOUNTED = MARKET_UNAVAILABLE | {Why.SCRIPT_REFUSED}
"""The failure reasons that don't show whether the offer was available.

The rules limit the number of attempts, that is, purchase calls. Attempts that failed for one of these reasons
don't count toward this limit.
"""
NEEDS_NEW_QUOTE = UNCOUNTED | {Why.EXPIRED}
"""The failure reasons after which the same machine might still be sold under a new offer ID.

After a failure for one of these reasons, the market is queried for new offers before a more expensive offer is
bought.
"""
Place: TypeAlias = tuple[str, str | None, str]
"""The place where a machine is sold: its vendor, the vendor's region, and the GPU."""
LEAST_TIME = timedelta(minutes=3)
"""The shortest provisioning time that the approved total must cover, together with the lease.

If the total doesn't cover both, the bot doesn't try to buy a machine.
"""


def fits(offer: Offer, query: OfferQuery) -> bool:
    """Return whether an offer matches a query.

    An offer doesn't match if its price per GPU is above the highest price in the query.
    """
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
    """Return offers sorted by price, lowest first.

    Offers with equal prices are sorted by vendor, region and GPU. Their IDs come last, because a later search can
    return other IDs for the same machines.
    """
    return tuple(
        sorted(
            offers,
            key=lambda o: (o.rate, o.vendor, o.region, o.vendor_region or "", o.gpu, o.expires_at, o.offer_id),
        )
    )


def likeliest_first(
    offers: Iterable[Offer], success_rates: Mapping[tuple[str, str], SuccessRate]
) -> tuple[Offer, ...]:
    """Return offers sorted by price, lowest first.

    Offers with equal prices are sorted by the chance that their machine becomes ready, highest first. If the
    chances are also equal, the offers keep their order.

    Args:
        success_rates: The known success rates by vendor and GPU.
    """
    chances = {place: one.chance for place, one in success_rates.items()}
    return tuple(sorted(offers, key=lambda o: (o.rate, -chances.get((o.vendor, o.gpu), USUAL_CHANCE))))


def nearest_first(
    offers: Iterable[Offer], success_rates: Mapping[tuple[str, str], SuccessRate], zone: str | None
) -> tuple[Offer, ...]:
    """Return offers in the order in which people read them.

    The offers are sorted like `likeliest_first`. Offers that are equal in that order are sorted by region: the
    region group nearest to the person's time zone comes first. Purchases don't follow this order.

    Args:
        zone: The person's time zone, such as `Europe/Berlin`. None if unknown.
    """
    near = _NEAREST.get((zone or "").partition("/")[0])
    by_distance = sorted(offers, key=lambda o: near is not None and not same_name(o.region, near))
    return likeliest_first(by_distance, success_rates)


def one_for_each_vendor(offers: Iterable[Offer]) -> list[tuple[Offer, int]]:
    """Return one offer for each vendor, GPU and price.

    Each offer comes with the number of other regions in which the vendor sells the same GPU at this price.
    """
    found: dict[tuple[object, ...], list[Offer]] = {}
    for offer in offers:
        key = (offer.vendor, offer.gpu, offer.count, offer.contract, offer.rate)
        found.setdefault(key, []).append(offer)
    return [(same[0], len({one.vendor_region for one in same}) - 1) for same in found.values()]


def nearby(request: Request) -> list[Request]:
    """Return similar requests to try if nothing was found.

    Each similar request differs from the original in one of these ways:

    - It has no price limit, no region or no vendor, or none of the three.
    - It allows any model of the GPU family instead of one model.
    - It asks for spot instead of on-demand, or for on-demand instead of spot.
    """
    limits = {
        "max_gpu_rate": request.max_gpu_rate is not None,
        "region": request.region is not None,
        "vendor": request.vendor is not None,
    }
    other = Contract.SPOT if request.contract is Contract.ONDEMAND else Contract.ONDEMAND
    changes: list[dict[str, object]] = [{name: None} for name, given in limits.items() if given]
    if len(changes) > 1:
        changes.append(dict.fromkeys(limits))
    changes = [{**change, "max_total": None} if "max_gpu_rate" in change else change for change in changes]
    if request.features:
        changes.append({"features": ()})
    changes.append({"contract": other})
    return [changed(request, **change) for change in changes]


# --- the offers that may be bought next, in order, after earlier purchases failed


def untried(offers: Iterable[Offer], request: Request, clicked: str, attempts: Sequence[Attempt]) -> list[Offer]:
    """Return the offers that the bot can try to buy next for a rental, sorted by preference.

    The `clicked` offer comes first, then the others, cheapest first.

    A place is a vendor's region with a certain GPU. If an earlier attempt failed at a place, the offers of that
    place are left out. If the reason of the failure is in NEEDS_NEW_QUOTE, they are kept.

    There is one exception. If a place refused the last attempt because of the startup script, the place might
    still sell the machine without the script. The offers of that place then come first.

    Args:
        clicked: The ID of the offer that the person clicked.
        attempts: The earlier attempts, oldest first. An attempt is one call that tries to buy an offer.
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
    """Return the offers whose vendor runs the startup script. If the script isn't needed, return all offers.

    Args:
        teammates: The people with whom the machine is shared.
        answers: The latest answers of probes on each vendor's machines.
        chosen_vendor: The vendor that the person chose. Its offers are always included.
    """
    if not needs_script(request, teammates):
        return tuple(offers)
    return tuple(o for o in offers if o.vendor == chosen_vendor or runs_scripts(answers.get(o.vendor)))


def takes_script(offer: Offer, attempts: Sequence[Attempt]) -> bool:
    """Return whether a startup script can still be sent with the purchase of an offer.

    False if the offer's vendor and region have refused an earlier purchase of this GPU because of its startup
    script.
    """
    return place_of(offer) not in _refused_script(attempts)


def _refused_script(attempts: Sequence[Attempt]) -> set[Place]:
    return {place_of(attempt.called_offer) for attempt in attempts if attempt.why is Why.SCRIPT_REFUSED}


def within_terms(offers: Iterable[Offer], terms: Terms, billed: Micros, rules: Rules) -> list[Offer]:
    """Return the offers that the approved terms allow.

    The GPU must be the clicked GPU or an accepted substitute, and the rate must be within the limit. The total
    must pay for three things: the cost so far (`billed`), the lease, and a provisioning time of LEAST_TIME.
    """
    least = min(LEAST_TIME, rules.procure.provision_timeout)
    return [
        offer
        for offer in offers
        if may_substitute(offer.gpu, terms.gpu, rules)
        and offer.rate <= terms.max_rate
        and provisioning_budget(terms.total, billed, offer.rate, terms.lease + terms.kept, rules) >= least
    ]


def to_ask_about(offers: Sequence[Offer], terms: Terms, rules: Rules) -> tuple[Why, Offer] | None:
    """Return an offer for people to decide about, and the reason why the approved terms don't allow it.

    If some offers have a GPU that the approved terms allow, the first of these offers is returned. The reason is
    then its price. Otherwise, the first of all offers is returned. The reason is then its GPU. None if there are
    no offers.
    """
    dearer = next((offer for offer in offers if may_substitute(offer.gpu, terms.gpu, rules)), None)
    if dearer is not None:
        return Why.DEARER, dearer
    return (Why.OTHER_GPU, offers[0]) if offers else None


def place_of(offer: Offer) -> Place:
    return offer.vendor, offer.vendor_region, offer.gpu
