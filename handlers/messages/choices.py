"""The question which rental is meant, for a command without an id from a person with several rentals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import OwnRentals
from bot.model.text import plural, span
from handlers.ids import (
    NO_VALUE,
    Action,
    Callback,
    EndValue,
    ExtendValue,
    RentalValue,
    ShareValue,
    SpanValue,
    UntilValue,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, Rendered, button
from handlers.phrases.format import Reader, join, person
from handlers.phrases.machine_text import describe
from handlers.phrases.rental_text import STATES

MOST = 10
"""How many rentals get a button. Nobody chooses from more, and /gpu list has them all."""

ButtonFor = Callable[[Rental], Json]
"""Return the button that does with a rental what the command says."""


def which_one(own: OwnRentals, question: str, button_for: ButtonFor, reader: Reader) -> Rendered:
    """Return the question which of several rentals is meant, with one button for each."""
    lines = [_line(rental, own, reader) for rental in own.rentals[:MOST]]
    left = len(own.rentals) - len(lines)
    more = f"{plural(left, 'more', 'more')}: /gpu list" if left else ""
    return blocks.message(
        "\n".join(filter(None, (question, *lines, more))),
        blocks.section(question),
        *(
            blocks.section(line, button_for(rental))
            for line, rental in zip(lines, own.rentals[:MOST], strict=True)
        ),
        blocks.context(more) if more else None,
        closed=False,
    )


def _line(rental: Rental, own: OwnRentals, reader: Reader) -> str:
    whose = "" if rental.owner == reader.id else f", {person(own.names, rental.owner)}"
    ends = f"Ends {reader.times.time(rental.running_lease.ends_at)}." if rental.state is State.READY else ""
    return join(f"{STATES[rental.state]}: {describe(rental)}{whose}, {rental.id}.", ends)


def opener(modal: Modal) -> Rendered:
    """Return the answer to words that would open a dialog, if Slack lets only a button open it."""
    match modal.view["callback_id"], modal.value:
        case Callback.DESTROY_CONFIRM.id, RentalValue(rental_id=rental_id) as value:
            words = f"Destroy {rental_id}? The button shows what it cost so far, and asks."
            opens = button(f"Destroy {rental_id}", Action.DESTROY, value, style="danger")
        case Callback.EXTEND.id, EndValue(rental_id=rental_id):
            words = f"By how much? Click, or write it: extend {rental_id} 2h"
            opens = button(f"Extend {rental_id}", Action.EXTEND_FORM, RentalValue(rental_id=rental_id))
        case Callback.GITHUB_NAME.id, _:
            words = "Click to say who you are at GitHub, or write it: key github ana-dev"
            opens = button("Take mine from GitHub", Action.FROM_GITHUB, NO_VALUE)
        case _:
            words = "Click to choose, or write what you need: get H100 EU"
            opens = button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)
    return blocks.message(words, blocks.section(words), blocks.actions(opens), closed=False)


# --- the buttons


def show_button(rental: Rental) -> Json:
    """Return `Show k7mq2`."""
    return button(f"Show {rental.id}", Action.SHOW_RENTAL, RentalValue(rental_id=rental.id))


def ssh_button(rental: Rental) -> Json:
    """Return `ssh k7mq2`."""
    return button(f"ssh {rental.id}", Action.SSH, RentalValue(rental_id=rental.id))


def extend_form_button(rental: Rental) -> Json:
    """Return `Extend k7mq2`, which asks by how much."""
    return button(f"Extend {rental.id}", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))


def extend_by_button(rental: Rental, longer: timedelta) -> Json:
    """Return `Extend k7mq2 by 2 h`."""
    value = ExtendValue.of(rental.id, longer, rental.running_lease.ends_at)
    return button(f"Extend {rental.id} by {span(longer)}", Action.EXTEND, value)


def extend_until_button(rental: Rental, until: datetime) -> Json:
    """Return `Extend k7mq2` to a new end."""
    return button(f"Extend {rental.id}", Action.EXTEND_UNTIL, UntilValue.of(rental.id, until))


def share_button(rental: Rental, people: Sequence[str]) -> Json:
    """Return `Share k7mq2` with these people."""
    return button(f"Share {rental.id}", Action.SHARE, ShareValue.of(rental.id, people))


def give_button(rental: Rental, to: str) -> Json:
    """Return `Give k7mq2`."""
    return button(f"Give {rental.id}", Action.GIVE, ShareValue.of(rental.id, (to,)))


def keep_button(rental: Rental, length: timedelta) -> Json:
    """Return `Keep k7mq2`."""
    return button(f"Keep {rental.id}", Action.KEEP_FOR, SpanValue.of(rental.id, length))
