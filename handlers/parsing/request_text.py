"""A request as one types it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span

MOST_GPUS = 1000
HIGHEST_CAP = Decimal(1000)
"""USD per GPU and hour."""
FINEST_CAP = Decimal("0.0001")
SHORTEST_LEASE = timedelta(minutes=1)


def spell(request: Request, *, default_lease: timedelta | None = None) -> str:
    """Return a request as one types it after `/gpu get`; a lease of `default_lease` is left out.

    Typed into Slack, which escapes it on its way, it parses back to the same request.
    """
    parts = [request.gpu if request.count == 1 else f"{request.count}x {request.gpu}"]
    if request.region is not None:
        parts.append(request.region)
    if request.contract is Contract.SPOT:
        parts.append("spot")
    if request.max_gpu_rate is not None:
        unit = "/GPU/h" if request.cap_said_per_gpu else "/h"
        parts.append(f"under {say_rate(request.max_gpu_rate)}{unit}")
    if request.vendor is not None:
        parts.append(f"vendor {request.vendor}")
    if request.lease != default_lease:
        parts.append(f"for {say_span(request.lease)}")
    if request.note:
        parts.append(f"-- {request.note}")
    return " ".join(parts)
