"""The changes that keep a rental's state: of its lease, of its place, and of what is known of its machine.

Each function returns the next version of a rental; none writes to the store.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bot.lifecycle.changes.transitions import alter
from bot.model.base import changed
from bot.model.rental import Extension, Lease, Question, Rental
from bot.model.request import Envelope
from bot.model.state import State
from bot.model.use import SetupProgress, Use
from bot.policy.use.two_ends import later_end


def keep(rental: Rental, question: Question, now: datetime) -> Rental:
    """Someone says that they still need it. The end stands."""
    return alter(rental, lease=changed(rental.running_lease, seen_at=now, question=question), due_at=now)


def check_notices(rental: Rental, now: datetime) -> Rental:
    """Every notice of its end that was due by now is given or skipped."""
    return alter(rental, lease=changed(rental.running_lease, notices_checked_at=now))


def note_question(rental: Rental, question: Question) -> Rental:
    """Change what its owner was asked, or who was notified that they don't answer."""
    return alter(rental, lease=changed(rental.running_lease, question=question))


def decide_question(rental: Rental, question: Question, now: datetime) -> Rental:
    """An approver decides what follows the questions that its owner doesn't answer."""
    return alter(rental, lease=changed(rental.running_lease, question=question), due_at=now)


def move_end(rental: Rental, ends_at: datetime) -> Rental:
    """Its end came while it was in use, and moves on to `ends_at`. A notice of the new end that would have been
    due before now is still to come."""
    lease = rental.running_lease
    return alter(rental, lease=changed(lease, ends_at=ends_at, latest_end=later_end(lease, ends_at)))


def extend(
    rental: Rental,
    *,
    envelope: Envelope,
    ends_at: datetime,
    question: Question,
    now: datetime,
) -> Rental:
    """Someone extends the lease within the limits, so they still need it. More time that an approver decides about
    still waits."""
    lease = changed(_until(rental.running_lease, ends_at, now), seen_at=now, question=question)
    return alter(rental, envelope=envelope, lease=lease, due_at=now)


def ask_extension(rental: Rental, extension: Extension, question: Question, now: datetime) -> Rental:
    """Someone asks an approver for a longer lease, so they still need it. The end stands."""
    lease = changed(rental.running_lease, seen_at=now, question=question)
    return alter(rental, extension=extension, lease=lease, due_at=now)


def approve_extension(rental: Rental, extension: Extension, *, approver: str, now: datetime) -> Rental:
    """An approver allows the longer lease."""
    lease = _until(rental.running_lease, extension.ends_at, now)
    return alter(
        rental,
        envelope=extension.envelope,
        lease=lease,
        extension=None,
        approved_by=approver,
        due_at=now,
    )


def drop_extension(rental: Rental, now: datetime) -> Rental:
    """The longer lease was denied, taken back, or expired. The end stands."""
    return alter(rental, envelope=rental.unextended, extension=None, due_at=now)


def _until(lease: Lease, ends_at: datetime, now: datetime) -> Lease:
    """Return the lease with another end. With one beyond the later of two ends, both are one."""
    return changed(lease, ends_at=ends_at, latest_end=later_end(lease, ends_at), notices_checked_at=now)


# --- its place


def note_replaced(rental: Rental, by: str, now: datetime) -> Rental:
    """Another rental takes its place. If it still runs, its next step waits until that one is bought."""
    return alter(rental, replaced_by=by, due_at=now if rental.state is State.READY else rental.due_at)


def note_not_replaced(rental: Rental) -> Rental:
    """The rental that was to take its place ended without a machine."""
    return alter(rental, replaced_by=None)


# --- what is known of its machine


def change_rate(rental: Rental, rate: Decimal) -> Rental:
    """Its resources now bill `rate`."""
    return alter(rental, rate=rate)


def note_address(rental: Rental, host: str, port: int | None) -> Rental:
    """A machine that is in use has an address, which it had not when it became ready."""
    return alter(rental, host=host, port=port)


def note_host_key(rental: Rental, host_key: str) -> Rental:
    """A machine that is in use gave its host key, which it had not given before: it answers on its SSH port."""
    return alter(rental, host_key=host_key, quiet_since_real=None)


def note_use(rental: Rental, use: Use, now: datetime) -> Rental:
    """The verdict about its use changed. Its step is due, because its next question or its end may change."""
    return alter(rental, use=use, due_at=now)


def note_unseen(rental: Rental, use: Use | None) -> Rental:
    """Nobody sees how the machine is used: `use` says since when, or is None if it has no probe any more."""
    return alter(rental, use=use)


def note_probe_answer(rental: Rental, answered_at: datetime, setup: SetupProgress | None) -> Rental:
    """The probe of a machine in use answered, for the first time at `answered_at`, and reported its set-up."""
    return alter(rental, probe_answered_at=answered_at, setup_progress=setup)
