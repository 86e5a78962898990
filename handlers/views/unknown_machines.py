"""Unknown machines of the account: the message to each admin, edited as they change, and its dialogs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.model.event import Event
from bot.model.summary import AccruedCost, OlderDatabaseView
from bot.model.unknown import AccountVerdict, UnknownMachine, UnknownPurchase
from bot.policy.rules import Rules
from bot.policy.unknown_machines import name_to_type
from handlers.ids import Action, Callback, Field
from handlers.values import PurchaseValue, TogetherValue
from handlers.views import blocks
from handlers.views.blocks import Modal, Rendered, button, option
from handlers.views.format import (
    Times,
    escape,
    identifier,
    join,
    listed,
    per_hour,
    person,
    plural,
    sentence,
    span,
)
from handlers.views.machine_text import machines, vendor
from handlers.views.rental_text import in_all, so_far

HOURS = (1, 2, 4, 8, 12, 24, 48, 72)
"""The hours that the dialog offers if the rules allow them."""
USUAL_HOURS = 24
NAMES_SHOWN = 3
TOGETHER_SHOWN = 12
"""How many purchases are listed in a message about many: a paragraph holds 3,000 bytes."""
LONGEST_REASON = 200
V = AccountVerdict


def asked(
    event: Event, purchase: UnknownPurchase, spent: AccruedCost, names: dict[str, str], times: Times
) -> Rendered:
    """Return the message of one question about unknown machines, as of now. `event` is the question."""
    what = _facts(purchase, times)
    if not purchase.open:
        return blocks.message(_answered(purchase, spent, names, times), closed=purchase.over_at is not None)
    if event.at < purchase.asked_at:
        return blocks.message(f"{_lead(purchase)}: {what}. I asked again {times.at_time(purchase.asked_at)}.")
    it = _it(purchase)
    guess = f"{it.subject} may be {person(names, purchase.guess)}'s." if purchase.guess else ""
    later = ""
    if purchase.ask_again_at is not None:
        again = times.at_time(purchase.ask_again_at)
        later = f"{person(names, purchase.put_off_by)} says later: I ask again {again}."
    cost = "" if _unpriced(purchase) else f"{it.subject} cost {so_far(spent)}."
    text = join(f"{_lead(purchase)}: {what}.", cost, guess, _not_running(purchase), later)
    value = PurchaseValue(purchase_id=purchase.id, version=purchase.version)
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(
            button(f"Give {it.object} an owner", Action.GIVE_OWNER, value) if purchase.runs else None,
            button("Not ours to manage", Action.NOT_OURS, value),
            None if later else button("Ask again tomorrow", Action.ASK_ABOUT_AGAIN, value),
            button("Destroy ...", Action.DESTROY_UNKNOWN, value, style="danger"),
        ),
        closed=False,
    )


def asked_together(view: OlderDatabaseView, first_id: str, times: Times) -> Rendered:
    """Return the message about all unknown machines that one sweep found, as of now."""
    waiting = [one for one in view.purchases if one.open]
    count = sum(len(one.alive) for one in waiting)
    if not waiting:
        found = view.event.facts.count or len(view.purchases)
        rest = "None is left to decide." if view.purchases else "Each has a message of its own now."
        return blocks.message(
            f"{plural(found, 'machine')} that I don't know ran on the account. {rest}", closed=False
        )
    rates = [machine.rate for one in waiting for machine in one.alive if machine.rate is not None]
    price = f"{per_hour(sum(rates, Decimal(0)))}{' and more' if len(rates) < count else ''}"
    are = "is" if count == 1 else "are"
    lead = f"{plural(count, 'machine')} that I don't know {are} on the account: {price}."
    lines = [f"{_facts(one, times)}." for one in waiting[:TOGETHER_SHOWN]]
    if len(waiting) > TOGETHER_SHOWN:
        lines.append(f"And {len(waiting) - TOGETHER_SHOWN} more.")
    then = "One by one asks about each in a message of its own. /gpu list all shows them too."
    return blocks.message(
        "\n".join([lead, *lines, then]),
        blocks.section("\n".join([lead, *lines])),
        blocks.actions(button("One by one", Action.ONE_BY_ONE, TogetherValue(purchase_id=first_id))),
        blocks.context(then),
        closed=False,
    )


class _Pronoun(NamedTuple):
    subject: str
    object: str
    are: str


def _it(purchase: UnknownPurchase) -> _Pronoun:
    """Return what the machines of a purchase are called after they were named."""
    return _Pronoun("They", "them", "They are") if len(purchase.alive) > 1 else _Pronoun("It", "it", "It is")


def _lead(purchase: UnknownPurchase) -> str:
    count = len(purchase.alive)
    who = f"{count} machines I don't know are" if count > 1 else "A machine I don't know is"
    return f"{who} {'running' if all(machine.runs for machine in purchase.alive) else 'on the account'}"


def _not_running(purchase: UnknownPurchase) -> str:
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


def _answered(purchase: UnknownPurchase, spent: AccruedCost, names: dict[str, str], times: Times) -> str:
    what, decided, it = _what(purchase), purchase.decided, _it(purchase)
    if purchase.rental_id is not None and (decided is None or decided.verdict is V.NOT_OURS):
        return f"{it.are} part of {purchase.rental_id}: {what}."
    if decided is None:
        ended = f" {times.time(purchase.over_at)}" if purchase.over_at else ""
        cost = "" if _unpriced(purchase) else f"{it.subject} cost {in_all(spent)}."
        return join(f"Ended{ended}: {what}, which I didn't know.", cost)
    who, when = person(names, decided.by), times.at_time(decided.at)
    if decided.verdict is V.NOT_OURS:
        cost = "" if _unpriced(purchase) else f"; {it.subject.lower()} cost {in_all(spent)}"
        ended = f" Ended {times.time(purchase.over_at)}{cost}." if purchase.over_at else ""
        why = f" {sentence(escape(decided.reason, LONGEST_REASON))}" if decided.reason else ""
        listed_in = "" if ended else " I don't ask again; /gpu list all shows the cost."
        return f"Not ours to manage, says {who} {when}: {what}.{why}{listed_in}{ended}"
    did = f"gave {it.object} an owner" if decided.verdict is V.ADOPTED else f"destroyed {it.object}"
    return f"{who} {did} {when}: {what}. {it.are} {purchase.rental_id} now: /gpu show {purchase.rental_id}"


def _what(purchase: UnknownPurchase) -> str:
    """Return `1x H100, Hyperstack, named train-3`. Machines of one purchase mostly have one name."""
    shown = purchase.alive
    first = shown[0]
    named = list(dict.fromkeys(_name(machine) for machine in shown if machine.name))
    more = len(named) - NAMES_SHOWN
    names = listed([*named[:NAMES_SHOWN], *([f"{more} more"] if more > 0 else [])])
    parts = [
        machines(sum(machine.count for machine in shown), first.gpu) if first.gpu else "",
        vendor(first.vendor) if first.vendor else "",
        f"named {names}" if names else f"resource {_name(first)}",
    ]
    return ", ".join(part for part in parts if part)


def _name(machine: UnknownMachine) -> str:
    return escape(machine.name, 60) if machine.name else identifier(machine.resource_id[:8])


def _facts(purchase: UnknownPurchase, times: Times) -> str:
    rate = _rate(purchase)
    since = times.time(min(machine.since for machine in purchase.alive))
    return ", ".join(filter(None, (_what(purchase), rate, f"since {since}")))


def _rate(purchase: UnknownPurchase) -> str:
    rates = [machine.rate for machine in purchase.alive if machine.rate is not None]
    return "price unknown" if _unpriced(purchase) else per_hour(sum(rates, start=Decimal(0)))


def _unpriced(purchase: UnknownPurchase) -> bool:
    """Return whether the API states no price for one of the machines, so that what they cost is not known."""
    return any(machine.rate is None for machine in purchase.alive)


def _in_short(purchase: UnknownPurchase, spent: AccruedCost) -> str:
    """Return the facts of a dialog: `1x H100, Hyperstack, named train-3, $2.10/h, $48.30 so far.`"""
    cost = "" if _unpriced(purchase) else so_far(spent)
    return ", ".join(filter(None, (_what(purchase), _rate(purchase), cost))) + "."


def line(purchase: UnknownPurchase, spent: AccruedCost, times: Times) -> str:
    """Return unknown machines in one line of `/gpu list all`."""
    word = "Not ours to manage" if purchase.decided is not None else "Unknown"
    cost = "" if _unpriced(purchase) else f", {so_far(spent)}"
    return f"{word}: {_facts(purchase, times)}{cost}."


# --- dialogs


def give_owner(purchase: UnknownPurchase, spent: AccruedCost, *, rules: Rules) -> Modal:
    """Return the dialog that asks for whom a machine is, and for how long."""
    it = _it(purchase)
    longest = rules.lease.max
    hours = [each for each in HOURS if timedelta(hours=each) <= longest] or [1]
    chosen = USUAL_HOURS if USUAL_HOURS in hours else hours[-1]
    return blocks.modal(
        Callback.GIVE_OWNER,
        f"Give {it.object} an owner",
        blocks.section(_in_short(purchase, spent)),
        blocks.person_select(
            Field.OWNER, "For whom", chosen=purchase.guess, hint="A member of this workspace who may use me."
        ),
        blocks.select(
            Field.HOURS,
            "For how long from now",
            [option(span(timedelta(hours=each)), str(each)) for each in hours],
            chosen=str(chosen),
        ),
        blocks.context(f"At that end {it.are.lower()} destroyed. I don't know whose keys are on {it.object}."),
        submit="Give",
        value=_value(purchase),
    )


def not_ours(purchase: UnknownPurchase, spent: AccruedCost) -> Modal:
    """Return the dialog that asks why machines are not ours to manage."""
    return blocks.modal(
        Callback.NOT_OURS,
        "Not ours to manage",
        blocks.section(f"{_in_short(purchase, spent)} I won't ask again, and I don't end {_it(purchase).object}."),
        blocks.text_input(Field.REASON, "Why", hint="The other admins read it.", longest=LONGEST_REASON),
        submit="Not ours",
        value=_value(purchase),
    )


def destroy(purchase: UnknownPurchase, spent: AccruedCost) -> Modal:
    """Return the dialog that confirms the destruction of unknown machines."""
    wanted, it = name_to_type(purchase), _it(purchase)
    several = len(purchase.alive) > 1
    typed = None
    if wanted is not None:
        typed = blocks.text_input(
            Field.MACHINE_NAME, f"I didn't name {it.object}. Type the name: {escape(wanted, 200)}", longest=300
        )
    return blocks.modal(
        Callback.DESTROY_UNKNOWN,
        f"Destroy {it.object}?",
        blocks.section(
            f"{_in_short(purchase, spent)} Everything on {it.object} is lost. "
            "You become the owner, so that the deletion is watched and the cost is counted."
        ),
        typed,
        submit=f"Destroy {len(purchase.alive)} machines" if several else f"Destroy {_name(purchase.alive[0])}",
        value=_value(purchase),
    )


def _value(purchase: UnknownPurchase) -> PurchaseValue:
    return PurchaseValue(purchase_id=purchase.id, version=purchase.version)
