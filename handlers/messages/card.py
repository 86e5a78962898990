"""The card: one message for each rental, edited as the rental changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.base import changed
from bot.model.machine_use import Use
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, say_at_most, span
from bot.policy.access.keys import keys_still_go_in
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.use.questions import is_on_card
from handlers.ids import Action, RentalValue, VersionValue
from handlers.messages.replacing import NO_SSH_ANSWER
from handlers.messages.ssh_lines import ssh_command
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.budget_text import over_total_text
from handlers.phrases.ends import at_its_end, ends, on_ending_text, script_first_text, until_decided
from handlers.phrases.format import Reader, Times, highest, join, note, per_hour, person, sentence
from handlers.phrases.lease_buttons import destroy_button, extend_form_button, stop_button
from handlers.phrases.rental_text import (
    asked_now,
    billing_since,
    ended_by,
    machine_in,
    new_one_text,
    owner,
    reason,
    receipt,
    settled,
    setup_text,
    state_word,
    stopped_at_night,
    vendor_and_rate,
    why_ended,
    why_undecided,
)
from handlers.phrases.use_text import verdict_text

BAR = 10
"""Characters of the progress bar."""
REFRESH_EVERY = timedelta(seconds=30)
"""Our time between two edits of the card of a machine that starts."""
REFRESH_IDLE_EVERY = timedelta(minutes=15)
"""The same for a machine whose owner doesn't answer. Its card shows only whole steps of this: every poll renders
the card again, and with minutes, each poll would be an edit."""
REFRESH_AFTER_END = timedelta(seconds=10)
"""How long after its end a machine's card is edited if it still runs. By then, most are being destroyed."""


def card(details: RentalDetails, reader: Reader) -> Rendered:
    """Return the card. Everyone in its channel may see what this rental costs."""
    rental, now = details.rental, reader.now
    bar, buttons, refresh_after = _bar(details, now), _buttons(details), _refresh_after(details, now)
    more = join(*_sentences(details, reader))
    word, by = state_word(details), ended_by(details)
    # The thread has the operator's reason.
    who = f" by {person(details.names, by.actor)}" if by is not None else ""
    rest = f"{who}: {machine_in(rental) + f' for {owner(details)}'}. {more}".rstrip()
    closed = rental.state.over and settled(details) and not may_be_replaced(rental, now)
    row = blocks.actions(*buttons)
    rendered = blocks.message(f"{word}{rest}", blocks.section(f"*{word}*{rest}"), bar, row, closed=closed)
    return changed(rendered, refresh_after=refresh_after)


def _refresh_after(details: RentalDetails, now: datetime) -> timedelta | None:
    rental = details.rental
    if _is_starting(details) and rental.procuring_since is not None:
        return REFRESH_EVERY
    refreshes = [REFRESH_IDLE_EVERY] if is_on_card(rental) else []
    if rental.state is State.READY and rental.running_lease.ends_at > now:
        refreshes.append(rental.running_lease.ends_at + REFRESH_AFTER_END - now)
    return min(refreshes, default=None)


def _sentences(details: RentalDetails, reader: Reader) -> list[str]:
    rental, times = details.rental, reader.times
    if rental.approver_decides and rental.card_channel == reader.rules.approvals_to:
        # The request is in the same channel, with the price and until when it waits.
        return [asked_now(details)]
    if rental.decision is not None:
        return [
            why_undecided(details),
            "" if rental.needs_later_end else f"Up to {highest(rental.envelope)}.",
            over_total_text(rental.request, rental.envelope.total),
            "" if rental.owner_decides else asked_now(details),
            until_decided(rental, times),
        ]
    if rental.state is State.QUEUED:
        return _waits(details, times)
    if _is_starting(details):
        blocked = f"Held up: {reason(rental.blocked.why)}." if rental.blocked and rental.blocked.why else ""
        bought = vendor_and_rate(details)
        return [blocked, _elapsed(details, times.now), f"{bought}." if bought else ""]
    if rental.state is State.READY:
        return _ready(details, reader)
    if rental.state is State.DESTROYING:
        alarm = rental.alarm
        if alarm is None or alarm.count == 0:
            return []
        bills = f"It may still bill {per_hour(rental.rate)}." if rental.rate else "It may still bill."
        on_it = f"{person(details.names, alarm.taken_on_by)} is on it." if alarm.taken_on_by else ""
        return ["Not confirmed gone.", bills, on_it]
    late = "" if settled(details) else "Something that turned up late is being deleted."
    stopped = stopped_at_night(details, reader)
    script = on_ending_text(rental, times, rental.created_at)
    return [why_ended(details), stopped, receipt(details), script, late, new_one_text(rental)]


def _waits(details: RentalDetails, times: Times) -> list[str]:
    """Return what a rental waits for, until when, and how often a purchase for it has failed."""
    rental = details.rental
    request, posted = rental.request, rental.created_at
    until = rental.wish.until if rental.wish is not None else None
    starts = request.starts_at
    return [
        f"Starts {times.time(starts, posted)}, ends {times.time(request.until, posted)}."
        if starts is not None and request.until is not None
        else "",
        f"Up to {highest(rental.envelope)}, {say_at_most(rental.envelope.total)} in all.",
        f"I look until {times.time(until, posted)}." if until is not None else "",
        _failures(details, times),
        note(request.note),
    ]


def _failures(details: RentalDetails, times: Times) -> str:
    """Return `I've tried 14 times, last at 03:10: Nebius looks sold out.`"""
    last = details.current
    if last is None or last.why is None:
        return ""
    count, at = len(details.attempts), times.at_time(last.intended_at)
    often = f"once, {at}" if count == 1 else f"{count} times, last {at}"
    return sentence(f"I've tried {often}: {reason(last.why, last.vendor)}")


def _ready(details: RentalDetails, reader: Reader) -> list[str]:
    rental, times = details.rental, reader.times
    since, posted = billing_since(details), rental.created_at
    money = per_hour(rental.rate) if rental.rate else ""
    running = f"{money} since {times.time(since, posted)}".lstrip() + "." if since else ""
    command = ssh_command(rental.host, rental.port) if reader.rules.announce.address_in_channel else None
    use = rental.use if is_on_card(rental) else None
    return [
        NO_SSH_ANSWER if rental.silent else "",
        f"{verdict_text(use, _in_steps(use, times))}." if use else "",
        sentence(running) if running else "",
        at_its_end(rental, times.now) or script_first_text(details, times, posted) or ends(rental, times, posted),
        on_ending_text(rental, times, posted),
        setup_text(rental),
        f"{person(details.names, rental.extension.asked_by)} asks for more time, "
        f"until {times.time(rental.extension.ends_at, posted)}."
        if rental.extension
        else "",
        f"`{command}`" if command else "",
        new_one_text(rental),
        note(rental.request.note),
    ]


def _in_steps(use: Use, times: Times) -> Times:
    """Return the times at the end of the last whole step since the verdict began."""
    return changed(times, now=times.now - (times.now - use.since) % REFRESH_IDLE_EVERY)


def _is_starting(details: RentalDetails) -> bool:
    return details.rental.state in {State.PROCURING, State.PROVISIONING}


def _elapsed(details: RentalDetails, now: datetime) -> str:
    """Return the time since the click, or since the approval."""
    started = details.rental.procuring_since
    if started is None or now - started < timedelta(seconds=1):
        return ""
    usual = f" of about {about_span(details.usual)}" if details.usual else ""
    return f"{span(now - started)}{usual}."


def _bar(details: RentalDetails, now: datetime) -> Json | None:
    """Return a bar that shows how much of the usual time has passed. It is not in the fallback text."""
    started = details.rental.procuring_since
    if not _is_starting(details) or started is None or not details.usual:
        return None
    usual = max(details.usual, timedelta(seconds=1))
    full = min(max((now - started) * BAR // usual, 0), BAR)
    return blocks.context("▰" * full + "▱" * (BAR - full))


def _buttons(details: RentalDetails) -> list[Json | None]:
    rental = details.rental
    if rental.state.over:
        return []
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    add_teammate = button("Add teammate", Action.ADD_TEAMMATE, version)
    if rental.decision is not None:
        accept = None
        if rental.owner_decides and not rental.needs_later_end:
            accept = button(f"Accept up to {highest(rental.envelope)}", Action.ACCEPT, version, style="primary")
        return [
            accept,
            button("Change", Action.CHANGE_RENTAL, version),
            add_teammate,
            button("Withdraw", Action.WITHDRAW, version),
        ]
    this = RentalValue(rental_id=rental.id)
    shown = button("Details", Action.DETAILS, this)
    if rental.state is State.READY:
        return [shown, extend_form_button(rental), destroy_button(rental)]
    if rental.state is State.DESTROYING:
        may_take_on = rental.alarm is not None and rental.alarm.can_be_taken_on
        return [shown, button("I'm on it", Action.TAKEN_ON, this) if may_take_on else None]
    if rental.state is State.QUEUED and rental.quote_id is not None:
        return [shown, add_teammate, stop_button(rental.quote_id, rental.id)]
    more = add_teammate if keys_still_go_in(rental, details.attempts) else None
    return [shown, more, button("Cancel", Action.CANCEL, this)]
