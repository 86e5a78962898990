"""`/root/on-ending.sh`: which end a machine is told, and how the script postpones or precedes the end. Pure.

The machine starts its owner's script STARTS_BEFORE the end that a visit tells it, once for each end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.machine_use import EndToTell, OnEndingState, Sample, Use
from bot.model.rental import Rental
from bot.policy.team.rules import Rules
from bot.policy.use import flexible_end
from bot.policy.use.flexible_end import are_recent
from bot.policy.use.usage_status import has_report, with_later_work

STARTS_BEFORE = timedelta(minutes=15)
"""How long before an end the machine starts the script. `probe_script.py` has the same time."""
FIRST_AT_MOST = timedelta(minutes=10)
"""How long a machine that somebody destroys runs on for the script."""


def end_to_tell(rental: Rental, probe_runs: Sequence[Sample], rules: Rules, now: datetime) -> EndToTell | None:
    """Return the end that a visit tells the machine of a ready rental now. Return None if the end would move on
    because the machine is in use, or if only this visit shows whether it would: a script must not save results
    while the work goes on.

    `probe_runs` are the last ones, oldest first, as `Machine.probe_runs`. They matter only if the end can move.
    After its
    end a machine is told that no time is left, so that the script can still start in the grace.
    """
    lease = rental.running_lease
    moved = flexible_end.moved_end(lease, now)
    if moved is not None and moved > lease.ends_at:
        use = with_later_work(rental.use, probe_runs, ready_at=lease.ready_at, now=now, rules=rules)
        in_use = flexible_end.seen_in_use(use, probe_runs, now)
        if in_use or not (
            flexible_end.is_unseen(use, probe_runs, now) or flexible_end.are_recent(probe_runs, now)
        ):
            return None
    return EndToTell(end=lease.ends_at, left=max(lease.ends_at - now, timedelta(0)))


def was_not_told(rental: Rental, use: Use | None, probe_runs: Sequence[Sample], now: datetime) -> bool:
    """Return whether the machine would start the script for the end of its lease, but was not told that end
    because the bot was down. `use` is None for a machine without a probe.
    """
    script = rental.on_ending
    if use is None or script is None or not script.can_start or script.is_for(rental.running_lease.ends_at):
        return False
    return not are_recent(probe_runs, now)


def wait_until(rental: Rental, rules: Rules) -> datetime | None:
    """Return until when the end waits for the script: one grace at most. Return None if it doesn't run."""
    script, ends_at = rental.on_ending, rental.running_lease.ends_at
    return ends_at + rules.lease.grace if script is not None and script.runs_for(ends_at) else None


def is_awaited(rental: Rental, now: datetime) -> bool:
    """Return whether the end of a ready machine, or somebody who destroys it, waits for the script now."""
    script, lease = rental.on_ending, rental.running_lease
    if lease.graceful_destroy is not None:
        return True
    return lease.ends_at <= now and script is not None and script.runs_for(lease.ends_at)


def ended_as(rental: Rental, state: OnEndingState) -> bool:
    """Return whether the script was started for the end of the lease and has ended, with or without a failure."""
    script = rental.on_ending
    return script is not None and script.state is state and script.is_for(rental.running_lease.ends_at)


def end_after_script(
    rental: Rental, use: Use | None, probe_runs: Sequence[Sample], now: datetime, rules: Rules
) -> datetime | None:
    """Return when a machine ends at the latest if it is destroyed now after its script: in FIRST_AT_MOST, and no
    later than its envelope pays for.

    Return None if the script would not run: the last visit got no report, or saw no script that the machine would
    start, or less than a minute is left. `use` is None for a machine without a probe.
    """
    script, lease = rental.on_ending, rental.lease
    if (
        lease is None
        or lease.graceful_destroy is not None
        or use is None
        or script is None
        or not script.can_start
    ):
        return None
    if not are_recent(probe_runs, now) or not has_report(probe_runs[-1]):
        return None
    ends_at = min(now + FIRST_AT_MOST, lease.last_end + rules.lease.grace).replace(microsecond=0)
    return ends_at if ends_at - now >= timedelta(minutes=1) else None
