"""Messages about the end of a lease: notices before the end, and requests for more time."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.event import EventKind, events_after
from bot.model.facts import DecisionFacts, EndFacts, ExtensionFacts, StatusFacts, UntilFacts
from bot.model.machine_use import UsageStatus
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import about_span, say_at_most, span
from bot.policy.access.probe_script import ENDING_LOG
from bot.policy.use.flexible_end import can_move
from handlers.messages.backups import ends_again
from handlers.messages.writers import (
    EventContext,
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
from handlers.phrases.blocks import Json, Rendered
from handlers.phrases.ends import (
    PATH,
    UNLESS_APPROVED,
    after_script,
    ends_fact,
    exit_text,
    graceful_destroy_text,
    if_busy_then,
    it_ends,
    on_ending_text,
)
from handlers.phrases.format import Times, actor, join, sentence
from handlers.phrases.lease_buttons import destroy_button, extend_button, keep_button, needs_approver
from handlers.phrases.rental_text import asked_by_event, machine, vendor

_ABOUT_THE_END = (
    *(EventKind.ENDING, EventKind.ENDS_AGAIN, EventKind.GRACEFUL_DESTROY),
    *(EventKind.SCRIPT_FAILED, EventKind.KEPT_AFTER_FAILURE),
)
"""The kinds of events whose messages tell the owner when the lease ends."""
_FAILED = frozenset({EventKind.SCRIPT_FAILED, EventKind.KEPT_AFTER_FAILURE})
"""The kinds of events whose messages say that the script `/root/on-ending.sh` failed."""
_NEARER = frozenset({EventKind.JOB_DONE, EventKind.HEARTBEAT_ENDS, EventKind.GRACEFUL_DESTROY})
"""The kinds of events that bring the end of a lease nearer."""

MORE_TIME_REQUESTED = "More time has been requested, and is waiting for approval."

# --- notices


@thread(EventKind.ENDING)
def _ending(context: EventContext[EndFacts]) -> str:
    if context.rental.program is not None:
        return f"{sentence_case(context.this_machine)} {_ends(context)}."
    return f"I told {context.name(context.rental.owner)} that {context.this_machine} {_ends(context)}."


@thread(EventKind.GRACEFUL_DESTROY)
def _graceful_destroy(context: EventContext[EndFacts]) -> str:
    latest = context.times.at_time(context.facts.until) if context.facts.until else "soon"
    return after_script(context.actor, context.this_machine, latest)


@thread(EventKind.SCRIPT_FAILED)
def _script_failed(context: EventContext[EndFacts]) -> str:
    return f"The script {PATH} failed on {context.this_machine}{exit_text(context.facts.exit_status)}."


@thread(EventKind.KEPT_AFTER_FAILURE)
def _kept_after_failure(context: EventContext[EndFacts]) -> str:
    return f"{_script_failed(context).removesuffix('.')}, so it keeps running until {until_text(context)}."


@thread(EventKind.END_MOVED)
def _end_moved(context: EventContext[StatusFacts]) -> str:
    until = until_text(context)
    return sentence(f"{context.this_machine} was in use at its end, so it keeps running until {until}")


def _ends(context: EventContext[UntilFacts]) -> str:
    """Return a clause such as `ends at 18:40`, or `ends at 18:40, or when its job is done`.

    If the event doesn't contain the time, return `ends as before`.
    """
    until, lease = context.facts.until, context.rental.lease
    if until is None:
        return "ends as before"
    ends = f"ends {context.times.at_time(until)}"
    if lease is None or lease.until_done is None or lease.ends_early or lease.ends_at != until:
        return ends
    return f"{ends}, or when its job is done"


@direct(*_ABOUT_THE_END)
def _it_ends(context: EventContext[EndFacts]) -> Rendered:
    """Render the notice saying that a lease ends soon, with a button for more time.

    If the lease has been extended, the message shows until when. If there is a newer notice, the message points to
    that notice.
    """
    event, details, rental = context.event, context.details, context.rental
    reader, times, again = context.reader, context.times, context.outcome
    if rental.state is not State.READY:
        return no_longer_ready(context)
    lease, until = rental.running_lease, event.facts.until
    destroy = destroy_button(rental) if context.by_owner else None
    if lease.graceful_destroy is not None:
        first = graceful_destroy_text(details, times, event.at, name=context.machine)
        text = join(first, on_ending_text(rental, times, event.at))
        return blocks.with_buttons(text, keep_button(rental), destroy)
    if until < lease.ends_at:
        # `closed` means that the message is never edited again. Don't close the newest message about the end,
        # because the receipt replaces its text once the machine has ended.
        longer = blocks.lead(f"{why_longer(context)}: {machine(rental)}", ends_fact(rental, times).sentence)
        return blocks.of_parts(longer, closed=again is not None)
    if again is not None:
        ended = f"{context.machine} ends {times.at_time(until)}."
        return blocks.message(f"{sentence(ended)} I sent a newer notice {times.at_time(again.at)}.")
    more = extend_button(rental, reader, spent=details.spent.amount, money=details.sees_money)
    failed = event.kind in _FAILED
    return blocks.of_parts(
        blocks.lead(_title(context), *_what_follows(context, needs_approval=_needs_approval(context, more))),
        blocks.small("" if failed else on_ending_text(rental, times, event.at)),
        blocks.actions(more, destroy),
    )


def _needs_approval(context: EventContext[EndFacts], more: Json | None) -> bool:
    details = context.details
    return more is not None and needs_approver(details.rental, context.reader, spent=details.spent.amount)


def _title(context: EventContext[EndFacts]) -> str:
    """Return the title of a notice, such as `Your 1x H100 (k7mq2) ends at 18:40, in 30 min`.

    If the script `/root/on-ending.sh` failed, the title says that instead.
    """
    event, times, until, name = context.event, context.times, context.facts.until, context.machine
    if event.kind is EventKind.ENDS_AGAIN:
        return ends_again(context, name)
    if event.kind in _FAILED:
        failed = f"The script {PATH} failed on {machine(context.rental)} {times.at_time(event.at)}"
        failed += exit_text(event.facts.exit_status)
        kept = event.kind is EventKind.KEPT_AFTER_FAILURE
        return f"{failed}, so it keeps running until {times.time(until, event.at)}." if kept else f"{failed}."
    return sentence(f"{name} ends {soon(context)}")


def soon(context: EventContext[EndFacts]) -> str:
    """Return the end in a notice, and the time that is left: `at 18:40, in 30 min`."""
    event, times, until = context.event, context.times, context.facts.until
    # The text says how much time is left. Count this time from the event, so that an edit of the message doesn't
    # change it. If an outage delayed the message, count from the time at which the message was posted.
    posted_at = context.posted_at or times.now
    left = until - (posted_at if posted_at - event.at >= timedelta(minutes=1) else event.at)
    at = times.at_time(until, event.at)
    return f"{at}, in {about_span(left)}" if left >= timedelta(minutes=1) else f"{at}, which is now"


def _what_follows(context: EventContext[EndFacts], *, needs_approval: bool) -> list[str]:
    """Return the sentences below the title of a notice."""
    event, rental, times = context.event, context.rental, context.times
    until, ask_before = times.at_time(event.facts.until, event.at), event.facts.ask_before
    disk = "Copy your results off: the disk is deleted with it."
    said = []
    if event.kind in _FAILED:
        said.append(_cost_of_keeping(event.facts))
        disk = f"To see why, read {ENDING_LOG} before the disk is deleted {until}."
    elif event.kind is EventKind.ENDING and event.facts.status is UsageStatus.UNKNOWN:
        whose = f"{vendor(event.facts.vendor)}'s machines" if event.facts.vendor is not None else "it"
        said.append(f"I can't monitor {whose}, so it ends then even if it's busy.")
    else:
        said.append(if_busy_then(rental, event.facts.until, times, event.at))
    if ask_before is None and needs_approval:
        said.append("If you need more time, request it now: it needs approval.")
    said.append(disk)
    if ask_before is not None:
        said.append(_ask_in_time(ask_before, rental, times))
    if rental.extension is not None:
        said.append(MORE_TIME_REQUESTED)
    return said


def _cost_of_keeping(facts: EndFacts) -> str:
    """Return `That costs up to $32.30.` Empty unless the machine is kept because `/root/on-ending.sh` failed."""
    return "" if facts.estimate is None else f"That costs up to {say_at_most(facts.estimate)}."


def _ask_in_time(before: datetime, rental: Rental, times: Times) -> str:
    """Return a sentence with the time until which the owner can request more time."""
    lease = rental.running_lease
    longer = f"beyond {times.time(lease.latest_end)}" if lease.latest_end and can_move(lease) else "longer"
    return (
        f"To keep it {longer}, request more time before {times.time(before)}: no approver is available after that."
    )


def why_longer(context: EventContext) -> str:
    """Return the reason why the lease ends later than the notice said.

    Examples are `Extended`, `Extended by Ben` and `More time approved by Ben`. `Kept` means that the previous end
    applies again without an extension, for example because somebody asked for more time. If a flexible lease
    continues because the machine is busy, the reason is `In use`. If the machine was kept because its
    `/root/on-ending.sh` failed, the reason is `Kept, because saving failed`.
    """
    details = context.details
    longer = [e for e in events_after(context.event, details.events) if e.effects.lengthens(e)]
    if not longer:
        return "Kept" if context.event.kind in _NEARER else "Extended"
    last = longer[-1]
    if last.kind is EventKind.END_MOVED:
        return "In use"
    if last.kind is EventKind.KEPT_AFTER_FAILURE:
        return "Kept, because saving failed"
    if last.kind is EventKind.WORK_GOES_ON:
        return "In use again"
    if last.kind is EventKind.HEARTBEAT_BACK:
        return "Kept"
    by = f" by {actor(details.names, last)}"
    if last.kind in {EventKind.EXTENSION_APPROVED, EventKind.EXTENDED_BY_OPERATOR}:
        return f"More time approved{by}"
    how = "Kept" if last.kind in {EventKind.KEPT_WHEN_DONE, EventKind.KEPT_WITHOUT_HEARTBEAT} else "Extended"
    return how if last.actor == details.rental.owner else f"{how}{by}"


def is_outdated(context: EventContext) -> bool:
    """Return whether an event is an outdated notice of the destruction of a machine.

    A notice is outdated if the time that it announces has passed and a newer notice exists. An outage of Slack can
    delay a notice until it is outdated. The bot then doesn't post it any more.
    """
    if not isinstance(context.facts, EndFacts) or context.rental.state is not State.READY:
        return False
    return context.facts.until <= context.reader.now and context.outcome is not None


# --- more time


@thread(EventKind.EXTENDED)
def _extended(context: EventContext[ExtensionFacts]) -> str:
    if context.facts.until_done:
        at = context.times.at_time(context.facts.until)
        chose = f"{context.actor} chose that {context.this_machine} ends when its job is done"
        return f"{chose}, {at} at the latest."
    extended = f"{context.actor} extended {context.this_machine} by {span(context.facts.span)}."
    return f"{extended} It now {_ends(context)}."


@thread(EventKind.EXTENSION_ASKED)
def _extension_asked(context: EventContext[ExtensionFacts]) -> str:
    facts, until = context.facts, until_text(context)
    until = f"{until} or until its job is done" if facts.until_done else until
    wants = f"{context.actor} asked for {span(facts.span)} more on {context.this_machine}, until {until}."
    return join(wants, asked_by_event(facts, context.details) or "That needs approval.", _unless_approved(context))


def _unless_approved(context: EventContext[ExtensionFacts]) -> str:
    """Return a sentence saying when the lease ends if nobody approves more time."""
    if context.rental.lease is None:
        return ""
    return it_ends(context.rental, context.facts.since, context.times, unless=UNLESS_APPROVED)


@thread(EventKind.EXTENSION_APPROVED, EventKind.EXTENDED_BY_OPERATOR)
def _extension_approved(context: EventContext[DecisionFacts | ExtensionFacts]) -> str:
    own = " (their own request)" if context.facts.self_approved else ""
    fewer = fewer_hours_text(context.facts)
    what = "fewer hours than requested" if fewer else "more time"
    approved = f"{context.actor} approved {what} for {context.this_machine}{own}"
    return join(f"{approved}{f': {fewer}' if fewer else ''}. It now {_ends(context)}.", over_budget(context))


@thread(EventKind.EXTENSION_DENIED, EventKind.EXTENSION_EXPIRED)
def _extension_over(context: EventContext[DecisionFacts]) -> str:
    denied = context.event.kind is EventKind.EXTENSION_DENIED
    decided = f"{context.actor} declined" if denied else "Nobody approved or declined"
    said = f": {context.said}" if context.said else ""
    return f"{decided} more time for {context.this_machine}{said}. It {_ends(context)}."


@thread(EventKind.EXTENSION_WITHDRAWN)
def _extension_withdrawn(context: EventContext[DecisionFacts]) -> str:
    gave_up = f"{context.actor} withdrew the request for more time on {context.this_machine}."
    if context.event.actor is None:
        who = context.name(next(iter(context.facts.people), context.owner_id))
        gave_up = (
            f"{who} left the workspace, so the request for more time on {context.this_machine} was withdrawn."
        )
    return f"{gave_up} It {_ends(context)}."


direct(EventKind.EXTENDED_BY_OPERATOR, EventKind.EXTENSION_APPROVED, EventKind.EXTENSION_DENIED)(said_once)
