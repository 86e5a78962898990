"""Direct messages to a person who became the owner of a machine: by an admin, or because they took it."""

from __future__ import annotations

from bot.model.attempt import Why
from bot.model.event import Event, EventKind
from bot.model.summary import AccruedCost, RentalDetails
from handlers.ids import Action, RentalValue
from handlers.messages.question_message import is_open, keep_buttons, question_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import Reader, Times, escape, join, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, take_back_button
from handlers.phrases.rental_text import machine, more_time_asked, owner, so_far
from handlers.views.answers.ssh_lines import shown_again, ssh_lines


def new_owner(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to the new owner of a ready machine: what it costs, when it ends, how to get in. If the
    machine computes nothing, the message also asks whether it is needed."""
    rental, times = details.rental, reader.times
    ends = f"It ends {times.time(rental.running_lease.ends_at, event.at)}: then it is destroyed."
    lead = (
        _adopted(event, details, times) if event.kind is EventKind.ADOPTED else _handed_over(event, details, times)
    )
    lines = [join(lead, ends), *ssh_lines(details, reader)]
    if rental.extension is not None:
        lines.append(more_time_asked(rental.extension, event.at, times))
    again, asks = shown_again(rental), is_open(event, details, times)
    if asks:
        lines.append(question_text(event, details, times))
    extend = take_back_button(rental) or button("Extend", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))
    return blocks.message(
        "\n".join([*lines, f"{again}."]),
        blocks.section("\n".join(lines)),
        blocks.actions(extend, destroy_button(rental), *(keep_buttons(rental) if asks else ())),
        blocks.context(again),
        closed=False,
    )


def no_longer_yours(details: RentalDetails) -> Rendered:
    """Return what every message to a former owner says: who owns the machine now, and nothing else about it."""
    return blocks.message(f"{machine(details)} is {owner(details)}'s now.")


def _adopted(event: Event, details: RentalDetails, times: Times) -> str:
    facts, admin = event.facts, person(details.names, event.actor)
    named = f", named {escape(facts.name)}" if facts.name else ""
    money = join(
        f"{per_hour(facts.rate)}" if facts.rate else "",
        f"since {times.time(facts.since, event.at)}" if facts.since else "",
    )
    cost = so_far(AccruedCost(amount=facts.amount or 0, estimated=bool(facts.estimated)))
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        return f"{admin} put back {machine(details)}{named}: my database is from an older backup. {money}, {cost}."
    return (
        f"{admin} made you the owner of {machine(details)}{named}. It ran on the account and I didn't know it: "
        f"{money}, {cost}."
    )


def _handed_over(event: Event, details: RentalDetails, times: Times) -> str:
    before = person(details.names, (event.facts.people or (None,))[0])
    money = f", {per_hour(details.rental.rate)}" if details.rental.rate else ""
    if event.actor == details.rental.owner:
        line = f"{before} got the line that lets you in"
        return f"You took {machine(details)} {times.at_time(event.at)}{money}. It was {before}'s; {line}."
    return (
        f"{person(details.names, event.actor)} made you the owner of {machine(details)}{money}. It was {before}'s."
    )
