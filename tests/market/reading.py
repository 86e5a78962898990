"""Parses offers with wire.py, for its tests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from bot.market import wire
from bot.model.offer import Offer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FAMILIES = {"H100": ("nvidia-h100-sxm5-80gb",), "RTX 4090": ("nvidia-rtx-4090-24gb",)}
ONE = {"offer_id": "o1", "gpu_type": "nvidia-h100-sxm5-80gb", "gpu_count": 2, "vendor": "nebius"}


def read_offers(*entries: object) -> tuple[Offer, ...]:
    return wire.offers({"offers": list(entries)}, FAMILIES, NOW, wire.Anomalies())


def read_offer(**changes: object) -> Offer | None:
    return next(iter(read_offers({**ONE, "total_price_per_hour": Decimal("4.40"), **changes})), None)
