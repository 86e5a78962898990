"""Messages about programs whose heartbeat is lost."""

from __future__ import annotations

from bot.model.event import EventKind
from bot.model.facts import (
    HeartbeatBackFacts,
    HeartbeatEndFacts,
    HeartbeatLostFacts,
    HeartbeatReturn,
    KeptWithoutHeartbeatFacts,
)
from bot.model.machine_use import OnEndingState
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.use.heartbeats import ends_without
from handlers.messages.ends import soon
from handlers.messages.needed import answer_to_reader, no_longer_ends_soon
from handlers.messages.writers import EventContext, cost_of, direct, no_longer_ready, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Part, Rendered
from handlers.phrases.ends import ends_fact, graceful_destroy_text, on_ending_text
from handlers.phrases.format import join, per_hour, sentence
from handlers.phrases.lease_buttons import destroy_button, end_button, keep_without_heartbeat_button
from handlers.phrases.rental_text import machine, program_name, so_far

# --- the thread


@thread(EventKind.HEARTBEAT_LOST)
def _heartbeat_lost(context: EventContext[HeartbeatLostFacts]) -> str:
    told = f"I told {context.name(context.owner_id)} that"
    since = context.times.time(context.facts.since)
    if not context.facts.heard:
        return f"{told} no heartbeat for {context.this_machine} has arrived since it was ready at {since}."
    return f"{told} the heartbeat for {context.this_machine} has been missing since {since}."


@thread(EventKind.HEARTBEAT_ENDS)
def _heartbeat_ends(context: EventContext[HeartbeatEndFacts]) -> str:
    times, facts = context.times, context.facts
    missing = f"The heartbeat for {context.this_machine} has been missing since {times.time(facts.since)}"
    return f"{missing}, so the machine ends {times.at_time(facts.until)}."


@thread(EventKind.HEARTBEAT_BACK)
def _heartbeat_back(context: EventContext[HeartbeatBackFacts]) -> str:
    facts, times, this = context.facts, context.times, context.this_machine
    until = "" if facts.until is None else f"keeps running, until {times.time(facts.until)} at the latest"
    then = f", so it {until}" if until else ""
    since = times.time(facts.since or context.event.at)
    match facts.how:
        case HeartbeatReturn.HEARTBEAT:
            return f"The heartbeat for {this} has been back since {since}{then}."
        case HeartbeatReturn.JOB:
            return f"A job was running on {this} at {since}, which counts as a heartbeat{then}."
        case HeartbeatReturn.WORK:
            return f"The GPUs of {this} are working{then or ', so it keeps running without a heartbeat'}."
        case HeartbeatReturn.AWAY:
            by = f" Its heartbeat has to be back by {times.time(facts.back_by)}." if facts.back_by else ""
            return f"I couldn't receive the heartbeats for {this} for a while{then}.{by}"
        case HeartbeatReturn.NOT_EXPECTED:
            return f"I don't expect heartbeats for {this} any more{then}."


@thread(EventKind.KEPT_WITHOUT_HEARTBEAT)
def _kept_without_heartbeat(context: EventContext[KeptWithoutHeartbeatFacts]) -> str:
    facts, times = context.facts, context.times
    kept = f"{context.actor} decided to keep {context.this_machine} without a heartbeat until"
    ends = f" It ends {times.at_time(facts.until)} at the latest." if facts.until is not None else ""
    return f"{kept} {times.time(facts.kept_until)}.{ends}"


# --- to the owner


@direct(EventKind.HEARTBEAT_LOST)
def _lost(context: EventContext[HeartbeatLostFacts]) -> Rendered:
    """Notify the owner that the heartbeat is lost, and ask whether to keep or to end the machine.

    Once the heartbeat is back or somebody has answered, the message says so.
    """
    rental, facts, times = context.rental, context.facts, context.times
    if rental.state is not State.READY:
        return no_longer_ready(context)
    answer = context.outcome
    if answer is not None:
        if answer.kind in {EventKind.HEARTBEAT_LOST, EventKind.HEARTBEAT_ENDS}:
            return blocks.of_parts(_titled(context, f"I sent a newer message {times.at_time(answer.at)}."))
        return blocks.message(answer_to_reader(context, answer), closed=False)
    if rental.running_lease.graceful_destroy is not None:
        name = context.machine
        return blocks.message(
            sentence(graceful_destroy_text(context.details, times, context.event.at, name=name)), closed=False
        )
    lost = rental.lost_heartbeat
    if lost is None or lost.kept_until is not None:
        # Somebody has extended the machine or said that it is still needed. The message about that is elsewhere.
        return blocks.of_parts(_titled(context, ends_fact(rental, times).sentence), closed=False)
    cost = (cost_of(facts) or context.details.spent) if context.details.sees_money else None
    price = join(per_hour(facts.rate) if facts.rate else "", so_far(cost) if cost else "", by=", ")
    keep = keep_without_heartbeat_button(rental) if ends_without(rental) else None
    return blocks.of_parts(
        _titled(context, _consequence(context), f"{price}." if price else ""),
        blocks.actions(keep, end_button(rental)),
    )


def _titled(context: EventContext[HeartbeatLostFacts], *more: str) -> Part:
    """Return the title, the name of the token, and further sentences.

    An example is `The heartbeat for 1x H100 (m3xt8) stopped at 12:40 (nightly eval). It still ends at 14:00.`
    """
    rental, facts = context.rental, context.facts
    at = context.times.at_time(facts.since, context.event.at)
    title = f"No heartbeat for {machine(rental)} has arrived since it was ready {at}"
    if facts.heard:
        title = f"The heartbeat for {machine(rental)} stopped {at}"
    name = f" ({program_name(rental.program)})" if rental.program is not None else ""
    return Part(join(f"{title}{name}.", *more), blocks.section(join(f"*{title}*{name}.", *more)))


def _consequence(context: EventContext[HeartbeatLostFacts]) -> str:
    rental, facts, times = context.rental, context.facts, context.times
    if facts.back_by is not None:
        script = "run on-ending.sh and " if _has_script(rental) else ""
        by = times.time(facts.back_by, context.event.at)
        unseen = "I can't see whether its GPUs are working." if facts.unseen else ""
        unless = f"Unless it's back by {by}" if facts.heard else f"Unless one arrives by {by}"
        return join(unseen, f"{unless}, I'll {script}end the machine; its disk is deleted with it.")
    still = f"it still ends {times.at_time(facts.until, context.event.at)}" if facts.until else "it keeps running"
    return f"Its GPUs are working, so {still}." if facts.works else sentence(still)


def _has_script(rental: Rental) -> bool:
    script = rental.on_ending
    return script is not None and script.state not in {OnEndingState.NONE, OnEndingState.REFUSED}


@direct(EventKind.HEARTBEAT_ENDS)
def _ends(context: EventContext[HeartbeatEndFacts]) -> Rendered:
    """Notify the owner and the teammates that the machine ends soon, because its heartbeat is lost.

    Once the heartbeat is back, or somebody keeps or extends the machine, the message says so.
    """
    rental, facts, times, details = context.rental, context.facts, context.times, context.details
    if (outdated := no_longer_ends_soon(context, facts.until)) is not None:
        return outdated
    cost = (cost_of(facts) or details.spent) if details.sees_money else None
    missing = f"Its heartbeat has been missing since {times.time(facts.since, context.event.at)}"
    return blocks.of_parts(
        blocks.lead(
            sentence(f"{context.machine} ends {soon(context)}"),
            f"{missing}. Copy your results off: the disk is deleted with it.",
        ),
        blocks.small(
            join(so_far(cost) if cost else "", on_ending_text(rental, times, context.event.at), by=" · ")
        ),
        blocks.actions(
            keep_without_heartbeat_button(rental), destroy_button(rental) if context.by_owner else None
        ),
    )
