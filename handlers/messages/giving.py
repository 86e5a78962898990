"""The lines about idle machines before the offers, and the answers to people who ask for, give or take one."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.rental import Rental
from bot.model.summary import IdleMachine, RentalDetails
from bot.model.text import about_span, say_at_most, span
from bot.policy.use.giving import TAKE_WITHIN, Left
from handlers.ids import Action, Callback, EndValue, RentalValue
from handlers.messages.replies import reply
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, button
from handlers.phrases.format import Reader, Times, as_written, escape, join, per_hour
from handlers.phrases.rental_text import describe, machines_of, owner


def with_idle(machines: Sequence[IdleMachine], rendered: Rendered, times: Times) -> Rendered:
    """Return an answer with the idle machines of others before it, each with the button that asks for it."""
    if not machines:
        return rendered
    closed = rendered.closed and all(machine.asked_at for machine in machines)
    idle = [_idle(machine, times) for machine in machines]
    return blocks.of_parts(*idle, blocks.Part(rendered.text, None), *rendered.blocks, closed=closed)


def _idle(machine: IdleMachine, times: Times) -> blocks.Part:
    rental, name = machine.rental, _name(machine.owner)
    asked, ask = "", None
    if machine.asked_at is not None:
        asked = f"{name} was asked for it {times.at_time(machine.asked_at)}."
    else:
        label = blocks.short_label("Ask {} for it", machine.owner)
        ask = button(label, Action.ASK_FOR, RentalValue(rental_id=rental.id))
    line = join(
        f"{name}'s {rental.id} is a {describe(rental)}, idle for {about_span(times.now - machine.since)}.",
        f"It ends {times.time(rental.running_lease.ends_at)}.",
        asked,
    )
    return blocks.paragraph(line, ask)


def _name(display_name: str) -> str:
    return as_written(escape(display_name, 40))


def asked(machine: IdleMachine) -> Rendered:
    name = _name(machine.owner)
    return reply(f"I asked {name} for {machine.rental.id}. You read here what {name} says.")


def given(rental: Rental, name: str) -> Rendered:
    """Return the answer to an owner who gives a machine to a person with this name."""
    who = _name(name)
    return reply(
        f"{who} has {span(TAKE_WITHIN)} to take {rental.id}. Until then it stays yours, and you pay for it. "
        f"/gpu keep {rental.id} takes it back."
    )


def taken(rental: Rental) -> Rendered:
    return reply(f"{rental.id} is yours now. /gpu ssh {rental.id} shows how to get in.")


def take_confirm(details: RentalDetails, left: Left, reader: Reader) -> Modal:
    """Return the dialog that confirms that a person takes an expensive machine."""
    rental = details.rental
    return blocks.modal(
        Callback.TAKE_CONFIRM,
        f"Take {rental.id}?",
        blocks.lines(
            f"{machines_of(rental)}, {per_hour(left.rate)}, now {owner(details)}'s. "
            f"It ends in {span(left.ends_at - reader.now)}: until then you pay at most {say_at_most(left.total)}.",
            "I ask you about it from now on. Its keys stay as they are.",
        ),
        submit=f"Take {rental.id}",
        value=EndValue(rental_id=rental.id, shown_end=rental.running_lease.ends_at),
    )
