"""How machines end: lost, replaced, destroyed, or still billing, and what they cost in all."""

from __future__ import annotations

from bot.errors import NextStep
from bot.model.attempt import REPORTED_FAILED, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import DeletionFacts, EndedFacts, NotAsSoldFacts, PlaceFacts, SaidFacts
from bot.model.state import State
from bot.model.text import listed, span
from bot.policy.buying.replacing import may_be_replaced
from handlers.ids import Action, RentalValue
from handlers.messages.replacing import button_while_it_runs, replace_button
from handlers.messages.waiting import buttons_to_wait, tell_button
from handlers.messages.writers import (
    EventContext,
    EventText,
    cost_of,
    direct,
    no_longer_ready,
    said_once,
    sentence_case,
    thread,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import on_ending_text
from handlers.phrases.error_text import NEXT_STEPS
from handlers.phrases.format import dollars, escape, first_few, identifier, join, per_hour, person, with_full_stop
from handlers.phrases.lease_buttons import show_button
from handlers.phrases.rental_text import (
    FOUND_ON_ACCOUNT,
    STATES,
    WHILE_AWAY,
    computed,
    current_state,
    extended_by_operator,
    first_runs_on,
    how_it_ended,
    in_all,
    machine,
    new_one_text,
    owner,
    reason,
    receipt,
    settled,
    so_far,
    sold_but_seen,
    stopped_at_night,
    vendor,
)
from handlers.phrases.use_text import idle_part

NONE_LEFT = frozenset({Why.SOLD_OUT, Why.NOTHING_LEFT, Why.DEARER, Why.OTHER_GPU, Why.TOO_MANY_ATTEMPTS})
"""Why nothing was rented, if such a machine may be there later."""
RESOURCES_NAMED = 8
"""How many machines an alarm names: the most that one rental has. Further ones are only counted."""


@thread(EventKind.LOST)
def _lost(context: EventContext[EndedFacts]) -> EventText:
    facts = context.facts
    why = reason(facts.why or Why.VENDOR_TOOK_IT, facts.vendor or context.details.rental.vendor)
    lead = f"Lost{context.when}"
    if facts.why in WHILE_AWAY:
        lead = f"Ended before{context.when}, while I was away" if context.timed else "Ended while I was away"
    return EventText(lead, join(f"{why}.", _cost(context)), colon=True)


@direct(EventKind.LOST)
def _replace_it(context: EventContext) -> Rendered:
    """Return that the vendor took a machine.

    Until its end, a button replaces it. Another one tells its owner when there is an offer.
    """
    rental = context.rental
    replaceable = may_be_replaced(rental, context.reader.now)
    next_step = "" if replaceable else NEXT_STEPS[NextStep.ASK_AGAIN]
    text = join(context.text.about(context.request), new_one_text(rental) or next_step)
    buttons = [replace_button(rental)] if replaceable else []
    if rental.replaced_by is not None:
        buttons.append(show_button(rental.replaced_by))
    elif rental.quote_id is not None and context.by_owner:
        buttons.append(tell_button(rental.quote_id, rental.request))
    return blocks.with_buttons(text, *buttons, closed=not buttons)


@thread(EventKind.DESTROYING)
def _destroying(context: EventContext[EndedFacts]) -> EventText:
    facts = context.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is no longer wanted"
    if facts.why in {None, Why.ASKED} and context.event.actor is not None:
        why = f"{context.actor} asked for it"
    if facts.why is Why.REPLACED and context.details.rental.replaced_by is not None:
        why = f"its place goes to {context.details.rental.replaced_by}"
    spent = cost_of(facts)
    rest = join(f"{why}.", f"{so_far(spent)}." if spent and spent.amount else None)
    return EventText("Being destroyed", rest, colon=True)


@direct(EventKind.DESTROYING)
def _somebody_destroys_it(context: EventContext) -> Rendered:
    """Return who destroys the machine. The message stays open, since it becomes the receipt."""
    return changed(said_once(context), closed=False)


@thread(EventKind.NOT_CONFIRMED)
def _not_confirmed(context: EventContext[DeletionFacts]) -> EventText:
    facts = context.facts
    bills = f" {per_hour(facts.rate)}" if facts.rate is not None else ""
    answer = escape(facts.detail or "", 200)
    last = f"Last answer: {with_full_stop(answer)}" if answer else None
    what = context.details.rental.id
    if facts.why in REPORTED_FAILED:
        made = "made" if facts.resource_id else "may have made"
        what = f"what {vendor(context.facts.vendor)} {made} for {what} after a failed purchase"
    rest = join(f"{what} may still bill{bills}{_which(facts)}. I keep trying.", last)
    return EventText("Not confirmed gone", rest, colon=True)


def _which(facts: DeletionFacts) -> str:
    """Return ` (resource 3c90c3cc)`, or several if they may still bill. Return an empty text if none is known."""
    ids = [facts.resource_id, *facts.more_resources] if facts.resource_id else []
    named = first_few([short_resource_id(one) for one in ids], RESOURCES_NAMED)
    return f" (resource{'s' if len(ids) > 1 else ''} {listed(named)})" if ids else ""


def short_resource_id(resource_id: str) -> str:
    """Return the first part of a UUID, which is enough to find the resource. Return any other id unchanged."""
    known = identifier(resource_id, 60)
    return known.split("-")[0] if len(known) == 36 and known.count("-") == 4 else known


@direct(EventKind.NOT_CONFIRMED)
def _who_looks_after_it(context: EventContext) -> Rendered:
    details, rental, times, text = context.details, context.rental, context.times, context.text.text
    if rental.state.over and settled(details):
        ended = f"The vendor confirms its end: {machine(details.rental)}, {owner(details)}."
        return blocks.message(f"{ended} {current_state(details, times)} {receipt(details)}")
    taken_on_by = rental.alarm.taken_on_by if rental.alarm else None
    if taken_on_by is not None:
        who = "You are" if taken_on_by == context.reader.id else f"{person(details.names, taken_on_by)} is"
        return blocks.message(f"{text} {who} on it.", closed=False)
    if context.outcome is not None:
        return blocks.message(f"{text} I told you again {times.at_time(context.outcome.at)}.")
    return blocks.with_buttons(text, button("I'm on it", Action.TAKEN_ON, RentalValue(rental_id=rental.id)))


@thread(EventKind.TAKEN_ON)
def _taken_on(context: EventContext) -> EventText:
    return EventText(f"{context.actor} is on it", "I keep trying too.")


@thread(EventKind.EXTRA_RESOURCE)
def _extra_resource(context: EventContext[DeletionFacts]) -> EventText:
    facts = context.facts
    which = f" (resource {short_resource_id(facts.resource_id)})" if facts.resource_id else ""
    bills = (
        f"; it may bill {per_hour(facts.rate)} until the vendor confirms its end" if facts.rate is not None else ""
    )
    failed = facts.why in REPORTED_FAILED
    why = "although it said that it failed" if failed else "that nobody wants any more"
    return EventText(
        f"{sentence_case(vendor(facts.vendor))} made a machine {why}{which}", f"I'm deleting it{bills}."
    )


@thread(EventKind.EXTRA_GONE)
def _extra_resource_gone(context: EventContext[DeletionFacts]) -> EventText:
    """Return the end of a machine, with its cost after a failed purchase, else with that of the whole rental."""
    spent = cost_of(context.facts)
    whose = "It cost" if context.facts.why in REPORTED_FAILED else "In all"
    return EventText(
        f"The extra machine at {vendor(context.facts.vendor)} ended{context.when}; the vendor confirms it",
        f"{whose} {computed(spent)}." if spent else "",
    )


def _cost(context: EventContext[EndedFacts]) -> str:
    """Return `$14.68, of which $3.10 idle: 6 h 4 min at $2.42/h. Estimate was $12.10.`"""
    facts = context.facts
    spent = cost_of(facts)
    if spent is None:
        return ""
    if spent.amount == 0 and not spent.estimated:
        return "It cost nothing." if context.details.attempts else "Nothing was rented."
    ran = span(facts.span) if facts.span else ""
    rate = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    amount = in_all(spent) if ran else computed(spent)
    # If something billed after this event, it isn't known how much of the event's amount was idle.
    idle = idle_part(context.details.use_costs) if facts.amount == context.details.spent.amount else ""
    amount += f"{idle}{f': {ran}{rate}' if ran else ''}."
    guess = f"Estimate was {dollars(facts.estimate)}." if facts.estimate is not None else None
    return join(amount, guess)


@thread(EventKind.ENDED)
def _ended(context: EventContext[EndedFacts]) -> EventText:
    facts = context.facts
    end, cost = facts.end, _cost(context)
    billed = bool(facts.amount or facts.estimated)
    if end is State.DESTROYED:
        return EventText(f"Ended{context.when}; the vendor confirms it", cost)
    confirmed = "Nothing of it bills any more; the vendor confirms it." if billed else None
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        now_is = f"It is {escape(facts.name, 20)} now." if facts.name else "It has ended."
        return EventText(f"{STATES[end]}{context.by_whom_and_when}", f"{FOUND_ON_ACCOUNT} {now_is}")
    if facts.why is Why.NOTHING_FITTED:
        lead = "Nothing could be rented" if context.details.attempts else "Nothing fitted"
        return EventText(f"{lead}{f' by{context.when}' if context.when else ''}", cost)
    if end in {State.FAILED, State.LOST}:
        why = reason(facts.why, facts.vendor or context.details.rental.vendor) if facts.why else None
        rest = join(f"{why}." if why else None, cost)
        return EventText(f"{STATES[end]}{context.when}", rest, colon=bool(rest))
    when = context.when if context.event.actor is None else context.by_whom_and_when
    return EventText(f"{STATES[end]}{when}", join(confirmed, cost))


@direct(EventKind.ENDED)
def _it_ended(context: EventContext[EndedFacts]) -> Rendered:
    """Return how a rental ended. An owner who got no machine can wait for one."""
    rental, end = context.rental, context.facts.end
    # Its owner lost the machine or never got one, and no person decided that.
    left_without = end in {State.FAILED, State.LOST, State.EXPIRED}
    then = NEXT_STEPS[NextStep.ASK_AGAIN] if left_without else ""
    text = join(context.text.about(context.request), first_runs_on(context.details) or then)
    nothing_left = end is State.FAILED and context.facts.why in NONE_LEFT
    if not nothing_left or rental.quote_id is None or rental.replaces is not None or not context.by_owner:
        return blocks.message(text)
    return blocks.with_buttons(text, *buttons_to_wait(rental.quote_id, rental.request))


def ended_receipt(context: EventContext) -> Rendered:
    """Return the receipt of a rental that is over. Of its owner's messages, only the newest has it."""
    details, times = context.details, context.times
    if not context.newest:
        return blocks.message(f"{details.rental.id} is over: its receipt is below.")
    text = join(
        stopped_at_night(details, context.reader),
        how_it_ended(details, context.machine, times),
        receipt(details),
        extended_by_operator(details, times),
        on_ending_text(details.rental, times),
        first_runs_on(details),
    )
    return blocks.message(text, closed=settled(details))


# --- another one in the place of a machine that was lost, doesn't work or isn't as sold


@thread(EventKind.NOT_WORKING)
def _not_working(context: EventContext[SaidFacts]) -> EventText:
    said = with_full_stop(escape(context.facts.detail, 200)) if context.facts.detail else ""
    return EventText(f"{context.actor} says that it doesn't work", said, colon=bool(said))


@thread(EventKind.REPLACED)
def _replaced(context: EventContext[PlaceFacts]) -> EventText:
    name = escape(context.facts.name, 20)
    if context.facts.why is not None:
        return EventText(f"The new one is {name}")
    return EventText(f"The new one will be {name}", "This one runs until that is bought.")


@thread(EventKind.NOT_REPLACED)
def _not_replaced(context: EventContext[PlaceFacts]) -> EventText:
    name = escape(context.facts.name, 20)
    return EventText("Not replaced", f"the other one, {name}, got no machine, so this one stays.", colon=True)


@thread(EventKind.NOT_AS_SOLD)
def _not_as_sold(context: EventContext[NotAsSoldFacts]) -> EventText:
    return EventText(sentence_case(sold_but_seen(context.facts)))


@direct(EventKind.NOT_AS_SOLD)
def _keep_or_replace(context: EventContext[NotAsSoldFacts]) -> Rendered:
    rental, text = context.rental, f"{context.rental.id} was {sold_but_seen(context.facts)}."
    if rental.state is not State.READY:
        return no_longer_ready(context)
    if context.outcome is not None:
        return blocks.message(f"{text} You keep it.")
    if rental.replaced_by is not None:
        return blocks.message(f"{text} {new_one_text(rental)}", closed=False)
    replace = button_while_it_runs(rental, context.reader.now, not_as_sold=True)
    keep = button("Keep it", Action.KEEP_AS_IT_IS, RentalValue(rental_id=rental.id))
    return blocks.with_buttons(text, replace, keep)


@thread(EventKind.KEPT_AS_IT_IS)
def _kept_as_it_is(context: EventContext) -> EventText:
    return EventText(f"{context.actor} keeps it as it is")
