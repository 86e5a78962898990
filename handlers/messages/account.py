"""Alerts: about the account, about the rules, and about the bot's own failures. They are never edited."""

from __future__ import annotations

from datetime import timedelta

from bot.model.event import Event, EventKind
from bot.model.facts import AccountFacts, AlertFacts, SaidFacts
from bot.model.person import OPERATOR
from bot.model.text import listed, plural, span
from bot.policy.use.clocks import ClockDifference
from handlers.messages.writers import AlertContext, EventContext, EventText, Needs, alert, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.error_text import mistakes_text
from handlers.phrases.format import actor, channel, escape, identifier, join, person

# --- what the account does


@alert(EventKind.UNAUTHORIZED)
def _unauthorized(_: AlertContext) -> Rendered:
    text = "Compute Clear refuses my token. I can neither rent nor destroy, and what runs keeps billing."
    return blocks.message(f"{text} Put a working COMPUTE_CLEAR_TOKEN in place and restart me.")


@alert(EventKind.AUTHORIZED_AGAIN)
def _authorized_again(_: AlertContext) -> Rendered:
    return blocks.message("Compute Clear accepts my token again. I go on where I was.")


@alert(EventKind.NO_APPROVER_LEFT)
def _no_approver_left(context: AlertContext[AccountFacts]) -> Rendered:
    waits = context.facts.count
    text = "No approver is left: the people that the policy names are gone, and its groups are empty."
    then = f" {plural(waits, 'request waits', 'requests wait')}: /gpu list all" if waits else ""
    return blocks.message(f"{text} Until that changes, admins decide.{then}")


# --- a pause of buying. If it was over before its alert was posted, one alert says both: the one about its end, or
# the one about the pause if its reader gets none about the end


@alert(EventKind.PAUSED, needs=Needs.OTHER_END)
def _paused(context: AlertContext[SaidFacts]) -> Rendered | None:
    resumed = context.other_end
    if resumed is not None:
        return _pause_over(context, context.event, resumed) if context.other_alert is None else None
    own_words = _own_words(context.event)
    why = f": {own_words}" if own_words else ""
    return blocks.message(
        f"Buying is paused by {context.actor}{why}. Destroying goes on. An admin resumes: /gpu resume"
    )


@alert(EventKind.RESUMED, needs=Needs.OTHER_END)
def _resumed(context: AlertContext[SaidFacts]) -> Rendered:
    paused, told = context.other_end, context.other_alert
    if paused is not None and told is not None and told.ts is None:
        return _pause_over(context, paused, context.event)
    return blocks.message(f"Buying goes on again, resumed by {context.actor}.")


def _pause_over(context: AlertContext, paused: Event[SaidFacts], resumed: Event) -> Rendered:
    """Return one message about a pause of buying and its end, for a reader who wasn't told of the pause."""
    own_words, times = _own_words(paused), context.times
    return blocks.message(
        join(
            f"Buying was paused by {actor(context.names, paused)}",
            f"({own_words})" if own_words else "",
            f"from {times.time(paused.at, resumed.at)} to {times.time(resumed.at, paused.at)}.",
            f"It goes on again, resumed by {actor(context.names, resumed)}.",
        )
    )


def _own_words(event: Event[SaidFacts]) -> str:
    """Return a person's reason for a pause, in quotation marks. Empty for the operator, whose name it follows."""
    detail = event.facts.detail if event.actor != OPERATOR.id else None
    return f'"{escape(detail, 200)}"' if detail else ""


# --- the rules


@alert(EventKind.POLICY_CHANGED)
def _policy_changed(context: AlertContext[AccountFacts]) -> Rendered:
    event = context.event
    who = f"{person(context.names, event.actor)} changed the rules" if event.actor else "The rules changed"
    return blocks.message(f"{who}: {escape(event.facts.detail, 500)}. All rules: /gpu policy")


@alert(EventKind.POLICY_REFUSED)
def _policy_refused(context: AlertContext[AccountFacts]) -> Rendered:
    lines = context.facts.detail.splitlines()
    first = "The policy file has mistakes, so the rules from before hold."
    mistakes = mistakes_text(first, lines, context.facts.count)
    return blocks.message(f"{mistakes}\nMend it, then: /gpu policy reload")


@alert(EventKind.CHANNELS_CHARGE_LESS)
def _channels_charge_less(context: AlertContext[AccountFacts]) -> Rendered:
    """Return the notice after an upgrade that names the channels which no longer charge their project for all."""
    pairs = [line.partition(" ") for line in context.facts.detail.splitlines()]
    named = listed([f"{channel(one)} ({escape(project, 40)})" for one, _, project in pairs])
    text = join(
        f"I was upgraded. A channel of a project that names people now charges the project only for them and for "
        f"approvers: {named}.",
        "Others who ask there are charged to their own only project, or to none, within the team's limits.",
        "What runs or waits keeps its project. To let more people charge one, add them to its `people`.",
    )
    return blocks.message(text)


# --- a rental whose step fails


_STEPS = (EventKind.STEP_FAILED, EventKind.STEP_WORKS, EventKind.DELETED_OVERDUE)


def _step(context: EventContext[AlertFacts] | AlertContext[AlertFacts]) -> EventText:
    facts, times, rental = context.facts, context.times, _rental(context.facts)
    if context.event.kind is EventKind.STEP_WORKS:
        return EventText(f"I look after {rental} again ({identifier(facts.number or '', 20)})")
    if context.event.kind is EventKind.DELETED_OVERDUE:
        end = f"it should have ended {times.at_time(facts.since)}, " if facts.since else ""
        rest = f"{end}and my usual way failed. The vendor has yet to confirm it."
        return EventText(f"Deleted {rental}'s machine", rest, colon=True)
    number = f"Tell an admin the number {identifier(facts.number, 20)}; it is in my log." if facts.number else None
    until = f"If it goes on, I delete its machine {times.at_time(facts.until)}." if facts.until else None
    rest = join(f"that failed {plural(facts.count or 1, 'time')} in a row. I keep trying.", until, number)
    return EventText(f"I can't look after {rental}", rest, colon=True)


thread(*_STEPS)(_step)


@alert(*_STEPS)
def _as_in_the_thread(context: AlertContext[AlertFacts]) -> Rendered:
    return blocks.message(_step(context).text)


def _rental(facts: AlertFacts) -> str:
    return escape(facts.name or "a rental", 20)


# --- a database that doesn't work, a clock that is wrong


@alert(EventKind.NO_READS)
def _no_reads(_: AlertContext) -> Rendered:
    return blocks.message(
        "I can't read my database, so I delete nothing, and what runs bills on past its end. "
        "Bring it back and I go on. Until then, end machines in Compute Clear."
    )


@alert(EventKind.NO_WRITES)
def _no_writes(context: AlertContext[AlertFacts]) -> Rendered:
    facts, times = context.facts, context.times
    if not facts.name:
        late = f", {span(facts.span)} after its end" if facts.span else ""
        return blocks.message(
            "My database takes no writes, so nothing can be rented, extended or decided. "
            f"What runs is still deleted{late}. Make room on its disk and I go on."
        )
    ends = f" It ends {times.at_time(facts.since)}" if facts.since else ""
    gone = f" and is deleted {times.at_time(facts.until)}." if facts.until and ends else ""
    return blocks.message(
        f"Extend can't be written now for {_rental(facts)}: my database takes no writes.{ends}{gone} "
        "Copy results off: the disk goes too."
    )


@alert(EventKind.STORE_BACK)
def _store_back(context: AlertContext[AlertFacts]) -> Rendered:
    if context.facts.name:
        return blocks.message(f"Extend works again for {_rental(context.facts)}.")
    return blocks.message("My database works again. I go on where I was.")


@alert(EventKind.WRONG_CLOCK)
def _wrong_clock(context: AlertContext[AlertFacts]) -> Rendered:
    facts = context.facts
    wrong = ClockDifference(facts.span or timedelta(0), from_database=facts.detail == "database")
    return blocks.message(
        f"The clock of my machine {escape(facts.name or '', 60)} is {wrong.text}. Until it's set right, what "
        "runs there does nothing but delete machines that are long past their end."
    )
