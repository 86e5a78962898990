"""When a machine ends: notices of its end, and more time."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.event import EventKind, events_after
from bot.model.facts import DecisionFacts, EndFacts, ExtensionFacts, VerdictFacts
from bot.model.machine_use import Verdict
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import about_span, span
from bot.policy.access.probe_script import ENDING_LOG
from bot.policy.use.two_ends import can_move
from handlers.messages.backups import ends_again
from handlers.messages.writers import (
    EventContext,
    EventText,
    direct,
    fewer_hours_text,
    no_longer_ready,
    over_budget,
    said_once,
    sentence_case,
    thread,
    until_text,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.ends import SCRIPT, end, failed_with, on_ending_text, script_first_text
from handlers.phrases.format import Times, actor, join
from handlers.phrases.lease_buttons import destroy_button, extend_button, keep_button, needs_approver
from handlers.phrases.rental_text import asked_by_event, machine, vendor

_ABOUT_THE_END = (EventKind.ENDING, EventKind.ENDS_AGAIN, EventKind.SCRIPT_FIRST, EventKind.SCRIPT_FAILED)
"""The events whose message says when a machine ends."""

# --- notices


@thread(EventKind.ENDING)
def _ending(context: EventContext[EndFacts]) -> EventText:
    owner = context.name(context.details.rental.owner)
    return EventText(f"{owner} was told that it ends {until_text(context)}")


@thread(EventKind.SCRIPT_FIRST)
def _script_first(context: EventContext[EndFacts]) -> EventText:
    ends = f"it ends {until_text(context)} at the latest."
    return EventText(f"{context.actor} destroys it after its {SCRIPT}", ends, colon=True)


@thread(EventKind.SCRIPT_FAILED)
def _script_failed(context: EventContext[EndFacts]) -> EventText:
    return EventText(f"{SCRIPT} {failed_with(context.facts.exit_status)}")


@thread(EventKind.END_MOVED)
def _end_moved(context: EventContext[VerdictFacts]) -> EventText:
    return EventText("In use at its end", f"it goes on until {until_text(context)}.", colon=True)


@direct(*_ABOUT_THE_END)
def _it_ends(context: EventContext[EndFacts]) -> Rendered:
    """Return when a machine ends, with a button for more time; later, its new end or the next notice."""
    event, details, rental = context.event, context.details, context.rental
    reader, times, again = context.reader, context.times, context.outcome
    if rental.state is not State.READY:
        return no_longer_ready(context)
    lease = rental.running_lease
    own = context.by_owner
    if lease.script_first is not None:
        first = script_first_text(details, times, event.at, name=context.machine)
        text = join(first, on_ending_text(rental, times, event.at))
        return blocks.with_buttons(text, keep_button(rental), destroy_button(rental) if own else None)
    name = machine(details.rental) if own else context.machine
    until = event.facts.until
    if until < lease.ends_at:
        # The newest message stays open, because it becomes the receipt.
        text = f"{_longer(context)}: {name}. It ends {end(rental, times)}{'' if can_move(lease) else ' now'}."
        return blocks.message(text, closed=again is not None)
    if again is not None:
        return blocks.message(f"Ends {times.time(until)}: {name}. I told you again {times.at_time(again.at)}.")
    text = _notice(context, name)
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
    return blocks.with_buttons(text, more, destroy_button(rental) if own else None)


def _notice(context: EventContext[EndFacts], name: str) -> str:
    event, times, until = context.event, context.times, context.facts.until
    if event.kind is EventKind.ENDS_AGAIN:
        return ends_again(context, name)
    if event.kind is EventKind.SCRIPT_FAILED:
        before = times.time(until, event.at)
        failed = failed_with(event.facts.exit_status)
        return f"{SCRIPT} {failed} on {name}. Look before {before}: its output is in {ENDING_LOG}. "
    if event.facts.verdict is Verdict.UNKNOWN:
        return _ends_unseen(context)
    # An outage may have delayed the message.
    posted_at = context.posted_at or times.now
    left = until - (posted_at if posted_at - event.at >= timedelta(minutes=1) else event.at)
    soon = f"in {about_span(left)}" if left >= timedelta(minutes=1) else "now"
    moves = "It goes on only if its GPUs are busy then. " if can_move(context.rental.running_lease) else ""
    return f"Ends {times.time(until, event.at)}, {soon}: {name}. {moves}"


def _ask_in_time(before: datetime, rental: Rental, times: Times) -> str:
    """Return until when more time can be asked for. With two ends, more time is that after the later one."""
    lease = rental.running_lease
    than = f" than until {times.time(lease.latest_end)}" if lease.latest_end and can_move(lease) else ""
    return f"Need longer{than}? Ask before {times.time(before)}: no approver is there after that."


def _ends_unseen(context: EventContext[EndFacts]) -> str:
    """Return that the machine ends, although its end could move, because nobody sees whether it is in use."""
    event, rental = context.event, context.rental
    when = f"ends {context.times.time(event.facts.until, event.at)} whatever runs. "
    if event.facts.vendor is not None:
        return f"I can't see inside {vendor(event.facts.vendor)}'s machines, so {rental.id} {when}"
    return f"I can't see inside {rental.id}, so it {when}"


def _longer(context: EventContext) -> str:
    """Return why the lease is longer after the notice: `Extended`, with the name of a person other than its owner,
    or `In use` if its end moved on."""
    details = context.details
    longer = [e for e in events_after(context.event, details.events) if e.effects.lengthens]
    if not longer:
        return "Extended"
    last = longer[-1]
    if last.kind is EventKind.END_MOVED:
        return "In use"
    by = f" by {actor(details.names, last)}"
    if last.kind in {EventKind.EXTENSION_APPROVED, EventKind.EXTENDED_BY_OPERATOR}:
        return f"More time approved{by}"
    return "Extended" if last.actor == details.rental.owner else f"Extended{by}"


def is_outdated(context: EventContext) -> bool:
    """Return whether an event is a notice of an end that has passed, and a later notice followed.

    If an outage of Slack held the message up for so long, it isn't posted: the later one says more.
    """
    if not isinstance(context.facts, EndFacts) or context.rental.state is not State.READY:
        return False
    return context.facts.until <= context.reader.now and context.outcome is not None


# --- more time


@thread(EventKind.EXTENDED)
def _extended(context: EventContext[ExtensionFacts]) -> EventText:
    lead = f"{context.actor} extended it by {span(context.facts.span)}"
    return EventText(lead, f"it ends {until_text(context)}.", colon=True)


@thread(EventKind.EXTENSION_ASKED)
def _extension_asked(context: EventContext[ExtensionFacts]) -> EventText:
    lead = f"{context.actor} asks for {span(context.facts.span)} more, until {until_text(context)}"
    asked = asked_by_event(context.facts, context.details) or "An approver decides."
    return EventText(lead, join(asked, _stands(context)))


def _stands(context: EventContext[ExtensionFacts]) -> str:
    """Return which end stands until more time is approved, and whether it can still move."""
    before, lease = context.facts.since, context.details.rental.lease
    if lease is None:
        return ""
    if lease.latest_end is not None and lease.latest_end > before:
        latest = context.times.time(lease.latest_end)
        return f"Until then it ends {context.times.time(before)}, or by {latest} while it works."
    return f"Its end, {context.times.time(before)}, stands until then."


@thread(EventKind.EXTENSION_APPROVED, EventKind.EXTENDED_BY_OPERATOR)
def _extension_approved(context: EventContext[DecisionFacts | ExtensionFacts]) -> EventText:
    own = " (own request)" if context.facts.self_approved else ""
    over = over_budget(context)
    fewer = fewer_hours_text(context.facts)
    ends = f"{f'{fewer}; ' if fewer else ''}it ends {until_text(context)}."
    return EventText(f"More time approved by {context.actor}{own}{over}", ends, colon=True)


@thread(EventKind.EXTENSION_DENIED, EventKind.EXTENSION_EXPIRED)
def _extension_over(context: EventContext[DecisionFacts]) -> EventText:
    denied = context.event.kind is EventKind.EXTENSION_DENIED
    words = "More time denied" if denied else "Nobody decided on more time"
    by = f" by {context.actor}" if context.event.actor else ""
    why, ends = context.said, f"it ends {until_text(context)}."
    return EventText(f"{words}{by}", f"{why}. {sentence_case(ends)}" if why else ends, colon=True)


@thread(EventKind.EXTENSION_WITHDRAWN)
def _extension_withdrawn(context: EventContext[DecisionFacts]) -> EventText:
    lead = f"{context.actor} no longer asks for more time"
    if context.event.actor is None:
        who = context.name(next(iter(context.facts.people), context.owner_id))
        lead = f"{who} left the workspace, so nobody asks for more time"
    return EventText(lead, f"it ends {until_text(context)}.", colon=True)


direct(EventKind.EXTENDED_BY_OPERATOR, EventKind.EXTENSION_APPROVED, EventKind.EXTENSION_DENIED)(said_once)
