"""Measures the time from the start of the bot until both connections are open, and the memory of the idle bot."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.people import invite
from bench.sizes import Size
from bench.worlds import BOT, EMPTY, open_world, running
from bot.model.base import Frozen


class Starts(Frozen):
    """The measured figures."""

    bot: float
    """The bot's start time in wall-clock seconds."""
    empty: float
    """The empty app's start time in wall-clock seconds."""
    memory: float
    """The idle bot's memory in MB."""


async def measure(size: Size, folder: Path) -> Starts:
    """Start both apps in turns, and return the medians. The bot's first start creates its database."""
    took: dict[tuple[str, ...], list[float]] = {BOT: [], EMPTY: []}
    memory = 0.0
    async with open_world(folder, "starts") as world:
        _, channel = await invite(world, 1)
        settings = world.settings(channel)
        for _ in range(size.starts):
            for program, times in took.items():
                async with running(world, program, settings) as app:
                    times.append(app.connected_after)
                    if program == BOT:
                        await world.wait_until_idle()
                        memory = app.memory()
    return Starts(bot=median(took[BOT]), empty=median(took[EMPTY]), memory=memory)
