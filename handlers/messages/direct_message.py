"""Direct messages about a rental: one for each event, edited until nothing is left to decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.errors import Mistake, NextStep
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, events_after, settled_by
from bot.model.machine_use import Verdict
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, say_at_most
from bot.policy.access.probe_script import ENDING_LOG
from bot.policy.team.roles import is_owner
from bot.policy.use.two_ends import can_move
from handlers.ids import Action, QuoteValue, RentalOfferValue, RentalValue, VersionValue
from handlers.messages import giving_message, new_owner_message, question_message, teammate_message
from handlers.messages.event_text import EventText, event_text, sentence_case
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.ends import end, ready_until
from handlers.phrases.error_text import NEXT_STEPS
from handlers.phrases.format import Reader, Times, actor, highest, join, per_hour, person, price
from handlers.phrases.lease_buttons import (
    destroy_button,
    extend_button,
    keep_button,
    needs_approver,
    take_back_button,
)
from handlers.phrases.limits_text import over_total_text
from handlers.phrases.machine_text import describe, machines_of, vendor
from handlers.phrases.on_ending_text import SCRIPT, failed_with, on_ending_text, script_first_text
from handlers.phrases.rental_text import (
    current_state,
    extended_by_operator,
    how_it_ended,
    machine,
    more_time_asked,
    new_one_text,
    owner,
    possessive,
    receipt,
    settled,
    stopped_at_night,
)
from handlers.views.answers import replacing
from handlers.views.answers.ssh_lines import shown_again, ssh_lines
from handlers.views.answers.waiting import buttons_to_wait, stop_button, tell_button

NONE_LEFT = frozenset({Why.SOLD_OUT, Why.NOTHING_LEFT, Why.DEARER, Why.OTHER_GPU, Why.TOO_MANY_ATTEMPTS})
"""Why nothing was rented, if such a machine may be there later."""
_ABOUT_THE_END = frozenset(
    {EventKind.ENDING, EventKind.ENDS_AGAIN, EventKind.SCRIPT_FIRST, EventKind.SCRIPT_FAILED}
)
"""The events whose message says when a machine ends."""


def direct_message(
    event: Event,
    details: RentalDetails,
    reader: Reader,
    *,
    newest: bool = True,
    posted_at: datetime | None = None,
) -> Rendered:
    """Return the message to `reader` about `event`. `newest` tells whether the reader got no later message about
    this rental. `posted_at` is when Slack took the message, None if it has not yet."""
    rental = details.rental
    if reader.id in details.former_owners and not rental.lets_in(reader.id) and not _is_for_them(event, details):
        return new_owner_message.no_longer_yours(details)
    if rental.state.over and reader.id == rental.owner and not event.effects.tells_end:
        return _over(details, reader, newest=newest)
    if event.kind in _ABOUT_THE_END:
        if rental.state is State.READY and rental.running_lease.script_first is not None:
            return _script_first(event, details, reader)
        return _ending(event, details, reader, posted_at=posted_at or reader.now)
    return WRITERS.get(event.kind, _said_once)(event, details, reader)


def is_outdated(event: Event, details: RentalDetails, now: datetime) -> bool:
    """Return whether an event is a notice of an end that has passed, and a later notice followed.

    If an outage of Slack held the message up for so long, it isn't posted: the later one says more.
    """
    until = event.facts.until
    ready = event.kind in _ABOUT_THE_END and details.rental.state is State.READY
    return ready and until is not None and until <= now and settled_by(event, details.events) is not None


def _is_for_them(event: Event, details: RentalDetails) -> bool:
    """Return whether an event is for a person who was the owner once: the machine was taken from them, or they are
    given it, or asked for it."""
    if event.kind is EventKind.OWNER_CHANGED:
        return event.actor == details.rental.owner
    return event.kind in {EventKind.GIVEN, EventKind.KEPT}


def _said_once(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the text of an event that leaves nothing to decide."""
    words = event_text(event, details, reader.times)
    name = f"{possessive(details, reader)} {describe(details.rental)}, {details.rental.id}"
    text = words.about(name) if words else name
    next_step = NEXT_STEPS[NextStep.ASK_AGAIN] if _left_without_machine(event) else ""
    # If somebody else destroys the rental, this message becomes the receipt.
    closed = event.kind is not EventKind.DESTROYING
    text = join(text, _first_runs_on(details) or next_step)
    waits = _wait_buttons(event, details, reader)
    if not waits:
        return blocks.message(text, closed=closed)
    return blocks.message(text, blocks.section(text), blocks.actions(*waits), closed=False)


def _wait_buttons(event: Event, details: RentalDetails, reader: Reader) -> list[Json]:
    """Return the buttons that wait for such a machine, for an owner who got none because all is sold out or too
    dear. Return none for anybody else, and if it was to take another one's place."""
    rental = details.rental
    nothing_left = (
        event.kind is EventKind.ENDED and event.facts.end is State.FAILED and event.facts.why in NONE_LEFT
    )
    if not nothing_left or rental.quote_id is None or rental.replaces is not None or reader.id != rental.owner:
        return []
    return [*buttons_to_wait(rental.quote_id, rental.request)]


def _first_runs_on(details: RentalDetails) -> str:
    """Return `k7mq2 runs on.` if this rental was to take the place of k7mq2 and has no machine. Return an empty
    text if it was to take no place, or if k7mq2 doesn't run either."""
    replaced, has_none = details.replaced, details.rental.state.over or details.rental.waiting is not None
    return f"{replaced.id} runs on." if replaced is not None and replaced.state is State.READY and has_none else ""


def _expired(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, times = details.rental, reader.times
    words = event_text(event, details, times) or EventText("")
    name = f"{possessive(details, reader)} {machines_of(rental)}, {rental.id}"
    text = words._replace(lead=f"Nobody decided by {times.time(event.at)}").about(name)
    text = join(text, _first_runs_on(details))
    value = QuoteValue(quote_id=rental.quote_id)
    again = button("Ask again", Action.TRY_AGAIN, value, about=describe(rental.request))
    return blocks.message(text, blocks.section(text), blocks.actions(again), closed=False)


def _denied(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, words = details.rental, event_text(event, details, reader.times) or EventText("")
    whose = describe(rental) if reader.id == rental.owner else f"{owner(details)}'s {describe(rental)}"
    lead = f"{actor(details.names, event)} said no to {whose}"
    text = join(words._replace(lead=lead).text, _first_runs_on(details))
    value = QuoteValue(quote_id=rental.quote_id)
    again = button("Ask again", Action.TRY_AGAIN, value, about=describe(rental.request))
    return blocks.message(text, blocks.section(text), blocks.actions(again), closed=False)


def _left_without_machine(event: Event) -> bool:
    """Return whether the owner lost the machine or never got one, and no person decided that."""
    return event.kind is EventKind.ENDED and event.facts.end in {State.FAILED, State.LOST, State.EXPIRED}


def _ready(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, times = details.rental, reader.times
    if reader.id != rental.owner:
        return teammate_message.let_in(event, details, reader)
    name = sentence_case(f"{possessive(details, reader)} {machine(details)}")
    if rental.state is not State.READY:
        return _no_longer_ready(details, reader)
    money = f", at {per_hour(rental.rate)}" if rental.rate is not None else ""
    lines = [f"{ready_until(name, rental, event.at, times, money)}{_why_shorter(rental)}", *_approved_by(details)]
    script = join(script_first_text(details, times, event.at), on_ending_text(rental, times, event.at))
    lines += [script] if script else []
    if rental.silent:
        lines.append(f"{replacing.NO_SSH_ANSWER} It may need another minute.")
    lines += ssh_lines(details, reader)
    if rental.replaced_by is not None:
        lines.append(f"{new_one_text(rental)} This one runs until that is bought.")
    if rental.extension is not None:
        lines.append(more_time_asked(rental.extension, event.at, times))
    again = shown_again(rental)
    this = RentalValue(rental_id=rental.id)
    extend = take_back_button(rental) or button("Extend", Action.EXTEND_FORM, this)
    return blocks.message(
        "\n".join([*lines, f"{again}."]),
        blocks.section("\n".join(lines)),
        blocks.actions(extend, destroy_button(rental), replacing.button_while_it_runs(rental, times.now)),
        blocks.context(again),
        closed=False,
    )


def _let_in(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    own = reader.id == details.rental.owner  # a teammate who became the owner later
    return (_said_once if own else teammate_message.let_in)(event, details, reader)


def _new_owner(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    if reader.id != details.rental.owner and event.actor == details.rental.owner:
        return giving_message.taken(event, details, reader)
    if details.rental.state is State.READY and reader.id == details.rental.owner:
        return new_owner_message.new_owner(event, details, reader)
    return _no_longer_ready(details, reader)


def _approved_by(details: RentalDetails) -> list[str]:
    """Return who approved the request. Return nobody if its owner did, or was notified of the approval before the
    machine was ready."""
    decisions = [e for e in details.events if e.kind in {EventKind.APPROVED, EventKind.APPROVED_NOT_READY}]
    if not decisions or decisions[-1].actor in {None, details.rental.owner}:
        return []
    if decisions[-1].facts.asked_span is not None:  # fewer hours: another message said so
        return []
    return [f"Approved by {person(details.names, decisions[-1].actor)}."]


def _approved_not_ready(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, words = details.rental, event_text(event, details, reader.times) or EventText("Approved")
    starting = rental.state in {State.PROCURING, State.PROVISIONING}
    text = words.about(f"{possessive(details, reader)} {describe(rental)}, {rental.id}")
    return blocks.message(f"{text} {current_state(details, reader.times)}", closed=not starting)


def _rented(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return that a machine was rented for its owner, who waited for it."""
    rental, facts, times = details.rental, event.facts, reader.times
    name = sentence_case(f"{possessive(details, reader)} {machine(details)}")
    if rental.state not in {State.PROVISIONING, State.READY}:
        return blocks.message(f"{name}. {current_state(details, times)}", closed=rental.state.over)
    each = f" at {price(facts.rate / rental.request.count)} per GPU" if facts.rate is not None else ""
    asked = f", as you asked {times.at_time(facts.since)}" if facts.since is not None else ""
    total = f" Up to {say_at_most(facts.total)} in all." if facts.total is not None else ""
    text = f"Rented: {describe(rental)}{each}{asked}.{total} {current_state(details, times)}"
    return blocks.message(text, blocks.section(text), blocks.actions(destroy_button(rental)), closed=False)


def _not_allowed_now(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return why an offer that fits was not rented, with a button while the rental waits on."""
    rental, words = details.rental, event_text(event, details, reader.times, reader=reader.id) or EventText("")
    text = words.about(f"{possessive(details, reader)} {describe(rental)}, {rental.id}")
    if rental.state is not State.QUEUED:
        return blocks.message(f"{text} {current_state(details, reader.times)}", closed=rental.state.over)
    return blocks.message(
        text, blocks.section(text), blocks.actions(stop_button(rental.quote_id or "", rental.id)), closed=False
    )


def _nothing_fits(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, facts = details.rental, event.facts
    words = event_text(event, details, reader.times, reader=reader.id) or EventText("")
    if rental.state is not State.QUEUED:
        text = f"{words.text} {current_state(details, reader.times)}"
        return blocks.message(text, closed=rental.state.over)
    rent = None
    if facts.offer is not None and facts.rate is not None and is_owner(reader.id, rental.owner):
        with suppress(Mistake):  # the market's id may not fit into a button
            value = RentalOfferValue(rental_id=rental.id, offer_id=facts.offer)
            rent = button(f"Rent at {per_hour(facts.rate)} now", Action.RENT_DEARER, value, style="primary")
    text = words.text
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(rent, stop_button(rental.quote_id or "", rental.id)),
        closed=False,
    )


def _no_longer_ready(details: RentalDetails, reader: Reader) -> Rendered:
    """Return that a machine, which was ready, is being destroyed, or how it ended."""
    text = how_it_ended(details, f"{possessive(details, reader)} {machine(details)}", reader.times)
    return blocks.message(text, closed=details.rental.state.over)


def _over(details: RentalDetails, reader: Reader, *, newest: bool) -> Rendered:
    """Return the receipt of a rental that is over. Of its owner's messages, only the newest has it."""
    if not newest:
        return blocks.message(f"{details.rental.id} is over: its receipt is below.")
    text = how_it_ended(details, f"{possessive(details, reader)} {machine(details)}", reader.times)
    script = on_ending_text(details.rental, reader.times)
    longer = extended_by_operator(details, reader.times)
    text = join(stopped_at_night(details, reader), text, receipt(details), longer, script, _first_runs_on(details))
    return blocks.message(text, closed=settled(details))


def _why_shorter(rental: Rental) -> str:
    """Return why the lease is shorter than the one that was asked for. Return an empty text if it is not."""
    lease = rental.running_lease
    last = lease.last_end
    if last - lease.ready_at >= rental.envelope.lease or last == rental.request.last_end:
        return ""
    most = say_at_most(rental.envelope.total)
    return f" That is sooner than asked: it bills more than planned, and at most {most} was accepted."


def _not_as_sold(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    if details.rental.state is not State.READY:
        return _no_longer_ready(details, reader)
    kept = settled_by(event, details.events) is not None
    replace = replacing.button_while_it_runs(details.rental, reader.now, not_as_sold=True)
    return question_message.not_as_sold(event, details.rental, replace, kept=kept)


def _ending(event: Event, details: RentalDetails, reader: Reader, *, posted_at: datetime) -> Rendered:
    rental, times = details.rental, reader.times
    if rental.state is not State.READY:
        return _no_longer_ready(details, reader)
    own = reader.id == rental.owner
    name = machine(details) if own else f"{possessive(details, reader)} {machine(details)}"
    again = settled_by(event, details.events)
    lease = rental.running_lease
    ends_at = lease.ends_at
    until = event.facts.until or ends_at
    if until < ends_at:
        # The newest message stays open, because it becomes the receipt.
        text = (
            f"{_longer(event, details)}: {name}. It ends {end(rental, times)}{'' if can_move(lease) else ' now'}."
        )
        return blocks.message(text, closed=again is not None)
    if again is not None:
        return blocks.message(f"Ends {times.time(until)}: {name}. I told you again {times.at_time(again.at)}.")
    # An outage may have delayed the message.
    left = until - (posted_at if posted_at - event.at >= timedelta(minutes=1) else event.at)
    soon = f"in {about_span(left)}" if left >= timedelta(minutes=1) else "now"
    text = f"Ends {times.time(until, event.at)}, {soon}: {name}. "
    if event.kind is EventKind.ENDS_AGAIN:
        text = _put_back(event, name, rental, reader)
    elif event.kind is EventKind.SCRIPT_FAILED:
        text = _script_failed(event, name, times)
    elif event.facts.verdict is Verdict.UNKNOWN:
        text = _ends_unseen(event, details, times)
    elif can_move(lease):
        text += "It goes on only if its GPUs are busy then. "
    more = extend_button(rental, reader, spent=details.spent.amount, money=details.sees_money)
    if event.facts.ask_before is not None:
        text += _ask_in_time(event.facts.ask_before, rental, times)
    elif more is not None and needs_approver(rental, reader, spent=details.spent.amount):
        then = times.time(until, event.at)
        text += f"More time needs an approver; without a yes it ends {then} and its disk goes."
    else:
        text += "Copy results off: the disk goes too."
    if event.kind is not EventKind.SCRIPT_FAILED:
        text = join(text, on_ending_text(rental, times, event.at))
    if rental.extension is not None:
        text += " More time is asked for; an approver decides."
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(more, destroy_button(rental) if own else None),
        closed=False,
    )


def _script_first(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return when a machine ends that somebody destroys after its owner's script."""
    rental, times = details.rental, reader.times
    name = f"{possessive(details, reader)} {machine(details)}"
    first = script_first_text(details, times, event.at, name=name)
    text = join(first, on_ending_text(rental, times, event.at))
    destroy = destroy_button(rental) if reader.id == rental.owner else None
    return blocks.message(text, blocks.section(text), blocks.actions(keep_button(rental), destroy), closed=False)


def _script_failed(event: Event, name: str, times: Times) -> str:
    """Return that the owner's script failed before the end, and where its output is."""
    until = f" before {times.time(event.facts.until, event.at)}" if event.facts.until else ""
    failed = failed_with(event.facts.exit_status)
    return f"{SCRIPT} {failed} on {name}. Look{until}: its output is in {ENDING_LOG}. "


def _ask_in_time(before: datetime, rental: Rental, times: Times) -> str:
    """Return until when more time can be asked for. With two ends, more time is that after the later one."""
    lease = rental.running_lease
    than = f" than until {times.time(lease.latest_end)}" if lease.latest_end and can_move(lease) else ""
    return f"Need longer{than}? Ask before {times.time(before)}: no approver is there after that."


def _put_back(event: Event, name: str, rental: Rental, reader: Reader) -> str:
    """Return that the machine ends as before, or that it ends soon if that end has passed."""
    until, times = event.facts.until or rental.running_lease.ends_at, reader.times
    if until > event.at:
        return f"My database was put back: {name} ends {end(rental, times, event.at)} again. "
    gone = times.time(event.at + reader.rules.lease.grace, event.at)
    return f"My database was put back: {name} was to end {times.time(until, event.at)}. It ends {gone}. "


def _ends_unseen(event: Event, details: RentalDetails, times: Times) -> str:
    """Return that the machine ends, although its end could move, because nobody sees whether it is in use."""
    rental, until = details.rental, event.facts.until or details.rental.running_lease.ends_at
    when = f"ends {times.time(until, event.at)} whatever runs. "
    if event.facts.vendor is not None:
        return f"I can't see inside {vendor(event.facts.vendor)}'s machines, so {rental.id} {when}"
    return f"I can't see inside {rental.id}, so it {when}"


def _longer(event: Event, details: RentalDetails) -> str:
    """Return why the lease is longer after the notice: `Extended`, with the name of a person other than its owner,
    or `In use` if its end moved on."""
    longer = [e for e in events_after(event, details.events) if e.effects.lengthens]
    if not longer:
        return "Extended"
    if longer[-1].kind is EventKind.END_MOVED:
        return "In use"
    by = f" by {actor(details.names, longer[-1])}"
    if longer[-1].kind in {EventKind.EXTENSION_APPROVED, EventKind.EXTENDED_BY_OPERATOR}:
        return f"More time approved{by}"
    return "Extended" if longer[-1].actor == details.rental.owner else f"Extended{by}"


def _asked_again(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    rental, times = details.rental, reader.times
    words = event_text(event, details, times, reader=reader.id)
    undecided = rental.state is State.AWAITING_APPROVAL and event.facts.envelope in {None, rental.envelope.version}
    name = f"{possessive(details, reader)} {describe(rental)}, {rental.id}"
    if not undecided or words is None:
        answer = settled_by(event, details.events)
        decision = event_text(answer, details, times) if answer else None
        return blocks.message(
            decision.about(name) if decision else f"Decided: {name}. {current_state(details, times)}"
        )
    who = "an approver"
    if rental.owner_decides:
        who = "you" if reader.id == rental.owner else owner(details)
    most = rental.envelope.total
    total = over_total_text(rental.request, most) or f"At most {say_at_most(most)} in all."
    total = "" if rental.needs_later_end else total
    text = join(words._replace(lead=f"Waiting for {who}").about(name), total, _first_runs_on(details))
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    decide = tell = None
    if rental.needs_later_end:
        decide = button("Change", Action.CHANGE_RENTAL, version)
    elif rental.owner_decides:
        label = f"Go on up to {highest(rental.envelope)}"
        decide = button(label, Action.ACCEPT, version, style="primary")
        if rental.quote_id is not None and rental.replaces is None:
            tell = tell_button(rental.quote_id, rental.request)
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(decide, tell, button("Withdraw", Action.WITHDRAW, version))
        if is_owner(reader.id, rental.owner)
        else None,
        closed=False,
    )


def _not_confirmed(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    times = reader.times
    rental, words = details.rental, event_text(event, details, times)
    if rental.state.over and settled(details):
        ended = f"The vendor confirms its end: {machine(details)}, {owner(details)}."
        return blocks.message(f"{ended} {current_state(details, times)} {receipt(details)}")
    text = words.text if words else "Not confirmed gone."
    taken_on_by = rental.alarm.taken_on_by if rental.alarm else None
    if taken_on_by is not None:
        who = "You are" if taken_on_by == reader.id else f"{person(details.names, taken_on_by)} is"
        return blocks.message(f"{text} {who} on it.", closed=False)
    again = settled_by(event, details.events)
    if again is not None:
        return blocks.message(f"{text} I told you again {times.at_time(again.at)}.")
    take_on = button("I'm on it", Action.TAKEN_ON, RentalValue(rental_id=rental.id))
    return blocks.message(text, blocks.section(text), blocks.actions(take_on), closed=False)


WRITERS: Mapping[EventKind, Callable[[Event, RentalDetails, Reader], Rendered]] = MappingProxyType(
    {
        EventKind.READY: _ready,
        EventKind.ACCEPTED: _rented,
        EventKind.NOT_ALLOWED_NOW: _not_allowed_now,
        EventKind.NOTHING_FITS: _nothing_fits,
        EventKind.TEAMMATE_ADDED: _let_in,
        EventKind.ADOPTED: _new_owner,
        EventKind.OWNER_CHANGED: _new_owner,
        EventKind.ASKED_FOR: giving_message.asked_for,
        EventKind.GIVEN: giving_message.given,
        EventKind.KEPT: giving_message.still_needed,
        EventKind.STILL_NEEDED: question_message.question,
        EventKind.NOT_AS_SOLD: _not_as_sold,
        EventKind.APPROVED_NOT_READY: _approved_not_ready,
        EventKind.ASKED_AGAIN: _asked_again,
        EventKind.NOT_CONFIRMED: _not_confirmed,
        EventKind.DENIED: _denied,
        EventKind.EXPIRED: _expired,
        EventKind.LOST: replacing.lost,
    }
)
"""The messages that are more than the text of their event."""
