"""Texts about a database that was restored from a backup: what the bot says once it knows."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.admin_question import AdminQuestion, Purchase, Purchases
from bot.model.event import EventKind
from bot.model.facts import AdoptedFacts, AlertFacts, EndFacts
from bot.model.summary import AdminQuestionView
from bot.model.text import plural, span
from bot.policy.buying.resource_names import named_owner, names_of
from handlers.ids import Action
from handlers.messages.admin_questions import (
    AND_MORE,
    MOST_SHOWN,
    asked_twice,
    is_unpriced,
    question_value,
    rate_text,
    repeated,
)
from handlers.messages.writers import (
    AlertContext,
    EventContext,
    EventText,
    QuestionContext,
    alert,
    question,
    thread,
    until_text,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import Times, escape, first_few, identifier, join, join_lines, person, sentence
from handlers.phrases.rental_text import machines, so_far

_LIST = "/gpu list shows what you rent now."

# --- a click on a message that the database lacks


def unknown_rental(rental_id: str) -> Rendered:
    """Return what takes the place of a message about a rental that the database lost."""
    lost = f"I don't know {escape(rental_id, 20)}: my database was put back to an earlier state."
    return blocks.message(f"{lost} Nothing was changed. The admins know. {_LIST}")


def unknown_question() -> Rendered:
    """Return what takes the place of a question to the admins that the database lost."""
    return blocks.message(
        f"My database was put back to an earlier state, which doesn't know this message. {_LIST}"
    )


@alert(EventKind.UNKNOWN_RENTAL)
def _unknown_rental(context: AlertContext[AlertFacts]) -> Rendered:
    lost = escape(context.facts.name or "a rental", 20)
    text = f"Somebody clicked a button about {lost}, and my database doesn't know it: it is an older copy."
    return blocks.message(f"{text} If its machine runs, I ask you about it. Compute Clear shows all.")


# --- an end of which its owner is told again


@thread(EventKind.ENDS_AGAIN)
def _ends_again(context: EventContext[EndFacts]) -> str:
    restored = "My database was restored from a backup"
    return f"{restored}, so {context.this_machine} ends {context.times.at_time(context.facts.until)} again."


def ends_again(context: EventContext[EndFacts], name: str) -> str:
    """Return that the machine ends as before, or that it ends soon if that end has passed."""
    event, times = context.event, context.times
    until = event.facts.until
    if until > event.at:
        return f"My database was restored from a backup, so {name} ends {times.at_time(until, event.at)} again."
    gone = times.at_time(event.at + context.reader.rules.lease.grace, event.at)
    was = f"{name} was to end {times.at_time(until, event.at)}"
    return f"My database was restored from a backup. {sentence(was)} It ends {gone}."


# --- machines that were bought after the backup


def readopted_in_thread(context: EventContext[AdoptedFacts], owner: str, ran: str) -> EventText:
    """Return who re-adopted a machine for whom. `ran` says where it ran."""
    ran = f"{ran}: my database is from an older backup."
    return EventText(f"{context.actor} put it back for {owner}", f"{ran} It ends {until_text(context)}.")


def readopted(admin: str, machine: str, cost: str) -> str:
    """Return to the owner of a machine that an admin re-adopted it, and its cost."""
    return f"{admin} put back {machine}: my database is from an older backup. {cost}."


@question(EventKind.BOUGHT_AFTER_BACKUP)
def machines_bought_after_backup(context: QuestionContext) -> Rendered:
    """Return the message about all machines that were bought after the backup."""
    about, view, times = context.view.question.about, context.view, context.times
    if not isinstance(about, Purchases):
        raise TypeError(f"question {view.question.id} is about no purchases")
    if repeated(view):
        return blocks.message(asked_twice(f"{plural(about.count, 'machine')} of mine"), closed=False)
    waiting = [one for one in view.parts if one.open]
    lead = _lead(about, view, waiting)
    done = first_few([_readopted(one, view, times) for one in view.parts if not one.open], MOST_SHOWN, AND_MORE)
    if not waiting:
        lead = lead if done else f"{lead} Each has a message of its own now."
        paused = "Buying is still paused: /gpu resume" if view.paused else ""
        return blocks.message(join_lines(lead, *done, _moved(about, view), paused), closed=False)
    paused = "Buying is paused, and nothing that waits can be approved until /gpu resume." if view.paused else ""
    undecided = first_few([_undecided(one, view, times) for one in waiting], MOST_SHOWN, AND_MORE)
    value, count = question_value(view.question), len(view.readoptable)
    whole = "all " if count == len(waiting) else ""
    label = "Put it back" if count == len(waiting) == 1 else f"Put {whole}{count} back"
    return blocks.of_parts(
        blocks.paragraph("\n".join([lead, *undecided])),
        blocks.paragraph("\n".join(done)),
        blocks.paragraph(join_lines(paused, _what_follows(view, waiting))),
        blocks.actions(
            button(label, Action.PUT_ALL_BACK, value, style="primary") if count else None,
            button("One by one", Action.ONE_BY_ONE, value),
        ),
    )


def _lead(about: Purchases, view: AdminQuestionView, waiting: Sequence[AdminQuestion]) -> str:
    count = sum(len(one.purchase.alive) for one in waiting) or about.count
    verb = "is" if waiting or not view.parts else "was"
    which = "empty, but" if about.empty else "older than the account:"
    if verb == "was":
        runs = f"{plural(count, 'machine')} of mine ran that it didn't know"
    else:
        runs = f"{plural(count, 'machine')} of mine {'runs' if count == 1 else 'run'} that it doesn't know"
    return f"My database {verb} {which} {runs}."


def _moved(about: Purchases, view: AdminQuestionView) -> str:
    """Return how many machines have separate messages, besides those that are decided here."""
    here = sum(len(one.purchase.machines) for one in view.parts)
    count = about.count - here
    if not here or count <= 0:
        return ""
    have = "has a message of its own" if count == 1 else "have messages of their own"
    return f"{count} more {have}."


def _undecided(question: AdminQuestion, view: AdminQuestionView, times: Times) -> str:
    """Return `f6rat: 8x H100, $18.40/h, since 09:14, $27.60 so far, Ana's.`"""
    purchase, shown = question.purchase, question.purchase.alive
    owner = named_owner(shown)
    facts = join(
        machines(sum(machine.count for machine in shown), shown[0].gpu) if shown[0].gpu else "",
        rate_text(purchase),
        f"since {times.time(min(machine.since for machine in shown))}",
        "" if is_unpriced(purchase) else so_far(view.spent[question.id]),
        f"{person(view.names, owner)}'s" if owner else "no owner in its name",
        "" if purchase.runs else f"doesn't run ({escape(shown[0].status)})",
        by=", ",
    )
    return f"{_id(purchase)}: {facts}."


def _id(purchase: Purchase) -> str:
    names = names_of(purchase.machines)
    return names[0].rental_id if names else identifier(purchase.machines[0].resource_id[:8])


def _readopted(question: AdminQuestion, view: AdminQuestionView, times: Times) -> str:
    name, decided = _id(question.purchase), question.decided
    rental = view.rentals.get(question.rental_id or "")
    if question.purchase.same_as is not None:
        return f"{name}: I asked twice. Use my other message."
    if decided is None and rental is None:
        return f"{name}: ended{f' {times.time(question.over_at)}' if question.over_at else ''}."
    if decided is None or rental is None:
        return f"{name}: decided."
    new_id = "" if rental.id == name else f" as {rental.id}"
    until = f" until {times.time(rental.lease.ends_at)}" if rental.lease else ""
    who = f"{person(view.names, decided.by)} put it back {times.at_time(decided.at)}"
    return f"{name}: {who}{new_id}, {person(view.names, rental.owner)}'s{until}."


def _what_follows(view: AdminQuestionView, waiting: Sequence[AdminQuestion]) -> str:
    if not view.readoptable:
        return "None can be put back: they don't run, or have no owner who may use me. Decide one by one."
    rest = " For the rest, decide one by one." if len(waiting) > len(view.readoptable) else ""
    return f"Once put back, a machine runs for {span(view.readopted_for)}; its owner can extend it.{rest}"
