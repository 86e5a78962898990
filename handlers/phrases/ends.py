"""How long a request is for: hours from ready, or until the end that its owner named. When a machine ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.machine_use import OnEndingState, Verdict
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.text import span
from bot.policy.team.hours import known_zone
from bot.policy.use.two_ends import can_move, first_end, was_asked_for
from handlers.phrases.format import Times


def how_long(request: Request, times: Times) -> str:
    """Return `6 h from ready`, or `6 h from ready, up to 12 h while its GPUs are busy`. If an end was named,
    return `until today at 18:00 (5 h 55 min)`, or `until .. (..), up to today at 20:00 while its GPUs are
    busy`. If a start was named, `from tomorrow at 09:00` stands in front of that."""
    if request.until is None or request.last_end is None:
        return f"{span(request.lease)} from ready{_while_busy(request)}"
    first = f"{_from_start(request)}until {times.date_and_time(request.until)} ({span(request.lease)})"
    return f"{first}{_while_busy(request, times.date_and_time(request.last_end))}"


def how_long_in_dialog(request: Request, now: datetime) -> str:
    """Return as `how_long`, for a dialog, which shows no clock times: `until its end in 5 h 50 min`, or `8 h from
    its start in 14 h`."""
    if request.until is None or request.last_end is None:
        return f"{span(request.lease)} from ready{_while_busy(request)}"
    if request.starts_at is not None and request.starts_at > now:
        return f"{span(request.lease)} from its start in {span(request.starts_at - now)}{_while_busy(request)}"
    return f"until its end in {span(request.until - now)}{_while_busy(request, span(request.last_end - now))}"


def hours_text(request: Request) -> str:
    """Return `6 h`, or `6 h, up to 12 h while its GPUs are busy`."""
    return f"{span(request.lease)}{_while_busy(request)}"


def until_named(request: Request) -> str:
    """Return `, until today at 18:00`, with the start and the later of two ends, to follow a request. Return an
    empty text if the request names no end."""
    if request.until is None or request.last_end is None:
        return ""
    last = Times.date_and_time(request.last_end)
    return f", {_from_start(request)}until {Times.date_and_time(request.until)}{_while_busy(request, last)}"


def _from_start(request: Request) -> str:
    return "" if request.starts_at is None else f"from {Times.date_and_time(request.starts_at)} "


def _while_busy(request: Request, last: str = "") -> str:
    """Return the later of two ends: `last` if the request names it, else a length. Return an empty text if there
    is one end."""
    return "" if request.up_to is None else f", up to {last or span(request.up_to)} while its GPUs are busy"


# --- the end of a machine


def ends(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return a sentence about when a machine ends, for a message of the times `posted`: `Ends 18:40.`, or `In use:
    it goes on until 19:40, 00:40 at the latest.` if its end moved on and it is in use."""
    lease, request = rental.running_lease, rental.request
    moved = was_asked_for(request, lease) and lease.ends_at > first_end(request, lease.ready_at)
    in_use = rental.use is not None and rental.use.verdict is Verdict.IN_USE
    if not (moved and in_use):
        return f"Ends {end(rental, times, *posted)}."
    latest = "its latest end"
    if lease.latest_end is not None and can_move(lease):
        latest = f"{times.time(lease.latest_end, *posted)} at the latest"
    return f"In use: it goes on until {times.time(lease.ends_at, *posted)}, {latest}."


def end(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return `18:40`, or `18:40 unless its GPUs are busy then; 00:40 at the latest` if the end can move."""
    lease = rental.running_lease
    first = times.time(lease.ends_at, *posted)
    if lease.latest_end is None or not can_move(lease):
        return first
    return f"{first} unless its GPUs are busy then; {times.time(lease.latest_end, *posted)} at the latest"


def at_its_end(rental: Rental, now: datetime) -> str:
    """Return a sentence about a machine that is past its end and still runs. Return an empty text before its end.

    Its on-ending.sh may still run, or a visit may have to show whether its end moves on. Otherwise its deletion
    only begins late.
    """
    lease, script = rental.running_lease, rental.on_ending
    if now < lease.ends_at:
        return ""
    if script is not None and script.state is OnEndingState.RUNNING and script.is_for(lease.ends_at):
        return "At its end: I'll destroy it as soon as its on-ending.sh is done."
    if can_move(lease):
        return "At its end: I'm checking whether its GPUs are busy."
    return "At its end: I'll destroy it as soon as I can."


def without_a_yes(rental: Rental, times: Times) -> str:
    """Return when a machine ends while more time is asked for: `Without a yes it ends 12:34.`, or `Without a yes
    it ends 12:34, or by tomorrow at 00:34 while it works.`"""
    lease = rental.running_lease
    later = ""
    if lease.latest_end is not None and can_move(lease):
        later = f", or by {times.time(lease.latest_end)} while it works"
    return f"Without a yes it ends {times.time(lease.ends_at)}{later}."


def end_moves(rental: Rental) -> bool:
    """Return whether a machine's end moves on if it is in use then."""
    return rental.lease is not None and can_move(rental.lease)


def ready_until(name: str, rental: Rental, posted: datetime, times: Times, money: str = "") -> str:
    """Return that a machine is ready, and until when: `Your 1x H100 (k7mq2) is ready until 18:40, at $2.42/h.` If
    nothing answers on its SSH port, it only "runs"."""
    state = "runs" if rental.silent else "is ready"
    if can_move(rental.running_lease):
        return f"{name} {state}{money}. Ends {end(rental, times, posted)}."
    return f"{name} {state} until {end(rental, times, posted)}{money}."


# --- ends that people type


def read_as_utc(zone: str | None) -> str:
    """Return that a time was read as UTC, if the person's zone is unknown. Return an empty text if it is known."""
    return "" if zone else "I read that time as UTC: Slack doesn't tell me your time zone."


def clock_time(at: datetime, now: datetime, zone: str) -> str:
    """Return `8:00`, or `Thu 8:00` if that is more than a day away, for a button that only a person in `zone`
    reads."""
    local = at.astimezone(known_zone(zone))
    day = f"{local:%a} " if at - now > timedelta(days=1) else ""
    return f"{day}{local.hour}:{local:%M}"


def end_text(at: datetime, zone: str) -> str:
    """Return what a person in `zone` types for an end, after `until` or `up to`: `2026-11-27 18:00`. It has its
    date, so it means the same on any later day."""
    return f"{at.astimezone(known_zone(zone)):%Y-%m-%d %H:%M}"


BUSY_THEN = "unless its GPUs are busy then"


def ask_again_text(until: datetime | None, ends: datetime | None, times: Times, *, moves: bool) -> str:
    """Return when the bot asks again, and that the end stands. `until` is None if the bot never asks again.
    `moves` tells whether the end moves on if the machine is in use then."""
    if ends and (until is None or until >= ends):
        busy = f" {BUSY_THEN}" if moves else ""
        return f"It still ends {times.time(ends)}{busy}; I don't ask again before."
    if until is None:
        return "I don't ask again."
    either = f"; it ends {times.time(ends)} {BUSY_THEN if moves else 'either way'}" if ends else ""
    return f"I ask again {times.at_time(until)}{either}."
