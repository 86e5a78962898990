"""Metrics for Prometheus.

Counters start at 0 when the process starts. Gauges are read at each scrape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.model.attempt import Attempt
from bot.model.state import State

LATENESS_BUCKETS = (0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""The upper bounds in seconds of the buckets for the lateness of work on rentals.

Two of the bounds matter to the bot. It queries Compute Clear about a rental every 15 s, and a purchase that is 15
minutes late needs a new decision.
"""


@dataclass(frozen=True)
class Figures:
    """Current figures about running machines and their cost.

    Each figure is also a Prometheus gauge of the same name.
    """

    dollars_per_hour: Decimal
    """The current price of all rented machines that are billing."""
    spent_dollars: Decimal
    """The total amount that has been billed so far."""
    reserved_dollars: Decimal
    """The amount that rentals have reserved in the current month's budgets."""
    idle_dollars_per_hour: Decimal
    """The current price of ready machines whose usage status is idle."""
    unknown_machines: int
    unconfirmed_deletions: int
    """The number of rentals with an alarm because the deletion of a machine isn't confirmed."""
    requests_waiting: int
    """The number of requests and extensions that wait for a decision."""


class Metrics:
    """The metrics of one process.

    Other modules receive methods of this object as callbacks, and call them to count their work.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = self._counter(
            "attempts", "Attempts to rent, by their state, and by the reason if one failed.", "state", "why"
        )
        self._calls = self._counter(
            "market_calls",
            "Calls to Compute Clear by outcome. A malformed answer is counted in addition to its status.",
            "call",
            "outcome",
        )
        self.late = Histogram(
            "gpubot_step_lateness_seconds",
            "How late due work was started, by our clock.",
            buckets=LATENESS_BUCKETS,
            registry=self.registry,
        )
        self._failed = self._counter(
            "steps_failed",
            "Steps that failed with a bug, by the rental's state. Each is retried every minute.",
            "what",
        )
        self.commits = self._counter("commits", "Write transactions that were committed.")
        self.over_budget = self._counter("over_budget", "Requests that were refused because of a budget.")
        self.wrong_balances = self._counter(
            "wrong_balances", "Balances of budgets that were not the sum of what they consist of. Each is a bug."
        )
        self._probe_runs = self._counter(
            "visits", "Visits of machines by outcome: answered, or why there is no reading.", "outcome"
        )
        self._webhooks = self._counter(
            "webhooks",
            "Calls to webhooks by result: accepted, refused with another status, or no answer.",
            "result",
        )
        self._slack_requests = self._counter(
            "slack_requests", "HTTP mode: requests by outcome, answered or why they were refused.", "outcome"
        )
        self._slack_mode = self._gauge("slack_mode", "1 for the mode in use: socket or http.", "mode")
        self._rentals = self._gauge("rentals", "Rentals that are not over, by state.", "state")
        self._figures = {
            name: self._gauge(name, words)
            for name, words in {
                "dollars_per_hour": "USD an hour of all rented machines that bill now.",
                "spent_dollars": "USD that all rentals have cost by now.",
                "reserved_dollars": "USD of the current month that rentals hold.",
                "idle_dollars_per_hour": "USD an hour of ready machines that are idle.",
                "unknown_machines": "Machines on the account that no rental has.",
                "unconfirmed_deletions": "Rentals with a machine that may bill although it should be gone.",
                "requests_waiting": "Requests, also for more time, that wait for a decision.",
            }.items()
        }
        self._health: dict[str, Gauge] = {}

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"gpubot_{name}", words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"gpubot_{name}", words, labels, registry=self.registry)

    def attempt(self, attempt: Attempt) -> None:
        """Count a purchase that is new or whose state has changed."""
        self._attempts.labels(attempt.state.value, attempt.why.value if attempt.why else "").inc()

    def market_call(self, call: str, outcome: str) -> None:
        """Count a call to Compute Clear."""
        self._calls.labels(call, outcome).inc()

    def run_probe(self, outcome: str) -> None:
        """Count a probe run."""
        self._probe_runs.labels(outcome).inc()

    def call_webhook(self, result: str) -> None:
        """Count a call to a receiver of webhooks."""
        self._webhooks.labels(result).inc()

    def slack_request(self, outcome: str) -> None:
        """Count a request that arrived in HTTP mode."""
        self._slack_requests.labels(outcome).inc()

    def failed(self, what: str) -> None:
        """Count a failure that a bug caused.

        Args:
            what: The state of the rental that couldn't be advanced. For other work, it is `quote` for a person's
                search, `wishes` for a search for waitlist entries, or `engine` for the loop that advances rentals.
        """
        self._failed.labels(what).inc()

    def exposition(
        self, report: Mapping[str, Any], live: Mapping[State, int] | None, figures: Figures | None
    ) -> bytes:
        """Return all metrics in Prometheus's text format.

        Each number and boolean of /health becomes a gauge too.

        Args:
            report: The answer of /health.
            live: The number of rentals in each state, without those that are over. If None, the values of the last
            scrape are kept.
            figures: Figures about machines and their cost. If None, the values of the last scrape are kept.
        """
        if figures is not None:
            for name, gauge in self._figures.items():
                gauge.set(float(getattr(figures, name)))
        for state in State:
            if not state.over and live is not None:
                self._rentals.labels(state.value).set(live.get(state, 0))
        if "slack_mode" in report:
            self._slack_mode.labels(report["slack_mode"]).set(1)
        for name, value in _numbers(report):
            if name not in self._health:
                self._health[name] = self._gauge(name, f"{name.replace('_', ' ')} of /health")
            self._health[name].set(value)
        return generate_latest(self.registry)


def _numbers(report: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    numbers = []
    for name, value in report.items():
        if isinstance(value, dict):
            numbers += _numbers(value, f"{prefix}{name}_")
        elif isinstance(value, int | float):
            numbers.append((f"{prefix}{name}", float(value)))
    return numbers
