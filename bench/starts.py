"""How long a start takes until both connections are open, and how much memory the bot takes at rest."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.people import invite
from bench.sizes import Size
from bench.worlds import BOT, EMPTY, running, world
from bot.model.base import Frozen


class Starts(Frozen):
    """What was measured."""

    bot: float
    """Real seconds."""
    empty: float
    """As long as the empty app takes."""
    memory: float
    """MB, of the bot with nothing to do."""


async def measure(size: Size, folder: Path) -> Starts:
    """Starts both apps in turns. The bot's first start makes its database."""
    took: dict[tuple[str, ...], list[float]] = {BOT: [], EMPTY: []}
    memory = 0.0
    async with world(folder, "starts") as place:
        _, channel = await invite(place, 1)
        settings = place.settings(channel)
        for _ in range(size.starts):
            for program, times in took.items():
                async with running(place, program, settings) as app:
                    times.append(app.connected_after)
                    if program == BOT:
                        await place.settled()
                        memory = app.memory()
    return Starts(bot=median(took[BOT]), empty=median(took[EMPTY]), memory=memory)
