"""The card of a rental that a program made with a token: a single line, because a program can make many rentals.

The card is edited as the rental changes. If the rental gets another owner, it gets the usual card (`card.py`).
"""

from __future__ import annotations

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most
from bot.model.token import TokenState
from bot.policy.use.questions import is_on_card
from handlers.ids import Action, RentalValue
from handlers.messages.card import current_purchase, failures_text, in_steps, is_starting, refresh_after
from handlers.messages.replacing import NO_SSH_ANSWER
from handlers.messages.requests import length_text
from handlers.messages.tokens import stop_button as stop_token_button
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.ends import at_its_end, ends_fact, graceful_destroy_text, lost_heartbeat_text, until_decided
from handlers.phrases.format import Reader, Times, join, per_hour, person, sentence
from handlers.phrases.lease_buttons import destroy_button, stop_button, withdraw_button
from handlers.phrases.rental_text import (
    asked_now,
    cost_nothing_text,
    ended_by,
    machine,
    machine_in,
    machine_of,
    new_one_text,
    over_text,
    people,
    reason,
    receipt,
    renter,
    settled,
    so_far,
    why_ended,
    why_undecided,
)
from handlers.phrases.use_text import status_text


def program_card(details: RentalDetails, reader: Reader) -> Rendered:
    """Render the card, such as `nightly eval (Ana) rents 1x H100 (m3xt8) until 14:00, up to $10.76`."""
    rental, now = details.rental, reader.now
    rendered = blocks.of_parts(
        blocks.paragraph(line(details, reader)),
        blocks.actions(*_buttons(details)),
        closed=rental.state.over and settled(details),
    )
    return changed(rendered, refresh_after=None if is_starting(details) else refresh_after(details, now))


def line(details: RentalDetails, reader: Reader) -> str:
    """Return the text of the card, as mrkdwn."""
    rental, times = details.rental, reader.times
    if rental.state.over:
        return _over(details, times)
    match rental.state:
        case State.AWAITING_APPROVAL:
            asks = f"{people(details)} asks for {what(rental, times)}, up to {say_at_most(rental.terms.total)}."
            return join(asks, why_undecided(details), asked_now(details), until_decided(rental, times))
        case State.QUEUED:
            return join(_looks_for(details, times), failures_text(details, times))
        case State.READY:
            return _runs(details, times)
        case State.DESTROYING:
            return _being_destroyed(details, times)
    why = rental.blocked.why if rental.blocked is not None else None
    rents = f"{people(details)} rents {what(rental, times)}, up to {say_at_most(rental.terms.total)}."
    tries = current_purchase(details)[1] if details.attempts else ""
    return join(rents, tries, f"It's on hold because {reason(why)}." if why else "")


def what(rental: Rental, times: Times) -> str:
    """Return the machine and its length, such as `1x H100 (m3xt8) in EU for 4 h`."""
    return f"{machine_in(rental)} {length_text(rental, times)}"


def _looks_for(details: RentalDetails, times: Times) -> str:
    rental, waits = details.rental, details.rental.waitlist_entry
    until = f" until {times.time(waits.until, rental.created_at)}" if waits is not None and not waits.once else ""
    wanted = f"{what(rental, times)}, up to {say_at_most(rental.terms.total)}"
    return f"{people(details)} is looking for {wanted}{f'. It keeps looking{until}' if until else ''}."


def _runs(details: RentalDetails, times: Times) -> str:
    rental, lease, posted = details.rental, details.rental.running_lease, details.rental.created_at
    rents, up_to = f"{people(details)} rents {machine(rental)}", f"up to {say_at_most(rental.terms.total)}"
    past, ends = at_its_end(rental, times.now), ends_fact(rental, times, posted)
    if lease.graceful_destroy is not None and past is None:
        stopped = _stopped(details, times)
        end = graceful_destroy_text(details, times, posted, name=machine(rental) if stopped else "it")
        return join(stopped or f"{rents}, {up_to}.", end)
    if past is not None:
        said = f"{rents}, {up_to}. {past.sentence}"
    elif ends.value == times.time(lease.ends_at, posted):
        said = f"{rents} until {ends.value}, {up_to}."
    else:
        said = f"{rents}, {up_to}. {ends.sentence}"
    idle = rental.use if is_on_card(rental) else None
    return join(
        said,
        NO_SSH_ANSWER if rental.unreachable else "",
        "" if lease.heartbeat_end is not None else lost_heartbeat_text(rental, times, posted),
        sentence(status_text(idle, in_steps(idle, times))) if idle is not None else "",
        new_one_text(rental),
    )


def _being_destroyed(details: RentalDetails, times: Times) -> str:
    rental, alarm, by = details.rental, details.rental.alarm, ended_by(details)
    if alarm is not None and alarm.count > 0:
        bills = f" {per_hour(rental.rate)}" if rental.rate else ""
        on_it = f"{person(details.names, alarm.acknowledged_by)} is looking into it."
        return join(
            f"The deletion of {machine_of(details)} isn't confirmed, so it may still be billing{bills}.",
            on_it if alarm.acknowledged_by else "",
        )
    stopped = _stopped(details, times)
    if stopped:
        return f"{stopped} {machine(rental)} is being destroyed."
    if by is not None:
        return f"{person(details.names, by.actor)} is destroying {machine_of(details)}."
    return f"{machine_of(details)} is being destroyed."


def _over(details: RentalDetails, times: Times) -> str:
    """Return the last text of the card: how the rental ended, why, and its cost."""
    rental, stopped = details.rental, _stopped(details, times)
    if stopped and rental.over_at is not None:
        what = f"{machine(rental)} ended {times.at_time(rental.over_at)}."
        ended = join(stopped, what if rental.attempts else f"The request for {machine_in(rental)} was cancelled.")
        return join(ended, _cost(details))
    what = f"{machine_in(rental)} for {people(details)}"
    nothing_found = rental.ending is not None and rental.ending.why is Why.NOTHING_FITTED and not rental.attempts
    if nothing_found and rental.over_at is not None:
        return join(f"Nothing found {times.at_time(rental.over_at)}: {what}.", _cost(details))
    return join(f"{over_text(details, times)}: {what}.", why_ended(details), _cost(details), new_one_text(rental))


def _cost(details: RentalDetails) -> str:
    nothing = cost_nothing_text(details)
    if nothing or settled(details):
        return nothing or f"It cost {receipt(details)}"
    return f"It has cost {so_far(details.spent)}. A machine that wasn't needed is still being deleted."


def _stopped(details: RentalDetails, times: Times) -> str:
    """Return `Ben stopped nightly eval (Ana) at 13:20.` if this is why the machine ends. Empty otherwise."""
    rental, token = details.rental, details.token
    if token is None or token.state is not TokenState.STOPPED or token.over_at is None or token.over_by is None:
        return ""
    ending, graceful = rental.ending, rental.lease.graceful_destroy if rental.lease is not None else None
    by = ending.by if ending is not None else graceful.by if graceful is not None else None
    began = ending.since or rental.over_at if ending is not None else None
    if by != token.over_by or (began is not None and began < token.over_at):
        return ""
    return f"{person(details.names, by)} stopped {renter(details)} {times.at_time(token.over_at)}."


def _buttons(details: RentalDetails) -> list[Json | None]:
    rental, this = details.rental, RentalValue(rental_id=details.rental.id)
    if rental.state.over:
        return []
    if rental.state is State.DESTROYING:
        may_acknowledge = rental.alarm is not None and rental.alarm.can_be_acknowledged
        end = button("I'm on it", Action.ACKNOWLEDGED, this) if may_acknowledge else None
    elif rental.state is State.READY:
        end = destroy_button(rental)
    elif rental.decision is not None:
        end = withdraw_button(rental)
    elif rental.state is State.QUEUED and rental.quote_id is not None:
        end = stop_button(rental.quote_id, rental.id)
    else:
        end = button("Cancel", Action.CANCEL, this)
    token = details.token
    if token is None or token.state is TokenState.STOPPED:
        return [end]
    return [end, stop_token_button(token.id, token.name)]
