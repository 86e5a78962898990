"""How long a request is for: hours from ready, or until the end that its owner named."""

from __future__ import annotations

from datetime import datetime

from bot.model.request import Request
from handlers.views.format import Times, span, zone_of

UTC_ONLY = "UTC"
"""The zone of people whose own is unknown."""


def how_long(request: Request, times: Times) -> str:
    """Return `6 h from ready`, or `until today at 18:00 (5 h 55 min)` if an end was named."""
    if request.until is None:
        return f"{span(request.lease)} from ready"
    return f"until {times.date_and_time(request.until)} ({span(request.lease)})"


def how_long_in_dialog(request: Request, now: datetime) -> str:
    """Return `6 h from ready`, or `until its end in 5 h 50 min`: dialogs show no clock times."""
    if request.until is None:
        return f"{span(request.lease)} from ready"
    return f"until its end in {span(request.until - now)}"


def read_as_utc(zone: str | None) -> str:
    """Return that a time was read as UTC if the person's zone is unknown. Return an empty text if it is known."""
    return "I read that time as UTC: Slack doesn't tell me your time zone." if zone in {None, UTC_ONLY} else ""


def end_text(at: datetime, zone: str) -> str:
    """Return what a person in `zone` types for an end: `until 2026-11-27 18:00`. With its date, it means the same
    on any later day."""
    return f"until {at.astimezone(zone_of(zone)):%Y-%m-%d %H:%M}"
