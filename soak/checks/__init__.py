"""The checks: functions that return what is wrong in the evidence."""

from __future__ import annotations

from collections.abc import Callable

from soak.checks import actions, log, machines, messages, permissions
from soak.evidence import Evidence

CHECKS: tuple[Callable[[Evidence], list[str]], ...] = (
    *machines.CHECKS,
    *messages.CHECKS,
    *actions.CHECKS,
    *permissions.CHECKS,
    *log.CHECKS,
)


def check(evidence: Evidence) -> list[str]:
    """Return everything that is wrong, each with the name of its check."""
    return [f"{each.__name__}: {finding}" for each in CHECKS for finding in each(evidence)]
