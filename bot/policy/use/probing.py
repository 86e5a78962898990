"""Whether a machine has a probe, and whether a vendor's machines run the boot script that installs it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.model.attempt import Attempt
from bot.model.machine_use import Missed, ProbeAnswers
from bot.model.rental import Rental
from bot.model.request import Request
from bot.policy.team.rules import ProbeKind, Rules

ANSWERS_WITHIN = timedelta(minutes=5)
"""How soon after ready a machine has to answer. Otherwise it may count against its vendor."""
LEAST_PROBE_RUNS = 2
"""How many visits in that time have to get no answer before a machine counts against its vendor."""
FEWEST_UNREACHABLE = 3
"""If this many machines were silent since the last answer, the vendor's machines count as running no boot
script."""
FEWEST_OWNERS = 2
"""The silent machines must have at least this many owners, since an owner can keep the bot out of their machines.
One owner is enough if no machine of the vendor answered in ONE_OWNER_AFTER before."""
ONE_OWNER_AFTER = timedelta(days=7)

BY_HAND_AFTER = timedelta(minutes=15)
"""How long after ready a probe that has not answered counts as not installed. Its owner then gets the lines that
install it."""


def wants_probe(request: Request, rules: Rules) -> bool:
    """Return whether a machine of this request gets a probe. The rules or the request can exclude it."""
    return request.probe and rules.idle.probe is ProbeKind.SSH


def has_probe(rental: Rental, attempt: Attempt | None, rules: Rules) -> bool:
    """Return whether the machine of this attempt has a probe by design, so that it is visited.

    It has one even if the place takes no boot script: its owner can install the probe by hand. It has none if the
    rules or the request say so, if the bot rented it before there was a probe, or if the bot did not rent it.
    """
    script = attempt.script if attempt is not None else None
    return wants_probe(rental.request, rules) and script is not None and (script.probe or script.refused)


def runs_scripts(answers: ProbeAnswers | None) -> bool:
    """Return whether a vendor's machines are expected to run the boot script: also if nothing is known of it."""
    if answers is None or answers.unreachable_at is None or len(answers.unreachable) < FEWEST_UNREACHABLE:
        return True
    answered_lately = answers.answered_at and answers.unreachable_at - answers.answered_at < ONE_OWNER_AFTER
    return bool(answered_lately) and len(set(answers.unreachable)) < FEWEST_OWNERS


def needs_script(request: Request, teammates: Collection[str]) -> bool:
    """Return whether a machine of this request needs the boot script: to let teammates in, or to run a setup."""
    return bool(teammates) or request.setup is not None


def startup_script_ran(rental: Rental) -> bool:
    """Return whether the boot script certainly ran: the probe reports its setup, or the probe answered before its
    owner could get the lines that install it by hand.
    """
    if rental.lease is None or rental.probe_answered_at is None:
        return False
    return rental.setup_progress is not None or rental.probe_answered_at - rental.lease.ready_at < BY_HAND_AFTER


def startup_script_failed(rental: Rental, attempt: Attempt) -> bool:
    """Return whether the boot script certainly did not run: it would have installed the probe by now
    (`usage_status.NOT_YET`), but the machine still refuses the probe's key.
    """
    return _sent_probe(attempt) and rental.probe_answered_at is None and is_refused(rental)


def _sent_probe(attempt: Attempt) -> bool:
    return attempt.script is not None and attempt.script.probe


def awaits_probe(rental: Rental, attempt: Attempt) -> bool:
    """Return whether a ready machine's probe was sent and may still answer for the first time.

    Until that time is over, its verdict has no reason.
    """
    unseen = rental.use is not None and rental.use.why is not None
    return _sent_probe(attempt) and rental.probe_answered_at is None and not unseen


def is_refused(rental: Rental) -> bool:
    """Return whether a machine refuses the probe's key, so that nobody sees how it is used."""
    return rental.use is not None and rental.use.why is Missed.REFUSED


def owner_must_install(rental: Rental, attempt: Attempt, rules: Rules, now: datetime) -> bool:
    """Return whether the owner must install the probe of a ready machine by hand: the place takes no boot script,
    the probe did not answer within BY_HAND_AFTER, or it answered once and was removed. Return False for a machine
    without an SSH server, or with another host key: that needs something else.
    """
    if not has_probe(rental, attempt, rules):
        return False
    if rental.probe_answered_at is not None:
        return is_refused(rental)
    if rental.use is not None and rental.use.why in {Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED}:
        return False
    refused = attempt.script is not None and attempt.script.refused
    return refused or now - rental.running_lease.ready_at >= BY_HAND_AFTER
