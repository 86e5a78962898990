"""What a soak prints."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from soak.episode import DID, Outcome

ORDER = (
    "kills",
    "kills at a held request",
    "gentle stops",
    "troubles",
    "kinds of trouble",
    "faults met",
    "acts done",
    "acknowledged",
    "not acknowledged or refused",
    "rentals",
    "machines",
    "posts",
    "told perhaps twice",
    "checked",
)


def episode_line(outcome: Outcome, folder: Path) -> str:
    """A line for an episode, and one for each finding with how to repeat it."""
    plan, counts = outcome.plan, outcome.counts
    head = (
        f"Episode {plan.episode} on {plan.database}: {counts['kills']} kills, {counts['troubles']} troubles, "
        f"{counts['rentals']} rentals, {counts['machines']} machines, {counts['seconds']} s: "
        f"{plural(len(outcome.findings))}."
    )
    if not outcome.findings:
        return head
    again = f"make soak SEED={plan.seed} KILLS={plan.asked} DATABASE={plan.database} EPISODE={plan.episode}"
    lines = [f"  seed {plan.seed}, episode {plan.episode}, {finding}" for finding in outcome.findings]
    return "\n".join([head, *lines, f"  Again: {again}. Its log: {folder / 'bot.log'}"])


def plural(findings: int) -> str:
    """`1 finding`, `3 findings`."""
    return f"{findings} finding" + ("" if findings == 1 else "s")


def last_lines(counts: Counter[str], findings: int) -> str:
    """All counts, and whether all is well."""
    lines = [f"{name}: {counts[name]}" for name in ORDER]
    did = sorted((name.removeprefix(DID), count) for name, count in counts.items() if name.startswith(DID))
    lines.append(f"acknowledged, by kind: {', '.join(f'{name} {count}' for name, count in did)}")
    lines.append(f"billed: ${Decimal(counts['micros']) / 1_000_000:.2f}")
    lines.append(f"{plural(findings)}." if findings else "Nothing found.")
    return "\n".join(lines)
