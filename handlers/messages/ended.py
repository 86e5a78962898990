"""Messages about machines that were lost, replaced or destroyed, or are still billing, and about their cost."""

from __future__ import annotations

from typing import Any

from bot.errors import NextStep
from bot.model.attempt import REPORTED_FAILED, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import DeletionFacts, EndedFacts, GpuFaultFacts, GpuMismatchFacts, PlaceFacts, SaidFacts
from bot.model.gpu_health import GpuFaultKind
from bot.model.request import Contract
from bot.model.state import State
from bot.model.text import listed, plural, span
from bot.policy.buying.replacing import may_be_replaced
from handlers.ids import Action, RentalValue
from handlers.messages.replacing import button_while_it_runs, replace_button
from handlers.messages.waiting import buttons_to_wait, tell_button
from handlers.messages.writers import (
    EventContext,
    cost_of,
    direct,
    no_longer_ready,
    said_once,
    sentence_case,
    thread,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Part, Rendered, button
from handlers.phrases.error_text import NEXT_STEPS
from handlers.phrases.format import (
    dollars,
    escape,
    first_few,
    identifier,
    join,
    join_lines,
    per_hour,
    person,
    sentence,
    with_full_stop,
)
from handlers.phrases.health_text import consequence_text, fault_text, xid_text
from handlers.phrases.lease_buttons import show_button
from handlers.phrases.receipt import receipt_parts
from handlers.phrases.rental_text import (
    FOUND_ON_ACCOUNT,
    STATES,
    WHILE_AWAY,
    first_runs_on,
    in_all,
    machine,
    new_one_text,
    possessive,
    reason,
    settled,
    so_far,
    sold_but_seen,
    vendor,
)
from handlers.phrases.use_text import idle_part

NONE_LEFT = frozenset({Why.SOLD_OUT, Why.NOTHING_LEFT, Why.DEARER, Why.OTHER_GPU, Why.TOO_MANY_ATTEMPTS})
"""Reasons why a request failed although a matching machine can become available later."""
FAULTS_SHOWN = 8
"""The maximum number of faults of GPUs that a message names."""
RESOURCES_NAMED = 8
"""The maximum number of machines that an alarm names. A rental never has more machines."""


@thread(EventKind.LOST)
def _lost(context: EventContext[EndedFacts]) -> str:
    facts, rental, whose = context.facts, context.rental, possessive(context.details, context.reader)
    by = vendor(facts.vendor or rental.vendor)
    if facts.why in WHILE_AWAY:
        before = f" before {context.times.time(context.event.at)}," if context.timed else ""
        lost = f"{whose} {machine(rental)} ended{before} while I was away. {sentence(reason(facts.why))}"
    elif rental.request.contract is Contract.SPOT:
        which = f", {machine(rental)}{',' * context.timed}" if context.named else ""
        lost = f"{by} took back {whose} spot machine{which}{context.when_at}"
    else:
        lost = f"{by} ended {whose} {machine(rental)}{context.when_at}"
    return join(sentence(lost), "Everything on it is lost.", _cost(context))


@direct(EventKind.LOST)
def _replace_it(context: EventContext) -> Rendered:
    """Render the message saying that a machine was lost, usually because the vendor took it back.

    Until the lease would have ended, the message has a button that replaces the machine. With another button, the
    owner asks to be notified as soon as there is an offer.
    """
    rental = context.rental
    replaceable = may_be_replaced(rental, context.reader.now)
    next_step = "" if replaceable else NEXT_STEPS[NextStep.ASK_AGAIN]
    text = join(context.named_text, new_one_text(rental) or next_step)
    buttons = [replace_button(rental)] if replaceable else []
    if rental.replaced_by is not None:
        buttons.append(show_button(rental.replaced_by))
    elif rental.quote_id is not None and context.by_owner:
        buttons.append(tell_button(rental.quote_id, rental.request))
    return blocks.with_buttons(text, *buttons, closed=not buttons)


@thread(EventKind.DESTROYING)
def _destroying(context: EventContext[EndedFacts]) -> str:
    spent = cost_of(context.facts)
    cost = f"{so_far(spent)}." if spent and spent.amount else None
    return join(sentence(_who_destroys(context)), cost)


def _who_destroys(context: EventContext[EndedFacts]) -> str:
    why, this, new = context.facts.why, context.this_machine, context.rental.replaced_by
    if why in {None, Why.ASKED} and context.event.actor is not None:
        if context.facts.end is State.CANCELLED:
            return (
                f"{context.actor} cancelled {context.this_request}, so I'm destroying whatever was rented for it"
            )
        return f"{context.actor} is destroying {this}"
    if why is Why.REPLACED and new is not None:
        return f"The replacement for {this} is {new}, so I'm destroying the old machine"
    because = reason(why, context.facts.vendor) if why else "nobody needs it any more"
    return f"I'm destroying {this} because {because}"


@direct(EventKind.DESTROYING)
def _somebody_destroys_it(context: EventContext) -> Rendered:
    """Render the message saying that a machine is being destroyed, and by whom or why.

    Once the machine is terminated, the message shows the receipt instead.
    """
    return changed(said_once(context), closed=False)


@thread(EventKind.NOT_CONFIRMED)
def _not_confirmed(context: EventContext[DeletionFacts]) -> str:
    facts, failed, what = context.facts, "", f"The deletion of {context.this_machine}"
    if facts.why in REPORTED_FAILED:
        made, what = "made" if facts.resource_id else "may have made", "Its deletion"
        name = sentence_case(vendor(facts.vendor))
        failed = f"{name} {made} a machine for {context.this_request} in a failed purchase."
    billing = f"billing {per_hour(facts.rate)}" if facts.rate is not None else "billing"
    answer = escape(facts.detail or "", 200)
    return join(
        failed,
        f"{what} isn't confirmed yet, so it may still be {billing}{_which(facts)}.",
        "I'm still trying.",
        f"Last answer: {with_full_stop(answer)}" if answer else None,
    )


def _which(facts: DeletionFacts) -> str:
    """Return the IDs of the machines that may still be billing, such as ` (resource 3c90c3cc)`."""
    ids = [facts.resource_id, *facts.more_resources] if facts.resource_id else []
    named = first_few([short_resource_id(one) for one in ids], RESOURCES_NAMED)
    return f" (resource{'s' if len(ids) > 1 else ''} {listed(named)})" if ids else ""


def short_resource_id(resource_id: str) -> str:
    """Return the first part of a UUID, which is enough to find the resource. Return any other ID unchanged."""
    known = identifier(resource_id, 60)
    return known.split("-")[0] if len(known) == 36 and known.count("-") == 4 else known


@direct(EventKind.NOT_CONFIRMED)
def _unconfirmed_deletion(context: EventContext) -> Rendered:
    details, rental, text = context.details, context.rental, context.named_text
    if rental.state.over and settled(details):
        return blocks.of_parts(*receipt_parts(details, context.machine, context.reader), closed=True)
    acknowledged_by = rental.alarm.acknowledged_by if rental.alarm else None
    if acknowledged_by is not None:
        you = acknowledged_by == context.reader.id
        on_it = (
            "You said that you're on it."
            if you
            else f"{person(details.names, acknowledged_by)} is looking into it."
        )
        return blocks.message(f"{text} {on_it}", closed=False)
    if context.outcome is not None:
        again = context.times.at_time(context.outcome.at)
        return blocks.message(f"{text} I sent you a newer message about this {again}.")
    return blocks.with_buttons(text, button("I'm on it", Action.ACKNOWLEDGED, RentalValue(rental_id=rental.id)))


@thread(EventKind.ACKNOWLEDGED)
def _acknowledged(context: EventContext) -> str:
    looks = f"{context.actor} is looking into the deletion that isn't confirmed."
    return f"{looks} I'm still trying to delete the machine."


@thread(EventKind.ORPHANED_RESOURCE)
def _orphaned_resource(context: EventContext[DeletionFacts]) -> str:
    facts = context.facts
    made = f"{sentence_case(vendor(facts.vendor))} made a machine for {context.this_request}"
    why = "although it reported a failure" if facts.why in REPORTED_FAILED else "but the machine isn't needed"
    bills = (
        f" It may bill {per_hour(facts.rate)} until the vendor confirms the deletion."
        if facts.rate is not None
        else ""
    )
    which = f" (resource {short_resource_id(facts.resource_id)})" if facts.resource_id else ""
    return f"{made}{which}, {why}. I'm deleting it.{bills}"


@thread(EventKind.ORPHAN_TERMINATED)
def _orphan_terminated(context: EventContext[DeletionFacts]) -> str:
    """Return sentences about the termination and the cost of an orphan.

    An orphan is a machine that the rental didn't need.

    Usually, the text contains the total cost of the rental. If the vendor had reported that the purchase failed,
    it contains the cost of this machine alone.
    """
    spent, at = cost_of(context.facts), vendor(context.facts.vendor)
    whose = "It" if context.facts.why in REPORTED_FAILED else f"With that machine, {context.this_request}"
    unneeded = f"The machine at {at} that {context.this_request} didn't need"
    return join(
        f"{unneeded} ended{context.when_at}, confirmed by the vendor.",
        f"{whose} cost {in_all(spent)}." if spent else None,
    )


def _cost(context: EventContext[EndedFacts]) -> str:
    """Return the cost, such as `It cost $14.68, of which $3.10 was idle. The estimate was $12.10`.

    Outside a thread, the text also contains the runtime and the price. In a thread, the card shows them.
    """
    facts = context.facts
    spent = cost_of(facts)
    if spent is None:
        return ""
    if spent.amount == 0 and not spent.estimated:
        return "It cost nothing." if context.details.attempts else "Nothing was rented."
    cost = f"It cost {in_all(spent)}"
    if facts.span and context.named:
        rate = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
        cost = f"{cost} for {span(facts.span)}{rate}"
    # The idle share is the part of the rental's cost that was spent while the machine was idle. It is computed
    # from today's cost. If the cost has grown since this message was created, the share doesn't belong to the
    # amount in the message, so leave it out.
    idle = idle_part(context.details.use_costs) if facts.amount == context.details.spent.amount else ""
    guess = f"The estimate was {dollars(facts.estimate)}." if facts.estimate is not None else None
    return join(f"{cost}{idle}.", guess)


@thread(EventKind.ENDED)
def _ended(context: EventContext[EndedFacts]) -> str:
    facts, end, cost = context.facts, context.facts.end, _cost(context)
    if end is State.DESTROYED:
        name = context.machine if context.named else context.this_machine
        return join(sentence(f"{name} ended{context.when_at}, confirmed by the vendor"), cost)
    was = "" if end in {State.FAILED, State.EXPIRED} else "was "
    how = f"{context.this_request} {was}{STATES[end].lower()}{context.by_whom_and_when}"
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        now_is = f"It's {escape(facts.name, 20)} now." if facts.name else "That machine has ended."
        return join(sentence(how), FOUND_ON_ACCOUNT, now_is)
    if facts.why is Why.NOTHING_FITTED:
        if context.details.attempts:
            return join(sentence(f"{context.this_request} expired{context.when_at}: every purchase failed"), cost)
        by = f" before {context.times.time(context.event.at)}" if context.timed else ""
        return join(sentence(f"no offer matched {context.this_request}{by}"), cost)
    if end in {State.FAILED, State.LOST} and facts.why:
        return join(sentence(f"{how}: {reason(facts.why, facts.vendor or context.rental.vendor)}"), cost)
    billed = end not in {State.FAILED, State.LOST} and (facts.amount or facts.estimated)
    return join(sentence(how), "The vendor confirmed that billing has stopped." if billed else None, cost)


@direct(EventKind.ENDED)
def _it_ended(context: EventContext[EndedFacts]) -> Rendered:
    """Render the message about the end of a rental.

    If no machine was available, the owner gets buttons to join the waitlist.
    """
    rental, end = context.rental, context.facts.end
    # In these states, the owner has no machine although nobody destroyed it. Suggest a new request to the owner.
    left_without = end in {State.FAILED, State.LOST, State.EXPIRED}
    then = NEXT_STEPS[NextStep.ASK_AGAIN] if left_without else ""
    text = join(context.named_text, first_runs_on(context.details) or then)
    nothing_left = end is State.FAILED and context.facts.why in NONE_LEFT
    if not nothing_left or rental.quote_id is None or rental.replaces is not None or not context.by_owner:
        return blocks.message(text)
    return blocks.with_buttons(text, *buttons_to_wait(rental.quote_id, rental.request))


def ended_receipt(context: EventContext) -> Rendered:
    """Render the receipt of a rental that is over.

    Only the newest message to the owner shows the receipt. Older messages say that the receipt is below.
    """
    details = context.details
    if not context.newest:
        over = "was lost" if details.rental.state is State.LOST else "has ended"
        return blocks.message(f"{machine(details.rental)} {over}. Its receipt is below.")
    parts = receipt_parts(details, machine(details.rental), context.reader)
    return blocks.of_parts(*parts, closed=settled(details))


# --- messages about replacements for machines that were lost, don't work or have other GPUs than were sold


@thread(EventKind.NOT_WORKING)
def _not_working(context: EventContext[SaidFacts]) -> str:
    said = f': "{escape(context.facts.detail, 200)}"' if context.facts.detail else ""
    return f"{context.actor} says that {context.this_machine} doesn't work{said}."


@thread(EventKind.REPLACED)
def _replaced(context: EventContext[PlaceFacts]) -> str:
    name, this = escape(context.facts.name, 20), context.this_machine
    if context.facts.why is not None:
        return f"The replacement for {this} is {name}."
    return f"The replacement for {this} will be {name}. Until that is rented, {this} keeps running."


@thread(EventKind.NOT_REPLACED)
def _not_replaced(context: EventContext[PlaceFacts]) -> str:
    new = escape(context.facts.name, 20)
    return f"The replacement, {new}, couldn't be rented, so {context.this_machine} keeps running."


@thread(EventKind.GPU_MISMATCH)
def _gpu_mismatch(context: EventContext[GpuMismatchFacts]) -> str:
    return sentence(f"{context.this_machine} {sold_but_seen(context.facts)}")


@direct(EventKind.GPU_MISMATCH)
def _other_gpus(context: EventContext[GpuMismatchFacts]) -> Rendered:
    return _keep_or_replace(context, context.named_text)


@thread(EventKind.GPU_FAULT)
def _gpu_fault(context: EventContext[GpuFaultFacts]) -> str:
    return join(*(f"{text}{xid}." for text, xid in _faults(context)))


@direct(EventKind.GPU_FAULT)
def _faulty_gpus(context: EventContext[GpuFaultFacts]) -> Rendered:
    """Render the message that GPUs of a machine are faulty.

    It also says what the faults mean for the jobs on the GPUs.
    """
    faults, told = context.facts.faults, set[GpuFaultKind]()
    lines, plain = [], []
    for fault, (text, xid) in zip(faults, _faults(context._replace(named=True)), strict=False):
        means = "" if fault.kind in told else consequence_text(fault)
        told.add(fault.kind)
        lines.append(join(f"*{text}*{xid}.", means))
        plain.append(join(f"{text}{xid}.", means))
    more = len(faults) - len(lines)
    if more > 0:
        rest = f"{plural(more, 'more fault')}: /gpu show {context.rental.id}"
        lines.append(rest)
        plain.append(rest)
    return _keep_or_replace(context, join_lines(*lines), join_lines(*plain))


def _faults(context: EventContext[GpuFaultFacts]) -> list[tuple[str, str]]:
    """Return the first FAULTS_SHOWN faults, each with the driver's error code, such as ` (Xid 79)`.

    The text of the first fault also names the machine.
    """
    faults = context.facts.faults[:FAULTS_SHOWN]
    whose = [f"of {context.this_machine}", *[""] * (len(faults) - 1)]
    return [(fault_text(fault, of), xid_text(fault)) for fault, of in zip(faults, whose, strict=False)]


def _keep_or_replace(context: EventContext[Any], text: str, plain: str = "") -> Rendered:
    """Ask the owner whether to keep a machine with faulty GPUs, or with GPUs that differ from the offer.

    Args:
        context: The event.
        text: The sentences about the GPUs.
        plain: The sentences in `text` without markup, for the fallback text. By default, `text` is used.
    """
    rental, outcome = context.rental, context.outcome
    if rental.state is not State.READY:
        return no_longer_ready(context)
    then = ""
    if outcome is not None and outcome.kind is EventKind.GPU_FAULT:
        then = f"I sent you a newer message about this {context.times.at_time(outcome.at)}."
    elif outcome is not None:
        then = "You decided to keep it."
    elif rental.replaced_by is not None:
        then = new_one_text(rental)
    said = Part(join(plain or text, then), blocks.section(join(text, then)))
    if then:
        return blocks.of_parts(said, closed=outcome is not None)
    replace = button_while_it_runs(rental, context.reader.now, gpu_mismatch=True)
    keep = button("Keep it", Action.KEEP_AS_IT_IS, RentalValue(rental_id=rental.id))
    return blocks.of_parts(said, blocks.actions(keep, replace))


@thread(EventKind.KEPT_AS_IT_IS)
def _kept_as_it_is(context: EventContext) -> str:
    return f"{context.actor} is keeping {context.this_machine} as it is."
