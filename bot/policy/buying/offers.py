"""Which offers fit a request, and which similar requests to try if none does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.model.attempt import USUAL_CHANCE, GotReady
from bot.model.base import changed
from bot.model.gpu import has_features, same_name
from bot.model.offer import Offer
from bot.model.request import Contract, OfferQuery, Request

_NEAREST: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("Europe", "Africa", "Atlantic"), "EU"),
        **dict.fromkeys(("America", "US", "Canada"), "US"),
        **dict.fromkeys(("Asia", "Australia", "Pacific", "Indian"), "APAC"),
    }
)
"""The market's region group that is nearest to a time zone, by the zone's first part."""


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


def likeliest_first(offers: Iterable[Offer], got_ready: Mapping[tuple[str, str], GotReady]) -> tuple[Offer, ...]:
    """Return offers sorted by price, and of those with equal prices the likeliest to get ready first. Otherwise
    their order stays. `got_ready` has what is known by vendor and GPU."""
    chances = {place: one.chance for place, one in got_ready.items()}
    return tuple(sorted(offers, key=lambda o: (o.rate, -chances.get((o.vendor, o.gpu), USUAL_CHANCE))))


def nearest_first(
    offers: Iterable[Offer], got_ready: Mapping[tuple[str, str], GotReady], zone: str | None
) -> tuple[Offer, ...]:
    """Return offers as `likeliest_first`, but of equal ones those nearest to a person's time zone first.

    This is the order in which people read offers. Purchases don't follow it.
    """
    near = _NEAREST.get((zone or "").partition("/")[0])
    by_distance = sorted(offers, key=lambda o: near is not None and not same_name(o.region, near))
    return likeliest_first(by_distance, got_ready)


def one_for_each_vendor(offers: Iterable[Offer]) -> list[tuple[Offer, int]]:
    """Return the first offer of each GPU that a vendor has at one price, and how many other regions have
    the same."""
    found: dict[tuple[object, ...], list[Offer]] = {}
    for offer in offers:
        key = (offer.vendor, offer.gpu, offer.count, offer.contract, offer.rate)
        found.setdefault(key, []).append(offer)
    return [(same[0], len({one.vendor_region for one in same}) - 1) for same in found.values()]


def nearby(request: Request) -> list[Request]:
    """Return the similar requests to try if nothing was found. Each drops the highest price, the region or the
    vendor, or all of them, or asks for any model of the family, or for the other contract."""
    wishes = {
        "max_gpu_rate": request.max_gpu_rate is not None,
        "region": request.region is not None,
        "vendor": request.vendor is not None,
    }
    other = Contract.SPOT if request.contract is Contract.ONDEMAND else Contract.ONDEMAND
    changes: list[dict[str, object]] = [{name: None} for name, given in wishes.items() if given]
    if len(changes) > 1:
        changes.append(dict.fromkeys(wishes))
    changes = [{**change, "max_total": None} if "max_gpu_rate" in change else change for change in changes]
    if request.features:
        changes.append({"features": ()})
    changes.append({"contract": other})
    return [changed(request, **change) for change in changes]
