"""Machines that are ready: how their owners and the people whom these let in get in. Teammates read no money."""

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
from handlers.messages.ssh_lines import shown_again, ssh_lines
from handlers.messages.writers import (
    EventContext,
    EventText,
    direct,
    no_longer_ready,
    said_once,
    sentence_case,
    thread,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.ends import on_ending_text, ready_until, script_first_text
from handlers.phrases.format import identifier, join, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, extend_form_button
from handlers.phrases.rental_text import (
    describe,
    machine,
    names_of,
    new_one_text,
    owner,
    people_text,
    without_key_text,
)


@thread(EventKind.READY)
def _ready(context: EventContext[ReadyFacts]) -> EventText:
    took = f" after {span(context.facts.span)}" if context.facts.span else ""
    word = "Ready" if context.facts.why is None else "Running"
    whose = f"{context.name(context.owner_id)}'s {machine(context.rental)}."
    return EventText(f"{word}{took}", whose, colon=True)


@direct(EventKind.READY)
def _yours_is_ready(context: EventContext) -> Rendered:
    """Return how the owner gets in, what it costs and when it ends. A teammate reads how they get in."""
    details, rental, times, posted = context.details, context.rental, context.times, context.event.at
    if not context.by_owner:
        return _let_in(context)
    if rental.state is not State.READY:
        return no_longer_ready(context)
    name = sentence_case(context.machine)
    money = f", at {per_hour(rental.rate)}" if rental.rate is not None else ""
    lines = [f"{ready_until(name, rental, posted, times, money)}{_why_shorter(rental)}", *_approved_by(details)]
    script = join(script_first_text(details, times, posted), on_ending_text(rental, times, posted))
    lines += [script] if script else []
    if rental.silent:
        lines.append(f"{NO_SSH_ANSWER} It may need another minute.")
    lines += ssh_lines(details, context.reader)
    if rental.replaced_by is not None:
        lines.append(f"{new_one_text(rental)} This one runs until that is bought.")
    replace = button_while_it_runs(rental, times.now)
    return with_ssh_lines(context, lines, extend_form_button(rental), destroy_button(rental), replace)


def _why_shorter(rental: Rental) -> str:
    """Return why the lease is shorter than the one that was asked for. Return an empty text if it is not."""
    lease = rental.running_lease
    last = lease.last_end
    if last - lease.ready_at >= rental.envelope.lease or last == rental.request.last_end:
        return ""
    most = say_at_most(rental.envelope.total)
    return f" That is sooner than asked: it bills more than planned, and at most {most} was accepted."


def _approved_by(details: RentalDetails) -> list[str]:
    """Return who approved the request. Return nobody if its owner did, or was notified of the approval before the
    machine was ready."""
    decisions = [e for e in details.events if e.kind in {EventKind.APPROVED, EventKind.APPROVED_NOT_READY}]
    if not decisions or decisions[-1].actor in {None, details.rental.owner}:
        return []
    if any(facts.asked_span is not None for facts in facts_in(decisions[-1:], DecisionFacts)):
        # Fewer hours: another message said so.
        return []
    return [f"Approved by {person(details.names, decisions[-1].actor)}."]


def with_ssh_lines(context: EventContext, lines: Sequence[str], *buttons: Json | None, last: str = "") -> Rendered:
    """Return a message whose lines say how somebody gets in, and where to read them again."""
    rental, lines = context.rental, list(lines)
    if rental.extension is not None:
        until = context.times.time(rental.extension.ends_at, context.event.at)
        lines.append(f"More time is asked for, until {until}.")
    lines += [last] if last else []
    again = shown_again(rental)
    small_print = blocks.Part(f"{again}.", blocks.context(again))
    return blocks.of_parts(blocks.paragraph("\n".join(lines)), blocks.actions(*buttons), small_print)


# --- teammates


@thread(EventKind.TEAMMATE_ADDED)
def _teammate_added(context: EventContext[TeammatesFacts]) -> EventText:
    added, without_key = (
        names_of(context.details, ids) for ids in (context.facts.people, context.facts.without_key)
    )
    return EventText(f"{context.actor} lets in {people_text(added)}", without_key_text(without_key))


@direct(EventKind.TEAMMATE_ADDED)
def _you_are_let_in(context: EventContext) -> Rendered:
    # A teammate can become the owner later.
    return said_once(context) if context.by_owner else _let_in(context)


def _let_in(context: EventContext) -> Rendered:
    """Return how somebody who is let in gets in, or that they need a key first."""
    details, rental, reader, posted = context.details, context.rental, context.reader, context.event.at
    was_ready = rental.lease is not None and rental.lease.ready_at <= posted
    if rental.state is not State.READY and (was_ready or rental.state.over or rental.state is State.DESTROYING):
        return no_longer_ready(context)
    if not details.keys_now.get(reader.id):
        return _needs_key(details, reader.rules)
    if rental.state is not State.READY:
        text = f"{owner(details)} lets you into {describe(rental)} ({rental.id}) when it is ready."
        return blocks.message(text, closed=False)
    if not was_ready:
        text = f"{context.machine} is ready. /gpu ssh {rental.id} shows how to get in."
        return blocks.message(text, closed=False)
    lines = [
        ready_until(context.machine, rental, posted, context.times),
        *([NO_SSH_ANSWER] if rental.silent else []),
        *ssh_lines(details, reader),
    ]
    extend = button("Extend", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))
    return with_ssh_lines(context, lines, None if rental.extension else extend)


def _needs_key(details: RentalDetails, rules: Rules) -> Rendered:
    """Return the request for a key, which a person without a key reads until they add one."""
    rental, name = details.rental, owner(details)
    into = f"{name} lets you into {describe(rental)} ({rental.id})"
    if rental.state is State.READY:
        then = f"Then {name} can put it on the machine: /gpu share {rental.id} shows {name} the line."
        text = f"{into}. I need your public SSH key for that. {then}"
    else:
        text = f"{into} when it is ready. I need your public SSH key for that."
    return blocks.with_buttons(text, *add_buttons(github=rules.keys.github))


# --- a host key that is not trusted


@thread(EventKind.HOST_KEY_CHANGED)
def _host_key_changed(context: EventContext[HostKeyFacts]) -> EventText:
    before, now = (
        identifier(key) if key else "unknown" for key in (context.facts.before_host_key, context.facts.host_key)
    )
    return EventText(
        "Its SSH host key changed",
        f"It was {before}, now it is {now}. If you didn't change it, don't log in: another machine may answer "
        "there. I don't log in either, so I can't see inside.",
    )


direct(EventKind.HOST_KEY_CHANGED)(said_once)
