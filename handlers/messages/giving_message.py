"""Direct messages about a machine that somebody asks for or is given, to its owner and to that person."""

from __future__ import annotations

from bot.model.base import changed
from bot.model.event import Event, EventKind, settled_by
from bot.model.machine_use import Verdict
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most
from bot.policy.access.keys import add_line
from bot.policy.buying.budgets import say_left, say_month
from bot.policy.use.giving import TAKE_WITHIN, given_to, left_of
from handlers.ids import Action, EndValue, HoursValue, ShareValue
from handlers.messages import new_owner_message
from handlers.messages.event_text import event_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import Reader, Times, join, per_hour, person
from handlers.phrases.machine_text import describe
from handlers.phrases.rental_text import how_it_ended, machine, owner
from handlers.phrases.use_text import current_use, verdict_text
from handlers.views.answers.ssh_lines import key_lines

NEEDED_FOR = 4
"""For how many hours its owner says by [I need it] that a machine is needed."""
LINES = 2
"""How many shell lines fit into a message besides everything else."""


def asked_for(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to the owner of an idle machine that somebody asks for, and later what became of it."""
    rental, times = details.rental, reader.times
    who, name = person(details.names, event.actor), details.names.get(event.actor or "", "them")
    answer = settled_by(event, details.events)
    if answer is not None:
        return blocks.message(join(f"{who} asked for {rental.id}.", _answer(answer, event, details, times)))
    if rental.state is not State.READY:
        return blocks.message(how_it_ended(details, f"your {machine(details)}", times), closed=rental.state.over)
    use = current_use(rental)
    idle = f", {verdict_text(use, times).lower()}" if use is not None and use.verdict is Verdict.IDLE else ""
    price = f", {per_hour(rental.rate)}" if rental.rate is not None else ""
    text = (
        f"{who} asks for {rental.id}, your {describe(rental)}{idle}{price}. "
        f"If you let {who} in, it stays yours. If you give it, {who} pays from then on."
    )
    for_them = ShareValue.of(rental.id, (event.actor or "",))
    buttons = (
        button(blocks.short_label("Let {} in", name), Action.SHARE, for_them),
        button(blocks.short_label("Give it to {}", name), Action.GIVE, for_them),
        button("I need it", Action.KEEP, HoursValue(rental_id=rental.id, hours=NEEDED_FOR)),
    )
    return blocks.message(text, blocks.section(text), blocks.actions(*buttons), closed=False)


def _answer(answer: Event, asked: Event, details: RentalDetails, times: Times) -> str:
    """Return what became of the question of an event, which `answer` settles, to the owner."""
    who = person(details.names, asked.actor)
    match answer.kind:
        case EventKind.KEPT:
            return "It is still needed."
        case EventKind.TEAMMATE_ADDED:
            return f"You let {who} in."
        case EventKind.GIVEN:
            to = person(details.names, next(iter(answer.facts.people or ()), None))
            return f"You gave it to {to}, who can take it until {times.time(answer.at + TAKE_WITHIN)}."
        case EventKind.USE_CHANGED:
            return f"It works again {times.at_time(answer.at)}."
    return how_it_ended(details, f"your {machine(details)}", times)


def still_needed(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to a person who asked for a machine that is still needed."""
    words = event_text(event, details, reader.times)
    return blocks.message(
        f"{words.lead}: {machine(details)}." if words else f"{machine(details)} is still needed."
    )


def given(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to a person who is given a machine, and later what became of it."""
    rental, times = details.rental, reader.times
    giver = person(details.names, event.actor)
    answer = settled_by(event, details.events)
    if answer is not None and answer.kind is EventKind.OWNER_CHANGED:
        if rental.owner == reader.id and rental.state is State.READY:
            return new_owner_message.new_owner(answer, details, reader)
        if rental.owner != reader.id:
            return blocks.message(f"{machine(details)} is {owner(details)}'s now.")
    if rental.state is not State.READY:
        whose = "your" if rental.owner == reader.id else f"{owner(details)}'s"
        text = how_it_ended(details, f"{whose} {machine(details)}", times)
        return blocks.message(text, closed=rental.state.over or rental.owner != reader.id)
    gave = f"{giver} gave you {machine(details)}."
    if answer is not None and answer.kind is EventKind.GIVEN:
        again = reader.id in (answer.facts.people or ())
        then = "You can take it below." if again else "Somebody else can take it now."
        return blocks.message(f"{gave} {then}")
    if answer is not None:
        return blocks.message(f"{gave} It is still needed, so it stays {owner(details)}'s.")
    if given_to(reader.id, details.events, reader.now) != event:
        return blocks.message(f"{gave} You didn't take it within an hour, so it stays {owner(details)}'s.")
    left = left_of(rental, reader.now, reader.rules)
    text = join(
        f"{giver} gives you {rental.id}: {describe(rental)}, {per_hour(left.rate)}.",
        f"It ends {times.time(rental.running_lease.ends_at, event.at)}; until then it costs you at most "
        f"{say_at_most(left.total)}.",
        _budget(details),
        "Once you take it, you pay and I ask you about it. Its keys stay as they are.",
        f"You can take it until {times.time(event.at + TAKE_WITHIN, event.at)}.",
    )
    value = EndValue(rental_id=rental.id, shown_end=int(rental.running_lease.ends_at.timestamp()))
    take = button(f"Take {rental.id}", Action.TAKE, value, style="primary")
    shown = blocks.message(text, blocks.section(text), blocks.actions(take), closed=False)
    return changed(shown, refresh_after=event.at + TAKE_WITHIN - reader.now)


def _budget(details: RentalDetails) -> str:
    """Return what the reader's budget has left in the tightest month. Return an empty text if they have none."""
    if not details.demands:
        return ""
    tightest = details.demands[0]
    left = f"You have {say_left(tightest, f' in {say_month(tightest.balance.month)}')}."
    return join(left, f"It needs {say_at_most(tightest.more)}." if tightest.more > 0 else "")


def taken(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the message to the earlier owner of a machine that somebody took: the line that lets them in."""
    who = owner(details)
    text = (
        f"{who} took {machine(details)} {reader.times.at_time(event.at)} and pays for it from then on. "
        f"Paste this on it, and {who} gets in:"
    )
    lines, _ = key_lines(add_line, [key.line for key in details.keys_now.get(details.rental.owner, ())], LINES)
    return blocks.message("\n".join([text, *lines]), *map(blocks.section, [text, *lines]))
