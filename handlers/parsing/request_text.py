"""Writes a request as a person would type it, and says which numbers a typed request may have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal

from bot.model.gpu import typed_name
from bot.model.request import Contract, Request
from bot.model.text import say_at_most, say_rate, say_span
from handlers.phrases.ends import end_text

MAX_GPUS = 1000
MAX_CAP = Decimal(1000)
"""USD per GPU and hour."""
MIN_CAP = Decimal("0.0001")
"""USD per GPU and hour. A cap is a multiple of it."""
MIN_LEASE = timedelta(minutes=1)


def is_possible_cap(cap: Decimal) -> bool:
    """Return whether a cap is within its bounds and a multiple of MIN_CAP."""
    return MIN_CAP <= cap <= MAX_CAP and cap == cap.quantize(MIN_CAP)


def cap_of_total(amount: Decimal, count: int, length: timedelta) -> Decimal:
    """Return what an amount for everything, in dollars, comes to per GPU and hour over `length`.

    This only shows whether the amount is possible, because a total has to pay for the time to start and end too.
    """
    each = amount * 3600 / (length // timedelta(seconds=1)) / count
    return each.quantize(MIN_CAP, rounding=ROUND_FLOOR)


def request_text(
    request: Request, *, default_lease: timedelta | None = None, zone: str = "UTC", more: Sequence[str] = ()
) -> str:
    """Return what a person in `zone` types after `/gpu get` for a request. Leave out the lease if it is
    `default_lease`. `more` are words that follow the request, in front of its note.

    The text parses back to the same request, also after Slack has escaped it.
    """
    gpu = typed_name(request.gpu, request.features)
    length = "" if request.lease == default_lease else f"for {say_span(request.lease)}"
    if request.until is not None and request.starts_at is None:
        length = f"until {end_text(request.until, zone)}{_later_end(request, zone)}"
    elif request.up_to is not None:
        length = f"for {say_span(request.lease)} up to {say_span(request.up_to)}"
    parts = (
        gpu if request.count == 1 else f"{request.count}x {gpu}",
        request.region,
        "spot" if request.contract is Contract.SPOT else None,
        _highest_price(request),
        request.vendor and f"vendor {request.vendor}",
        request.setup and f"setup {request.setup}",
        request.project and f"for project {request.project}",
        None if request.probe else "no-probe",
        None if request.starts_at is None else f"at {end_text(request.starts_at, zone)}",
        length,
        *more,
        request.note and f"-- {request.note}",
    )
    return " ".join(filter(None, parts))


def _highest_price(request: Request) -> str:
    if request.max_total is not None:
        return f"{say_at_most(request.max_total).replace(',', '')} in all"
    if request.max_gpu_rate is None:
        return ""
    return f"under {say_rate(request.max_gpu_rate)}{'/GPU/h' if request.cap_said_per_gpu else '/h'}"


def _later_end(request: Request, zone: str) -> str:
    """Return the later of two ends, to follow a named one: ` up to 14h`. If the length has seconds, which nobody
    types, return the time of the end. Return an empty text if there is one end."""
    if request.up_to is None or request.last_end is None:
        return ""
    typed = request.up_to % timedelta(minutes=1) == timedelta(0)
    return f" up to {say_span(request.up_to) if typed else end_text(request.last_end, zone)}"
