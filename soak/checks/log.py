"""The log: no secrets, nothing that people typed, and no error that nobody expects."""

from __future__ import annotations

import json

from soak.deeds import NOTE
from soak.evidence import Evidence

EXPECTED = frozenset({"slack.refused", "market.locked_out"})
"""Errors that the weather makes: refused tokens."""
CONNECTS = frozenset({"slack_bolt.AsyncApp"})
"""Libraries that log each failed try to connect as an error."""


def no_secret_is_logged(evidence: Evidence) -> list[str]:
    """Neither tokens nor keys nor notes."""
    marks = {"a token": evidence.secrets, "a key": ("PRIVATE KEY", "AAAAC3NzaC1lZDI1NTE5"), "a note": (NOTE,)}
    found = []
    for line in evidence.log:
        found += [
            f"{what} in the log: {line[:100]!r}" for what, signs in marks.items() if any(s in line for s in signs)
        ]
    return found


def no_error_is_logged(evidence: Evidence) -> list[str]:
    """No error line but those that are expected, and nothing that isn't a log line."""
    found = []
    for line in evidence.log:
        try:
            entry = json.loads(line)
            wrong = entry["level"] in {"error", "critical"} and not _is_expected(entry)
        except (ValueError, KeyError, TypeError):
            wrong = bool(line.strip())
        if wrong:
            found.append(line[:400])
    return found[:10]


def _is_expected(entry: dict[str, object]) -> bool:
    return entry["event"] in EXPECTED or (entry["event"] == "library" and entry.get("library") in CONNECTS)


CHECKS = (no_secret_is_logged, no_error_is_logged)
