"""Direct messages to the people whom an owner lets in: without money and Destroy, which are the owner's."""

from __future__ import annotations

from bot.model.event import Event
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.team.rules import Rules
from handlers.ids import Action, RentalValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import ready_until
from handlers.phrases.format import Reader
from handlers.phrases.machine_text import describe
from handlers.phrases.rental_text import how_it_ended, machine, more_time_asked, owner, possessive
from handlers.views.answers.keys import add_buttons
from handlers.views.answers.replacing import NO_SSH_ANSWER
from handlers.views.answers.ssh_lines import shown_again, ssh_lines


def ready(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message that the machine is ready, or that the reader is let into a machine that is ready."""
    rental, times = details.rental, reader.times
    name = f"{possessive(details, reader)} {machine(details)}"
    if rental.state is not State.READY:
        return blocks.message(how_it_ended(details, name, times), closed=rental.state.over)
    if not details.keys_now.get(reader.id):
        return _needs_key(details, reader.rules)
    lines = [
        ready_until(name, rental, event.at, times),
        *([NO_SSH_ANSWER] if rental.silent else []),
        *ssh_lines(details, reader),
    ]
    if rental.extension is not None:
        lines.append(more_time_asked(rental.extension, event.at, times))
    extend = button("Extend", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))
    again = shown_again(rental)
    return blocks.message(
        "\n".join([*lines, f"{again}."]),
        blocks.section("\n".join(lines)),
        blocks.actions(None if rental.extension else extend),
        blocks.context(again),
        closed=False,
    )


def let_in(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to somebody who is let in: how they get in, or that they need a key first."""
    rental = details.rental
    if rental.lease is not None and rental.lease.ready_at <= event.at:
        return ready(event, details, reader)
    name = f"{possessive(details, reader)} {machine(details)}"
    if rental.state.over or rental.state is State.DESTROYING:
        return blocks.message(how_it_ended(details, name, reader.times), closed=rental.state.over)
    if not details.keys_now.get(reader.id):
        return _needs_key(details, reader.rules)
    if rental.state is State.READY:
        return blocks.message(f"{name} is ready. /gpu ssh {rental.id} shows how to get in.", closed=False)
    text = f"{owner(details)} lets you into {describe(rental)} ({rental.id}) when it is ready."
    return blocks.message(text, closed=False)


def _needs_key(details: RentalDetails, rules: Rules) -> Rendered:
    """Return the request for a key, which a person without a key reads until they add one."""
    rental, name = details.rental, owner(details)
    into = f"{name} lets you into {describe(rental)} ({rental.id})"
    if rental.state is State.READY:
        then = f"Then {name} can put it on the machine: /gpu share {rental.id} shows {name} the line."
        text = f"{into}. I need your public SSH key for that. {then}"
    else:
        text = f"{into} when it is ready. I need your public SSH key for that."
    buttons = blocks.actions(*add_buttons(github=rules.keys.github))
    return blocks.message(text, blocks.section(text), buttons, closed=False)
