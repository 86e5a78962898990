"""The parts of the process: what runs from its start to its end, through outages and bugs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import structlog
from typing_extensions import override

from bot.clock import Clock
from bot.errors import GpubotError

if TYPE_CHECKING:  # Slack's connections are kept running without a store, too.
    from store.db import Tx

log = structlog.get_logger()

LOOK_AGAIN = 2.0
"""Real seconds after which a loop looks at the store again if nothing woke it: another process may have made work
due, or its claims may have ended."""
PAUSE_AFTER_OUTAGE = 1.0
"""Real seconds until the next turn, or until a write that must be done is tried again."""
PAUSE_AFTER_BUG = 10.0
"""Real seconds until the next turn."""
FINISH_WITHIN = 10.0
"""How many real seconds work that is under way may take at the end of the process."""


class Part:
    """Something that runs from the start of the process to its end.

    bot/app.py lists the parts and runs them. Shutdown, /health and /metrics go through that list and use these
    methods alone, so that a new part needs no change there. Only a loop whose work is waited for at the end of the
    process is also one of `Bot.loops`. A part overrides the methods for which the default is wrong.
    """

    name: str
    counted_as: ClassVar[str] = "jobs_in_flight"
    """The key under which /health counts what is in flight."""
    vital: ClassVar[bool] = True
    """Whether the bot is not well while this part has trouble."""
    waits_for_witnesses: ClassVar[bool] = False
    """Whether it may only start once this machine's clock has been compared with others."""

    async def run(self) -> None:
        """Run until cancelled."""
        raise NotImplementedError

    async def end(self) -> None:
        """Finish or give up what is under way, and leave the rest to other processes.

        Called at the end of the process, after `run` was cancelled.
        """

    @property
    def in_flight(self) -> int:
        """The number of things that are being worked on."""
        return 0

    def pass_is_due(self) -> bool:
        """Return whether work is known to begin within moments. This reads no store."""
        return False

    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the time at which the part has work next, by the bot's clock.

        A time that has passed means that it has work now. None means that it waits for no time.
        """

    async def trouble(self) -> list[str]:
        """Return what is wrong with the part now, in words for an operator. Empty if all is well."""
        return []

    async def figures(self) -> Mapping[str, Any]:
        """Return further entries of /health. Numbers that several parts have under one key are added up."""
        return {}


@dataclass
class Loop(Part):
    """A part that is only run: it has nothing to report, and nothing to finish."""

    name: str
    forever: Callable[[], Awaitable[None]]

    @override
    async def run(self) -> None:
        await self.forever()


async def finish(work: Awaitable[object]) -> None:
    """Wait for work that is under way at the end of the process, for FINISH_WITHIN at most."""
    try:
        async with asyncio.timeout(FINISH_WITHIN):
            await work
    except TimeoutError:
        # Nothing is lost: the intent of a call is committed before it, and the next start looks up its outcome.
        log.warning("gpubot.drain_timed_out")


def ignore(*_: object) -> None:
    """Do nothing. The default of callbacks."""


async def keep_running(
    name: str,
    turn: Callable[[], Awaitable[object]],
    clock: Clock,
    *,
    on_outage: Callable[[], None] = ignore,
    on_bug: Callable[[], None] = ignore,
    **logged: str,
) -> NoReturn:
    """Call `turn` again and again until cancelled. A turn does what is due, and returns when it is time to look
    again.

    A turn that fails is logged under `name` with the fields `logged`, and the next one follows after a pause: the
    process must not end, because the overdue deletion runs in it.
    """
    while True:
        try:
            await turn()
        except GpubotError as error:
            log.warning(f"{name}.outage", error=type(error).__name__, **logged)
            on_outage()
            await clock.pause(PAUSE_AFTER_OUTAGE)
        except Exception:
            log.exception(f"{name}.failed", **logged)
            on_bug()
            await clock.pause(PAUSE_AFTER_BUG)
