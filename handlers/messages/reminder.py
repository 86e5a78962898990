"""The direct message that reminds an approver of what waits, edited as it is decided."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.event import DECISIONS, newest_asked
from bot.model.summary import RentalDetails
from bot.model.text import plural, say_at_most, span
from handlers.ids import Action, RentalValue
from handlers.messages.approval import approval
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import without_a_yes
from handlers.phrases.format import Reader, Times
from handlers.phrases.machine_text import describe
from handlers.phrases.rental_text import machine, owner


def reminder(listed: Sequence[RentalDetails], reader: Reader) -> Rendered:
    """Return what still waits of the rentals that a reminder lists, and how the others were decided."""
    waiting = [details for details in listed if _waits(details)]
    decided = [text for details in listed if not _waits(details) and (text := _decided(details, reader))]
    heading = "Nothing of this waits any more."
    if waiting:
        heading = f"{plural(len(waiting), 'request waits', 'requests wait')} for you:"
    lines = [*(_line(details, reader.times) for details in waiting), *decided]
    first = waiting[0].rental.id if waiting else None
    return blocks.message(
        "\n".join([heading, *lines]),
        blocks.section(heading),
        *(blocks.section(line) for line in lines),
        blocks.actions(button("Open the first", Action.OPEN_REQUEST, RentalValue(rental_id=first)))
        if first is not None
        else None,
        closed=not waiting,
    )


def _waits(details: RentalDetails) -> bool:
    return details.rental.extension is not None or details.rental.approver_decides


def _line(details: RentalDetails, times: Times) -> str:
    """Return `Ana, 8x H100 EU, up to $137.54. Expires tomorrow at 10:05.`"""
    rental = details.rental
    total = f"up to {say_at_most(rental.newest_envelope.total)}"
    if rental.extension is not None:
        longer = span(rental.extension.ends_at - rental.running_lease.ends_at)
        return f"{owner(details)}, {longer} more for {machine(details)}, {total}. {without_a_yes(rental, times)}"
    expires = f" Expires {times.date_and_time(rental.waiting.expires_at)}." if rental.waiting else ""
    return f"{owner(details)}, {describe(rental.envelope)} ({rental.id}), {total}.{expires}"


def _decided(details: RentalDetails, reader: Reader) -> str:
    """Return how a request was decided, as the message to all approvers says it."""
    asked = newest_asked(details.events, DECISIONS)
    return approval(details, reader, asked=asked).text if asked is not None else ""
