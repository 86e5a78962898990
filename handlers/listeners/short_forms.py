"""Commands without an id: they mean the person's only rental, or ask which of several is meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from bot.lifecycle.service.own_rentals import Purpose, own_rentals
from handlers.listeners import rentals, sharing
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.parsing import commands
from handlers.views import choices
from handlers.views.choices import ButtonFor
from handlers.views.format import span
from handlers.views.lease_buttons import destroy_button
from handlers.views.rental_text import reader_times

KEEP_FOR = timedelta(hours=4)
"""For how long `/gpu keep` without a time keeps a machine."""

RentalCommand = commands.Show | commands.Ssh | commands.Share | commands.Extend | commands.Keep | commands.Destroy
Do = Callable[[str], Awaitable[Outcome]]
"""Do with the rental of this id what the command says."""


async def carry_out(context: Context, interaction: UserInteraction, command: RentalCommand) -> Outcome:
    """Carry out a command about one rental. Reply with the question which one if it has no id and the person has
    several."""
    do, purpose, question, button_for = _meaning(context, interaction, command)
    if command.id is not None:
        return await do(command.id)
    own = await own_rentals(context.deps, interaction.person, purpose)
    if own.only is not None:
        return await do(own.only.id)
    times = reader_times(context.deps.rules, context.deps.clock.now(), interaction.person.tz)
    return Reply(content=choices.which_one(own, question, button_for, reader=interaction.person.id, times=times))


def _meaning(
    context: Context, interaction: UserInteraction, command: RentalCommand
) -> tuple[Do, Purpose, str, ButtonFor]:
    """Return what a command does, with which rentals, and the question and buttons if it can mean several."""
    times = reader_times(context.deps.rules, context.deps.clock.now(), interaction.person.tz)
    match command:
        case commands.Show():
            show = partial(rentals.show, context, interaction)
            return show, Purpose.SHOW, "Show which one?", choices.show_button
        case commands.Ssh():
            ssh = partial(rentals.ssh, context, interaction)
            return ssh, Purpose.SSH, "Which one do you want to open?", choices.ssh_button
        case commands.Share(people=people):
            share = partial(sharing.share, context, interaction, people=people)
            share_button = partial(choices.share_button, people=people)
            return share, Purpose.SHARE, "Share which one?", share_button
        case commands.Destroy():
            destroy = partial(rentals.confirm_destroy, context, interaction)
            return destroy, Purpose.DESTROY, "Destroy which one?", destroy_button
        case commands.Keep(duration=length):
            keep = partial(rentals.keep, context, interaction, length=length or KEEP_FOR)
            keep_button = partial(choices.keep_button, length=length or KEEP_FOR)
            return keep, Purpose.EXTEND, "Which one is still needed?", keep_button
        case commands.Extend(until=until) if until is not None:
            extend_until = partial(rentals.extend, context, interaction, by=until)
            until_button = partial(choices.extend_until_button, until=until)
            question = f"Extend which one until {times.date_and_time(until)}?"
            return extend_until, Purpose.EXTEND, question, until_button
        case commands.Extend(duration=longer) if longer is not None:
            extend_by = partial(rentals.extend, context, interaction, by=longer)
            by_button = partial(choices.extend_by_button, longer=longer)
            return extend_by, Purpose.EXTEND, f"Extend which one by {span(longer)}?", by_button
        case commands.Extend():
            extend = partial(rentals.open_extend_form, context, interaction)
            return extend, Purpose.EXTEND, "Extend which one?", choices.extend_form_button
