"""What must hold, each as a function from the evidence to what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from soak.checks import deeds, log, machines, rights, words
from soak.evidence import Evidence

CHECKS: tuple[Callable[[Evidence], list[str]], ...] = (
    *machines.CHECKS,
    *words.CHECKS,
    *deeds.CHECKS,
    *rights.CHECKS,
    *log.CHECKS,
)


def check(evidence: Evidence) -> list[str]:
    """Everything that is wrong, in words."""
    return [f"{one.__name__}: {finding}" for one in CHECKS for finding in one(evidence)]
