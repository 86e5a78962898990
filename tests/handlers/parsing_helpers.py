"""A catalog and helper functions that the parser's tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model.offer import Catalog
from bot.model.request import Request
from bot.policy.team.rules import Hours, Rules
from handlers.typed.commands import Command, parse_command
from handlers.typed.draft import Get, ParseContext

CATALOG = Catalog(
    gpus={
        "H100": ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"),
        "H200": ("nvidia-h200-sxm5-141gb",),
        "A100": ("nvidia-a100-sxm4-80gb", "nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-40gb"),
        "A10": ("nvidia-a10-pcie-24gb",),
        "L40S": ("nvidia-l40s-pcie-48gb",),
        "L40": ("nvidia-l40-pcie-48gb",),
        "L4": ("nvidia-l4-pcie-24gb",),
        "RTX 4090": ("nvidia-rtx-4090-pcie-24gb",),
        "B200": ("nvidia-b200-sxm6-180gb",),
        "MI300X": ("amd-mi300x-192gb",),
    },
    vendors=("nebius", "hyperstack", "scaleway", "Lambda Labs", "data-crunch"),
    regions=("US", "EU", "APAC", "Other"),
    contracts=("ondemand", "spot"),
    read_at=datetime(2026, 3, 2, tzinfo=UTC),
)
LEASE = timedelta(hours=4)


HOURS = Hours()
MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""12:00 in London too, where clocks show UTC on this date."""


def command(
    text: str,
    *,
    now: datetime = MONDAY_NOON,
    zone: str = "Europe/London",
    catalog: Catalog = CATALOG,
    hours: Hours = HOURS,
) -> Command:
    context = ParseContext(Rules(hours=hours, setup={"pytorch": ""}), now, zone)
    return parse_command(text, catalog, context)


def request_of(text: str) -> Request:
    found = command(f"get {text}")
    assert isinstance(found, Get)
    return found.request


def a_request(**changes: Any) -> Request:
    return Request(**{"gpu": "H100", "lease": LEASE, **changes})
