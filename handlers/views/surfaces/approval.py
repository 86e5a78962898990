"""The message that asks approvers about one version of an envelope, and then shows the decision."""

from __future__ import annotations

from bot.model.event import Event, EventKind, settled_by
from bot.model.machine_use import NOT_COMPUTING
from bot.model.money import cost
from bot.model.rental import Extension, Rental, Waiting
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.buying.spending import over_limits
from handlers.views.event_text import event_text
from handlers.views.phrases import blocks
from handlers.views.phrases.asked_text import mentions
from handlers.views.phrases.blocks import Rendered
from handlers.views.phrases.ends import hours_text, how_long, without_a_yes
from handlers.views.phrases.format import (
    Reader,
    Times,
    dollars,
    dollars_at_most,
    join,
    note,
    per_hour,
    person,
    plural,
    price,
    span,
)
from handlers.views.phrases.lease_buttons import decision_buttons
from handlers.views.phrases.limits_text import over_limits_of_envelope, over_limits_text
from handlers.views.phrases.machine_text import describe, machines_of
from handlers.views.phrases.rental_text import (
    current_state,
    has_left,
    machine,
    owner,
    people,
    so_far,
    why_waiting,
)
from handlers.views.phrases.use_text import current_use, verdict_text

OTHERS_SHOWN = 3


def approval(details: RentalDetails, reader: Reader, *, version: int, asked: Event, first: bool) -> Rendered:
    """Return the question about version `version` of an envelope while it waits. Later, return the answer.

    `asked` is the event that made the message. `first` is True for the post, which mentions the approvers; its
    edits don't.
    """
    rental = details.rental
    if rental.extension is not None and rental.extension.envelope.version == version:
        lines = _extension(details, rental.extension, reader)
    elif rental.waiting is not None and not rental.owner_decides and rental.envelope.version == version:
        lines = _request(details, rental.waiting, asked, reader)
    else:
        return _answer(details, asked, reader.times)
    left = has_left(details)
    if left:
        lines.append(f"{owner(details)} left the workspace. Admins decide what becomes of it.")
    elif first:
        lines.append(f"Asked: {mentions(details, asked, reader.rules)}.")
    return blocks.message(
        "\n".join(lines),
        *(blocks.section(line) if n == 0 else blocks.context(line) for n, line in enumerate(lines)),
        # An approval would rent for somebody who left, and the admins are already asked.
        None if left else blocks.actions(*decision_buttons(rental)),
        closed=False,
    )


def _what_for_whom(details: RentalDetails, length: str) -> str:
    words = note(details.rental.request.note)
    return f"{describe(details.rental.envelope)}, {length}, for {people(details)}" + (
        f": {words}" if words else ""
    )


def _request(details: RentalDetails, waiting: Waiting, asked: Event, reader: Reader) -> list[str]:
    rental, envelope, times = details.rental, details.rental.envelope, reader.times
    each = f"{price(envelope.price / envelope.count)} per GPU, " if envelope.count > 1 else ""
    more = f"; allows {per_hour(envelope.max_rate)} if it sells out" if envelope.max_rate > envelope.price else ""
    money = f"{per_hour(envelope.price)} now ({each}as of {times.time(asked.at)}){more}."
    return [
        f"Approve up to {dollars_at_most(envelope.total)}? "
        f"{_what_for_whom(details, _length(rental, times))} ({rental.id})",
        join(why_waiting(details), over_limits_of_envelope(envelope, reader.rules, details.rental.project), money),
        join(_others(details, times), f"Expires {times.date_and_time(waiting.expires_at)}."),
    ]


def _length(rental: Rental, times: Times) -> str:
    if rental.request.until is not None:
        return how_long(rental.request, times)
    return span(rental.envelope.lease) if rental.request.up_to is None else hours_text(rental.request)


def _extension(details: RentalDetails, extension: Extension, reader: Reader) -> list[str]:
    rental, envelope, rules, times = details.rental, extension.envelope, reader.rules, reader.times
    ends_at = rental.running_lease.ends_at
    longer = extension.ends_at - ends_at
    rate = rental.rate if rental.rate is not None else envelope.price
    asker = person(details.names, extension.asked_by)
    return [
        f"Approve {span(longer)} more, about {dollars(cost(rate, longer))}? "
        f"{owner(details)}'s {machine(details)}, then up to {dollars_at_most(envelope.total)} in all.",
        join(
            over_limits_text(over_limits(envelope.price, envelope.total, rules), rules),
            f"{asker} asks for it until {times.date_and_time(extension.ends_at)}, at {per_hour(rate)}; "
            f"{so_far(details.spent)}.",
            note(rental.request.note),
        ),
        join(_others(details, times), without_a_yes(rental, times)),
    ]


def _others(details: RentalDetails, times: Times) -> str:
    """Return what else the owner runs."""
    others = [
        rental
        for rental in details.owners_live
        if rental.id != details.rental.id and rental.state is not State.AWAITING_APPROVAL
    ]
    if not others:
        return f"{owner(details)} runs nothing else."
    shown = [_running(rental, times) for rental in others[:OTHERS_SHOWN]]
    more = f"; {plural(len(others) - OTHERS_SHOWN, 'other')}" if len(others) > OTHERS_SHOWN else ""
    return f"{owner(details)} runs now: {'; '.join(shown)}{more}."


def _running(rental: Rental, times: Times) -> str:
    since = times.time(rental.procuring_since or rental.created_at)
    use = current_use(rental)
    verdict = f", {verdict_text(use, times).lower()}" if use is not None and use.verdict in NOT_COMPUTING else ""
    return f"{machines_of(rental)}, since {since}{verdict}"


def _answer(details: RentalDetails, asked: Event, times: Times) -> Rendered:
    decided = settled_by(asked, details.events)
    subject = (
        f"{describe(details.rental)} for {person(details.names, details.owner_at(asked))}, {details.rental.id}."
    )
    if decided is None:
        return blocks.message(f"No longer asked: {subject} {current_state(details, times)}", closed=True)
    if decided.kind is EventKind.CHANGED:
        who = person(details.names, decided.actor)
        return blocks.message(
            f"Changed by {who} {times.at_time(decided.at)}: {subject} Nothing is left to decide here."
        )
    words = event_text(decided, details, times)
    return blocks.message(join(words.text if words else "", subject))
