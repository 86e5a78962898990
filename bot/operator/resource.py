"""`gpubot destroy --resource ID`: deletes a machine on the Compute Clear account, using only the token.

The command works even if the bot, its database and the bot's machine are lost. The only code that it shares with
the bot is the client of the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bot.clock import SystemClock
from bot.config.settings import Settings, read_needed
from bot.errors import Mistake
from bot.lifecycle.outside import ResourceView
from bot.market.client import ComputeClear
from bot.model.text import one_line, say_price

T = TypeVar("T")


def destroy_resource(resource_id: str, confirmed: Callable[[], str | None], say: Callable[[str], None]) -> None:
    """Delete a machine after a person has confirmed its ID.

    Args:
        resource_id: The machine's resource ID.
        confirmed: Prompts for the ID and returns what was typed, or None if this isn't an interactive terminal.
        say: Shows a line of text.

    Raises:
        Mistake: The token is not set, the account has no machine with this ID, or the confirmed ID is a different
        one.
        MarketAway: Compute Clear doesn't give a usable answer.
    """
    settings = read_needed("COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")
    shown_id = one_line(resource_id, 80)
    found = _ask(settings, partial(_look, resource_id=resource_id))
    if found is None:
        raise Mistake(f"The account has no machine {shown_id}. Nothing was deleted.")
    if found.deleted:
        say(f"{shown_id} has already been deleted.")
        return
    say(_describe(found))
    again = confirmed()
    if again is None:
        raise Mistake(f"Confirm the ID, because this isn't an interactive terminal: --confirm {shown_id}")
    if again.strip() != resource_id:
        raise Mistake("That's a different ID. Nothing was deleted.")
    _ask(settings, partial(ComputeClear.delete, resource_id=resource_id))
    left = _ask(settings, partial(_look, resource_id=resource_id))
    if left is None or left.deleted:
        say("It is gone.")
    else:
        say(
            "Compute Clear accepted the deletion. The machine keeps billing until its vendor confirms it. "
            "To check, type the same command again."
        )
    say("If gpubot is running, it will notice the deletion and report it in Slack.")


def _ask(settings: Settings, question: Callable[[ComputeClear], Awaitable[T]]) -> T:
    """Make one call to Compute Clear.

    Each call runs in an event loop of its own, so that no event loop is running while a person is prompted. A
    running event loop would ignore Ctrl-C.
    """

    async def asked() -> T:
        market = ComputeClear(settings.compute_clear_url, settings.compute_clear_token, SystemClock())
        try:
            return await question(market)
        finally:
            await market.aclose()

    return asyncio.run(asked())


async def _look(market: ComputeClear, resource_id: str) -> ResourceView | None:
    return await market.resource(resource_id, fresh=True)


def _describe(found: ResourceView) -> str:
    """Return a description of a machine on one line."""
    rate = f"{say_price(found.rate)}/h" if found.rate is not None else None
    gpus = f"{found.count or 1}x {found.gpu}" if found.gpu is not None else None
    known = [found.name, gpus, found.vendor, rate, found.status]
    return one_line(f"{found.resource_id}: {', '.join(filter(None, known))}.", 300)
