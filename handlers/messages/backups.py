"""Messages about a database that was restored from a backup."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.admin_question import AdminQuestion, Purchase, Purchases
from bot.model.event import EventKind
from bot.model.facts import AlertFacts, EndFacts
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
    QuestionContext,
    alert,
    question,
    thread,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import Times, escape, first_few, identifier, join, join_lines, person, sentence
from handlers.phrases.rental_text import machines, so_far

RESTORED = "My database was restored from an older backup."
_LIST = "/gpu list shows your machines."

# --- messages after somebody clicked a message that isn't in the restored database


def unknown_rental(rental_id: str) -> Rendered:
    """Render the text that replaces a message about an unknown rental.

    The database was restored from a backup. The rental was requested after this backup was taken.
    """
    lost = f"{escape(rental_id, 20)} is missing from my database, which was restored from an older backup."
    return blocks.message(f"{lost} Nothing was changed. The admins know. {_LIST}")


def question_unknown() -> Rendered:
    """Render the text that replaces a question to the admins, if the database doesn't contain the question.

    The database was restored from a backup. The admins were asked after this backup was taken.
    """
    return blocks.message(
        f"This question is missing from my database, which was restored from an older backup. {_LIST}"
    )


@alert(EventKind.UNKNOWN_RENTAL)
def _unknown_rental(context: AlertContext[AlertFacts]) -> Rendered:
    lost = escape(context.facts.name or "a rental", 20)
    text = f"My database seems to be an older backup: it lacks {lost}, whose button somebody clicked."
    then = f"If {lost} is running, I'll ask you about it. Compute Clear shows all machines."
    return blocks.message(f"{text} {then}")


# --- messages that repeat the end of a machine, because the database was restored from a backup


@thread(EventKind.ENDS_AGAIN)
def _ends_again(context: EventContext[EndFacts]) -> str:
    ends = sentence(f"{context.this_machine} ends {context.times.at_time(context.facts.until)} again")
    return f"{RESTORED} {ends}"


def ends_again(context: EventContext[EndFacts], name: str) -> str:
    """Return sentences that tell an owner, after the database was restored, when the lease ends.

    If this time has already passed, the bot destroys the machine after a grace period.
    """
    event, times = context.event, context.times
    until = event.facts.until
    ends = f"{name} ends {times.at_time(until, event.at)} again"
    if until <= event.at:
        now = times.at_time(event.at + context.reader.rules.lease.grace)
        ends = f"{name} should have ended {times.at_time(until)}, and now ends {now}"
    return f"{RESTORED} {sentence(ends)}"


# --- messages about machines that were bought after the backup from which the database was restored


def readopted(admin: str, machine: str) -> str:
    """Return a sentence saying that an admin added a machine that was missing from the restored database."""
    return f"{admin} restored {machine}, because my database is from an older backup."


@question(EventKind.BOUGHT_AFTER_BACKUP)
def machines_bought_after_backup(context: QuestionContext) -> Rendered:
    """Render the message asking the admins about the machines that were bought after the backup."""
    about, view, times = context.view.question.about, context.view, context.times
    if not isinstance(about, Purchases):
        raise TypeError(f"question {view.question.id} is about no purchases")
    if repeated(view):
        return blocks.message(asked_twice(f"{plural(about.count, 'machine')} that I rented"), closed=False)
    waiting = [one for one in view.parts if one.open]
    lead = _lead(about, view, waiting)
    done = first_few([_readopted(one, view, times) for one in view.parts if not one.open], MOST_SHOWN, AND_MORE)
    if not waiting:
        lead = lead if done else f"{lead} Each has a message of its own now."
        paused = "Buying is still paused. To end the pause: /gpu resume" if view.paused else ""
        return blocks.message(join_lines(lead, *done, _moved(about, view), paused), closed=False)
    paused = "Buying is paused, and pending requests can't be approved, until an admin types /gpu resume."
    undecided = first_few([_undecided(one, view, times) for one in waiting], MOST_SHOWN, AND_MORE)
    value, count = question_value(view.question), len(view.readoptable)
    whole = "all " if count == len(waiting) else ""
    label = "Restore it" if count == len(waiting) == 1 else f"Restore {whole}{count}"
    return blocks.of_parts(
        blocks.paragraph("\n".join([lead, *undecided])),
        blocks.paragraph("\n".join(done)),
        blocks.paragraph(join_lines(paused if view.paused else "", _what_follows(view, waiting))),
        blocks.actions(
            button(label, Action.PUT_ALL_BACK, value, style="primary") if count else None,
            button("One by one" if len(waiting) > 1 else "More choices", Action.ONE_BY_ONE, value),
        ),
    )


def _lead(about: Purchases, view: AdminQuestionView, waiting: Sequence[AdminQuestion]) -> str:
    count = sum(len(one.purchase.alive) for one in waiting) or about.count
    ours = f"{plural(count, 'machine')} that I rented"
    if not waiting and view.parts:
        return f"My database was {'empty' if about.empty else 'restored from an older backup'} and lacked {ours}."
    runs = all(machine.runs for one in waiting for machine in one.purchase.alive)
    are = f"{'is' if count == 1 else 'are'} {'running' if runs else 'in the Compute Clear account'}"
    if about.empty:
        return f"My database is empty, but {ours} {are}."
    return f"My database seems to be an older backup: it lacks {ours} and that {are}."


def _moved(about: Purchases, view: AdminQuestionView) -> str:
    """Return a sentence such as `3 more machines have messages of their own`. Empty if none has."""
    here = sum(len(one.purchase.machines) for one in view.parts)
    count = about.count - here
    if not here or count <= 0:
        return ""
    have = "machine has a message of its own" if count == 1 else "machines have messages of their own"
    return f"{count} more {have}."


def _undecided(question: AdminQuestion, view: AdminQuestionView, times: Times) -> str:
    """Return the line about a machine that awaits an admin's decision.

    An example is `8x H100 (f6rat), Ana's, since 09:14 at $18.40/h, $27.60 so far.`
    """
    purchase, shown = question.purchase, question.purchase.alive
    owner, name = named_owner(shown), _id(purchase)
    gpus = machines(sum(machine.count for machine in shown), shown[0].gpu) if shown[0].gpu else ""
    facts = join(
        f"{gpus} ({name})" if gpus else name,
        f"{person(view.names, owner)}'s" if owner else "without an owner in its name",
        f"since {times.time(min(machine.since for machine in shown))} {rate_text(purchase)}",
        "" if is_unpriced(purchase) else so_far(view.spent[question.id]),
        "" if purchase.runs else f"not running (status {escape(shown[0].status)})",
        by=", ",
    )
    return f"{facts}."


def _id(purchase: Purchase) -> str:
    names = names_of(purchase.machines)
    return names[0].rental_id if names else identifier(purchase.machines[0].resource_id[:8])


def _readopted(question: AdminQuestion, view: AdminQuestionView, times: Times) -> str:
    name, decided = _id(question.purchase), question.decided
    rental = view.rentals.get(question.rental_id or "")
    if question.purchase.same_as is not None:
        return asked_twice(name)
    if decided is None and rental is None:
        return f"{join(name, 'ended', times.at_time(question.over_at) if question.over_at else '')}."
    if decided is None or rental is None:
        return f"Admins have decided about {name}."
    new_id = "" if rental.id == name else f" (with the new ID {rental.id})"
    until = f". The machine ends {times.at_time(rental.lease.ends_at)}" if rental.lease else ""
    who, owner = person(view.names, decided.by), person(view.names, rental.owner)
    return f"{who} added {name} back to my database{new_id} for {owner} {times.at_time(decided.at)}{until}."


def _what_follows(view: AdminQuestionView, waiting: Sequence[AdminQuestion]) -> str:
    if not view.readoptable:
        one = sum(len(one.purchase.alive) for one in waiting) == 1
        why = "I can't restore it: it isn't running" if one else "I can't restore any of them: they aren't running"
        return f"{why}, or I don't know an owner who may use me. Decide one by one."
    count, rest, now = len(view.readoptable), "", ""
    if len(waiting) > count:
        now = f"{count} of these machines can be restored now."
        rest = 'To decide about the rest, click "One by one".'
    return join(
        now,
        f"Restoring a machine adds it to my database. It then ends in {span(view.readopted_for)}, "
        "and its owner can extend it.",
        rest,
    )
