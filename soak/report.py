"""The lines that a soak prints."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from soak.episode import DID, POSTED_TWICE, Outcome

ORDER = (
    "kills",
    "kills at a held request",
    "graceful stops",
    "stopped for a while",
    "databases restored",
    "disturbances",
    "kinds of disturbance",
    "faults met",
    "actions done",
    "acknowledged",
    "not acknowledged or refused",
    "rentals",
    "machines",
    "posts",
    POSTED_TWICE,
    "checked",
)


def episode_line(outcome: Outcome, folder: Path) -> str:
    """Return a line for an episode, with its findings below.

    The last line contains the command that repeats the episode. It is left out if there are no findings.
    """
    plan, counts = outcome.plan, outcome.counts
    head = (
        f"Episode {plan.episode} on {plan.database}: {counts['kills']} kills, "
        f"{counts['disturbances']} disturbances, {counts['rentals']} rentals, {counts['machines']} machines, "
        f"{counts['seconds']} s: "
        f"{plural(len(outcome.findings))}."
    )
    if not outcome.findings:
        return head
    command = f"make soak SEED={plan.seed} KILLS={plan.min_kills} DATABASE={plan.database} EPISODE={plan.episode}"
    lines = [f"  seed {plan.seed}, episode {plan.episode}, {finding}" for finding in outcome.findings]
    return "\n".join([head, *lines, f"  Again: {command}. Its logs: {folder / 'bot-*.log'}"])


def plural(findings: int) -> str:
    """Return the number with its noun, such as `1 finding` or `3 findings`."""
    return f"{findings} finding" + ("" if findings == 1 else "s")


def last_lines(counts: Counter[str], findings: int) -> str:
    """Return all counts, and the number of findings."""
    lines = [f"{name}: {counts[name]}" for name in ORDER]
    by_kind = sorted((name.removeprefix(DID), count) for name, count in counts.items() if name.startswith(DID))
    lines.append(f"acknowledged, by kind: {', '.join(f'{name} {count}' for name, count in by_kind)}")
    lines.append(f"billed: ${Decimal(counts['micros']) / 1_000_000:.2f}")
    lines.append(f"{plural(findings)}." if findings else "Nothing found.")
    return "\n".join(lines)
