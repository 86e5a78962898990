"""Buttons and the dialog for replacing a machine that was lost or doesn't work."""

from __future__ import annotations

from datetime import datetime

from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Over, Remainder
from bot.model.text import say_at_most, span
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.buying.spending import always_needs_approval
from bot.policy.team.rules import Rules
from handlers.ids import Action, Callback, Field, RentalValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, button
from handlers.phrases.budget_text import needs_approval
from handlers.phrases.format import highest, join, limit_per_hour
from handlers.phrases.rental_text import machines, vendor


def replace_button(rental: Rental) -> Json:
    label = f"Replace {rental.id}, up to {highest(rental.terms)}"
    return button(label, Action.REPLACE, RentalValue(rental_id=rental.id))


def not_working_button(rental: Rental) -> Json:
    return button("It doesn't work", Action.NOT_WORKING, RentalValue(rental_id=rental.id))


NO_SSH_ANSWER = "Nothing answers on its SSH port yet."


def button_while_it_runs(rental: Rental, now: datetime, *, gpu_mismatch: bool = False) -> Json | None:
    """Return the button that replaces a running machine. None if the machine can't be replaced."""
    if not may_be_replaced(rental, now, gpu_mismatch=gpu_mismatch):
        return None
    return replace_button(rental) if rental.unreachable or gpu_mismatch else not_working_button(rental)


def replace_confirm(rental: Rental, left: Remainder, rules: Rules, *, asks_why: bool) -> Modal:
    """Render the dialog in which the owner confirms that a machine should be replaced.

    With `asks_why`, the dialog has a field in which the owner says what doesn't work.
    """
    terms, replaced, loses = remainder_text(rental.request.count, left), "the next matching offer", None
    approval, always = "", always_needs_approval(left.gpu, rental.request.count, rules)
    if always:
        approval = needs_approval([(Over.ALWAYS,)], rules, None)
        approval = join(approval, "Nothing is rented until someone approves.")
    if rental.state is State.READY:
        replaced = f"the next offer from a vendor other than {vendor(rental.vendor)}"
        loses = blocks.alert(
            f"Once a new machine is rented, {rental.id} is destroyed and its disk is deleted. "
            f"If none can be rented, {rental.id} stays."
        )
    why = blocks.text_input(
        Field.REASON, "What doesn't work?", hint="Everyone in the card's channel can read this", longest=200
    )
    return blocks.modal(
        Callback.REPLACE,
        f"Replace {rental.id}?",
        loses,
        blocks.section(join(f"I'll rent {replaced}: {terms}", approval)),
        why if asks_why else None,
        submit="Ask" if always else f"Replace {rental.id}",
        value=RentalValue(rental_id=rental.id),
    )


def remainder_text(count: int, left: Remainder) -> str:
    """Return the limits for a replacement.

    An example is `1x H100 SXM 80 GB, up to $2.47/h for 4 h 50 min, at most $13.82 in all`.
    """
    most = say_at_most(left.total)
    terms = f"up to {limit_per_hour(left.max_rate)} for {span(left.lease)}, at most {most} in all."
    return f"{machines(count, left.gpu)}, {terms}"
