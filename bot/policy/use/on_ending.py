"""Rules for the owner's script `/root/on-ending.sh`, which runs before a machine ends. No I/O.

Each probe run sends the end of the lease to the machine. The machine starts the script STARTS_BEFORE that time. If
the end of the lease changes, the machine starts the script again before the new end. A graceful destroy lets the
script finish before the machine is destroyed.

The functions here decide which end to send, how long a running script delays the end, and how long a graceful
destroy can take.
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
"""The time before the end of a lease at which the machine starts the script.

The script in `probe_script.py` also contains this value.
"""
FIRST_AT_MOST = timedelta(minutes=10)
"""The longest time to wait for the script, if a person destroys the machine gracefully."""


def end_to_tell(rental: Rental, probe_runs: Sequence[Sample], rules: Rules, now: datetime) -> EndToTell | None:
    """Return the end of the lease that a probe run should send to a ready machine now.

    Returns None if the machine is in use, so that the end is about to move to a later time. Also returns None if
    only this probe run can show whether the machine is in use. In both cases, the owner's `/root/on-ending.sh`
    must not start yet, because it would save results while the work is still going on.

    After the end has passed, the machine is sent a remaining time of zero, so that `/root/on-ending.sh` can still
    start within the grace period.

    Args:
        probe_runs: The newest samples, oldest first, as in `Machine.probe_runs`. They are only read if the end can
            move.
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
    """Return whether no probe run has sent the lease's current end to the machine, because the bot was down.

    False if the machine has no `/root/on-ending.sh` to run before the lease ends.

    Args:
        use: The usage status. None for a machine without a probe.
    """
    script = rental.on_ending
    if use is None or script is None or not script.can_start or script.is_for(rental.running_lease.ends_at):
        return False
    return not are_recent(probe_runs, now)


def result_is_unseen(rental: Rental, use: Use | None, probe_runs: Sequence[Sample], now: datetime) -> bool:
    """Return whether the script was running when it was last seen, and the bot has been down since.

    The next probe run then shows whether the script has failed in the meantime.

    Args:
        use: The usage status. None for a machine without a probe.
    """
    script = rental.on_ending
    running = use is not None and script is not None and script.runs_for(rental.running_lease.ends_at)
    return running and not are_recent(probe_runs, now)


def wait_until(rental: Rental, rules: Rules) -> datetime | None:
    """Return the time until which the destruction can be delayed because `/root/on-ending.sh` is still running.

    This is one grace period after the end of the lease. None if the script isn't running, or if it was started
    before the end of the lease was changed.
    """
    script, ends_at = rental.on_ending, rental.running_lease.ends_at
    return ends_at + rules.lease.grace if script is not None and script.runs_for(ends_at) else None


def is_awaited(rental: Rental, now: datetime) -> bool:
    """Return whether the destruction of a ready machine is waiting for its `/root/on-ending.sh` now."""
    script, lease = rental.on_ending, rental.running_lease
    if lease.graceful_destroy is not None:
        return True
    return lease.ends_at <= now and script is not None and script.runs_for(lease.ends_at)


def ended_as(rental: Rental, state: OnEndingState) -> bool:
    """Return whether the owner's `/root/on-ending.sh` has finished in the given state, DONE or FAILED.

    If the end of the lease has changed since the script was started, the result is False.
    """
    script = rental.on_ending
    return script is not None and script.state is state and script.is_for(rental.running_lease.ends_at)


def end_after_script(
    rental: Rental, use: Use | None, probe_runs: Sequence[Sample], now: datetime, rules: Rules
) -> datetime | None:
    """Return the latest time at which a machine ends if somebody destroys it gracefully now.

    A graceful destroy waits until the owner's `/root/on-ending.sh` has finished, but at most ten minutes
    (FIRST_AT_MOST). The result is earlier if the approved terms allow less time.

    Returns None if the script wouldn't run. There are three possible reasons: the newest probe run got no report,
    the machine has no script that it could start, or less than a minute is left.

    Args:
        use: The usage status. None for a machine without a probe.
        probe_runs: The newest samples, oldest first.
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
