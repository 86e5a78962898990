"""The card, which is the main message about a rental. It is edited as the rental changes.

If a program rented the machine, `program_card.py` has the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.attempt import REPORTED_FAILED, Attempt, AttemptState, Why
from bot.model.base import changed
from bot.model.budget import UNASSIGNED
from bot.model.event import EventKind
from bot.model.machine_use import Use
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, plural, say_at_most, span
from bot.policy.access.keys import keys_still_go_in
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.use.jobs import shown_progress
from bot.policy.use.questions import is_on_card
from handlers.ids import Action, RentalValue, VersionValue
from handlers.messages.replacing import NO_SSH_ANSWER
from handlers.messages.ssh_lines import ssh_command
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Part, Rendered, Task, TaskStatus, button
from handlers.phrases.budget_text import over_total_text
from handlers.phrases.ends import (
    at_its_end,
    ends_fact,
    graceful_destroy_text,
    keeps_running,
    on_ending_text,
    until_decided,
)
from handlers.phrases.format import (
    Reader,
    Times,
    actor,
    escape,
    highest,
    join,
    join_lines,
    note,
    per_hour,
    person,
    sentence,
)
from handlers.phrases.job_text import progress_now
from handlers.phrases.lease_buttons import destroy_button, extend_form_button, stop_button
from handlers.phrases.receipt import receipt_parts
from handlers.phrases.rental_text import (
    asked_now,
    billing_since,
    ended_by,
    machine_in,
    new_one_text,
    people,
    reason,
    settled,
    setup_text,
    state_word,
    vendor,
    why_undecided,
)
from handlers.phrases.use_text import status_text

FAILED_SHOWN = 3
"""The maximum number of failed purchases that the card lists while a machine starts.

If there are more, the card lists the latest ones and shows the number of earlier ones.
"""
REFRESH_EVERY = timedelta(seconds=30)
"""The time between two edits of the card while a machine starts."""
REFRESH_IDLE_EVERY = timedelta(minutes=15)
"""The time between two edits of the card of an idle machine whose owner doesn't respond.

The idle time on the card is rounded down to a multiple of this time. Without the rounding, each check of the
machine would change the card, and each change is an edit in Slack.
"""
REFRESH_PROGRESS_EVERY = timedelta(minutes=5)
"""The time between two edits of the card of a machine whose jobs print their progress.

There is no edit if the jobs have printed nothing new.
"""
REFRESH_AFTER_END = timedelta(seconds=10)
"""The time after the end of a lease at which the card is edited if the machine is still running.

Usually, the machine is already being destroyed by then, and this edit isn't needed.
"""


def card(details: RentalDetails, reader: Reader) -> Rendered:
    """Render the card. It shows the cost of the rental to everyone in the channel.

    An example of its first line is `Ready: 1x H100 (k7mq2) in EU for Ana with Ben.`
    """
    rental, now = details.rental, reader.now
    closed = rental.state.over and settled(details) and not may_be_replaced(rental, now)
    rendered = blocks.of_parts(*_parts(details, reader), blocks.actions(*_buttons(details)), closed=closed)
    return changed(rendered, refresh_after=refresh_after(details, now))


def _parts(details: RentalDetails, reader: Reader) -> Sequence[Part]:
    rental, times = details.rental, reader.times
    if rental.state.over:
        return receipt_parts(details, _for_whom(details), reader)
    if rental.decision is not None:
        return [_undecided(details, reader)]
    if rental.state is State.QUEUED:
        return _waits(details, times)
    if is_starting(details):
        return [_plan(details, times.now)]
    return _ready(details, reader) if rental.state is State.READY else [_being_destroyed(details)]


def _name(rental: Rental) -> str:
    return machine_in(rental) + (" (spot)" if rental.request.contract is Contract.SPOT else "")


def _for_whom(details: RentalDetails) -> str:
    return f"{_name(details.rental)} for {people(details)}"


def _lead(bold: str, *more: str) -> Part:
    text = join(*more)
    return Part(join_lines(f"{bold}.", text), blocks.lines(f"*{bold}*", text))


def refresh_after(details: RentalDetails, now: datetime) -> timedelta | None:
    """Return the time after which to edit the card, because it shows something that changes by itself."""
    rental = details.rental
    if is_starting(details) and rental.procuring_since is not None:
        return REFRESH_EVERY
    refreshes = [REFRESH_IDLE_EVERY] if is_on_card(rental) else []
    if shown_progress(rental, now) is not None:
        refreshes.append(REFRESH_PROGRESS_EVERY)
    if rental.state is State.READY and rental.running_lease.ends_at > now:
        refreshes.append(rental.running_lease.ends_at + REFRESH_AFTER_END - now)
    return min(refreshes, default=None)


def _undecided(details: RentalDetails, reader: Reader) -> Part:
    rental = details.rental
    lead = f"{state_word(details)}: {_for_whom(details)}"
    if rental.approver_decides and rental.card_channel == reader.rules.approvals_to:
        # The card is in the channel in which approvers are asked. The message to the approvers already shows the
        # price and the time at which the request expires, so the card needn't repeat them.
        return _lead(lead, asked_now(details))
    return _lead(
        lead if rental.needs_later_end else f"{lead} at up to {highest(rental.terms)}",
        why_undecided(details),
        over_total_text(rental.request, rental.terms.total),
        "" if rental.owner_decides else asked_now(details),
        until_decided(rental, reader.times),
    )


def _waits(details: RentalDetails, times: Times) -> list[Part]:
    """Return the parts of the card for a rental on the waitlist."""
    rental = details.rental
    request, posted = rental.request, rental.created_at
    until = rental.waitlist_entry.until if rental.waitlist_entry is not None else None
    starts = request.starts_at
    tries = "I'll look for an offer" if starts is None else "If no offer matches at the start, I'll keep trying"
    return [
        _lead(
            f"{state_word(details)}: {_for_whom(details)} at up to {highest(rental.terms)}",
            f"It starts {times.at_time(starts, posted)} and ends {times.at_time(request.until, posted)}."
            if starts is not None and request.until is not None
            else "",
            f"It costs at most {say_at_most(rental.terms.total)}.",
            f"{tries} until {times.time(until, posted)}." if until is not None else "",
            failures_text(details, times),
        ),
        blocks.small(note(request.note)),
    ]


def failures_text(details: RentalDetails, times: Times) -> str:
    """Return a sentence such as `I've tried 14 times, most recently at 03:10: Nebius seems to be sold out`.

    Empty if no purchase has failed.
    """
    last = details.current
    if last is None or last.why is None:
        return ""
    count, at = len(details.attempts), times.at_time(last.intended_at)
    often = f"once, {at}" if count == 1 else f"{count} times, most recently {at}"
    return sentence(f"I've tried {often}: {reason(last.why, last.vendor)}")


def _plan(details: RentalDetails, now: datetime) -> Part:
    """Return the checklist of a starting machine: the approval, the failed purchases and the current purchase."""
    rental = details.rental
    approved = [e for e in details.events if e.kind is EventKind.APPROVED and e.actor != rental.owner]
    done = [Task(f"{actor(details.names, event)} approved it", TaskStatus.COMPLETE) for event in approved[-1:]]
    failed = [_why_failed(attempt) for attempt in details.attempts if _failed(attempt)]
    if len(failed) > FAILED_SHOWN:
        earlier = plural(len(failed) - FAILED_SHOWN, "earlier attempt")
        failed = [f"{earlier}, not shown here", *failed[-FAILED_SHOWN:]]
    done += [Task(why, TaskStatus.ERROR) for why in failed]
    on_hold = rental.blocked.why if rental.blocked is not None else None
    hold = f"on hold because {reason(on_hold)}" if on_hold is not None else ""
    title, (step, said), elapsed = (
        f"{state_word(details)}: {_for_whom(details)}",
        current_purchase(details),
        _elapsed(details, now),
    )
    shown = blocks.plan(
        title,
        [
            *done,
            Task(join(step, elapsed, hold, by=", "), TaskStatus.IN_PROGRESS),
            Task("Waiting for SSH", TaskStatus.PENDING),
        ],
    )
    passed = f"{elapsed} have passed." if elapsed else ""
    on_hold_text = f"It's {hold}." if hold else ""
    return Part(join(f"{title}.", *(sentence(task.title) for task in done), said, passed, on_hold_text), shown)


def _failed(attempt: Attempt) -> bool:
    """Return whether a purchase failed or was given up. False while its outcome is unknown."""
    unclear = attempt.state is AttemptState.UNKNOWN and attempt.why not in REPORTED_FAILED
    return attempt.why is not None and not unclear


def _why_failed(attempt: Attempt) -> str:
    why, name = reason(attempt.why or Why.NO_ANSWER, attempt.vendor), vendor(attempt.vendor)
    return why if why.startswith(name) else f"{name}: {why}"


def current_purchase(details: RentalDetails) -> tuple[str, str]:
    """Return the current item of a starting machine's checklist, as a title and as a sentence."""
    attempt, rental = details.current, details.rental
    if attempt is None or _failed(attempt):
        return "Trying the next offer", "I'm trying the next offer."
    name = vendor(attempt.vendor)
    if attempt.state is AttemptState.UNKNOWN:
        purchase = f"the purchase at {name} succeeded"
        return f"Checking whether {purchase}", f"I'm checking whether {purchase}."
    rate = f"at {per_hour(rental.rate)}" if rental.rate else ""
    return join(name, rate), f"{join(name, 'is starting the machine', rate)}."


def _being_destroyed(details: RentalDetails) -> Part:
    rental, by = details.rental, ended_by(details)
    alarm = rental.alarm
    if alarm is None or alarm.count == 0:
        # The card doesn't contain the reason that an operator gives for destroying a machine. A reply in the
        # card's thread quotes it.
        who = f" by {person(details.names, by.actor)}" if by is not None else ""
        return _lead(f"{state_word(details)}{who}: {_for_whom(details)}")
    bills = f" {per_hour(rental.rate)}" if rental.rate else ""
    return _lead(
        f"Deletion not confirmed: {_for_whom(details)}",
        f"It may still be billing{bills}.",
        f"{person(details.names, alarm.acknowledged_by)} is looking into it." if alarm.acknowledged_by else "",
    )


def _ready(details: RentalDetails, reader: Reader) -> list[Part]:
    rental, times = details.rental, reader.times
    since, posted = billing_since(details), rental.created_at
    command = ssh_command(rental.host, rental.port) if reader.rules.announce.address_in_channel else None
    use = rental.use if is_on_card(rental) else None
    usage = status_text(use, in_steps(use, times)) if use else ""
    since_text = f"since {times.time(since, posted)}" if since else ""
    progress = progress_now(rental, times) if use is None else ""
    price = join(per_hour(rental.rate) if rental.rate else "", since_text)
    past = at_its_end(rental, times.now)
    graceful_destroy = "" if past is not None else graceful_destroy_text(details, times, posted)
    end = past or (None if graceful_destroy else ends_fact(rental, times, posted))
    word = "In use" if keeps_running(rental) and past is None and not graceful_destroy else state_word(details)
    shown = (
        end,
        Fact("Price", price, f"It {'has cost' if since else 'costs'} {price}."),
        Fact("Job", progress),
        Fact("Usage", usage, sentence(usage)),
    )
    longer = rental.extension
    return [
        Part(f"{word}: {_for_whom(details)}.", blocks.section(f"*{word}: {_name(rental)}*")),
        Part(blocks.facts(*shown).text, blocks.facts(Fact("Owner", people(details)), *shown).block),
        blocks.paragraph(
            join(
                NO_SSH_ANSWER if rental.unreachable else "",
                graceful_destroy,
                f"{person(details.names, longer.asked_by)} asked for more time." if longer is not None else "",
                new_one_text(rental),
            )
        ),
        blocks.preformatted(command) if command else blocks.paragraph(""),
        blocks.small(
            note(rental.request.note),
            "" if rental.project == UNASSIGNED else f"Project {escape(rental.project, 40)}",
            on_ending_text(rental, times, posted),
            setup_text(rental),
        ),
    ]


def in_steps(use: Use, times: Times) -> Times:
    """Return a copy of `times` with a slightly earlier current time, so that the card shows a round idle time.

    The idle time on the card is then a multiple of REFRESH_IDLE_EVERY.
    """
    return changed(times, now=times.now - (times.now - use.since) % REFRESH_IDLE_EVERY)


def is_starting(details: RentalDetails) -> bool:
    return details.rental.state in {State.PROCURING, State.PROVISIONING}


def _elapsed(details: RentalDetails, now: datetime) -> str:
    """Return the time since the rental began to look for a machine, such as `40 s`.

    If the usual startup time is known, the result is a text such as `40 s of about 3 min`.
    """
    started = details.rental.procuring_since
    if started is None or now - started < timedelta(seconds=1):
        return ""
    usual = f" of about {about_span(details.usual)}" if details.usual else ""
    return f"{span(now - started)}{usual}"


def _buttons(details: RentalDetails) -> list[Json | None]:
    rental = details.rental
    if rental.state.over:
        return []
    version = VersionValue(rental_id=rental.id, version=rental.terms.version)
    add_teammate = button("Add teammate", Action.ADD_TEAMMATE, version)
    if rental.decision is not None:
        accept = None
        if rental.owner_decides and not rental.needs_later_end:
            accept = button(f"Accept up to {highest(rental.terms)}", Action.ACCEPT, version, style="primary")
        return [
            accept,
            button("Change", Action.CHANGE_RENTAL, version),
            add_teammate,
            button("Withdraw", Action.WITHDRAW, version),
        ]
    this = RentalValue(rental_id=rental.id)
    shown = button("Details", Action.DETAILS, this)
    if rental.state is State.READY:
        return [extend_form_button(rental), shown, destroy_button(rental)]
    if rental.state is State.DESTROYING:
        may_acknowledge = rental.alarm is not None and rental.alarm.can_be_acknowledged
        return [shown, button("I'm on it", Action.ACKNOWLEDGED, this) if may_acknowledge else None]
    if rental.state is State.QUEUED and rental.quote_id is not None:
        return [shown, add_teammate, stop_button(rental.quote_id, rental.id)]
    more = add_teammate if keys_still_go_in(rental, details.attempts) else None
    return [shown, more, button("Cancel", Action.CANCEL, this)]
