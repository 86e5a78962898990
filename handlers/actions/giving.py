"""Asking for an idle machine, giving a machine to somebody, and taking it."""

from __future__ import annotations

from bot.errors import Mistake
from bot.lifecycle.actions import giving
from bot.lifecycle.actions.action import Confirmation
from bot.model.rental import Rental
from handlers.actions.calling import carry_out, does, on
from handlers.ids import Action, Callback, EndValue, ShareValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, UserInteraction, reply_unless_shown
from handlers.messages import giving as views

ask_for = does(giving.AskFor, lambda machine, _: views.asked(machine))


async def give(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Give a machine to another person, who has an hour to take it.

    Raise Mistake if the value doesn't name exactly one person, as no button of ours does.
    """
    if len(value.ids) != 1:
        raise Mistake(f"A machine goes to one person. Type /gpu give {value.rental_id}, then @, and pick a name.")
    (to,) = value.ids
    await context.people.look_up([to])

    def reply(given: tuple[Rental, str]) -> Outcome:
        return reply_unless_shown(interaction, views.given(*given))

    return await carry_out(context, interaction, giving.Give(value.rental_id, to), reply)


async def take(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    """Take a machine."""

    def dialog(wanted: Confirmation[giving.Offered]) -> OpenModal:
        reader = context.reader(interaction.person)
        return OpenModal(modal=views.take_confirm(wanted.rental, wanted.plan.left, value, reader))

    def reply(rental: Rental) -> Outcome:
        return reply_unless_shown(interaction, views.taken(rental))

    action = giving.Take(value.rental_id, value.shown_end)
    return await carry_out(context, interaction, action, reply, dialog=dialog)


ON = (
    on(Action.ASK_FOR, ask_for),
    on(Action.GIVE, give),
    on(Action.TAKE, take),
    on(Callback.TAKE_CONFIRM, take),
)
