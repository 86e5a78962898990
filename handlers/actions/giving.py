"""Transfers of machines: asking an owner for their idle machine, offering a machine, and accepting an offer."""

from __future__ import annotations

from bot.errors import Mistake
from bot.lifecycle.actions import giving
from handlers.actions.calling import carry_out, does, on
from handlers.ids import Action, Callback, ShareValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.messages import giving as views


async def give(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Offer a machine to another person, who has an hour to accept it.

    Raises Mistake if `value` doesn't contain exactly one person. This can only happen if somebody typed the
    command, because a button of the bot always contains exactly one person.
    """
    if len(value.people) != 1:
        command = f"/gpu give {value.rental_id}"
        raise Mistake(f"A machine can be given to one person only. Type {command}, then @, and pick a name.")
    (to,) = value.people
    await context.people.look_up([to])
    action = giving.Give(value.rental_id, to)
    return await carry_out(context, interaction, action, lambda given, _: views.given(*given), unless_shown=True)


take = does(
    giving.Take,
    lambda rental, _: views.taken(rental),
    dialog=lambda wanted, reader: views.take_confirm(wanted.rental, wanted.plan.left, reader),
    unless_shown=True,
)

ON = (
    on(Action.ASK_FOR, does(giving.AskFor, lambda machine, _: views.asked(machine))),
    on(Action.GIVE, give),
    on(Action.TAKE, take),
    on(Callback.TAKE_CONFIRM, take),
)
