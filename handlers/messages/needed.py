"""Messages about whether a machine is still needed.

The bot asks the owner whether the machine is still needed. If the owner doesn't respond, the bot asks the
approvers.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.model.base import changed
from bot.model.event import Event, EventKind, events_after, facts_in
from bot.model.facts import AgainFacts, JobsEndedFacts, KeptFacts, QuestionFacts, StatusFacts
from bot.model.machine_use import NOT_COMPUTING, Missed, UsageStatus, Use
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, span
from bot.policy.use.questions import idle_period_of, is_about, unanswered
from handlers.ids import Action, HoursValue, RentalValue
from handlers.messages.ends import MORE_TIME_REQUESTED, why_longer
from handlers.messages.writers import EventContext, approvers, cost_of, direct, no_longer_ready, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Part, Rendered, button
from handlers.phrases.ends import ask_again_text, end_moves, ends_fact
from handlers.phrases.format import Times, dollars, join, per_hour, person, sentence
from handlers.phrases.job_text import job_name
from handlers.phrases.lease_buttons import destroy_button, extend_button
from handlers.phrases.rental_text import first_after, how_it_ended, machine, mentions, so_far
from handlers.phrases.use_text import connections_text, percents, status_then, unseen_text, without_work

KEEP_HOURS = (1, 4)
"""The numbers of hours for the buttons "Yes, ask again in .."."""


NEVER_FOR_THAT = "Machines are never destroyed just because they're idle."

# --- the thread


@thread(EventKind.KEPT)
def _kept(context: EventContext[KeptFacts]) -> str:
    return join(_needs_it(context), _asks_again(context))


def _needs_it(context: EventContext[KeptFacts]) -> str:
    """Return a sentence saying that a machine is still needed.

    If the owner said so, it is `Ana still needs this machine.` If somebody else did, it is `Ben says that this
    machine is still needed.`
    """
    if context.event.actor == context.owner_id:
        return f"{context.actor} still needs {context.this_machine}."
    return f"{context.actor} says that {context.this_machine} is still needed."


def _asks_again(context: EventContext[KeptFacts]) -> str:
    facts, rental = context.facts, context.rental
    until_done = rental.lease is not None and rental.lease.until_done is not None
    return ask_again_text(facts.until, facts.since, context.times, moves=end_moves(rental), until_done=until_done)


@thread(EventKind.STILL_NEEDED)
def _still_needed(context: EventContext[QuestionFacts]) -> str:
    facts = context.facts
    asked = f"I asked {context.name(context.owner_id)} whether {context.this_machine} is still needed."
    if facts.status is UsageStatus.UNKNOWN:
        return f"{asked} I couldn't monitor it."
    if facts.status in NOT_COMPUTING:
        return f"{asked} It had been {_lower(without_work(facts.status, facts.span))}."
    return join(asked, _quiet(facts))


@thread(EventKind.NOBODY_ANSWERS)
def _nobody_answers(context: EventContext[QuestionFacts]) -> str:
    facts = context.facts
    idle = _lower(without_work(facts.status, facts.span)) if facts.status else "idle"
    cost = f" ({dollars(facts.amount)})" if facts.amount is not None else ""
    owner = context.name(context.owner_id)
    return f"{owner} hasn't responded, so I told the approvers that {context.this_machine} has been {idle}{cost}."


@thread(EventKind.LEFT_ALONE)
def _left_alone(context: EventContext[AgainFacts]) -> str:
    end = context.times.at_time(context.facts.until)
    let = f"{context.actor} decided to let {context.this_machine} run until it ends {end}."
    return f"{let} I won't ask about it before that."


@thread(EventKind.OWNER_ASKED_AGAIN)
def _owner_asked_again(context: EventContext[AgainFacts]) -> str:
    when, lease, times = context.facts.until, context.rental.lease, context.times
    asks = f"I'll ask {times.at_time(when)}."
    if lease and when >= lease.ends_at:
        asks = f"But it ends {times.at_time(lease.ends_at)}, before I would ask again."
    owner = context.name(context.owner_id)
    name = machine(context.rental) if context.named else context.this_machine
    return f"{context.actor} wants me to ask {owner} again whether {name} is still needed. {asks}"


@thread(EventKind.USE_CHANGED)
def _use_changed(context: EventContext[StatusFacts]) -> str:
    use = context.facts.use
    return f"{status_then(use, context.times)}." if use is not None else "Its usage changed."


@thread(EventKind.PROBE_INSTALLED)
def _probe_installed(context: EventContext) -> str:
    return f"{context.actor} says that monitoring is set up on {context.this_machine}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- to the owner


@direct(EventKind.STILL_NEEDED)
def _question(context: EventContext[QuestionFacts]) -> Rendered:
    """Ask the owner whether they still need the machine.

    Once somebody has answered, the message shows the answer. If the machine is in use again or has been destroyed,
    the message says so instead.
    """
    rental = context.rental
    if rental.state is not State.READY:
        return no_longer_ready(context)
    answer = context.outcome
    if answer is not None:
        return answered(context, answer)
    used = _used_again(context)
    if used is not None:
        # A closed message is never edited again, so don't close this one. If the machine was in use only for a
        # moment, it still counts as idle, and the message has to show the question again.
        return blocks.message(sentence(used), closed=False)
    return blocks.of_parts(
        *question_parts(context),
        blocks.small(NEVER_FOR_THAT if context.facts.status in NOT_COMPUTING else ""),
        blocks.actions(destroy_button(rental), *keep_buttons(rental)),
    )


def is_open(context: EventContext[QuestionFacts]) -> bool:
    """Return whether an event is an open question about whether a machine is still needed.

    A question is open until somebody responds or the machine is used again.
    """
    return context.facts.status is not None and context.outcome is None and _used_again(context) is None


def question_parts(context: EventContext[QuestionFacts], asked: str = "") -> tuple[Part, Part]:
    """Return the text that asks the owner whether they still need the machine, without the buttons.

    The text contains the reason for the question, the GPU load, the cost and the end of the lease. `asked` is the
    title. By default, it is a question such as `Still using your 1x H100 (k7mq2)?`
    """
    return (
        blocks.lead(asked or f"Still using {context.machine}?", _why_asked(context)),
        blocks.facts(
            cost_fact(context),
            *_evidence(context),
            ends_fact(context.rental, context.times, context.event.at),
        ),
    )


def cost_fact(context: EventContext[QuestionFacts | JobsEndedFacts]) -> Fact:
    """Return the price and the cost of the machine at the time of the event: `$18.40/h, $61.95 so far`."""
    facts = context.facts
    rate = facts.rate if facts.rate is not None else context.rental.rate
    cost = so_far(cost_of(facts) or context.details.spent)
    cost = join(per_hour(rate) if rate is not None else "", cost, by=", ")
    return Fact("Cost", cost, f"{'It cost' if rate is None else 'It costs'} {cost}.")


def question_text(context: EventContext[QuestionFacts], asked: str) -> str:
    """Return the content of `question_parts` as text, to include it in another message.

    The text begins with the sentence `asked`.
    """
    return join(*(part.text for part in question_parts(context, asked)))


def keep_buttons(rental: Rental, says: str = "Yes, ask again in") -> list[Json]:
    """Return the buttons with which the owner says that a machine is still needed.

    The labels begin with `says`, such as `Yes, ask again in 4 h`.
    """
    values = [HoursValue(rental_id=rental.id, span=timedelta(hours=hours)) for hours in KEEP_HOURS]
    return [button(f"{says} {span(value.span)}", Action.KEEP, value) for value in values]


def _why_asked(context: EventContext[QuestionFacts]) -> str:
    """Return a sentence with the reason for the question, such as `It's been idle for 35 min`.

    If a job is running or the machine can't be monitored, the reason says so.
    """
    facts, use, times = context.facts, context.facts.use, context.times
    its = "Its" if facts.job is None else f"A job is running ({job_name(facts.job)}), but its"
    how_long = f" for {about_span(facts.span)}" if facts.span is not None else ""
    load = f"{its} {_gpus_at(use)}{how_long}" if use is not None else ""
    if facts.status is UsageStatus.CONNECTED and use is not None:
        connected = connections_text(use, "SSH connection")
        now = f"{connected} open" if use.connections or use.new_connections else f"{connected} now"
        return f"{load}, with {now}."
    if facts.status is UsageStatus.IDLE and use is not None and facts.job is not None:
        return f"{load}."
    if facts.status in NOT_COMPUTING:
        return f"It's been {_lower(without_work(facts.status, facts.span))}."
    if use is None:
        return join("I can't monitor it, so it may be busy or idle.", _quiet(facts))
    install = f"To set up monitoring: /gpu ssh {context.rental.id}" if use.why is Missed.REFUSED else ""
    return join(f"{unseen_text(use, times)}.", install)


def _quiet(facts: QuestionFacts) -> str:
    return (
        f"Nobody has clicked or typed anything about it in Slack for {about_span(facts.span)}."
        if facts.span
        else ""
    )


def _evidence(context: EventContext[QuestionFacts]) -> tuple[Fact, ...]:
    """Return the load of an idle machine's GPUs and the number of connections.

    The question to the owner shows them as the reason why the bot asks. Empty if the machine wasn't idle when the
    owner was asked.
    """
    use, now, times = context.facts.use, context.rental.use, context.times
    if use is None or context.facts.status is not UsageStatus.IDLE:
        return ()
    since = times.time(use.since, context.event.at)
    several = len(use.gpus) > 1
    at = f"{percents(_highest(use))} since {since}"
    value, said = "none", "Nobody is connected."
    if now is not None and now.status is UsageStatus.CONNECTED:
        value, said = "somebody has connected since I asked", "Somebody has connected since I asked."
    elif use.connections or use.new_connections:
        value = str(use.connections) if use.connections else f"{use.new_connections} new"
        said = f"Open: {connections_text(use, 'SSH connection')}."
    return (
        Fact("GPUs" if several else "GPU", f"{'all ' if several else ''}at {at}", f"{_gpus(use)} at {at}."),
        Fact("Connections", value, said),
    )


def _gpus_at(use: Use) -> str:
    have = "GPU has" if len(use.gpus) == 1 else "GPUs have"
    return f"{have} been at {percents(_highest(use))}"


def _gpus(use: Use) -> str:
    return "All its GPUs have been" if len(use.gpus) > 1 else "Its GPU has been"


def _highest(use: Use) -> list[int]:
    return [gpu.highest for gpu in use.gpus if gpu.highest is not None]


def _used_again(context: EventContext[QuestionFacts]) -> str | None:
    """Return a sentence saying why a question is outdated. None if it isn't outdated.

    A question is outdated if the machine has been used since the question, or if the bot couldn't monitor the
    machine for a while.
    """
    use, asked_about, times = context.rental.use, context.facts.use, context.times
    if use is None or asked_about is None:
        return None
    if use.status is UsageStatus.IN_USE:
        return f"{context.machine} has been in use again since {times.time(use.since)}."
    if not {use.status, asked_about.status} <= NOT_COMPUTING or idle_period_of(use) == idle_period_of(asked_about):
        return None
    later = [e for e in events_after(context.event, context.details.events) if e.kind is EventKind.USE_CHANGED]
    if any(facts.status is UsageStatus.IN_USE for facts in facts_in(later, StatusFacts)):
        return f"{context.machine} was in use {times.at_time(use.since)}, after I asked whether you still need it."
    return (
        f"I couldn't monitor {context.machine} until {times.time(use.since)}, so I don't know whether it was idle."
    )


def answered(context: EventContext[QuestionFacts | JobsEndedFacts], answer: Event[Any]) -> Rendered:
    """Render a question about whether a machine is still needed, once `answer` has resolved the question."""
    if answer.kind is EventKind.STILL_NEEDED:
        again = f"I asked again {context.times.at_time(answer.at)} whether you still need {context.machine}."
        # If the machine was used after the first question, the owner had no reason to answer. In this case, leave
        # out the sentence "You didn't answer".
        no_answer = "You didn't answer. " if _is_about_same_period(context, answer) else ""
        return blocks.message(f"{no_answer}{again}")
    if answer.kind is EventKind.KEPT:
        return _answered_by_kept(context, answer)
    if answer.kind is EventKind.JOB_DONE:
        # Don't name the end of the lease here, because it may move again. The later message about the end of the
        # last job always shows the current end.
        told = context.times.at_time(answer.at)
        return blocks.message(f"I told you {told} that the last job on {context.machine} has ended.")
    return blocks.message(answer_to_reader(context, answer))


def answer_to_reader(context: EventContext, answer: Event[Any]) -> str:
    """Return the text about the event that answered a question. It calls the reader `You`."""
    names = context.details.names
    if answer.actor == context.reader.id:
        names = {**names, context.reader.id: "You"}
    to_you = context._replace(details=changed(context.details, names=names))
    return to_you.of(answer).named_text


def no_longer_ends_soon(context: EventContext, until: datetime) -> Rendered | None:
    """Return the message that replaces the notice of a nearer end, once that end doesn't apply any more.

    Returns None while the machine still ends at `until`. Until the machine has ended, the message isn't closed: a
    closed message is never edited again, and it has to show the receipt then.
    """
    rental = context.rental
    if rental.state is not State.READY:
        return no_longer_ready(context)
    if context.outcome is not None:
        return blocks.message(answer_to_reader(context, context.outcome), closed=False)
    if until < rental.running_lease.ends_at:
        longer = f"{why_longer(context)}: {machine(rental)}"
        return blocks.of_parts(blocks.lead(longer, ends_fact(rental, context.times).sentence), closed=False)
    return None


def _is_about_same_period(
    context: EventContext[QuestionFacts | JobsEndedFacts], later: Event[QuestionFacts]
) -> bool:
    """Return whether a later question is about the idle period of this event."""
    period = idle_period_of(later.facts.use)
    if isinstance(context.facts, JobsEndedFacts):
        return period is not None and period <= context.event.at
    return period == idle_period_of(context.facts.use)


def _answered_by_kept(context: EventContext, answer: Event[KeptFacts]) -> Rendered:
    """Render the question after somebody has answered that the machine is still needed.

    The message says when the bot asks next and when the lease ends. It has a button for more time.
    """
    details, rental, reader = context.details, context.rental, context.reader
    kept = context.of(answer)
    needed = f"You said that you still need {context.machine}." if answer.actor == reader.id else ""
    text = join(needed, _asks_again(kept)) if needed else kept.named_text
    if rental.extension is not None:
        return blocks.message(f"{text} {MORE_TIME_REQUESTED}", closed=False)
    if answer.facts.since != rental.running_lease.ends_at:
        return blocks.message(
            join(
                needed or _needs_it(kept._replace(named=True)),
                ends_fact(rental, reader.times).sentence,
            )
        )
    if first_after(details, answer, EventKind.STILL_NEEDED, EventKind.KEPT) is not None:
        return blocks.message(text)
    more = extend_button(rental, reader, spent=details.spent.amount)
    return blocks.with_buttons(text, more, closed=more is None)


@direct(EventKind.KEPT)
def _is_still_needed(context: EventContext[KeptFacts]) -> Rendered:
    """Tell a person that they can't take over a machine, because its owner still needs it."""
    return blocks.message(_needs_it(context._replace(named=True)))


# --- questions to the approvers about an idle machine, if its owner doesn't answer


@approvers(EventKind.NOBODY_ANSWERS)
def _owner_does_not_answer(context: EventContext[QuestionFacts]) -> Rendered:
    """Render the message telling the approvers about an idle machine whose owner doesn't respond.

    The message has a button for each possible decision. Once somebody has decided, it shows the decision. If the
    bot asks more than once while the machine is idle, it mentions the approvers only the first time.
    """
    event, details, rental, times = context.event, context.details, context.rental, context.times
    whose = f"{person(details.names, context.owner_id)}'s {machine(rental)}"
    if context.outcome is not None:
        return blocks.message(_outcome(context, context.outcome, whose))
    if rental.state is not State.READY:
        return blocks.message(how_it_ended(details, whose, times))
    asked = unanswered(rental, rental.use)
    if asked is None or not is_about(asked, event.facts.use):
        # A closed message is never edited again, so don't close this one. If the machine was in use only for a
        # moment, it still counts as idle, and the message has to show its buttons again. If the machine is idle
        # again later, a new message is sent.
        return blocks.message(_no_longer_asked(whose, rental.use, times), closed=False)
    this, owner = RentalValue(rental_id=rental.id), details.names.get(rental.owner) or "its owner"
    mentioned = ""
    if context.asks is not None and _is_first(event, details):
        mentioned = mentions(details, event, context.asks, context.reader.rules)
    return blocks.of_parts(
        blocks.paragraph(join(_idle(context), _until_end(event, times))),
        blocks.small(mentioned),
        blocks.actions(
            button(blocks.short_label("Ask {} again", owner), Action.ASK_OWNER_AGAIN, this),
            button("Let it run until its end", Action.LEAVE_ALONE, this),
            destroy_button(rental),
        ),
    )


def _no_longer_asked(whose: str, use: Use | None, times: Times) -> str:
    """Return a sentence saying why approvers no longer have to decide whether the machine keeps running."""
    decided = f"Approvers no longer have to decide whether {whose} keeps running"
    if use is None:
        return f"{decided}."
    if use.status is UsageStatus.UNKNOWN:
        return f"{decided}, because I can't tell whether it's idle. {unseen_text(use, times)}."
    if use.status is UsageStatus.IN_USE:
        return f"{decided}, because it has been in use since {times.time(use.since)}."
    return f"{decided}, because it has been idle only since {times.time(use.since)}."


def _is_first(event: Event[QuestionFacts], details: RentalDetails) -> bool:
    """Return whether this is the first question to the approvers since the machine became idle."""
    notified = EventKind.NOBODY_ANSWERS
    before = [one for one in details.events if one.kind is notified and one.id != event.id and one.at < event.at]
    idle_period = idle_period_of(event.facts.use)
    return all(idle_period_of(facts.use) != idle_period for facts in facts_in(before, QuestionFacts))


def _idle(context: EventContext[QuestionFacts]) -> str:
    """Return sentences about an idle machine whose owner hasn't responded.

    An example is `Ana hasn't said whether 4x H100 (k7mq2) is still needed. It has been idle since 14:05 (4 h 35
    min, $42.17).` If somebody is connected to the machine, the sentences say so.
    """
    event, facts, now = context.event, context.facts, context.rental.use
    connected = UsageStatus.CONNECTED in {facts.status, now.status if now is not None else None}
    who = person(context.details.names, context.owner_id)
    asked = f"{who} hasn't said whether {machine(context.rental)} is still needed."
    since = f"has been idle since {context.times.time(facts.since, event.at)}" if facts.since else "is idle"
    idle = f"Somebody is connected, but it {since}" if connected else f"It {since}"
    cost = dollars(facts.amount) if facts.amount is not None else ""
    more = join(about_span(facts.span) if facts.span else "", cost, by=", ")
    return f"{asked} {idle} ({more})." if more else f"{asked} {idle}."


def _until_end(event: Event[QuestionFacts], times: Times) -> str:
    facts, more = event.facts, ""
    if facts.estimate is not None and facts.until:
        until = times.time(facts.until, event.at)
        more = f"Running until {until} would cost about {dollars(facts.estimate)} more."
    return join(more, "Destroying it deletes its disk.")


def _outcome(context: EventContext[QuestionFacts], outcome: Event[Any], whose: str) -> str:
    if outcome.kind is EventKind.NOBODY_ANSWERS:
        return f"I asked about {whose} again {context.times.at_time(outcome.at)}, in a newer message."
    return context.of(outcome).named_text
