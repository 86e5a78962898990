"""The checks: functions that search the evidence for problems and return a line for each problem.

The evidence is the record of an episode.
"""

from __future__ import annotations

from collections.abc import Callable

from soak.checks import actions, log, machines, messages, permissions, waitlist
from soak.evidence import Evidence

CHECKS: tuple[Callable[[Evidence], list[str]], ...] = (
    *machines.CHECKS,
    *messages.CHECKS,
    *waitlist.CHECKS,
    *actions.CHECKS,
    *permissions.CHECKS,
    *log.CHECKS,
)


AFTER_RESTORE = (
    machines.nothing_lives_at_the_end,
    machines.somebody_is_asked_about_every_machine,
    machines.nothing_outlives_its_lease,
    actions.what_had_ended_is_not_rented_again,
    *permissions.CHECKS,
    *log.CHECKS,
)
"""The checks that still apply after the database was replaced by an older copy.

The bot has then forgotten what people did since the copy was made, so the other checks would report false
problems.
"""


def check(evidence: Evidence) -> list[str]:
    """Return a line for each problem, beginning with the name of the check that found it."""
    checks = CHECKS if evidence.restored_at is None else AFTER_RESTORE
    return [f"{each.__name__}: {finding}" for each in checks for finding in each(evidence)]
