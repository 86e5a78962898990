"""The message to the approvers about an idle machine whose owner doesn't answer. The first one about
a spell mentions them."""

from __future__ import annotations

from bot.model.event import Event, EventKind, settled_by
from bot.model.machine_use import Use, Verdict
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span
from bot.policy.team.asking import Mentions
from bot.policy.use.questions import spell_of, unanswered
from handlers.ids import Action, RentalValue
from handlers.messages.event_text import event_text
from handlers.phrases import blocks
from handlers.phrases.asked_text import mentions
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import Reader, Times, dollars, escape, join, person
from handlers.phrases.lease_buttons import destroy_button
from handlers.phrases.machine_text import machines_of
from handlers.phrases.rental_text import current_state
from handlers.phrases.use_text import verdict_then


def nobody_answers(event: Event, details: RentalDetails, reader: Reader, *, asks: Mentions | None) -> Rendered:
    """Return what was idle when the approvers were notified, with what they can do. Later, return what was
    decided. `asks` is set for the post, which mentions these approvers."""
    times, rental = reader.times, details.rental
    asked_owner = person(details.names, details.owner_at(event))
    name = f"{rental.id}, {machines_of(rental)}, {asked_owner}"
    outcome = settled_by(event, details.events)
    if outcome is not None:
        return blocks.message(f"{_outcome(event, outcome, details, times)} {name}.")
    if rental.state is not State.READY:
        return blocks.message(f"{name}. {current_state(details, times)}")
    asked = unanswered(rental, rental.use)
    if asked is None or asked.about != spell_of(event.facts.use):
        # If the machine worked only for a moment, the same spell goes on, and so does this message. A later spell
        # has its own message.
        return blocks.message(join(f"No longer asked: {name}.", _used(details, times)), closed=False)
    this = RentalValue(rental_id=rental.id)
    text = f"Nobody answers: {name}, {_idle(event, rental.use, times)}. {_until_end(event, times)}"
    mentioned = ""
    if asks is not None and _is_first(event, details):
        mentioned = mentions(details, event, asks, reader.rules)
    return blocks.message(
        "\n".join(filter(None, (text, mentioned))),
        blocks.section(text),
        blocks.context(mentioned) if mentioned else None,
        blocks.actions(
            destroy_button(rental),
            button(f"Ask {_first_name(details)} again", Action.ASK_OWNER_AGAIN, this),
            button("Leave it until its end", Action.LEAVE_ALONE, this),
        ),
        closed=False,
    )


def _is_first(event: Event, details: RentalDetails) -> bool:
    """Return whether the approvers were not yet notified of this spell."""
    others = [other for other in details.events if other.kind is EventKind.NOBODY_ANSWERS and other.id != event.id]
    spell = spell_of(event.facts.use)
    return not any(spell_of(other.facts.use) == spell and other.at < event.at for other in others)


def _idle(event: Event, now: Use | None, times: Times) -> str:
    """Return `idle since 14:05 (4 h 35 min, $42.17)`. `now` is the present verdict: somebody may have connected
    since."""
    facts = event.facts
    connected = Verdict.CONNECTED in {facts.verdict, now.verdict if now is not None else None}
    words = "connected, not computing" if connected else "idle"
    since = f" since {times.time(facts.since, event.at)}" if facts.since else ""
    cost = dollars(facts.amount) if facts.amount is not None else ""
    more = ", ".join(part for part in (about_span(facts.span) if facts.span else "", cost) if part)
    return f"{words}{since} ({more})" if more else f"{words}{since}"


def _until_end(event: Event, times: Times) -> str:
    facts = event.facts
    end = f"Until its end, {times.time(facts.until, event.at)}, " if facts.until else "Until its end "
    more = f"{end}about {dollars(facts.estimate)} more." if facts.estimate is not None and facts.until else ""
    return join(more, "Destroying loses its disk.")


def _first_name(details: RentalDetails) -> str:
    """Return the owner's name, short enough for a button, which takes 75 characters."""
    return escape(details.names.get(details.rental.owner) or "its owner", 30)


def _outcome(event: Event, outcome: Event, details: RentalDetails, times: Times) -> str:
    if outcome.kind is EventKind.NOBODY_ANSWERS:
        again = f"I told you again {times.at_time(outcome.at)}:"
        # Use ends a spell without an answer.
        same_spell = spell_of(outcome.facts.use) == spell_of(event.facts.use)
        return f"Nobody answered. {again}" if same_spell else again
    words = event_text(outcome, details, times)
    return words.text if words else "No longer asked:"


def _used(details: RentalDetails, times: Times) -> str:
    use = details.rental.use
    return f"{verdict_then(use, times)}." if use is not None else ""
