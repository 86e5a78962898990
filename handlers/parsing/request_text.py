"""Writes a request, and a draft of one, as a person would type it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.errors import Line
from bot.model.base import changed
from bot.model.gpu import typed_name
from bot.model.request import Contract, Request
from bot.model.text import say_at_most, say_rate, say_span
from bot.policy.use.two_ends import WHILE_BUSY
from handlers.parsing.draft import Built, ParseContext, Part, RequestDraft
from handlers.parsing.mentions import NOBODY
from handlers.parsing.typed_text import as_slack_sends_it
from handlers.parsing.vocabulary import Vocabulary
from handlers.phrases.ends import end_text


def request_text(
    request: Request, *, default_lease: timedelta | None = None, zone: str = "UTC", more: Sequence[str] = ()
) -> str:
    """Return what a person in `zone` types after `/gpu get` for a request. Leave out the lease if it is
    `default_lease`. `more` are words that follow the request, in front of its note.

    The text parses back to the same request, also after Slack has escaped it.
    """
    gpu = typed_name(request.gpu, request.features)
    length = "" if request.lease == default_lease else f"for {say_span(request.lease)}"
    if request.until is not None and request.starts_at is None:
        length = f"until {end_text(request.until, zone)}{_later_end(request, zone)}"
    elif request.up_to is not None:
        length = f"for {say_span(request.lease)} up to {say_span(request.up_to)}"
    parts = (
        gpu if request.count == 1 else f"{request.count}x {gpu}",
        request.region,
        "spot" if request.contract is Contract.SPOT else None,
        _highest_price(request),
        request.vendor and f"vendor {request.vendor}",
        request.setup and f"setup {request.setup}",
        request.project and f"for project {request.project}",
        None if request.probe else "no-probe",
        None if request.starts_at is None else f"at {end_text(request.starts_at, zone)}",
        length,
        *more,
        request.note and f"-- {request.note}",
    )
    return " ".join(filter(None, parts))


def _highest_price(request: Request) -> str:
    if request.max_total is not None:
        return f"{say_at_most(request.max_total).replace(',', '')} in all"
    if request.max_gpu_rate is None:
        return ""
    return f"under {say_rate(request.max_gpu_rate)}{'/GPU/h' if request.cap_said_per_gpu else '/h'}"


def _later_end(request: Request, zone: str) -> str:
    """Return the later of two ends, to follow a named one: ` up to 14h`. If the length has seconds, which nobody
    types, return the time of the end. Return an empty text if there is one end."""
    if request.up_to is None or request.last_end is None:
        return ""
    typed = request.up_to % timedelta(minutes=1) == timedelta(0)
    return f" up to {say_span(request.up_to) if typed else end_text(request.last_end, zone)}"


def line_of(draft: RequestDraft, vocabulary: Vocabulary, context: ParseContext) -> Line | None:
    """Return the text of a draft, apart from what is unread or unclear about people. Return None if the other
    parts make no request.

    The line keeps every value as it was given, such as `until fri 18:00`. A draft with a start doesn't wait.
    """
    start = draft.first(Part.START)
    waits = draft.waiting and not start
    built = replace(draft, unread=[], people=NOBODY, waiting=waits).build(vocabulary, context)
    if not isinstance(built, Built):
        return None
    price, latest = draft.first(Part.PRICE), draft.first(Part.LATEST)
    end = draft.first(Part.WAITS) or draft.first(Part.END)
    lease = draft.first(Part.LEASE) or (WHILE_BUSY if draft[Part.BUSY] else latest)
    lease = None if end and not waits else lease
    total = price is not None and draft.is_total(price)
    request = changed(
        built.request,
        max_gpu_rate=None if total else built.request.max_gpu_rate,
        max_total=None,
        lease=lease or context.default_lease,
        up_to=latest if lease not in {None, latest} else None,
        until=None,
        starts_at=None,
        note="",
    )
    text = request_text(request, default_lease=None if lease else context.default_lease)
    if total:
        unit = ("/GPU" if price.money.per_gpu else "") + ("/h" if price.money.per_hour else "")
        text += f" {say_rate(price.money.amount)}{unit} in all"
    text += " from any vendor" if draft.values.get(Part.VENDOR) == [""] else ""
    text += f" at {start}" if start else ""
    text += " any time" if draft[Part.ANY_TIME] else ""
    if end:
        later = draft.first(Part.LATEST_END) or (say_span(latest) if latest and not lease else "")
        text += f" until {end}" + (f" up to {later}" if later else "")
    people, note = draft.people, f" -- {draft.note}" if draft.note else ""
    return Line(
        shown=text + _with(people.names) + note,
        text=as_slack_sends_it(text) + _with(people.mentions) + as_slack_sends_it(note),
        verb="wait" if waits else "get",
    )


def _with(people: Sequence[str]) -> str:
    return f" with {' '.join(people)}" if people else ""
