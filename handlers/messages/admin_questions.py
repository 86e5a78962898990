"""Questions to the admins, and the dialogs in which they decide.

Each admin gets a message of their own. When one admin decides, the messages to all admins are edited.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.model.admin_question import AdminDecision, AdminQuestion, OwnerLeft, Purchase, Purchases, UnmanagedMachine
from bot.model.event import Event, EventKind
from bot.model.machine_use import UsageStatus
from bot.model.state import State
from bot.model.summary import AccruedCost, AdminQuestionView, RentalDetails
from bot.model.text import listed, span
from bot.policy.buying.unmanaged_machines import name_to_type
from bot.policy.team.rules import Rules
from handlers.ids import Action, Callback, Field, QuestionValue
from handlers.messages.writers import QuestionContext, question, sentence_case
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, button, option
from handlers.phrases.ends import ends_fact
from handlers.phrases.format import Times, escape, first_few, identifier, join, per_hour, person
from handlers.phrases.lease_buttons import destroy_button, withdraw_button
from handlers.phrases.rental_text import how_it_ended, in_all, machine, machine_of, machines, so_far, vendor
from handlers.phrases.use_text import current_use, status_text

ASSIGN = "Assign an owner"
HOURS = (1, 2, 4, 8, 12, 24, 48, 72)
"""The lease lengths, in hours, that an admin can choose for a machine without a lease.

Lengths that the team's rules don't allow are left out.
"""
USUAL_HOURS = 24
NAMES_SHOWN = 3
MOST_SHOWN = 12
"""The maximum number of undecided purchases in a list. The list of decided purchases has this limit too.

Without the limit, the list could be too long for a paragraph, which can have at most 3,000 bytes.
"""
AND_MORE = "And {} more."
LONGEST_REASON = 200


@question(EventKind.UNMANAGED_MACHINE, EventKind.OWNER_LEFT)
def admin_question(context: QuestionContext) -> Rendered:
    """Render the message that asks the admins a question. Once the question is resolved, it shows the outcome."""
    event, view, times = context
    match view.question.about:
        case Purchase() as purchase:
            return _purchase(purchase, view, event, times)
        case Purchases() as purchases:
            return _many(purchases, view, times)
        case OwnerLeft() as left:
            return _owner_left(left, view.rental, view, event, times)


def question_value(question: AdminQuestion) -> QuestionValue:
    return QuestionValue(question_id=question.id, version=question.version)


def _postponed(view: AdminQuestionView, times: Times) -> str:
    """Return a sentence saying who postponed the question, and until when. Empty if nobody postponed it."""
    question = view.question
    if question.ask_again_at is None:
        return ""
    again = times.at_time(question.ask_again_at)
    return f"{person(view.names, question.put_off_by)} wants to decide later, so I'll ask again {again}."


# --- one purchase


def _purchase(purchase: Purchase, view: AdminQuestionView, event: Event, times: Times) -> Rendered:
    question, spent = view.question, view.spent[view.question.id]
    what = _facts(purchase, times)
    if not question.open:
        return blocks.message(_answered(purchase, view, times), closed=question.over_at is not None)
    if event.at < question.asked_at:
        return blocks.message(
            f"{_lead(purchase)}: {what}. I asked again {times.at_time(question.asked_at)}, in a newer message."
        )
    wording, later = _wording(purchase), _postponed(view, times)
    guess = f"{wording.it} may belong to {person(view.names, purchase.guess)}." if purchase.guess else ""
    value, about = question_value(question), _what(purchase)
    return blocks.with_buttons(
        join(f"{_lead(purchase)}: {what}{_so_far(purchase, spent)}.", guess, _not_running(purchase), later),
        button(ASSIGN, Action.GIVE_OWNER, value, about=about) if purchase.runs else None,
        button("Not ours", Action.NOT_OURS, value, about=about),
        None if later else button("Ask again tomorrow", Action.ASK_ABOUT_AGAIN, value, about=about),
        button(_destroy_label(purchase), Action.DESTROY_UNMANAGED, value, about=about, style="danger"),
    )


class _Wording(NamedTuple):
    """The words of a sentence about one machine or about several, such as `It has` or `They have`."""

    this: str
    are: str
    it: str
    have: str
    disk: str


_MACHINE = _Wording("this machine", "is", "It", "has", "the disk")
_MACHINES = _Wording("these machines", "are", "They", "have", "the disks")


def _wording(purchase: Purchase) -> _Wording:
    return _MACHINES if len(purchase.alive) > 1 else _MACHINE


def _lead(purchase: Purchase) -> str:
    where = "running" if all(machine.runs for machine in purchase.alive) else "in the Compute Clear account"
    return f"{_are(len(purchase.alive))} {where}"


def _are(count: int) -> str:
    return f"{_unrented(count)} {'is' if count == 1 else 'are'}"


def _unrented(count: int) -> str:
    one, many = "A machine that wasn't rented through me", f"{count} machines that weren't rented through me"
    return one if count == 1 else many


def _destroy_label(purchase: Purchase) -> str:
    count = len(purchase.alive)
    return f"Destroy {count} machines" if count > 1 else f"Destroy {_name(purchase.alive[0])}"


def _not_running(purchase: Purchase) -> str:
    alive = purchase.alive
    count = sum(not machine.runs for machine in alive)
    if count == 0:
        return ""
    if len(alive) == 1:
        return f"Its status is {escape(alive[0].status)}, and you can assign an owner as soon as it's running."
    if count == len(alive):
        return "None of them is running. As soon as one is, you can assign an owner to all of them."
    return "One of them isn't running." if count == 1 else f"{count} of them aren't running."


def _answered(purchase: Purchase, view: AdminQuestionView, times: Times) -> str:
    question, spent, wording = view.question, view.spent[view.question.id], _wording(purchase)
    what, decided = _what(purchase), question.decided
    if purchase.same_as is not None:
        return asked_twice(what)
    if question.rental_id is not None and (decided is None or decided.decision is AdminDecision.NOT_OURS):
        return f"{sentence_case(wording.this)} {wording.are} part of the rental {question.rental_id}: {what}."
    cost = "" if is_unpriced(purchase) else f"cost {in_all(spent)}"
    over_at = times.at_time(question.over_at) if question.over_at else ""
    if decided is None:
        ended = join(_unrented(len(purchase.alive)), "ended", over_at)
        return join(f"{ended}: {what}.", f"{wording.it} {cost}." if cost else "")
    who, when = person(view.names, decided.by), times.at_time(decided.at)
    if decided.decision is AdminDecision.NOT_OURS:
        why = f'The reason: "{escape(decided.reason, LONGEST_REASON)}".' if decided.reason else ""
        rest = f"I won't ask about {'it' if wording is _MACHINE else 'them'} again. /gpu list all shows the cost."
        if over_at:
            rest = f"{join(wording.it, 'ended', over_at, f'and {cost}' if cost else '')}."
        return join(f'{who} chose "Not ours" {when}: {what}.', why, rest)
    did = (
        f"assigned an owner to {wording.this}"
        if decided.decision is AdminDecision.GAVE_OWNER
        else f"destroyed {wording.this}"
    )
    now = f"{wording.it} {wording.have} the ID {question.rental_id} now: /gpu show {question.rental_id}"
    return f"{who} {did} {when}: {what}. {now}"


def asked_twice(what: str) -> str:
    """Return the text that replaces a duplicate of a question."""
    return f"Another message of mine also asks what to do with {what}. To decide, use the buttons of that message."


def _what(purchase: Purchase) -> str:
    """Return the names and GPUs of the machines in a purchase, such as `train-3, 1x H100 at Hyperstack`.

    If all machines have the same name, the name is shown once.
    """
    shown = purchase.alive
    first = shown[0]
    named = list(dict.fromkeys(_name(machine) for machine in shown if machine.name))
    names = listed(first_few(named, NAMES_SHOWN))
    gpus = machines(sum(machine.count for machine in shown), first.gpu) if first.gpu else ""
    gpus = f"{gpus} in all" if gpus and len(shown) > 1 else gpus
    where = f"at {vendor(first.vendor)}" if first.vendor else ""
    return join(names or f"resource {_name(first)}", join(gpus, where), by=", ")


def _name(machine: UnmanagedMachine) -> str:
    return escape(machine.name, 60) if machine.name else identifier(machine.resource_id[:8])


def _facts(purchase: Purchase, times: Times) -> str:
    since = times.time(min(machine.since for machine in purchase.alive))
    return f"{_what(purchase)}, since {since} {rate_text(purchase)}"


def rate_text(purchase: Purchase) -> str:
    """Return the price of all machines of a purchase together, such as `at $4.20/h`."""
    rates = [machine.rate for machine in purchase.alive if machine.rate is not None]
    return "at an unknown price" if is_unpriced(purchase) else f"at {per_hour(sum(rates, start=Decimal(0)))}"


def is_unpriced(purchase: Purchase) -> bool:
    """Return whether the price of any machine of a purchase is unknown. The total cost is then unknown too."""
    return any(machine.rate is None for machine in purchase.alive)


def _so_far(purchase: Purchase, spent: AccruedCost) -> str:
    """Return the cost of a purchase, such as `, $48.30 so far`. Empty if the price of any machine is unknown."""
    return "" if is_unpriced(purchase) else f", {so_far(spent)}"


def _in_short(view: AdminQuestionView) -> str:
    purchase = view.question.purchase
    cost = _so_far(purchase, view.spent[view.question.id])
    return f"{_what(purchase)}, {rate_text(purchase)}{cost}."


def line(question: AdminQuestion, spent: AccruedCost, times: Times) -> str:
    """Return the line in `/gpu list all` about a purchase of machines that weren't rented through the bot."""
    purchase, word = question.purchase, "Not rented through me" if question.decided is None else "Not ours"
    return f"{word}: {_facts(purchase, times)}{_so_far(purchase, spent)}."


# --- several purchases


def _many(about: Purchases, view: AdminQuestionView, times: Times) -> Rendered:
    """Render a single message about many machines that weren't rented through the bot."""
    if repeated(view):
        return blocks.message(asked_twice(_unrented(about.count)), closed=False)
    waiting = [one.purchase for one in view.parts if one.open]
    count = sum(len(one.alive) for one in waiting)
    if not waiting:
        rest = (
            "Admins have decided what to do with each of them."
            if view.parts
            else "Each has a message of its own now."
        )
        return blocks.message(
            f"{_unrented(about.count)} were found in the Compute Clear account. {rest}", closed=False
        )
    rates = [machine.rate for one in waiting for machine in one.alive if machine.rate is not None]
    price = f"{'more than ' if len(rates) < count else ''}{per_hour(sum(rates, Decimal(0)))}"
    lead = f"{_are(count)} in the Compute Clear account, at {price}{' in all' if count > 1 else ''}."
    listed_ones = first_few([f"{_facts(one, times)}." for one in waiting], MOST_SHOWN, AND_MORE)
    lines = "\n".join([lead, *listed_ones])
    then = '"One by one" sends a message about each machine. /gpu list all shows them too.'
    return blocks.of_parts(
        blocks.paragraph(lines),
        blocks.actions(button("One by one", Action.ONE_BY_ONE, question_value(view.question))),
        blocks.small(then),
    )


def repeated(view: AdminQuestionView) -> bool:
    """Return whether the admins were already asked about all of these machines."""
    return bool(view.parts) and all(one.purchase.same_as is not None for one in view.parts)


# --- a rental whose owner left


def _owner_left(
    about: OwnerLeft, details: RentalDetails, view: AdminQuestionView, event: Event, times: Times
) -> Rendered:
    question, rental = view.question, details.rental
    name, left = machine(rental), f"{person(view.names, about.owner)} left the workspace"
    if rental.state.over or rental.state is State.DESTROYING:
        now = how_it_ended(details, machine_of(details), times)
        return blocks.message(f"{left}. {now}", closed=rental.state.over)
    if question.decided is not None:
        who, new_owner = person(view.names, question.decided.by), person(view.names, rental.owner)
        return blocks.message(f"{left}. {who} made {new_owner} the owner of {name}.")
    if event.at < question.asked_at:
        return blocks.message(
            f"{left}. I asked again {times.at_time(question.asked_at)}, in a newer message, who should own {name}."
        )
    later, value = _postponed(view, times), question_value(question)
    waits = rental.state is State.AWAITING_APPROVAL
    return blocks.with_buttons(
        join(f"{left}. {_what_it_does(details, times)} Who should be its new owner?", later),
        button(ASSIGN, Action.GIVE_OWNER, value, about=rental.id),
        None if later else button("Ask again tomorrow", Action.ASK_ABOUT_AGAIN, value, about=rental.id),
        withdraw_button(rental) if waits else destroy_button(rental),
    )


def _what_it_does(details: RentalDetails, times: Times) -> str:
    """Return sentences about the state of a rental whose owner has left the workspace.

    An example is `Ana's 1x H100 (xwsc2) is running: $2.15/h, $6.45 so far, idle for 3 h. It ends at 17:00.`
    """
    rental, name = details.rental, machine_of(details)
    if rental.state is State.AWAITING_APPROVAL:
        return f"{name} is waiting for approval, and can't be approved without an owner."
    if rental.state is State.QUEUED:
        return f"{name} is on the waitlist."
    use = current_use(rental)
    decision = status_text(use, times) if use is not None and use.status is not UsageStatus.UNKNOWN else ""
    facts = join(
        per_hour(rental.rate) if rental.rate else "",
        so_far(details.spent) if rental.attempts else "",
        f"{decision[:1].lower()}{decision[1:]}",
        by=", ",
    )
    does = f"{name} is {'running' if rental.state is State.READY else 'starting'}"
    return join(
        f"{does}: {facts}." if facts else f"{does}.", ends_fact(rental, times).sentence if rental.lease else ""
    )


# --- dialogs


def give_owner(view: AdminQuestionView, *, rules: Rules) -> Modal:
    """Render the dialog that assigns an owner to a machine.

    If the machine wasn't rented through the bot, the dialog also asks for the length of the lease.
    """
    about = view.question.about
    guess, hours, then = None, None, None
    if isinstance(about, Purchase):
        offered = [each for each in HOURS if timedelta(hours=each) <= rules.lease.max] or [1]
        facts, guess = _in_short(view), about.guess
        hours = blocks.select(
            Field.HOURS,
            "For how long from now",
            [option(span(timedelta(hours=each)), str(each)) for each in offered],
            chosen=str(USUAL_HOURS if USUAL_HOURS in offered else offered[-1]),
        )
        then = blocks.context(
            f"I'll destroy {_wording(about).this} when that time is over. I don't know whose SSH keys work there."
        )
    else:
        facts = f"{machine(view.rental.rental)}. Its end and its cost so far stay the same."
    return blocks.modal(
        Callback.GIVE_OWNER,
        ASSIGN,
        blocks.section(facts),
        blocks.person_select(
            Field.OWNER, "New owner", chosen=guess, hint="A member of this workspace who may use me."
        ),
        hours,
        then,
        submit="Assign",
        value=question_value(view.question),
    )


def not_ours(view: AdminQuestionView) -> Modal:
    """Render the dialog that asks an admin why the bot shouldn't manage these machines."""
    return blocks.modal(
        Callback.NOT_OURS,
        "Not ours",
        blocks.section(f"{_in_short(view)} I won't ask again, and I won't destroy anything."),
        blocks.text_input(Field.REASON, "Why", hint="The other admins will read it.", longest=LONGEST_REASON),
        submit="Not ours",
        value=question_value(view.question),
    )


def destroy(view: AdminQuestionView) -> Modal:
    """Render the dialog in which an admin confirms the destruction of machines not rented through the bot."""
    purchase = view.question.purchase
    wanted, typed, label = name_to_type(purchase), None, _destroy_label(purchase)
    if wanted is not None:
        typed = blocks.text_input(
            Field.MACHINE_NAME, f"To confirm, type the name: {escape(wanted, 200)}", longest=300
        )
    return blocks.modal(
        Callback.DESTROY_UNMANAGED,
        f"{label}?",
        blocks.alert(f"Everything on {_wording(purchase).disk} will be deleted."),
        blocks.section(
            f"{_in_short(view)} It will be yours, so that I can confirm its deletion and record what it cost."
        ),
        typed,
        submit=label,
        value=question_value(view.question),
    )
