"""The Home tab's own buttons, and the dialog with all machines."""

from __future__ import annotations

from bot.lifecycle.actions import home, queries, waiting
from handlers.actions.calling import on
from handlers.ids import (
    NO_VALUE,
    Action,
    Callback,
    NoValue,
    PageValue,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, UserInteraction
from handlers.messages import lists
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered


async def turn(context: Context, interaction: UserInteraction, value: PageValue) -> Outcome:
    """Show another page of the person's rentals."""
    await home.turn_page(context.deps, interaction.person, value.page)
    return None


async def show_team(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Show everyone's rentals in a dialog."""
    person = interaction.person
    live = await queries.live_rentals(context.deps, person, everyone=True, most=lists.ROWS)
    waits = await waiting.starting(context.deps, person)
    return OpenModal(modal=team_dialog(lists.listing(live, context.reader(person), everyone=True, waits=waits)))


def team_dialog(listing: Rendered) -> Modal:
    """Return the dialog with everyone's rentals, as `/gpu list all` lists them."""
    return blocks.modal(
        Callback.NOTICE, "All machines", *listing.blocks, submit=None, close="Close", value=NO_VALUE
    )


ON = (
    on(Action.HOME_PAGE, turn),
    on(Action.SHOW_TEAM, show_team),
)
