"""Figures for Prometheus: what an operator is woken for. Counted since the start, or read at the scrape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.model.attempt import Attempt
from bot.model.state import State

LATE = (0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds. A poll is every 15; after 15 minutes nothing is bought any more without asking again."""


class Metrics:
    """The figures of one process. What happens is counted by handing these methods to whoever does it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "gpubot_attempts",
            "Attempts to rent, by what became known of them, and why where it went wrong.",
            ["state", "why"],
            registry=self.registry,
        )
        self._calls = Counter(
            "gpubot_market_calls",
            "Calls to Compute Clear by how they were answered; senseless ones count beside their status.",
            ["call", "outcome"],
            registry=self.registry,
        )
        self._late = Histogram(
            "gpubot_step_lateness_seconds",
            "By how much what was due was late, by our clock.",
            buckets=LATE,
            registry=self.registry,
        )
        self._failed = Counter(
            "gpubot_steps_failed",
            "Steps that a bug ended, by the rental's state; each is tried again every minute.",
            ["what"],
            registry=self.registry,
        )
        self._rentals = Gauge(
            "gpubot_rentals", "Rentals that are not over, by state.", ["state"], registry=self.registry
        )
        self._health: dict[str, Gauge] = {}

    def attempt(self, attempt: Attempt) -> None:
        """An attempt that was intended, or of which something else is known now."""
        self._attempts.labels(attempt.state.value, attempt.why.value if attempt.why else "").inc()

    def market_call(self, call: str, outcome: str) -> None:
        """A call to the marketplace."""
        self._calls.labels(call, outcome).inc()

    def late(self, seconds: float) -> None:
        """What was due got its turn so much later."""
        self._late.observe(seconds)

    def failed(self, what: str) -> None:
        """A bug ended a step."""
        self._failed.labels(what).inc()

    def exposition(self, report: Mapping[str, Any], live: Mapping[State, int] | None) -> bytes:
        """All figures as text: with every number of `/health`, booleans as 0 and 1, and the rentals that live, as
        last known where `live` is None."""
        for state in State:
            if not state.over and live is not None:
                self._rentals.labels(state.value).set(live.get(state, 0))
        for name, value in _flat(report):
            if name not in self._health:
                words = f"{name.replace('_', ' ')} of /health"
                self._health[name] = Gauge(f"gpubot_{name}", words, registry=self.registry)
            self._health[name].set(value)
        return generate_latest(self.registry)


def _flat(report: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    figures = []
    for name, value in report.items():
        if isinstance(value, dict):
            figures += _flat(value, f"{prefix}{name}_")
        elif isinstance(value, int | float):
            figures.append((f"{prefix}{name}", float(value)))
    return figures
