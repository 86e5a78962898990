"""`/root/on-ending.sh` in words: when it runs before the end of a machine, and how that went."""

from __future__ import annotations

from datetime import datetime

from bot.model.machine_use import OnEndingRefused, OnEndingState
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import span
from bot.policy.use.on_ending import STARTS_BEFORE
from bot.policy.use.two_ends import can_move
from handlers.phrases.format import Times, person, time_token

SCRIPT = "on-ending.sh"
PATH = "/root/on-ending.sh"

_REFUSED: dict[OnEndingRefused, str] = {
    OnEndingRefused.NO_FILE: f"it is no regular file. Put the script itself at {PATH}, no link",
    OnEndingRefused.NOT_EXECUTABLE: f"it is not executable. Type chmod 700 {PATH} on the machine",
    OnEndingRefused.OWNER: f"it or /root doesn't belong to root. Type chown root /root {PATH} on the machine",
    OnEndingRefused.WRITABLE: f"others can write to it or to /root. Type chmod go-w /root {PATH} on the machine",
}
"""Why a machine doesn't start the script, and what to do."""


def on_ending_text(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return a sentence about the script of a machine that is ready or was, for a message of the times `posted`:
    `Its on-ending.sh runs at 18:25.`, `on-ending.sh: done at 18:26.` Return an empty text if it has none."""
    script, lease = rental.on_ending, rental.lease
    if script is None or lease is None or script.state is OnEndingState.NONE:
        return ""
    ready = rental.state is State.READY
    seen_at = rental.on_ending_at
    at = f" {_at(seen_at, times, *posted)}" if seen_at is not None else ""
    if script.state is OnEndingState.REFUSED:
        why = _REFUSED[script.why] if script.why is not None else f"see {PATH}"
        return f"The machine doesn't start its {SCRIPT}: {why}." if ready else ""
    if not script.is_for(lease.ends_at):
        return _to_come(rental, times, *posted) if ready else ""
    if script.state is OnEndingState.RUNNING:
        since = f" since {times.time(seen_at, *posted)}" if seen_at is not None else ""
        return f"{SCRIPT}: running{since}." if ready else f"{SCRIPT} still ran at the end."
    if script.state is OnEndingState.DONE:
        return f"{SCRIPT}: done{at}."
    failed = f"{SCRIPT}: {failed_with(script.status)}{at}"
    look = ready and lease.ends_at > times.now
    return f"{failed}: look before {times.time(lease.ends_at, *posted)}." if look else f"{failed}."


def can_have_one(rental: Rental) -> str:
    """Return that a machine without the script would start one. Return an empty text for any other machine."""
    if rental.on_ending is None or rental.on_ending.state is not OnEndingState.NONE:
        return ""
    return f"A script at {PATH} would run {span(STARTS_BEFORE)} before."


def failed_with(status: int | None) -> str:
    """Return `failed (exit 1)`."""
    return "failed" if status is None else f"failed (exit {status})"


def _to_come(rental: Rental, times: Times, *posted: datetime) -> str:
    lease = rental.running_lease
    starts_at = lease.ends_at - STARTS_BEFORE
    if lease.script_first is not None:
        return ""  # `script_first_text` says that it runs
    if can_move(lease):
        return f"Its {SCRIPT} runs {span(STARTS_BEFORE)} before its end."
    if starts_at > times.now:
        return f"Its {SCRIPT} runs {_at(starts_at, times, *posted)}."
    return f"Its {SCRIPT} has not started yet."


def _at(moment: datetime, times: Times, *posted: datetime) -> str:
    """Return `at 18:40`, or `tomorrow at 01:44` if a reader of these days needs the day."""
    shown = times.time(moment, *posted)
    return f"at {shown}" if shown == time_token(moment) else shown


def script_first_text(details: RentalDetails, times: Times, *posted: datetime, name: str = "it") -> str:
    """Return when a machine ends that somebody destroys after its script: `Ben destroys it once its on-ending.sh
    is done, 18:35 at the latest.` `name` stands for the machine. Return an empty text for any other machine."""
    lease = details.rental.lease
    first = lease.script_first if lease is not None else None
    if lease is None or first is None:
        return ""
    latest = f"{times.time(lease.ends_at, *posted)} at the latest"
    return f"{person(details.names, first.by)} destroys {name} once its {SCRIPT} is done, {latest}."
