"""Which end a machine is told, so that it starts its owner's `/root/on-ending.sh` before that end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.machine_use import EndToTell, OnEnding, Sample
from bot.model.rental import Rental
from bot.policy.team.rules import Rules
from bot.policy.use import two_ends
from bot.policy.use.verdicts import with_later_work

STARTS_BEFORE = timedelta(minutes=15)
"""How long before the end that it was told a machine starts the script. `ending_script.py` has the same time."""


def end_to_tell(rental: Rental, visits: Sequence[Sample], rules: Rules, now: datetime) -> EndToTell | None:
    """Return the end that a visit tells the machine of a ready rental now. Return None if the end would move on
    because the machine is in use, or if only this visit shows whether it would: a script must not save results
    while the work goes on.

    `visits` are the last ones, oldest first, as `Machine.visits`. After its end a machine is told that no time is
    left, so that the script can still start in the grace.
    """
    lease = rental.running_lease
    if two_ends.moved_end(lease, now) is not None:
        use = rental.use
        if use is not None:
            use = with_later_work(use, visits, ready_at=lease.ready_at, now=now, rules=rules)
        in_use = two_ends.seen_in_use(use, visits, now)
        if in_use or not (two_ends.is_unseen(use, visits, now) or two_ends.are_recent(visits, now)):
            return None
    return EndToTell(end=lease.ends_at, left=max(lease.ends_at - now, timedelta(0)))


def is_for(on_ending: OnEnding | None, ends_at: datetime) -> bool:
    """Return whether the script was started for the end `ends_at`. A machine knows ends by their whole second."""
    end = None if on_ending is None else on_ending.end
    return end is not None and end == ends_at.replace(microsecond=0)
