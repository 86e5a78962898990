"""Messages about idle machines that one person could take over from another.

Idle machines are listed above the answer to a search. Other messages reply to people who request, offer or accept
such a machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.rental import Rental
from bot.model.summary import IdleMachine, RentalDetails
from bot.model.text import about_span, say_at_most, span
from bot.policy.use.giving import TAKE_WITHIN, Left
from handlers.ids import Action, Callback, EndValue, RentalValue
from handlers.messages.replies import reply
from handlers.phrases import blocks, rental_text
from handlers.phrases.blocks import Modal, Rendered, button
from handlers.phrases.format import Reader, Times, as_written, escape, join, per_hour
from handlers.phrases.rental_text import machine_in, owner

IF_TAKEN = "you pay for it, and questions about it come to you. The SSH keys on the machine stay as they are."
"""The text that says what happens if a person accepts somebody else's machine."""


def with_idle(machines: Sequence[IdleMachine], rendered: Rendered, times: Times) -> Rendered:
    """Add other people's idle machines above the answer to a search, each with a button that requests it."""
    if not machines:
        return rendered
    closed = rendered.closed and all(machine.asked_at for machine in machines)
    idle = [_idle(machine, times) for machine in machines]
    return blocks.of_parts(*idle, blocks.Part(rendered.text, None), *rendered.blocks, closed=closed)


def _idle(machine: IdleMachine, times: Times) -> blocks.Part:
    rental, name = machine.rental, _name(machine.owner)
    asked, ask = "", None
    if machine.asked_at is not None:
        asked = f"{name} was already asked for it {times.at_time(machine.asked_at)}."
    else:
        label = blocks.short_label("Ask {} for it", machine.owner)
        ask = button(label, Action.ASK_FOR, RentalValue(rental_id=rental.id))
    idle = f"has been idle for {about_span(times.now - machine.since)}"
    ends = f"ends {times.at_time(rental.running_lease.ends_at)}"
    return blocks.paragraph(join(f"{name}'s {machine_in(rental)} {idle} and {ends}.", asked), ask)


def _name(display_name: str) -> str:
    return as_written(escape(display_name, 40))


def asked(machine: IdleMachine) -> Rendered:
    name = _name(machine.owner)
    what = rental_text.machine(machine.rental)
    return reply(f"I've asked {name} for {what}. I'll send you the answer in a direct message.")


def given(rental: Rental, name: str) -> Rendered:
    """Render the reply to an owner who has offered a machine to somebody. `name` is that person's name."""
    who = _name(name)
    return reply(
        f"{who} has {span(TAKE_WITHIN)} to take {rental_text.machine(rental)}. Until {who} takes it, it stays "
        f"yours and you pay for it. To take the offer back: /gpu keep {rental.id}"
    )


def taken(rental: Rental) -> Rendered:
    return reply(f"{rental_text.machine(rental)} is yours now. /gpu ssh {rental.id} shows how to log in.")


def take_confirm(details: RentalDetails, left: Left, reader: Reader) -> Modal:
    """Render the dialog in which a person confirms that they accept an expensive machine."""
    rental = details.rental
    return blocks.modal(
        Callback.TAKE_CONFIRM,
        f"Take {rental.id}?",
        blocks.alert(f"This can cost you up to {say_at_most(left.total)}."),
        blocks.lines(
            f"{owner(details)}'s {rental_text.machine(rental)}, {per_hour(left.rate)}. "
            f"It ends in {span(left.ends_at - reader.now)}.",
            f"If you take it, {IF_TAKEN}",
        ),
        submit=f"Take {rental.id}",
        value=EndValue(rental_id=rental.id, shown_end=rental.running_lease.ends_at),
    )
