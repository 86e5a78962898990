"""Messages about the owners of machines.

The subjects are new owners, requests for another person's machine, offers of a machine, and owners who left.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import AdoptedFacts, OwnerChangedFacts, PersonFacts
from bot.model.machine_use import UsageStatus
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from bot.model.text import say_at_most
from bot.policy.access.keys import add_line
from bot.policy.buying.budgets import say_left, say_month
from bot.policy.use.giving import TAKE_WITHIN, given_to, left_of
from handlers.ids import Action, EndValue, HoursValue, ShareValue
from handlers.messages.backups import readopted
from handlers.messages.giving import IF_TAKEN
from handlers.messages.needed import is_open, keep_buttons, question_text
from handlers.messages.ready import log_in_message
from handlers.messages.ssh_lines import keys_fact, lines_to_paste, ssh_button
from handlers.messages.writers import EventContext, Needs, direct, no_longer_ready, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import ends_fact
from handlers.phrases.format import escape, join, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, extend_form_button
from handlers.phrases.rental_text import how_it_ended, in_all, machine, machine_in, owner
from handlers.phrases.use_text import current_use, status_text

NEEDED_FOR = timedelta(hours=4)
"""The time during which nobody is asked whether a machine is needed, after its owner has clicked [I need it]."""
LINES = 2
"""The maximum number of shell lines in a message that also contains other text."""

# --- another owner


@thread(EventKind.ADOPTED)
def _adopted(context: EventContext[AdoptedFacts]) -> str:
    facts, it = context.facts, _this(context)
    (new_owner,) = facts.people
    owner = context.name(new_owner)
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        how = readopted(context.actor, f"{it} for {owner}")
    elif new_owner == context.event.actor:
        how = f"{context.actor} took over {it}."
    else:
        how = f"{context.actor} made {owner} the owner of {it}."
    return join(how, _ran(facts), _ends_unless_destroyed(context))


def _ran(facts: AdoptedFacts) -> str:
    """Return a sentence saying that the bot found the machine in the team's Compute Clear account."""
    found = f"I found it in the Compute Clear account{f' as {escape(facts.name)}' if facts.name else ''}."
    return found if facts.why is Why.BOUGHT_AFTER_BACKUP else f"{found[:-1]}; it wasn't rented through me."


def _ends_unless_destroyed(context: EventContext[AdoptedFacts]) -> str:
    """Return a sentence saying when the lease ends. Empty if the machine is being destroyed at once."""
    at_once = {EventKind.DESTROYING, EventKind.ENDED}
    if any(event.kind in at_once and event.at == context.event.at for event in context.details.events):
        return ""
    until = context.facts.until
    return f"It ends {context.times.at_time(until)}." if until else ""


@thread(EventKind.OWNER_CHANGED)
def _owner_changed(context: EventContext[OwnerChangedFacts]) -> str:
    before, after = (context.name(one) for one in context.facts.people)
    if context.event.actor == context.facts.people[1]:
        return f"{after} took over {_this(context)}, which was {before}'s."
    return f"{context.actor} made {after} the owner of {_this(context)}, which was {before}'s."


def _this(context: EventContext) -> str:
    """Return the name of a machine, or of a request if no machine has been ready yet."""
    if context.rental.lease is None:
        return f"the request for {machine_in(context.rental)}" if context.named else context.this_request
    return machine(context.rental) if context.named else context.this_machine


@direct(EventKind.ADOPTED, EventKind.OWNER_CHANGED)
def _another_owner(context: EventContext[AdoptedFacts | OwnerChangedFacts]) -> Rendered:
    if not context.by_owner and context.event.actor == context.rental.owner:
        return _taken(context)
    if context.rental.state is State.READY and context.by_owner:
        return _new_owner(context)
    return no_longer_ready(context)


def _new_owner(context: EventContext[AdoptedFacts | OwnerChangedFacts]) -> Rendered:
    """Render the message to the new owner of a machine: the cost, the time at which it ends, and how to log in.

    If the machine is idle, the message also asks whether it is needed.
    """
    rental = context.rental
    ends = ends_fact(rental, context.times, context.event.at).sentence
    facts = context.event.facts
    how = _how_adopted(context, facts) if isinstance(facts, AdoptedFacts) else _how_handed_over(context, facts)
    asks = is_open(context)
    return log_in_message(
        context,
        blocks.paragraph(join(how, ends)),
        [],
        [keys_fact(context.details, context.reader)],
        extend_form_button(rental),
        ssh_button(rental, "SSH config and keys"),
        destroy_button(rental),
        *(keep_buttons(rental) if asks else ()),
        last=question_text(context, f"Do you need {context.machine}?") if asks else "",
    )


def _how_adopted(context: EventContext, facts: AdoptedFacts) -> str:
    it, times = machine(context.rental), context.times
    how = f"{context.actor} made you the owner of {it}."
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        how = readopted(context.actor, f"your {it}")
    cost = in_all(AccruedCost(amount=facts.amount or 0, estimated=bool(facts.estimated)))
    since = f" since {times.time(facts.since, context.event.at)}" if facts.since else ""
    rate = f", at {per_hour(facts.rate)}" if facts.rate else ""
    return join(how, _ran(facts), f"It has cost {cost}{since}{rate}.")


def _how_handed_over(context: EventContext, facts: OwnerChangedFacts) -> str:
    rental, it = context.rental, machine(context.rental)
    before = context.name(facts.people[0])
    money = f", at {per_hour(rental.rate)}" if rental.rate else ""
    if context.event.actor == rental.owner:
        line = f"It was {before}'s. I've sent {before} the line to paste on the machine so that you can log in."
        return f"You took over {it} {context.times.at_time(context.event.at)}{money}. {line}"
    return f"{context.actor} made you the owner of {it}{money}. It was {before}'s."


def _taken(context: EventContext) -> Rendered:
    """Render the message to the previous owner of a machine that somebody took over.

    It contains shell lines to paste on the machine, which give the new owner access.
    """
    details, who, it = context.details, owner(context.details), machine(context.rental)
    text = (
        f"{who} took over {it} {context.times.at_time(context.event.at)} and has been paying for it since. "
        f"Paste this on the machine so that {who} can log in:"
    )
    keys = [key.line for key in details.keys_now.get(details.rental.owner, ())]
    return blocks.of_parts(*lines_to_paste(text, add_line, keys, LINES), closed=True)


def no_longer_yours(context: EventContext) -> Rendered:
    """Render the text that replaces every message to a former owner. It only says who owns the machine now."""
    return blocks.message(f"{machine(context.rental)} belongs to {owner(context.details)} now.")


# --- messages about machines that another person asked the owner for, or that the owner offered to another person


@thread(EventKind.ASKED_FOR)
def _asked_for(context: EventContext) -> str:
    return f"{context.actor} asked {context.owner} for {context.this_machine}."


@direct(EventKind.ASKED_FOR)
def _share_or_give(context: EventContext) -> Rendered:
    """Render the message to the owner of an idle machine that somebody else wants to use.

    Once the owner has responded or the machine is in use, the message says so instead.
    """
    rental, event, who = context.rental, context.event, context.actor
    answer = context.outcome
    if answer is not None:
        return blocks.message(join(f"{who} asked to use {context.machine}.", _what_became_of_it(context, answer)))
    if rental.state is not State.READY:
        text = how_it_ended(context.details, f"your {machine(context.rental)}", context.times)
        return blocks.message(text, closed=rental.state.over)
    name = context.details.names.get(event.actor or "", "them")
    use = current_use(rental)
    since = status_text(use, context.times).lower() if use and use.status is UsageStatus.IDLE else ""
    idle = f", which has been {since}" if since else ""
    price = f" at {per_hour(rental.rate)}" if rental.rate is not None else ""
    text = (
        f"{who} is asking for {context.machine}{idle}{price}. "
        f"If you share it, it stays yours. If you give it away, {who} pays from then on."
    )
    for_them = ShareValue(rental_id=rental.id, people=(event.actor or "",))
    return blocks.with_buttons(
        text,
        button(blocks.short_label("Share with {}", name), Action.SHARE, for_them),
        button(blocks.short_label("Give it to {}", name), Action.GIVE, for_them),
        button("I need it", Action.KEEP, HoursValue(rental_id=rental.id, span=NEEDED_FOR)),
    )


def _what_became_of_it(context: EventContext, answer: Event[Any]) -> str:
    details, times, who = context.details, context.times, context.actor
    match answer.kind:
        case EventKind.KEPT:
            said = "You" if answer.actor == context.reader.id else person(details.names, answer.actor)
            return f"{said} said that it's still needed."
        case EventKind.TEAMMATE_ADDED:
            return f"You shared it with {who}."
        case EventKind.GIVEN:
            to = person(details.names, answer.facts.people[0])
            return f"You offered it to {to}. The offer is valid until {times.time(answer.at + TAKE_WITHIN)}."
        case EventKind.USE_CHANGED:
            return f"The machine has been in use again since {times.time(answer.at)}, so no answer is needed."
    return how_it_ended(details, f"your {machine(details.rental)}", times)


@thread(EventKind.GIVEN)
def _given(context: EventContext[PersonFacts]) -> str:
    to = context.name(context.facts.people[0])
    until = context.times.time(context.event.at + TAKE_WITHIN)
    return f"{context.actor} is offering {context.this_machine} to {to}. The offer is valid until {until}."


@direct(EventKind.GIVEN, needs=Needs.BUDGET_IF_TAKEN)
def _take_it(context: EventContext[PersonFacts]) -> Rendered:
    """Render the message to a person to whom a machine is offered. It says what the machine would cost them.

    Once the person has accepted or the offer is over, the message says so instead.
    """
    details, rental, event = context.details, context.rental, context.event
    reader, times, answer = context.reader, context.times, context.outcome
    if answer is not None and answer.kind is EventKind.OWNER_CHANGED:
        if context.by_owner and rental.state is State.READY:
            return _new_owner(context.of(answer))
        if not context.by_owner:
            return no_longer_yours(context)
    if rental.state is not State.READY:
        shown = no_longer_ready(context)
        return changed(shown, closed=shown.closed or not context.by_owner)
    gave = f"{context.actor} offered you {machine(rental)}."
    if answer is not None and answer.kind is EventKind.GIVEN:
        again = reader.id in answer.facts.people
        then = "My newer message has the button to take it." if again else "It's now offered to someone else."
        return blocks.message(f"{gave} {then}")
    if answer is not None:
        said = f"{person(details.names, answer.actor)} said that the machine is still needed"
        return blocks.message(f"{gave} {said}, so it stays {owner(details)}'s.")
    if given_to(reader.id, details.events, reader.now) != event:
        return blocks.message(f"{gave} You didn't take it within an hour, so it stays {owner(details)}'s.")
    left = left_of(rental, reader.now, reader.rules)
    text = join(
        f"{context.actor} is offering you {machine(rental)} at {per_hour(left.rate)}.",
        f"Until it ends {times.at_time(rental.running_lease.ends_at)}, it costs you at most "
        f"{say_at_most(left.total)}.",
        _budget(details),
        f"The offer is valid until {times.time(event.at + TAKE_WITHIN, event.at)}. If you take it, {IF_TAKEN}",
    )
    value = EndValue(rental_id=rental.id, shown_end=rental.running_lease.ends_at)
    shown = blocks.with_buttons(text, button(f"Take {rental.id}", Action.TAKE, value, style="primary"))
    return changed(shown, refresh_after=event.at + TAKE_WITHIN - reader.now)


def _budget(details: RentalDetails) -> str:
    """Return sentences about the reader's remaining budget, and how much of it this machine would use.

    If the lease spans several months, the sentences are about the month with the least budget left.
    """
    if not details.demands:
        return ""
    tightest = details.demands[0]
    left = f"You have {say_left(tightest, f' in {say_month(tightest.balance.month)}')}."
    return join(left, f"This machine would use {say_at_most(tightest.more)} of it." if tightest.more > 0 else "")


# --- an owner who left


@thread(EventKind.OWNER_LEFT)
def _owner_left(context: EventContext[PersonFacts]) -> str:
    owner = context.name(context.facts.people[0])
    return f"{owner} left the workspace, so admins decide what happens to {_this(context)}."


@thread(EventKind.OWNER_LEFT_LATER)
def _owner_left_later(context: EventContext) -> str:
    return f"{context.actor} will decide later who gets {_this(context)}."
