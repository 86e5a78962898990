"""Decides whether a machine has a probe, and whether a vendor's machines run the startup script. No I/O.

The startup script installs the probe, so the probe's answer proves that the script ran.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.model.attempt import Attempt
from bot.model.machine_use import Missed, ProbeAnswers
from bot.model.rental import Rental
from bot.model.request import Request
from bot.policy.team.rules import ProbeKind, Rules

ANSWERS_WITHIN = timedelta(minutes=5)
"""The time after becoming ready in which a machine's probe must answer.

If the probe doesn't answer in this time, the machine is evidence that the vendor's machines don't run the startup
script (see `runs_scripts`).
"""
LEAST_PROBE_RUNS = 2
"""The number of probe runs within ANSWERS_WITHIN that must fail before a machine is called unreachable."""
FEWEST_UNREACHABLE = 3
"""The number of unreachable machines after which a vendor is assumed not to run startup scripts.

Whenever the probe on a machine of that vendor answers, the number starts again at zero.
"""
FEWEST_OWNERS = 2
"""Unreachable machines are only evidence about their vendor if they have this number of different owners.

A single owner might have removed the probe from all of their machines. There is one exception: if no machine of
the vendor has answered for ONE_OWNER_AFTER, the machines of a single owner are enough.
"""
ONE_OWNER_AFTER = timedelta(days=7)

BY_HAND_AFTER = timedelta(minutes=15)
"""If the probe of a ready machine hasn't answered after this time, the bot assumes that it isn't installed.

The owner then gets the shell lines that install it by hand.
"""


def wants_probe(request: Request, rules: Rules) -> bool:
    """Return whether a machine for this request gets a probe. The rules or the request can switch it off."""
    return request.probe and rules.idle.probe is ProbeKind.SSH


def has_probe(rental: Rental, attempt: Attempt | None, rules: Rules) -> bool:
    """Return whether a rental's machine is meant to have a probe, so that the bot should probe it.

    True even if the vendor or region accepts no startup script, because the owner can install the probe by hand.
    False in these cases:

    - The rules or the request switch the probe off.
    - The machine was rented before the bot had probes.
    - The machine wasn't rented through the bot.

    Args:
        attempt: The purchase that brought the machine. None if the rental has no machine.
    """
    script = attempt.script if attempt is not None else None
    return wants_probe(rental.request, rules) and script is not None and (script.probe or script.refused)


def runs_scripts(answers: ProbeAnswers | None) -> bool:
    """Return whether a vendor's machines can be expected to run the startup script.

    True if nothing is known about the vendor.
    """
    if answers is None or answers.unreachable_at is None or len(answers.unreachable) < FEWEST_UNREACHABLE:
        return True
    answered_lately = answers.answered_at and answers.unreachable_at - answers.answered_at < ONE_OWNER_AFTER
    return bool(answered_lately) and len(set(answers.unreachable)) < FEWEST_OWNERS


def needs_script(request: Request, teammates: Collection[str]) -> bool:
    """Return whether a request needs the startup script.

    The script gives teammates access, runs a setup script, and installs `gpubot-run`, without which the bot can't
    see when a job is done.
    """
    return bool(teammates) or request.setup is not None or request.until_done


def startup_script_ran(rental: Rental) -> bool:
    """Return whether it is certain that the startup script has run.

    This is certain in two cases:

    - The probe reports the progress of the owner's setup script.
    - The probe answered before the owner was asked to install the probe by hand.
    """
    if rental.lease is None or rental.probe_answered_at is None:
        return False
    return rental.setup_progress is not None or rental.probe_answered_at - rental.lease.ready_at < BY_HAND_AFTER


def startup_script_failed(rental: Rental, attempt: Attempt) -> bool:
    """Return whether it is certain that the startup script has not run.

    The startup script allows the bot to log in with the probe's SSH key. A machine that still refuses this key
    some minutes after it became ready has not run the script (`usage_status.NOT_YET`).
    """
    return _sent_probe(attempt) and rental.probe_answered_at is None and is_refused(rental)


def _sent_probe(attempt: Attempt) -> bool:
    return attempt.script is not None and attempt.script.probe


def awaits_probe(rental: Rental, attempt: Attempt) -> bool:
    """Return whether a ready machine's probe hasn't answered yet, but still can.

    The probe can still answer as long as `Use.why` gives no reason for its silence.
    """
    unseen = rental.use is not None and rental.use.why is not None
    return _sent_probe(attempt) and rental.probe_answered_at is None and not unseen


def is_refused(rental: Rental) -> bool:
    """Return whether a machine refuses the probe's key, so that the bot can't monitor it."""
    return rental.use is not None and rental.use.why is Missed.REFUSED


def owner_must_install(rental: Rental, attempt: Attempt, rules: Rules, now: datetime) -> bool:
    """Return whether the owner of a ready machine has to install the probe by hand.

    There are three such cases: the vendor or region accepts no startup script, the probe didn't answer within
    BY_HAND_AFTER, or the probe answered once and has been removed since.

    False if the machine has no SSH server or a changed host key, because installing the probe wouldn't help.
    """
    if not has_probe(rental, attempt, rules):
        return False
    if rental.probe_answered_at is not None:
        return is_refused(rental)
    if rental.use is not None and rental.use.why in {Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED}:
        return False
    refused = attempt.script is not None and attempt.script.refused
    return refused or now - rental.running_lease.ready_at >= BY_HAND_AFTER
