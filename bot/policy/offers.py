"""Which offers fit a request, and which requests are close to one that found nothing."""

from __future__ import annotations

from collections.abc import Iterable

from bot.model.base import changed
from bot.model.gpu import same_name
from bot.model.offer import Offer
from bot.model.request import Contract, Request


def fits(offer: Offer, request: Request) -> bool:
    """Whether an offer is what was asked for, and not above the person's cap per GPU."""
    return (
        (same_name(offer.gpu, request.gpu) or same_name(offer.family, request.gpu))
        and offer.count == request.count
        and (request.region is None or same_name(offer.region, request.region))
        and same_name(offer.contract, request.contract)
        and (request.vendor is None or same_name(offer.vendor, request.vendor))
        and offer.rate > 0
        and (request.max_gpu_rate is None or offer.rate <= request.max_gpu_rate * offer.count)
    )


def cheapest_first(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """By price. Equal prices stand in the same order every time, whatever their ids."""
    return tuple(
        sorted(
            offers,
            key=lambda o: (o.rate, o.vendor, o.region, o.vendor_region or "", o.gpu, o.expires_at, o.offer_id),
        )
    )


def nearby(request: Request) -> list[Request]:
    """What to look for when nothing was found: the same without the cap, anywhere, in the other contract, from any
    vendor; and, where more than one of these was asked for, without all of them."""
    wishes = {
        "max_gpu_rate": request.max_gpu_rate is not None,
        "region": request.region is not None,
        "vendor": request.vendor is not None,
    }
    other = Contract.SPOT if request.contract is Contract.ONDEMAND else Contract.ONDEMAND
    changes: list[dict[str, object]] = [{name: None} for name, asked in wishes.items() if asked]
    if len(changes) > 1:
        changes.append(dict.fromkeys(wishes))
    changes.append({"contract": other})
    return [changed(request, **change) for change in changes]
