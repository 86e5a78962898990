"""The card: one message a rental, edited as it lives."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.rental import Decider
from bot.model.state import State
from bot.model.story import Story
from bot.policy.rules import Rules
from handlers.ids import Action, RentalValue, VersionValue
from handlers.views import blocks
from handlers.views.about import (
    billing_since,
    owner,
    receipt,
    settled,
    source,
    state_word,
    subject,
    times,
    why_ended,
)
from handlers.views.blocks import Json, Rendered, button
from handlers.views.direct import destroy_button, stop_asking_button
from handlers.views.words import (
    Times,
    about,
    note,
    per_hour,
    person,
    reason,
    sentence,
    span,
    ssh_command,
)

BAR = 10


def card(story: Story, *, rules: Rules, now: datetime, zone: str | None = None) -> Rendered:
    """The card as of now. It is read in its channel, so it says that rental's money."""
    at = times(rules, now, zone)
    details = " ".join(filter(None, _details(story, rules, at)))
    word, rest = state_word(story), f": {subject(story)}."
    text = f"{word}{rest} {details}".rstrip()
    shown = f"*{word}*{rest} {details}".rstrip()
    return blocks.message(
        text,
        blocks.section(shown),
        _bar(story, now),
        None if story.rental.state.over else blocks.actions(*_buttons(story)),
        closed=story.rental.state.over and settled(story),
    )


def _details(story: Story, rules: Rules, at: Times) -> list[str]:
    rental = story.rental
    if rental.state is State.AWAITING_APPROVAL:
        why = sentence(reason(rental.asked_why, rental.vendor)) if rental.asked_why else ""
        lapses = f"Lapses {at.on(rental.lapses_at)}." if rental.lapses_at else ""
        return [why, f"Up to {per_hour(rental.envelope.max_rate)}.", lapses]
    if rental.state in {State.PROCURING, State.PROVISIONING}:
        held = f"Held up: {reason(rental.kept_why)}." if rental.kept_since and rental.kept_why else ""
        return [held, _elapsed(story, at.now), f"{source(story)}." if source(story) else ""]
    if rental.state is State.READY:
        return _ready(story, rules, at)
    if rental.state is State.DESTROYING:
        if rental.alarms == 0:
            return []
        bills = f"It may still bill {per_hour(rental.rate)}." if rental.rate else "It may still bill."
        on_it = f"{person(story.names, rental.taken_on_by)} is on it." if rental.taken_on_by else ""
        return ["Not confirmed gone.", bills, on_it]
    late = "" if settled(story) else "Something that turned up late is being deleted."
    return [why_ended(story), receipt(story), late]


def _ready(story: Story, rules: Rules, at: Times) -> list[str]:
    rental = story.rental
    since, posted = billing_since(story), rental.created_at
    money = per_hour(rental.rate) if rental.rate else ""
    running = f"{money} since {at.at(since, posted)}".lstrip() + "." if since else ""
    command = ssh_command(rental.host, rental.port) if rules.announce.address_in_channel else None
    return [
        sentence(running) if running else "",
        f"Ends {at.at(rental.ends_at, posted)}." if rental.ends_at else "",
        f"{owner(story)} asks for more time, until {at.at(rental.extension.ends_at, posted)}."
        if rental.extension
        else "",
        f"`{command}`" if command else "",
        note(rental.request.note),
    ]


def _started(story: Story) -> datetime | None:
    return story.current.intended_at if story.current else None


def _elapsed(story: Story, now: datetime) -> str:
    started = _started(story)
    if started is None or now - started < timedelta(seconds=1):
        return ""
    usual = f" of about {about(story.usual)}" if story.usual else ""
    return f"{span(now - started)}{usual}."


def _bar(story: Story, now: datetime) -> Json | None:
    """For the eye only: how much of the usual time is over."""
    started = _started(story)
    if story.rental.state not in {State.PROCURING, State.PROVISIONING} or started is None or not story.usual:
        return None
    usual = max(story.usual, timedelta(seconds=1))
    full = min(max((now - started) * BAR // usual, 0), BAR)
    return blocks.context("▰" * full + "▱" * (BAR - full))


def _buttons(story: Story) -> list[Json]:
    rental = story.rental
    this = RentalValue(rental_id=rental.id)
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    details = button("Details", Action.DETAILS, this)
    if rental.state is State.AWAITING_APPROVAL:
        rows = [button("Change", Action.CHANGE_RENTAL, version), button("Withdraw", Action.WITHDRAW, version)]
        if rental.decider is Decider.OWNER:
            label = f"Go on up to {per_hour(rental.envelope.max_rate)}"
            return [button(label, Action.ACCEPT, version, style="primary"), *rows]
        return rows
    if rental.state is State.READY:
        longer = stop_asking_button(rental) or button("Extend", Action.EXTEND_FORM, this)
        return [details, longer, destroy_button(rental)]
    if rental.state is State.DESTROYING:
        take = rental.alarms > 0 and rental.taken_on_by is None
        return [details, *([button("I'm on it", Action.TAKEN_ON, this)] if take else [])]
    return [details, button("Cancel", Action.CANCEL, this)]
