"""The log: no secrets, nothing that people typed, and no error that nobody expects."""

from __future__ import annotations

import json
from collections import Counter

from soak.deeds import NOTE
from soak.evidence import Evidence

EXPECTED = frozenset({"slack.refused", "market.locked_out"})
"""Errors that the weather makes: refused tokens."""
LINE, MOST = 400, 10
"""How much of a line, and how many lines, a finding shows."""
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
    found: Counter[str] = Counter()
    for line in evidence.log:
        try:
            entry = json.loads(line)
            wrong = entry["level"] in {"error", "critical"} and not _is_expected(entry)
            said = json.dumps({name: value for name, value in entry.items() if name != "timestamp"})
        except (ValueError, KeyError, TypeError, AttributeError):
            wrong, said = bool(line.strip()), line
        if wrong:
            found[said[:LINE]] += 1
    return [f"{said} ({count} times)" for said, count in found.items()][:MOST]


def _is_expected(entry: dict[str, object]) -> bool:
    return entry["event"] in EXPECTED or (entry["event"] == "library" and entry.get("library") in CONNECTS)


CHECKS = (no_secret_is_logged, no_error_is_logged)
