"""Whether a machine is needed: the question to its owner, its answers, and what approvers read if none comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.model.event import Event, EventKind, events_after, facts_in
from bot.model.facts import AgainFacts, KeptFacts, QuestionFacts, VerdictFacts
from bot.model.machine_use import NOT_COMPUTING, Missed, Use, Verdict
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, span
from bot.policy.use.questions import spell_of, unanswered
from handlers.ids import Action, HoursValue, RentalValue
from handlers.messages.writers import (
    EventContext,
    EventText,
    approvers,
    cost_of,
    direct,
    no_longer_ready,
    sentence_case,
    thread,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.ends import ask_again_text, end_moves
from handlers.phrases.format import Times, dollars, join, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, extend_button
from handlers.phrases.rental_text import current_state, first_after, machine, machines_of, mentions, so_far
from handlers.phrases.use_text import connections_text, unseen_text, verdict_then, without_work

KEEP_HOURS = (1, 4)
"""The hours on the buttons "Still needed", after which the bot asks again."""


# --- the thread


@thread(EventKind.KEPT)
def _kept(context: EventContext[KeptFacts]) -> EventText:
    facts, moves = context.facts, end_moves(context.rental)
    own = context.event.actor == context.owner_id
    lead = f"{context.actor} still needs it" if own else f"{context.actor} says that it is still needed"
    return EventText(lead, ask_again_text(facts.until, facts.since, context.times, moves=moves))


@thread(EventKind.STILL_NEEDED)
def _still_needed(context: EventContext[QuestionFacts]) -> EventText:
    verdict = context.facts.verdict
    if verdict is Verdict.UNKNOWN:
        return EventText("Asked whether it is still needed, I can't see inside")
    if verdict in NOT_COMPUTING:
        words = without_work(verdict, context.facts.span)
        return EventText(f"Asked whether it is still needed, {words[:1].lower()}{words[1:]}")
    quiet = f", nothing here for {about_span(context.facts.span)}" if context.facts.span else ""
    return EventText(f"Asked whether it is still needed{quiet}")


@thread(EventKind.NOBODY_ANSWERS)
def _nobody_answers(context: EventContext[QuestionFacts]) -> EventText:
    facts = context.facts
    cost = f", {dollars(facts.amount)}" if facts.amount is not None else ""
    idle = f", {without_work(facts.verdict, facts.span).lower()}{cost}" if facts.verdict else ""
    return EventText(f"Told the approvers that nobody answers{idle}")


@thread(EventKind.LEFT_ALONE)
def _left_alone(context: EventContext[AgainFacts]) -> EventText:
    end = context.times.time(context.facts.until)
    return EventText(f"{context.actor} leaves it until its end, {end}", "I don't ask about it before.")


@thread(EventKind.OWNER_ASKED_AGAIN)
def _owner_asked_again(context: EventContext[AgainFacts]) -> EventText:
    rental = context.details.rental
    owner = context.name(context.owner_id)
    when, lease = context.facts.until, rental.lease
    asks = f"I ask {context.times.at_time(when)}."
    if lease and when >= lease.ends_at:
        asks = f"it ends {context.times.time(lease.ends_at)}; I don't ask before."
    return EventText(f"{context.actor} wants {owner} to be asked again", asks, colon=True)


@thread(EventKind.USE_CHANGED)
def _use_changed(context: EventContext[VerdictFacts]) -> EventText:
    use = context.facts.use
    return EventText(verdict_then(use, context.times) if use is not None else "Its use changed")


@thread(EventKind.PROBE_INSTALLED)
def _probe_installed(context: EventContext) -> EventText:
    return EventText(f"{context.actor} says that the probe is installed")


# --- to the owner


@direct(EventKind.STILL_NEEDED)
def _question(context: EventContext[QuestionFacts]) -> Rendered:
    """Return the question while it is open. Later, return the answer, or how the machine is used or ended."""
    event, rental = context.event, context.rental
    if rental.state is not State.READY:
        return no_longer_ready(context)
    answer = context.outcome
    if answer is not None:
        return _answered(context, answer)
    used = _used_again(context)
    if used is not None:
        # If the machine worked only for a moment, the same spell goes on, and so does this question.
        return blocks.message(f"{_lead(context)} {used}", closed=False)
    text = question_text(context)
    if event.facts.use is not None and event.facts.use.why is Missed.REFUSED:
        text = f"{text} /gpu ssh {rental.id} shows how to install it."
    return blocks.with_buttons(text, destroy_button(rental), *keep_buttons(rental))


def is_open(context: EventContext[QuestionFacts]) -> bool:
    """Return whether an event asks about the machine, and nobody answered or used it since."""
    return context.facts.verdict is not None and context.outcome is None and _used_again(context) is None


def question_text(context: EventContext[QuestionFacts]) -> str:
    """Return the question of an event: `Idle for 35 min: k7mq2, 4x H100, $9.20/h. All GPUs at 0 % ...`"""
    return f"{_lead(context)} {_evidence(context)} {so_far(cost_of(context.facts) or context.details.spent)}."


def keep_buttons(rental: Rental) -> list[Json]:
    """Return the buttons by which the owner says that a machine is still needed."""
    values = [HoursValue(rental_id=rental.id, span=timedelta(hours=hours)) for hours in KEEP_HOURS]
    return [button(f"Still needed, ask in {span(value.span)}", Action.KEEP, value) for value in values]


def _lead(context: EventContext[QuestionFacts]) -> str:
    """Return `Idle for 35 min: k7mq2, 4x H100, $9.20/h.`, or the question if it can't be seen into."""
    rental, facts = context.rental, context.facts
    if facts.verdict not in NOT_COMPUTING:
        return f"Still needed? {rental.id}:"
    words = f"{without_work(facts.verdict, facts.span)}: {rental.id}"
    if facts.verdict is Verdict.CONNECTED:
        return f"{words}."
    price = f", {per_hour(facts.rate)}" if facts.rate is not None else ""
    return f"{words}, {machines_of(rental)}{price}."


def _evidence(context: EventContext[QuestionFacts]) -> str:
    facts, use, times = context.facts, context.facts.use, context.times
    if use is not None and use.verdict is Verdict.UNKNOWN:
        return f"{unseen_text(use, times)}."
    if use is not None:
        now = context.rental.use
        connected = connections_text(use, "SSH connection")
        if use.verdict is Verdict.IDLE and now is not None and now.verdict is Verdict.CONNECTED:
            connected = "somebody connected since then"
        elif use.connections or use.new_connections:
            connected += " open"
        elif use.verdict is Verdict.CONNECTED:
            connected += " now"
        return f"{_readings(use)} since {times.time(use.since, context.event.at)}, {connected}."
    quiet = f"nothing here for {about_span(facts.span)}" if facts.span else "nothing here for a while"
    return f"{quiet}. I can't see inside; it may be busy or idle."


def _readings(use: Use) -> str:
    """Return `All GPUs at 0 %`, or `All GPUs at up to 3 %` with the highest reading of any of them."""
    readings = [gpu.highest for gpu in use.gpus if gpu.highest is not None]
    name = "GPU" if len(use.gpus) == 1 else "All GPUs" if use.verdict is Verdict.IDLE else "GPUs"
    return f"{name} at {'up to ' if any(readings) else ''}{max(readings, default=0)} %"


def _used_again(context: EventContext[QuestionFacts]) -> str | None:
    """Return that the machine was used after the question, or not seen into for so long that its time without work
    counts from a later time. Return None if the question is still about the same time."""
    use, asked_about, times = context.rental.use, context.facts.use, context.times
    if use is None or asked_about is None:
        return None
    if use.verdict is Verdict.IN_USE:
        return f"In use again since {times.time(use.since)}."
    if not {use.verdict, asked_about.verdict} <= NOT_COMPUTING or spell_of(use) == spell_of(asked_about):
        return None
    later = [e for e in events_after(context.event, context.details.events) if e.kind is EventKind.USE_CHANGED]
    if any(facts.verdict is Verdict.IN_USE for facts in facts_in(later, VerdictFacts)):
        return f"It was used {times.at_time(use.since)}."
    return f"I couldn't see inside until {times.time(use.since)}."


def _answered(context: EventContext[QuestionFacts], answer: Event[Any]) -> Rendered:
    start = f"Still needed? {context.rental.id}: "
    if answer.kind is EventKind.STILL_NEEDED:
        again = f"I asked again {context.times.at_time(answer.at)}."
        # Use ends a spell without an answer.
        same_spell = spell_of(answer.facts.use) == spell_of(context.facts.use)
        return blocks.message(f"{start}{'no answer. ' if same_spell else ''}{again}")
    words = context.text_of(answer)
    if answer.kind is EventKind.KEPT:
        return _answered_by_kept(context, answer, start, words)
    if answer.actor == context.reader.id:
        yes = "more time is asked for" if answer.kind is EventKind.EXTENSION_ASKED else "yes"
        return blocks.message(f"{start}{yes}. {sentence_case(words.rest)}".rstrip())
    return blocks.message(f"{start}{words.text}")


def _answered_by_kept(context: EventContext, answer: Event[KeptFacts], start: str, words: EventText) -> Rendered:
    """Return when the bot asks again and when the lease ends, with Extend until one of these changes."""
    details, rental, reader = context.details, context.rental, context.reader
    text = start + (f"yes. {sentence_case(words.rest)}" if answer.actor == reader.id else words.text)
    if rental.extension is not None:
        return blocks.message(f"{text} More time is asked for; an approver decides.", closed=False)
    if answer.facts.since != rental.running_lease.ends_at:
        return blocks.message(f"{start}yes. It ends {reader.times.time(rental.running_lease.ends_at)} now.")
    if first_after(details, answer, EventKind.STILL_NEEDED, EventKind.KEPT) is not None:
        return blocks.message(text)
    more = extend_button(rental, reader, spent=details.spent.amount)
    return blocks.with_buttons(text, more, closed=more is None)


@direct(EventKind.KEPT)
def _is_still_needed(context: EventContext) -> Rendered:
    """Return to a person who asked for the machine that it is still needed."""
    return blocks.message(f"{context.text.lead}: {machine(context.rental)}.")


# --- to the approvers, if the owner doesn't answer


@approvers(EventKind.NOBODY_ANSWERS)
def _owner_does_not_answer(context: EventContext[QuestionFacts]) -> Rendered:
    """Return what was idle when the approvers were notified, with what they can do. Later, return what was
    decided. The first message about an idle period mentions the approvers."""
    event, details, rental, times = context.event, context.details, context.rental, context.times
    name = f"{rental.id}, {machines_of(rental)}, {person(details.names, context.owner_id)}"
    if context.outcome is not None:
        return blocks.message(f"{_outcome(context, context.outcome)} {name}.")
    if rental.state is not State.READY:
        return blocks.message(f"{name}. {current_state(details, times)}")
    asked = unanswered(rental, rental.use)
    if asked is None or asked.about != spell_of(event.facts.use):
        # If the machine worked only for a moment, the same spell goes on, and so does this message. A later spell
        # has its own message.
        used = f"{verdict_then(rental.use, times)}." if rental.use is not None else ""
        return blocks.message(join(f"No longer asked: {name}.", used), closed=False)
    this, owner = RentalValue(rental_id=rental.id), details.names.get(rental.owner) or "its owner"
    text = f"Nobody answers: {name}, {_idle(event, rental.use, times)}. {_until_end(event, times)}"
    mentioned = ""
    if context.asks is not None and _is_first(event, details):
        mentioned = mentions(details, event, context.asks, context.reader.rules)
    return blocks.of_parts(
        blocks.paragraph(text),
        blocks.small(mentioned),
        blocks.actions(
            destroy_button(rental),
            button(blocks.short_label("Ask {} again", owner), Action.ASK_OWNER_AGAIN, this),
            button("Leave it until its end", Action.LEAVE_ALONE, this),
        ),
    )


def _is_first(event: Event[QuestionFacts], details: RentalDetails) -> bool:
    """Return whether the approvers were not yet notified of this spell."""
    told = EventKind.NOBODY_ANSWERS
    before = [one for one in details.events if one.kind is told and one.id != event.id and one.at < event.at]
    spell = spell_of(event.facts.use)
    return all(spell_of(facts.use) != spell for facts in facts_in(before, QuestionFacts))


def _idle(event: Event[QuestionFacts], now: Use | None, times: Times) -> str:
    """Return `idle since 14:05 (4 h 35 min, $42.17)`.

    `now` is the present verdict: somebody may have connected since.
    """
    facts = event.facts
    connected = Verdict.CONNECTED in {facts.verdict, now.verdict if now is not None else None}
    words = "connected, not computing" if connected else "idle"
    since = f" since {times.time(facts.since, event.at)}" if facts.since else ""
    cost = dollars(facts.amount) if facts.amount is not None else ""
    more = join(about_span(facts.span) if facts.span else "", cost, by=", ")
    return f"{words}{since} ({more})" if more else f"{words}{since}"


def _until_end(event: Event[QuestionFacts], times: Times) -> str:
    facts = event.facts
    end = f"Until its end, {times.time(facts.until, event.at)}, " if facts.until else "Until its end "
    more = f"{end}about {dollars(facts.estimate)} more." if facts.estimate is not None and facts.until else ""
    return join(more, "Destroying loses its disk.")


def _outcome(context: EventContext[QuestionFacts], outcome: Event[Any]) -> str:
    if outcome.kind is EventKind.NOBODY_ANSWERS:
        again = f"I told you again {context.times.at_time(outcome.at)}:"
        # Use ends a spell without an answer.
        same_spell = spell_of(outcome.facts.use) == spell_of(context.facts.use)
        return f"Nobody answered. {again}" if same_spell else again
    return context.text_of(outcome).text
