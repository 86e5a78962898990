"""Messages about ready machines: how owners and teammates log in.

Messages to teammates contain no prices or costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.event import EventKind, facts_in
from bot.model.facts import DecisionFacts, HostKeyFacts, ReadyFacts, TeammatesFacts
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most, span
from bot.policy.team.rules import Rules
from handlers.ids import Action, RentalValue
from handlers.messages.keys import add_buttons
from handlers.messages.replacing import NO_SSH_ANSWER, button_while_it_runs
from handlers.messages.ssh_lines import add_your_key, keys_fact, log_in_parts, ssh_button
from handlers.messages.writers import EventContext, direct, no_longer_ready, said_once, sentence_case, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Part, Rendered, button
from handlers.phrases.ends import ends_fact, graceful_destroy_text, on_ending_text, start_with_gpubot_run
from handlers.phrases.format import identifier, join, join_lines, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, extend_form_button
from handlers.phrases.rental_text import machine, names_of, owner, people_text, place, without_key_text


@thread(EventKind.READY)
def _ready(context: EventContext[ReadyFacts]) -> str:
    took = f" after {span(context.facts.span)}" if context.facts.span else ""
    word = "Ready" if context.facts.why is None else "Running"
    return f"{word}{took}: {context.name(context.owner_id)}'s {machine(context.rental)}."


@direct(EventKind.READY)
def _yours_is_ready(context: EventContext) -> Rendered:
    """Render the message about a machine that has become ready.

    It shows the owner how to log in, the cost and the end of the lease. A teammate gets a message that only says
    how to log in.
    """
    details, rental, times, posted = context.details, context.rental, context.times, context.event.at
    if not context.by_owner:
        return _shared_with_you(context)
    if rental.state is not State.READY:
        return no_longer_ready(context)
    new, ends_with_job = rental.replaced_by, rental.running_lease.until_done is not None
    facts = [_ends(context), _price(rental), keys_fact(details, context.reader), _place(rental)]
    return log_in_message(
        context,
        blocks.header(f"Your {machine(rental)} {_is_ready(rental)}"),
        [
            f"{NO_SSH_ANSWER} It may need another minute." if rental.unreachable else "",
            join(graceful_destroy_text(details, times, posted), on_ending_text(rental, times, posted)),
            start_with_gpubot_run(context.reader.rules) if ends_with_job else "",
            f"The machine {new} will replace this one, which keeps running until {new} is rented." if new else "",
        ],
        facts,
        extend_form_button(rental),
        ssh_button(rental, "SSH config and keys"),
        button_while_it_runs(rental, times.now),
        destroy_button(rental),
        also=_approved_by(details),
    )


def _is_ready(rental: Rental) -> str:
    if rental.running_lease.graceful_destroy is not None:
        return "will be destroyed soon"
    return f"is {'running and billing' if rental.unreachable else 'ready'}"


def _ends(context: EventContext) -> Fact:
    """Return the line that says when the lease ends.

    If the lease ends earlier than requested, the line also tells the owner the reason.
    """
    label, value, said = ends_fact(context.rental, context.times, context.event.at)
    if not context.by_owner or not _is_shorter(context.rental):
        return Fact(label, value, said)
    why = "sooner than you asked, since it costs more than planned"
    return Fact(label, f"{value}, {why}", f"{said} That's {why}.")


def _is_shorter(rental: Rental) -> bool:
    """Return whether the lease was shortened because a longer one could exceed the approved total."""
    lease = rental.running_lease
    last = lease.last_end
    return last - lease.ready_at < rental.terms.lease and last != rental.request.last_end


def _price(rental: Rental) -> Fact | None:
    if rental.rate is None:
        return None
    price = f"{per_hour(rental.rate)}, at most {say_at_most(rental.terms.total)}"
    return Fact("Price", price, f"It costs {price} in all.")


def _place(rental: Rental) -> Fact:
    where = place(rental.vendor, rental.vendor_region)
    return Fact("Place", where, f"It runs at {where}.")


def _approved_by(details: RentalDetails) -> list[str]:
    """Return a list with a sentence that names the approver of the request.

    The list is empty if no approval was needed, or if an earlier message to the owner already named the approver.
    """
    decisions = [e for e in details.events if e.kind in {EventKind.APPROVED, EventKind.APPROVED_NOT_READY}]
    if not decisions or decisions[-1].actor in {None, details.rental.owner}:
        return []
    if any(facts.asked_span is not None for facts in facts_in(decisions[-1:], DecisionFacts)):
        # An approver approved fewer hours than requested. An earlier message told the owner so and named the
        # approver, so don't repeat the name.
        return []
    return [f"Approved by {person(details.names, decisions[-1].actor)}."]


def log_in_message(
    context: EventContext,
    lead: Part,
    lines: Sequence[str],
    facts: Sequence[Fact | None],
    *buttons: Json | None,
    also: Sequence[str] = (),
    last: str = "",
) -> Rendered:
    """Render a message that says how its reader logs in to a machine.

    `lead` is the first part, such as a header, and `lines` follow below it. `facts` are shown next to the SSH
    command. `also` contains more sentences in small type. `last` is a paragraph above the buttons.
    """
    return blocks.of_parts(
        lead,
        blocks.paragraph(join_lines(*lines)),
        *log_in_parts(context.details, context.reader, *facts, also=also),
        Part(f"/gpu ssh {context.rental.id} has lines for ~/.ssh/config, VS Code and Jupyter.", None),
        blocks.paragraph(last),
        blocks.actions(*buttons),
    )


# --- teammates


@thread(EventKind.TEAMMATE_ADDED)
def _teammate_added(context: EventContext[TeammatesFacts]) -> str:
    added, without_key = (
        names_of(context.details, ids) for ids in (context.facts.people, context.facts.without_key)
    )
    shared = machine(context.rental) if context.named else "this machine"
    return join(f"{context.actor} shared {shared} with {people_text(added)}.", without_key_text(without_key))


@direct(EventKind.TEAMMATE_ADDED)
def _you_got_access(context: EventContext) -> Rendered:
    # If this teammate has become the owner of the machine since the event, another message explains how to log in.
    return said_once(context) if context.by_owner else _shared_with_you(context)


def _shared_with_you(context: EventContext) -> Rendered:
    """Render the message that tells a teammate how to log in. If they have no SSH key, it asks for one."""
    details, rental, reader, posted = context.details, context.rental, context.reader, context.event.at
    was_ready = rental.lease is not None and rental.lease.ready_at <= posted
    if rental.state is not State.READY and (was_ready or rental.state.over or rental.state is State.DESTROYING):
        return no_longer_ready(context)
    sharing = f"{owner(details)} is sharing {machine(rental)} with you."
    if not details.keys_now.get(reader.id):
        return _needs_key(details, reader.rules, sharing)
    if rental.state is not State.READY:
        return blocks.message(f"{sharing} You can log in when it's ready.", closed=False)
    if not was_ready:
        text = f"{sentence_case(context.machine)} is ready. /gpu ssh {rental.id} shows how to log in."
        return blocks.message(text, closed=False)
    extend = button("Extend", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))
    return log_in_message(
        context,
        blocks.header(f"{owner(details)} shared {machine(rental)} with you"),
        [NO_SSH_ANSWER if rental.unreachable else ""],
        [_ends(context), keys_fact(details, reader)],
        None if rental.extension else extend,
        ssh_button(rental, "SSH config"),
    )


def _needs_key(details: RentalDetails, rules: Rules, sharing: str) -> Rendered:
    then = "Add your public SSH key so that you can log in when it's ready."
    if details.rental.state is State.READY:
        then = f"To log in, you'll need an SSH key. Once you've saved one, {add_your_key(details)}."
    return blocks.with_buttons(f"{sharing} {then}", *add_buttons(github=rules.keys.github))


# --- a host key that is not trusted


@thread(EventKind.HOST_KEY_CHANGED)
def _host_key_changed(context: EventContext[HostKeyFacts]) -> str:
    before, now = (
        identifier(key) if key else "an unknown one"
        for key in (context.facts.before_host_key, context.facts.host_key)
    )
    of = machine(context.rental) if context.named else "this machine"
    return (
        f"The SSH host key of {of} changed from {before} to {now}. If you didn't change it, don't log in: a "
        "different machine may be answering. I've stopped logging in too, so I can't monitor the machine."
    )


direct(EventKind.HOST_KEY_CHANGED)(said_once)
