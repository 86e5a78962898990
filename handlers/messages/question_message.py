"""The direct message that asks a machine's owner whether it is needed, and then shows the answer."""

from __future__ import annotations

from bot.model.event import Event, EventKind, events_after, settled_by
from bot.model.machine_use import NOT_COMPUTING, Missed, Use, Verdict
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from bot.model.text import about_span
from bot.policy.use.questions import spell_of
from handlers.ids import Action, HoursValue, RentalValue
from handlers.messages.event_text import EventText, event_text, sentence_case
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.format import Reader, Times, per_hour
from handlers.phrases.lease_buttons import destroy_button, extend_button
from handlers.phrases.machine_text import machines_of, sold_but_seen
from handlers.phrases.rental_text import first_after, how_it_ended, machine, new_one_text, possessive, so_far
from handlers.phrases.use_text import connections_text, unseen_text, without_work

KEEP_HOURS = (1, 4)
"""The hours on the buttons "Still needed", after which the bot asks again."""


def question(event: Event, details: RentalDetails, reader: Reader) -> Rendered:
    """Return the question while it is open. Later, return the answer, or how the machine is used or ended."""
    rental, times = details.rental, reader.times
    if rental.state is not State.READY:
        text = how_it_ended(details, f"{possessive(details, reader)} {machine(details)}", times)
        return blocks.message(text, closed=rental.state.over)
    answer = settled_by(event, details.events)
    if answer is not None:
        return _answered(event, answer, details, reader)
    used = _used_again(event, details, times)
    if used is not None:
        # If the machine worked only for a moment, the same spell goes on, and so does this question.
        return blocks.message(f"{_lead(event, details)} {used}", closed=False)
    text = question_text(event, details, times)
    if event.facts.use is not None and event.facts.use.why is Missed.REFUSED:
        text = f"{text} /gpu ssh {rental.id} shows how to install it."
    buttons = (destroy_button(rental), *keep_buttons(rental))
    return blocks.message(text, blocks.section(text), blocks.actions(*buttons), closed=False)


def is_open(event: Event, details: RentalDetails, times: Times) -> bool:
    """Return whether an event asks about the machine, and nobody answered or used it since."""
    if event.facts.verdict is None or settled_by(event, details.events) is not None:
        return False
    return _used_again(event, details, times) is None


def question_text(event: Event, details: RentalDetails, times: Times) -> str:
    """Return the question of an event: `Idle for 35 min: k7mq2, 4x H100, $9.20/h. All GPUs at 0 % ...`"""
    return f"{_lead(event, details)} {_evidence(event, details, times)} {so_far(_spent(event, details))}."


def keep_buttons(rental: Rental) -> list[Json]:
    """Return the buttons by which the owner says that a machine is still needed."""
    return [
        button(f"Still needed, ask in {hours} h", Action.KEEP, HoursValue(rental_id=rental.id, hours=hours))
        for hours in KEEP_HOURS
    ]


def _lead(event: Event, details: RentalDetails) -> str:
    """Return `Idle for 35 min: k7mq2, 4x H100, $9.20/h.`, or the question if it can't be seen into."""
    rental, facts = details.rental, event.facts
    if facts.verdict not in NOT_COMPUTING:
        return f"Still needed? {rental.id}:"
    words = f"{without_work(facts.verdict, facts.span)}: {rental.id}"
    if facts.verdict is Verdict.CONNECTED:
        return f"{words}."
    price = f", {per_hour(facts.rate)}" if facts.rate is not None else ""
    return f"{words}, {machines_of(rental)}{price}."


def _evidence(event: Event, details: RentalDetails, times: Times) -> str:
    facts, use = event.facts, event.facts.use
    if use is not None and use.verdict is Verdict.UNKNOWN:
        return f"{unseen_text(use, times)}."
    if use is not None:
        now = details.rental.use
        connected = connections_text(use, "SSH connection")
        if use.verdict is Verdict.IDLE and now is not None and now.verdict is Verdict.CONNECTED:
            connected = "somebody connected since then"
        elif use.connections or use.new_connections:
            connected += " open"
        elif use.verdict is Verdict.CONNECTED:
            connected += " now"
        return f"{_readings(use)} since {times.time(use.since, event.at)}, {connected}."
    quiet = f"nothing here for {about_span(facts.span)}" if facts.span else "nothing here for a while"
    return f"{quiet}. I can't see inside; it may be busy or idle."


def _readings(use: Use) -> str:
    """Return `All GPUs at 0 %`, or `All GPUs at up to 3 %` with the highest reading of any of them."""
    readings = [gpu.highest for gpu in use.gpus if gpu.highest is not None]
    name = "GPU" if len(use.gpus) == 1 else "All GPUs" if use.verdict is Verdict.IDLE else "GPUs"
    return f"{name} at {'up to ' if any(readings) else ''}{max(readings, default=0)} %"


def _used_again(event: Event, details: RentalDetails, times: Times) -> str | None:
    """Return that the machine was used after the question, or not seen into for so long that its time without work
    counts from a later time. Return None if the question is still about the same time."""
    use, asked_about = details.rental.use, event.facts.use
    if use is None or asked_about is None:
        return None
    if use.verdict is Verdict.IN_USE:
        return f"In use again since {times.time(use.since)}."
    if not {use.verdict, asked_about.verdict} <= NOT_COMPUTING or spell_of(use) == spell_of(asked_about):
        return None
    changes = [later for later in events_after(event, details.events) if later.kind is EventKind.USE_CHANGED]
    if any(later.facts.verdict is Verdict.IN_USE for later in changes):
        return f"It was used {times.at_time(use.since)}."
    return f"I couldn't see inside until {times.time(use.since)}."


def _spent(event: Event, details: RentalDetails) -> AccruedCost:
    """Return the cost until the question."""
    facts = event.facts
    if facts.amount is None:
        return details.spent
    return AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))


def _answered(event: Event, answer: Event, details: RentalDetails, reader: Reader) -> Rendered:
    times = reader.times
    start = f"Still needed? {details.rental.id}: "
    if answer.kind is EventKind.STILL_NEEDED:
        again = f"I asked again {times.at_time(answer.at)}."
        # Use ends a spell without an answer.
        same_spell = spell_of(answer.facts.use) == spell_of(event.facts.use)
        return blocks.message(f"{start}{'no answer. ' if same_spell else ''}{again}")
    words = event_text(answer, details, times) or EventText("answered")
    if answer.kind is EventKind.KEPT:
        return _kept(answer, words, details, reader)
    if answer.actor == reader.id:
        yes = "more time is asked for" if answer.kind is EventKind.EXTENSION_ASKED else "yes"
        return blocks.message(f"{start}{yes}. {sentence_case(words.rest)}".rstrip())
    return blocks.message(f"{start}{words.text}")


def _kept(answer: Event, words: EventText, details: RentalDetails, reader: Reader) -> Rendered:
    """Return when the bot asks again and when the lease ends, with Extend until one of these changes."""
    rental = details.rental
    start = f"Still needed? {rental.id}: "
    text = start + (f"yes. {sentence_case(words.rest)}" if answer.actor == reader.id else words.text)
    if rental.extension is not None:
        return blocks.message(f"{text} More time is asked for; an approver decides.", closed=False)
    if answer.facts.since not in {None, rental.running_lease.ends_at}:
        return blocks.message(f"{start}yes. It ends {reader.times.time(rental.running_lease.ends_at)} now.")
    if first_after(details, answer, EventKind.STILL_NEEDED, EventKind.KEPT) is not None:
        return blocks.message(text)
    more = extend_button(rental, reader, spent=details.spent.amount)
    return blocks.message(text, blocks.section(text), blocks.actions(more), closed=more is None)


# --- the question about a machine that is not what was sold


def not_as_sold(event: Event, rental: Rental, replace: Json | None, *, kept: bool) -> Rendered:
    """Return the message to the owner of a machine that is in use. `replace` is the button that replaces it, None
    if that is not possible."""
    text = f"{rental.id} was {sold_but_seen(event.facts)}."
    if kept:
        return blocks.message(f"{text} You keep it.")
    if rental.replaced_by is not None:
        return blocks.message(f"{text} {new_one_text(rental)}", closed=False)
    keep = button("Keep it", Action.KEEP_AS_IT_IS, RentalValue(rental_id=rental.id))
    return blocks.message(text, blocks.section(text), blocks.actions(replace, keep), closed=False)
