"""Checks of the log: no secrets, nothing that people typed, and no unexpected errors."""

from __future__ import annotations

import json
from collections import Counter

from soak.actions import NOTE
from soak.evidence import Evidence

EXPECTED = frozenset({"slack.refused"})
"""The log events of errors that a revoked Slack token causes."""
MAX_LINE, MAX_LINES = 400, 10
"""The largest number of characters of a line, and of lines, that are reported."""
CONNECTING = frozenset({"slack_bolt.AsyncApp"})
"""Libraries that log every failed attempt to connect as an error."""


def no_secret_is_logged(evidence: Evidence) -> list[str]:
    """Check that no line contains a token, a key or a note."""
    secrets = {"a token": evidence.secrets, "a key": ("PRIVATE KEY", "AAAAC3NzaC1lZDI1NTE5"), "a note": (NOTE,)}
    found = []
    for line in evidence.log:
        found += [
            f"{name} in the log: {line[:100]!r}"
            for name, texts in secrets.items()
            if any(text in line for text in texts)
        ]
    return found


def no_error_is_logged(evidence: Evidence) -> list[str]:
    """Check that every line is a log entry, and that none of them is an unexpected error."""
    found: Counter[str] = Counter()
    for line in evidence.log:
        try:
            entry = json.loads(line)
            wrong = entry["level"] in {"error", "critical"} and not _is_expected(entry)
            text = json.dumps({name: value for name, value in entry.items() if name != "timestamp"})
        except (ValueError, KeyError, TypeError, AttributeError):
            wrong, text = bool(line.strip()), line
        if wrong:
            found[text[:MAX_LINE]] += 1
    return [f"{text} ({count} times)" for text, count in found.items()][:MAX_LINES]


def _is_expected(entry: dict[str, object]) -> bool:
    return entry["event"] in EXPECTED or (entry["event"] == "library" and entry.get("library") in CONNECTING)


CHECKS = (no_secret_is_logged, no_error_is_logged)
