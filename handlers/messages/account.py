"""Alerts about the account at Compute Clear, the team's rules, and failures of the bot.

Alerts are never edited.
"""

from __future__ import annotations

from datetime import timedelta

from bot.model.event import Event, EventKind
from bot.model.facts import AccountFacts, AlertFacts, SaidFacts, WebhookFacts
from bot.model.text import listed, plural, span
from bot.policy.use.clocks import ClockDifference
from handlers.messages.writers import AlertContext, EventContext, Needs, alert, sentence_case, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.error_text import RESUME, mistakes_text
from handlers.phrases.format import Times, actor, channel, escape, identifier, join, person

# --- the account


@alert(EventKind.UNAUTHORIZED)
def _unauthorized(_: AlertContext) -> Rendered:
    text = (
        "Compute Clear rejects my API token. I can't rent or destroy anything, and running machines keep billing."
    )
    return blocks.message(f"{text} Set a valid COMPUTE_CLEAR_TOKEN and restart me.")


@alert(EventKind.AUTHORIZED_AGAIN)
def _authorized_again(_: AlertContext) -> Rendered:
    return blocks.message("Compute Clear accepts my API token again, so I can rent and destroy machines again.")


@alert(EventKind.NO_APPROVER_LEFT)
def _no_approver_left(context: AlertContext[AccountFacts]) -> Rendered:
    waits = context.facts.count
    text = "No approver is left: the people that the policy names have left, and its groups are empty."
    waiting = f"{plural(waits, 'request is', 'requests are')} waiting: /gpu list all" if waits else ""
    return blocks.message(join(text, "Admins decide about requests until there is an approver again.", waiting))


# --- alerts about a pause of buying. If the pause ends before the alert about its beginning is posted, one alert
# reports both. Normally, this is the alert about the end of the pause. A reader who doesn't get that alert finds
# both in the first alert


@alert(EventKind.PAUSED, needs=Needs.OTHER_END)
def _paused(context: AlertContext[SaidFacts]) -> Rendered | None:
    resumed = context.other_end
    if resumed is not None:
        return _pause_over(context, context.event, resumed) if context.other_alert is None else None
    who = f"{_who_paused(context, context.event)} paused buying{_why(context.event)}."
    return blocks.message(f"{who} Machines can still be destroyed. {RESUME}")


@alert(EventKind.RESUMED, needs=Needs.OTHER_END)
def _resumed(context: AlertContext[SaidFacts]) -> Rendered:
    paused, other = context.other_end, context.other_alert
    if paused is not None and other is not None and other.ts is None:
        return _pause_over(context, paused, context.event)
    return blocks.message(f"{sentence_case(context.actor)} resumed buying, so machines can be rented again.")


def _pause_over(context: AlertContext, paused: Event[SaidFacts], resumed: Event) -> Rendered:
    """Render a single alert saying that buying was paused and has been resumed.

    It is used if buying was resumed before the alert about the pause was posted.
    """
    times, by = context.times, actor(context.names, resumed)
    began = f"{_who_paused(context, paused)} paused buying {times.at_time(paused.at)}{_why(paused)}."
    ended = f"{sentence_case(by)} resumed buying {times.at_time(resumed.at)}, so machines can be rented again."
    return blocks.message(f"{began} {ended}")


def _why(event: Event[SaidFacts]) -> str:
    """Return the reason for a pause, such as `: "bill check"`. Empty if there is none."""
    detail = event.facts.detail
    return f': "{escape(detail, 200)}"' if detail else ""


def _who_paused(context: AlertContext, paused: Event[SaidFacts]) -> str:
    """Return the name of the person who paused buying, without their reason."""
    return sentence_case(person(context.names, paused.actor))


# --- the rules


@alert(EventKind.POLICY_CHANGED)
def _policy_changed(context: AlertContext[AccountFacts]) -> Rendered:
    event = context.event
    who = (
        f"{person(context.names, event.actor)} changed the team's rules"
        if event.actor
        else "The team's rules changed"
    )
    return blocks.message(
        f"{who}: {escape(event.facts.detail, 500)} in the policy file. /gpu policy shows all rules."
    )


@alert(EventKind.POLICY_REFUSED)
def _policy_refused(context: AlertContext[AccountFacts]) -> Rendered:
    lines = context.facts.detail.splitlines()
    first = "The policy file has mistakes, so the previous rules stay in force."
    mistakes = mistakes_text(first, lines, context.facts.count)
    return blocks.message(f"{mistakes}\nCorrect the file, then type /gpu policy reload")


@alert(EventKind.CHANNELS_CHARGE_LESS)
def _channels_charge_less(context: AlertContext[AccountFacts]) -> Rendered:
    """Render the notice that fewer people can spend the budget of a project, because the bot was upgraded.

    If a project has a list of members, only these members and approvers can spend its budget in its channels.
    """
    pairs = [line.partition(" ") for line in context.facts.detail.splitlines()]
    named = listed([f"{channel(one)} ({escape(project, 40)})" for one, _, project in pairs])
    text = join(
        "I was upgraded. In the channel of a project that names people, only those people and approvers can "
        f"charge the project from now on. This changes {named}.",
        "Anyone else who asks there is charged to their own project if they have exactly one, and otherwise to "
        "none, within the team's limits.",
        "Earlier machines and requests keep their project. To let more people charge a project, add them to its "
        "`people`.",
    )
    return blocks.message(text)


# --- receivers of webhooks


@alert(EventKind.WEBHOOK_FAILS)
def _webhook_fails(context: AlertContext[WebhookFacts]) -> Rendered:
    facts, times = context.facts, context.times
    why = f" ({escape(facts.detail, 80)})" if facts.detail else ""
    until = f" until {times.time(facts.until)}" if facts.until else ""
    return blocks.message(
        f"{escape(facts.host, 100)} hasn't accepted events since {times.time(facts.since)}{why}. "
        f"I'll keep trying{until}, then those events are dropped."
    )


@alert(EventKind.WEBHOOK_WORKS)
def _webhook_works(context: AlertContext[WebhookFacts]) -> Rendered:
    since = context.times.time(context.facts.since)
    return blocks.message(f"{escape(context.facts.host, 100)} accepts events again. It hadn't since {since}.")


# --- a rental whose step fails


_STEPS = (EventKind.STEP_FAILED, EventKind.STEP_WORKS, EventKind.DELETED_OVERDUE)


@thread(*_STEPS)
def _step(context: EventContext[AlertFacts]) -> str:
    named = context.rental.lease is None
    return _step_text(context.event, context.this_request if named else context.this_machine, context.times)


@alert(*_STEPS)
def _step_alert(context: AlertContext[AlertFacts]) -> Rendered:
    what = "the machine" if context.event.kind is EventKind.DELETED_OVERDUE else "the rental"
    it = f"{what} {_rental(context.facts)}" if context.facts.name else "a rental"
    return blocks.message(_step_text(context.event, it, context.times))


def _step_text(event: Event[AlertFacts], it: str, times: Times) -> str:
    """Return sentences about an error in the bot's work on a rental, or about an overdue machine.

    If the error no longer occurs, the text says so. A machine is overdue if it still runs although it should have
    ended. `it` is the name of the rental or machine.
    """
    facts = event.facts
    if event.kind is EventKind.STEP_WORKS:
        number = join("The error", identifier(facts.number or "", 20))
        return f"{number} no longer stops my work on {it}."
    if event.kind is EventKind.DELETED_OVERDUE:
        end = f"should have ended {times.at_time(facts.since)}" if facts.since else "was overdue"
        return f"I've requested the deletion of {it}, which {end}. The vendor hasn't confirmed it yet."
    return join(
        f"An error on my side has stopped my work on {it} {plural(facts.count or 1, 'time')} in a row.",
        "I'll keep trying.",
        f"If the error is still there {times.at_time(facts.until)}, I'll delete the machine then."
        if facts.until
        else None,
        f"Give an admin this number, which is in my log: {identifier(facts.number, 20)}."
        if facts.number
        else None,
    )


def _rental(facts: AlertFacts) -> str:
    return escape(facts.name or "a rental", 20)


# --- a broken database or a wrong clock


@alert(EventKind.NO_READS)
def _no_reads(_: AlertContext) -> Rendered:
    return blocks.message(
        "I can't read my database, so I can't delete anything, and machines keep billing past their end. "
        "Until my database works again, delete machines in Compute Clear."
    )


@alert(EventKind.NO_WRITES)
def _no_writes(context: AlertContext[AlertFacts]) -> Rendered:
    facts, times = context.facts, context.times
    if not facts.name:
        late = f", but only {span(facts.span)} after their end" if facts.span else ""
        return blocks.message(
            "My database can't save anything, so nothing can be rented, extended or approved. "
            f"I still delete machines{late}. Make room on the disk of the database, and I'll continue."
        )
    deleted = f", and I'll delete it {times.at_time(facts.until)}" if facts.until else ""
    return blocks.message(
        join(
            f"The machine {_rental(facts)} can't be extended right now, because my database can't save anything.",
            f"Its time is over {times.at_time(facts.since)}{deleted}." if facts.since else "",
            "Copy your results off: the disk is deleted with the machine.",
        )
    )


@alert(EventKind.STORE_BACK)
def _store_back(context: AlertContext[AlertFacts]) -> Rendered:
    if context.facts.name:
        return blocks.message(
            f"My database works again, so the machine {_rental(context.facts)} can be extended again."
        )
    return blocks.message("My database works again, and I've continued where I stopped.")


@alert(EventKind.WRONG_CLOCK)
def _wrong_clock(context: AlertContext[AlertFacts]) -> Rendered:
    facts = context.facts
    computer = escape(facts.name or "", 60)
    wrong = ClockDifference(facts.span or timedelta(0), from_database=facts.detail == "database")
    return blocks.message(
        f"The clock of {computer}, a computer that I run on, is {wrong.text}. Until that "
        f"clock is set right, {computer} only deletes machines that are long past their end."
    )
