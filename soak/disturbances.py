"""Failures outside the bot, as data for the plan of an episode.

Each failure consists of the sandbox's control calls that start and end it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox.slack.default import DAN
from soak.actions import LEAVER

Json = dict[str, Any]


class System(StrEnum):
    """The system that fails."""

    SLACK = "slack"
    MARKET = "compute"
    STORE = "store"
    GITHUB = "github"


@dataclass(frozen=True)
class Disturbance:
    """A single failure."""

    after: float
    """Wall-clock seconds since the beginning of the round."""
    system: System
    name: str
    path: str = ""
    """The path of the control call that starts the failure. All disturbances with the path `faults` end
    together."""
    body: Json = field(default_factory=dict)
    undo: Json | None = None
    """The body with which the same control call ends the failure."""
    seconds: float = 0.0
    """Wall-clock seconds for which the store is disturbed. Only for failures of the store."""
    at_once: bool = False
    """True if the failure is a single event, with nothing to end later."""
    machine: float | None = None
    """A number from 0 to 1 that picks the machine. Only for failures of one machine."""


SLACK_METHODS = (
    "chat.postMessage",
    "chat.postMessage",
    "chat.postMessage",
    "chat.update",
    "chat.update",
    "response_url",
    "response_url",
    "views.open",
    "views.update",
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
BUSY: Json = {"all": 95, "connections": 1}
PHASES: tuple[Json, ...] = (
    BUSY,
    {"all": 0},
    {"all": 0, "connections": 1},
    {"fault": "refused"},
    {"fault": "garbage"},
)
"""The ways in which a machine is used, or in which its probe fails.

In each of these cases, the probe run ends immediately. A probe run that hangs would take seconds of wall-clock
time.
"""
TOKENS = "tokens"
"""The path of the control call that revokes the tokens of Slack's app."""
VENDORS = ("*", "nebius", "hyperstack", "runpod", "datacrunch", "lambda", "vultr", "scaleway")
BEHAVIOURS: tuple[Json, ...] = (
    {"behaviour": "sold_out", "times": 2},
    {"behaviour": "sold_out"},
    {"behaviour": "fails_with_resource", "times": 1},
    {"behaviour": "late_resource", "times": 1},
    *[{"behaviour": "late_resource", "times": 3, "quiet": True}] * 3,
    {"behaviour": "partial", "times": 1},
    {"behaviour": "reference_words", "times": 2},
    {"behaviour": "slow", "times": 1},
    {"behaviour": "fails_later", "times": 2},
    {"behaviour": "delete_500", "times": 1, "seconds": 200},
    {"behaviour": "not_deleting", "times": 1, "seconds": 300},
    {"behaviour": "silent_ssh", "times": 1},
    {"behaviour": "no_price", "times": 2},
    {"behaviour": "stale_cache", "seconds": 40},
    {"behaviour": "refuses_cloud_init", "times": 2},
    {"behaviour": "ignores_cloud_init", "times": 2},
)
"""The ways in which a vendor misbehaves.

One behaviour is listed three times, so that it is drawn more often: the purchase is answered with `failed`, but a
minute later there is a machine nevertheless.
"""
HOSTILE_BODIES = (
    '{"offers": [{"offer_id": "9d2c1a52-56a5-4a06-8f0c-0a6b2b1d2f10", "gpu_type": "nvidia-h100-sxm5-80gb",'
    ' "gpu_count": 1, "vendor": "nebius", "region": "EU", "total_price_per_hour": 1e999999999}]}',
    '{"offers": {"not": "a list"}}',
    '{"resources": [{"resource_id": 7, "pricing_total_hourly": 1e999999999, "status": "\\u2028"}]}',
    "[" * 3000,
    "",
)
"""Response bodies that aren't valid answers from the market."""


def draw_disturbance(rng: random.Random, seconds: float) -> Disturbance:
    """Draw a failure that begins within the next `seconds`."""
    after = rng.uniform(0, seconds)
    kinds = {"slack": 9, "sockets": 3, "token": 1, "market": 12, "vendor": 9}
    kinds |= {"lost": 2, "use": 7, "store": 2, "github": 1, "unknown": 2, "leaves": 1}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    match kind:
        case "slack":
            return _slack(rng, after)
        case "sockets":
            return _sockets(rng, after)
        case "token":
            if rng.random() < 0.5:
                body, undo = {"bot": "revoked"}, {"bot": "valid"}
                return Disturbance(after, System.SLACK, "slack token revoked", TOKENS, body, undo)
            refused, accepted = {"valid": False}, {"valid": True}
            return Disturbance(after, System.MARKET, "market token refused", "token", refused, accepted)
        case "market":
            return _market(rng, after)
        case "vendor":
            vendor, behaviour = rng.choice(VENDORS), rng.choice(BEHAVIOURS)
            name = f"{vendor} {behaviour['behaviour']}"
            return Disturbance(after, System.MARKET, name, f"vendors/{vendor}", behaviour, {"behaviour": "normal"})
        case "lost":
            how = rng.choice(("deleted", "missing"))
            name, body = f"machine {how}", {"how": how}
            return Disturbance(after, System.MARKET, name, "vanish", body, machine=rng.random())
        case "use":
            return draw_use(rng, after)
        case "unknown":
            name = f"train-{rng.randrange(10**6):06d}"
            new: Json = {"name": name, "gpu_type": "H100", "rate": "2.10", "runs_after": rng.choice((0, 120))}
            return Disturbance(after, System.MARKET, "unknown machine", "resources", new, at_once=True)
        case "leaves":
            left: Json = {"deleted": True}
            return Disturbance(after, System.SLACK, f"{LEAVER} leaves", f"people/{DAN}", left, at_once=True)
        case "github":
            fault: Json = rng.choice(({"kind": "status", "status": 503}, {"kind": "garbage"}))
            fault |= {"endpoint": "user_keys", "times": 2}
            return Disturbance(after, System.GITHUB, f"user_keys {fault['kind']}", "faults", fault)
    return Disturbance(after, System.STORE, "store disturbed", seconds=rng.uniform(0.2, 1.5))


def draw_use(rng: random.Random, after: float) -> Disturbance:
    """Draw a machine's use: either busy from now on, or a repeating sequence of different phases."""
    body: Json = {"phases": (BUSY,)}
    if rng.random() < 0.5:
        phases = rng.sample(PHASES, rng.randint(2, 3))
        body = {"phases": tuple({**each, "for": rng.choice((600, 1500, 3000))} for each in phases), "repeat": True}
    if rng.random() < 0.7:
        body["on_ending"] = {"lasts": rng.choice((0, 240, None)), "status": rng.choice((0, 0, 1))}
    return Disturbance(after, System.MARKET, "machine used", "use", body, machine=rng.random())


def _slack(rng: random.Random, after: float) -> Disturbance:
    fault: Json = {"endpoint": rng.choice(SLACK_METHODS), "times": rng.choice((1, 2, 4, 8))}
    fault |= rng.choice(
        (
            {"kind": "status", "status": 429, "retry_after": rng.choice((1, 2))},
            {"kind": "status", "status": rng.choice((500, 502, 503)), "acts": rng.random() < 0.4},
            {"kind": "cut_before"},
            {"kind": "cut_after"},
            {"kind": "garbage", "acts": rng.random() < 0.5},
            {"kind": "latency", "seconds": rng.uniform(0.2, 2.0)},
        )
    )
    if fault["endpoint"] == "response_url" and fault["kind"] == "garbage":
        # This fault lets a `response_url` return a meaningless body with the HTTP status 200. The status is all
        # that an app can check, and 200 means that Slack accepted the app's message. So the message must have
        # taken effect.
        fault["acts"] = True
    return Disturbance(after, System.SLACK, f"{fault['endpoint']} {fault['kind']}", "faults", fault)


def _sockets(rng: random.Random, after: float) -> Disturbance:
    path = "sockets/disconnect"
    body: Json = rng.choice(
        (
            {"kill": True},
            {"reason": "warning"},
            {"reason": "refresh_requested"},
            {"refuse_tickets": True},
            {"ghosts": 1},
        )
    )
    undo = {"refuse_tickets": False, "ghosts": 0}
    return Disturbance(after, System.SLACK, f"sockets {next(iter(body))}", path, body, undo)


def _market(rng: random.Random, after: float) -> Disturbance:
    fault: Json = {"endpoint": rng.choice(MARKET_ENDPOINTS), "times": rng.choice((1, 1, 3, 8))}
    acts = rng.random() < 0.5
    fault |= rng.choice(
        (
            {"kind": "status", "status": 429, "retry_after": rng.choice((1, 3)), "acts": acts},
            {"kind": "status", "status": 409, "acts": acts},
            {"kind": "status", "status": rng.choice((500, 502, 503, 504)), "acts": acts},
            {"kind": "cut_before"},
            {"kind": "cut_after"},
            {"kind": "garbage", "acts": acts},
            {"kind": "garbage", "acts": acts, "body": rng.choice(HOSTILE_BODIES)},
            {"kind": "latency", "seconds": rng.uniform(0.2, 1.5)},
        )
    )
    return Disturbance(after, System.MARKET, f"{fault['endpoint']} {fault['kind']}", "faults", fault)
