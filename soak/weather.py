"""What goes wrong outside: control calls to the sandbox, and what undoes them. Data for the plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Side(StrEnum):
    """Who has trouble."""

    SLACK = "slack"
    MARKET = "compute"
    STORE = "store"


@dataclass(frozen=True)
class Weather:
    """One trouble."""

    after: float
    """Real seconds from the beginning of the round."""
    side: Side
    name: str
    path: str = ""
    """The control call that makes it. Faults are removed all at once when it clears."""
    body: Json = field(default_factory=dict)
    undo: Json | None = None
    """The body of the same call that ends it."""
    seconds: float = 0.0
    """Of the store alone: real seconds that it is locked."""
    vanishes: float | None = None
    """Of machines alone: a vendor takes one back; picks which."""

    @property
    def is_fault(self) -> bool:
        """Whether it is one of the sandbox's faults by endpoint."""
        return self.path == "faults"


SLACK_METHODS = (
    "chat.postMessage",
    "chat.postMessage",
    "chat.postMessage",
    "chat.update",
    "chat.update",
    "response_url",
    "response_url",
    "views.open",
    "users.info",
    "conversations.info",
    "conversations.open",
    "conversations.history",
    "conversations.replies",
    "auth.test",
    "apps.connections.open",
)
MARKET_ENDPOINTS = (
    "get_offers",
    "procure_offer",
    "procure_offer",
    "procure_offer",
    "procure_offer",
    "procure_offer",
    "offer_status",
    "offer_status",
    "list_resources",
    "list_resources",
    "get_resource",
    "delete_resource",
    "*",
    "*",
)
VENDORS = ("*", "nebius", "hyperstack", "runpod", "datacrunch", "lambda", "vultr", "scaleway")
MOODS: tuple[Json, ...] = (
    {"behaviour": "sold_out", "times": 2},
    {"behaviour": "sold_out"},
    {"behaviour": "fails_with_resource", "times": 1},
    {"behaviour": "late_resource", "times": 1},
    {"behaviour": "late_resource", "times": 1, "quiet": True},
    {"behaviour": "partial", "times": 1},
    {"behaviour": "reference_words", "times": 2},
    {"behaviour": "slow", "times": 1},
    {"behaviour": "fails_later", "times": 2},
    {"behaviour": "delete_500", "times": 1, "seconds": 200},
    {"behaviour": "not_deleting", "times": 1, "seconds": 300},
    {"behaviour": "silent_ssh", "times": 1},
    {"behaviour": "no_price", "times": 2},
    {"behaviour": "stale_cache", "seconds": 40},
)
HOSTILE = (
    '{"offers": [{"offer_id": "9d2c1a52-56a5-4a06-8f0c-0a6b2b1d2f10", "gpu_type": "nvidia-h100-sxm5-80gb",'
    ' "gpu_count": 1, "vendor": "nebius", "region": "EU", "total_price_per_hour": 1e999999999}]}',
    '{"offers": {"not": "a list"}}',
    '{"resources": [{"resource_id": 7, "pricing_total_hourly": 1e999999999, "status": "\\u2028"}]}',
    "[" * 3000,
    "",
)
"""Answers of a market that is out of its mind."""


def draw_weather(source: random.Random, lasts: float) -> Weather:
    """Some trouble within a round of so many seconds."""
    after = source.uniform(0, lasts)
    kind = source.choices(
        ("slack", "sockets", "token", "market", "vendor", "lost", "store"), (9, 3, 1, 12, 9, 2, 2)
    )[0]
    match kind:
        case "slack":
            return _slack(source, after)
        case "sockets":
            return _sockets(source, after)
        case "token":
            path, undo = ("tokens", {"bot": "valid"})
            if source.random() < 0.5:
                return Weather(after, Side.SLACK, "slack token revoked", path, {"bot": "revoked"}, undo)
            return Weather(after, Side.MARKET, "market token refused", "token", {"valid": False}, {"valid": True})
        case "market":
            return _market(source, after)
        case "vendor":
            vendor, mood = source.choice(VENDORS), source.choice(MOODS)
            name = f"{vendor} {mood['behaviour']}"
            return Weather(after, Side.MARKET, name, f"vendors/{vendor}", mood, {"behaviour": "normal"})
        case "lost":
            how = source.choice(("deleted", "missing"))
            return Weather(after, Side.MARKET, f"machine {how}", "vanish", {"how": how}, vanishes=source.random())
    return Weather(after, Side.STORE, "store disturbed", seconds=source.uniform(0.2, 1.5))


def _slack(source: random.Random, after: float) -> Weather:
    fault: Json = {"endpoint": source.choice(SLACK_METHODS), "times": source.choice((1, 2, 4, 8))}
    fault |= source.choice(
        (
            {"kind": "status", "status": 429, "retry_after": source.choice((1, 2))},
            {"kind": "status", "status": source.choice((500, 502, 503)), "acts": source.random() < 0.4},
            {"kind": "cut_before"},
            {"kind": "cut_after"},
            {"kind": "garbage", "acts": source.random() < 0.5},
            {"kind": "latency", "seconds": source.uniform(0.2, 2.0)},
        )
    )
    if fault["endpoint"] == "response_url" and fault["kind"] == "garbage":
        # The status alone tells whether a response_url took the answer: a 200 that didn't act would be a lie.
        fault["acts"] = True
    return Weather(after, Side.SLACK, f"{fault['endpoint']} {fault['kind']}", "faults", fault)


def _sockets(source: random.Random, after: float) -> Weather:
    path = "sockets/disconnect"
    body: Json = source.choice(
        (
            {"kill": True},
            {"reason": "warning"},
            {"reason": "refresh_requested"},
            {"refuse_tickets": True},
            {"ghosts": 1},
        )
    )
    undo = {"refuse_tickets": False, "ghosts": 0}
    return Weather(after, Side.SLACK, f"sockets {next(iter(body))}", path, body, undo)


def _market(source: random.Random, after: float) -> Weather:
    fault: Json = {"endpoint": source.choice(MARKET_ENDPOINTS), "times": source.choice((1, 1, 3, 8))}
    acts = source.random() < 0.5
    fault |= source.choice(
        (
            {"kind": "status", "status": 429, "retry_after": source.choice((1, 3)), "acts": acts},
            {"kind": "status", "status": 409, "acts": acts},
            {"kind": "status", "status": source.choice((500, 502, 503, 504)), "acts": acts},
            {"kind": "cut_before"},
            {"kind": "cut_after"},
            {"kind": "garbage", "acts": acts},
            {"kind": "garbage", "acts": acts, "body": source.choice(HOSTILE)},
            {"kind": "latency", "seconds": source.uniform(0.2, 1.5)},
        )
    )
    return Weather(after, Side.MARKET, f"{fault['endpoint']} {fault['kind']}", "faults", fault)
