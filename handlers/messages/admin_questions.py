"""Questions to the admins: the message to each, edited until one of them decided, and the dialogs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.model.admin_question import AdminQuestion, AdminVerdict, OwnerLeft, Purchase, Purchases, UnknownMachine
from bot.model.event import Event, EventKind
from bot.model.machine_use import Verdict
from bot.model.state import State
from bot.model.summary import AccruedCost, AdminQuestionView, RentalDetails
from bot.model.text import listed, plural, span
from bot.policy.buying.unknown_machines import name_to_type
from bot.policy.team.rules import Rules
from handlers.ids import Action, Callback, Field, QuestionValue
from handlers.messages.writers import QuestionContext, question
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, button, option
from handlers.phrases.ends import end
from handlers.phrases.format import Times, escape, first_few, identifier, join, per_hour, person, sentence
from handlers.phrases.lease_buttons import destroy_button, withdraw_button
from handlers.phrases.rental_text import current_state, describe, in_all, machines, so_far, vendor
from handlers.phrases.use_text import current_use, verdict_text

HOURS = (1, 2, 4, 8, 12, 24, 48, 72)
"""The hours that the dialog offers if the rules allow them."""
USUAL_HOURS = 24
NAMES_SHOWN = 3
MOST_SHOWN = 12
"""How many waiting purchases are listed, and how many decided ones: a paragraph holds 3,000 bytes."""
AND_MORE = "And {} more."
LONGEST_REASON = 200


@question(EventKind.UNKNOWN_MACHINE, EventKind.OWNER_LEFT)
def admin_question(context: QuestionContext) -> Rendered:
    """Return the message of one question as of now."""
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


def _put_off(view: AdminQuestionView, times: Times) -> str:
    """Return who said when to ask again. Return an empty text if nobody did."""
    question = view.question
    if question.ask_again_at is None:
        return ""
    again = times.at_time(question.ask_again_at)
    return f"{person(view.names, question.put_off_by)} says later: I ask again {again}."


# --- one purchase


def _purchase(purchase: Purchase, view: AdminQuestionView, event: Event, times: Times) -> Rendered:
    question, spent = view.question, view.spent[view.question.id]
    what = _facts(purchase, times)
    if not question.open:
        return blocks.message(_answered(purchase, view, times), closed=question.over_at is not None)
    if event.at < question.asked_at:
        return blocks.message(f"{_lead(purchase)}: {what}. I asked again {times.at_time(question.asked_at)}.")
    it, later = _it(purchase), _put_off(view, times)
    guess = f"{it.subject} may be {person(view.names, purchase.guess)}'s." if purchase.guess else ""
    cost = "" if is_unpriced(purchase) else f"{it.subject} cost {so_far(spent)}."
    value, about = question_value(question), _what(purchase)
    return blocks.with_buttons(
        join(f"{_lead(purchase)}: {what}.", cost, guess, _not_running(purchase), later),
        button(f"Give {it.object} an owner", Action.GIVE_OWNER, value, about=about) if purchase.runs else None,
        button("Not ours to manage", Action.NOT_OURS, value, about=about),
        None if later else button("Ask again tomorrow", Action.ASK_ABOUT_AGAIN, value, about=about),
        button("Destroy ...", Action.DESTROY_UNKNOWN, value, about=about, style="danger"),
    )


class _Pronoun(NamedTuple):
    subject: str
    object: str
    are: str


_IT = _Pronoun("It", "it", "It is")


def _it(purchase: Purchase) -> _Pronoun:
    """Return what the machines of a purchase are called after they were named."""
    return _Pronoun("They", "them", "They are") if len(purchase.alive) > 1 else _IT


def _lead(purchase: Purchase) -> str:
    count = len(purchase.alive)
    who = f"{count} machines I don't know are" if count > 1 else "A machine I don't know is"
    return f"{who} {'running' if all(machine.runs for machine in purchase.alive) else 'on the account'}"


def _not_running(purchase: Purchase) -> str:
    """Return which machines don't run, and when they can get an owner. Return an empty text if all run."""
    alive = purchase.alive
    count = sum(not machine.runs for machine in alive)
    if count == 0:
        return ""
    if len(alive) == 1:
        return f"Its status is {escape(alive[0].status)}: it can get an owner once it runs."
    if count == len(alive):
        return "None of them runs: they can get an owner once one does."
    return f"{count} of them {'does' if count == 1 else 'do'} not run."


def _answered(purchase: Purchase, view: AdminQuestionView, times: Times) -> str:
    question, spent, it = view.question, view.spent[view.question.id], _it(purchase)
    what, decided = _what(purchase), question.decided
    if purchase.same_as is not None:
        return asked_twice(what)
    if question.rental_id is not None and (decided is None or decided.verdict is AdminVerdict.NOT_OURS):
        return f"{it.are} part of {question.rental_id}: {what}."
    ended = f" {times.time(question.over_at)}" if question.over_at else ""
    if decided is None:
        cost = "" if is_unpriced(purchase) else f"{it.subject} cost {in_all(spent)}."
        return join(f"Ended{ended}: {what}, which I didn't know.", cost)
    who, when = person(view.names, decided.by), times.at_time(decided.at)
    if decided.verdict is AdminVerdict.NOT_OURS:
        cost = "" if is_unpriced(purchase) else f"; {it.subject.lower()} cost {in_all(spent)}"
        why = f" {sentence(escape(decided.reason, LONGEST_REASON))}" if decided.reason else ""
        rest = f" Ended{ended}{cost}." if ended else " I don't ask again; /gpu list all shows the cost."
        return f"Not ours to manage, says {who} {when}: {what}.{why}{rest}"
    did = f"gave {it.object} an owner" if decided.verdict is AdminVerdict.GAVE_OWNER else f"destroyed {it.object}"
    return f"{who} {did} {when}: {what}. {it.are} {question.rental_id} now: /gpu show {question.rental_id}"


def asked_twice(what: str) -> str:
    """Return what a question says whose machines another one asks about too."""
    return f"I asked you twice about {what}. Use my other message."


def _what(purchase: Purchase) -> str:
    """Return `1x H100, Hyperstack, named train-3`. Machines of one purchase mostly have one name."""
    shown = purchase.alive
    first = shown[0]
    named = list(dict.fromkeys(_name(machine) for machine in shown if machine.name))
    names = listed(first_few(named, NAMES_SHOWN))
    return join(
        machines(sum(machine.count for machine in shown), first.gpu) if first.gpu else "",
        vendor(first.vendor) if first.vendor else "",
        f"named {names}" if names else f"resource {_name(first)}",
        by=", ",
    )


def _name(machine: UnknownMachine) -> str:
    return escape(machine.name, 60) if machine.name else identifier(machine.resource_id[:8])


def _facts(purchase: Purchase, times: Times) -> str:
    since = times.time(min(machine.since for machine in purchase.alive))
    return f"{_what(purchase)}, {rate_text(purchase)}, since {since}"


def rate_text(purchase: Purchase) -> str:
    """Return what the machines of a purchase bill together."""
    rates = [machine.rate for machine in purchase.alive if machine.rate is not None]
    return "price unknown" if is_unpriced(purchase) else per_hour(sum(rates, start=Decimal(0)))


def is_unpriced(purchase: Purchase) -> bool:
    """Return whether the API states no price for one of the machines, so that the cost of all is not known."""
    return any(machine.rate is None for machine in purchase.alive)


def _in_short(view: AdminQuestionView) -> str:
    purchase = view.question.purchase
    cost = "" if is_unpriced(purchase) else so_far(view.spent[view.question.id])
    return f"{join(_what(purchase), rate_text(purchase), cost, by=', ')}."


def line(question: AdminQuestion, spent: AccruedCost, times: Times) -> str:
    """Return unknown machines in one line of `/gpu list all`."""
    purchase, word = question.purchase, "Unknown" if question.decided is None else "Not ours to manage"
    cost = "" if is_unpriced(purchase) else f", {so_far(spent)}"
    return f"{word}: {_facts(purchase, times)}{cost}."


# --- several purchases


def _many(about: Purchases, view: AdminQuestionView, times: Times) -> Rendered:
    """Return the message about many unknown machines, which one sweep found."""
    if repeated(view):
        return blocks.message(asked_twice(f"{plural(about.count, 'machine')} that I don't know"), closed=False)
    waiting = [one.purchase for one in view.parts if one.open]
    count = sum(len(one.alive) for one in waiting)
    if not waiting:
        rest = "None is left to decide." if view.parts else "Each has a message of its own now."
        return blocks.message(
            f"{plural(about.count, 'machine')} that I don't know ran on the account. {rest}", closed=False
        )
    rates = [machine.rate for one in waiting for machine in one.alive if machine.rate is not None]
    price = f"{per_hour(sum(rates, Decimal(0)))}{' and more' if len(rates) < count else ''}"
    are = "is" if count == 1 else "are"
    lead = f"{plural(count, 'machine')} that I don't know {are} on the account: {price}."
    listed_ones = first_few([f"{_facts(one, times)}." for one in waiting], MOST_SHOWN, AND_MORE)
    lines = "\n".join([lead, *listed_ones])
    then = "One by one asks about each in a message of its own. /gpu list all shows them too."
    return blocks.of_parts(
        blocks.paragraph(lines),
        blocks.actions(button("One by one", Action.ONE_BY_ONE, question_value(view.question))),
        blocks.small(then),
    )


def repeated(view: AdminQuestionView) -> bool:
    """Return whether another message asks about all of these machines."""
    return bool(view.parts) and all(one.purchase.same_as is not None for one in view.parts)


# --- a rental whose owner left


def _owner_left(
    about: OwnerLeft, details: RentalDetails, view: AdminQuestionView, event: Event, times: Times
) -> Rendered:
    question, rental = view.question, details.rental
    name, left = f"{rental.id}, {describe(rental)}", f"{person(view.names, about.owner)} left the workspace"
    if rental.state.over or rental.state is State.DESTROYING:
        return blocks.message(f"{left}: {name}. {current_state(details, times)}", closed=rental.state.over)
    if question.decided is not None:
        who, new_owner = person(view.names, question.decided.by), person(view.names, rental.owner)
        return blocks.message(f"{left}. {who} made {new_owner} the owner: {name}.")
    if event.at < question.asked_at:
        return blocks.message(f"{left}: {name}. I asked again {times.at_time(question.asked_at)}.")
    later, value = _put_off(view, times), question_value(question)
    waits = rental.state is State.AWAITING_APPROVAL
    return blocks.with_buttons(
        join(f"{left}. {_what_it_does(details, times)} Who takes it?", later),
        button("Give it an owner", Action.GIVE_OWNER, value, about=rental.id),
        None if later else button("Ask again tomorrow", Action.ASK_ABOUT_AGAIN, value, about=rental.id),
        withdraw_button(rental) if waits else destroy_button(rental),
    )


def _what_it_does(details: RentalDetails, times: Times) -> str:
    """Return `xwsc2 (1x H100, $2.15/h, idle for 3 h, $6.45 so far) runs until 17:00.`"""
    rental = details.rental
    use = current_use(rental)
    verdict = verdict_text(use, times) if use is not None and use.verdict is not Verdict.UNKNOWN else ""
    facts = join(
        describe(rental),
        per_hour(rental.rate) if rental.rate else "",
        f"{verdict[:1].lower()}{verdict[1:]}",
        so_far(details.spent) if rental.attempts else "",
        by=", ",
    )
    name = f"{rental.id} ({facts})"
    if rental.state is State.READY:
        return f"{name} runs until {end(rental, times)}."
    if rental.state is State.AWAITING_APPROVAL:
        return f"{name} waits for approval, and can't be approved without an owner."
    if rental.state is State.QUEUED:
        return f"{name} waits for an offer."
    return f"{name} is starting."


# --- dialogs


def give_owner(view: AdminQuestionView, *, rules: Rules) -> Modal:
    """Return the dialog that asks who gets a machine, and for how long if it has no end yet."""
    about = view.question.about
    it = _it(about) if isinstance(about, Purchase) else _IT
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
            f"At that end {it.are.lower()} destroyed. I don't know whose keys are on {it.object}."
        )
    else:
        rental = view.rental.rental
        facts = f"{rental.id}, {describe(rental)}. It keeps its end, and its cost so far."
    return blocks.modal(
        Callback.GIVE_OWNER,
        f"Give {it.object} an owner",
        blocks.section(facts),
        blocks.person_select(
            Field.OWNER, "For whom", chosen=guess, hint="A member of this workspace who may use me."
        ),
        hours,
        then,
        submit="Give",
        value=question_value(view.question),
    )


def not_ours(view: AdminQuestionView) -> Modal:
    """Return the dialog that asks why machines are not ours to manage."""
    it = _it(view.question.purchase)
    return blocks.modal(
        Callback.NOT_OURS,
        "Not ours to manage",
        blocks.section(f"{_in_short(view)} I won't ask again, and I don't end {it.object}."),
        blocks.text_input(Field.REASON, "Why", hint="The other admins read it.", longest=LONGEST_REASON),
        submit="Not ours",
        value=question_value(view.question),
    )


def destroy(view: AdminQuestionView) -> Modal:
    """Return the dialog that confirms the destruction of unknown machines."""
    purchase = view.question.purchase
    wanted, it, count = name_to_type(purchase), _it(purchase), len(purchase.alive)
    typed = None
    if wanted is not None:
        typed = blocks.text_input(
            Field.MACHINE_NAME, f"I didn't name {it.object}. Type the name: {escape(wanted, 200)}", longest=300
        )
    return blocks.modal(
        Callback.DESTROY_UNKNOWN,
        f"Destroy {it.object}?",
        blocks.section(
            f"{_in_short(view)} Everything on {it.object} is lost. "
            "You become the owner, so that the deletion is watched and the cost is counted."
        ),
        typed,
        submit=f"Destroy {count} machines" if count > 1 else f"Destroy {_name(purchase.alive[0])}",
        value=question_value(view.question),
    )
