"""The message to each admin about a rental whose owner left the workspace, and the dialog that gives it away."""

from __future__ import annotations

from bot.model.event import Event, EventKind, settled_by
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.use import Verdict
from handlers.ids import Action, Callback, Field, RentalValue, VersionValue
from handlers.views import blocks
from handlers.views.blocks import Modal, Rendered, button
from handlers.views.ends import end
from handlers.views.format import Times, join, per_hour, person
from handlers.views.lease_buttons import destroy_button
from handlers.views.machine_text import describe
from handlers.views.rental_text import current_state, first_after, so_far
from handlers.views.use_text import current_use, verdict_text


def owner_left(event: Event, details: RentalDetails, times: Times) -> Rendered:
    """Return the message of one question, as of now."""
    rental = details.rental
    name = f"{rental.id}, {describe(rental)}"
    left = person(details.names, next(iter(event.facts.people or ()), rental.owner))
    if rental.state.over or rental.state is State.DESTROYING:
        text = f"{left} left the workspace: {name}. {current_state(details, times)}"
        return blocks.message(text, closed=rental.state.over)
    given = settled_by(event, details.events)
    if given is not None:
        new_owner = person(details.names, (given.facts.people or (None,))[-1])
        who = person(details.names, given.actor)
        return blocks.message(f"{left} left the workspace. {who} made {new_owner} the owner: {name}.")
    again = first_after(details, event, EventKind.OWNER_LEFT)
    if again is not None:
        return blocks.message(f"{left} left the workspace: {name}. I asked again {times.at_time(again.at)}.")
    later = first_after(details, event, EventKind.OWNER_LEFT_LATER)
    put_off = ""
    if later is not None and later.facts.until is not None:
        put_off = (
            f"{person(details.names, later.actor)} says later: I ask again {times.at_time(later.facts.until)}."
        )
    text = join(f"{left} left the workspace. {_what_it_does(details, times)} Who takes it?", put_off)
    this = RentalValue(rental_id=rental.id)
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    waits = rental.state is State.AWAITING_APPROVAL
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(
            button("Give it an owner", Action.GIVE_RENTAL, this),
            None if put_off else button("Ask again tomorrow", Action.ASK_ABOUT_OWNER_AGAIN, this),
            button("Withdraw", Action.WITHDRAW, version) if waits else destroy_button(rental),
        ),
        closed=False,
    )


def _what_it_does(details: RentalDetails, times: Times) -> str:
    """Return `xwsc2 (1x H100, $2.15/h, idle for 3 h, $6.45 so far) runs until 17:00.`"""
    rental = details.rental
    use = current_use(rental)
    verdict = verdict_text(use, times) if use is not None and use.verdict is not Verdict.UNKNOWN else ""
    parts = (
        describe(rental),
        per_hour(rental.rate) if rental.rate else "",
        f"{verdict[:1].lower()}{verdict[1:]}",
        so_far(details.spent) if rental.attempts else "",
    )
    name = f"{rental.id} ({', '.join(filter(None, parts))})"
    if rental.state is State.READY:
        return f"{name} runs until {end(rental, times)}."
    if rental.state is State.AWAITING_APPROVAL:
        return f"{name} waits for approval, and can't be approved without an owner."
    return f"{name} is starting."


def give_rental(rental: Rental) -> Modal:
    """Return the dialog that asks who becomes the owner of a rental."""
    return blocks.modal(
        Callback.GIVE_RENTAL,
        "Give it an owner",
        blocks.section(f"{rental.id}, {describe(rental)}. It keeps its end, and its cost so far."),
        blocks.person_select(
            Field.OWNER, "For whom", chosen=None, hint="A member of this workspace who may use me."
        ),
        submit="Give",
        value=RentalValue(rental_id=rental.id),
    )
