"""The tasks that run from the start of the process to its end, such as the delivery of messages."""

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

if TYPE_CHECKING:  # Only for types, because Slack's connections use this module without a store.
    from store.db import Tx

log = structlog.get_logger()

LOOK_AGAIN = 2.0
"""The pause, in wall-clock seconds, after which a loop reads the store again even if nothing woke it.

In the meantime, another process may have scheduled work, or may have died and left claims that expired.
"""
PAUSE_AFTER_OUTAGE = 1.0
"""The pause after a failure of the store or the network, in wall-clock seconds.

After this pause, the loop continues. A write that mustn't be lost is tried again.
"""
PAUSE_AFTER_BUG = 10.0
"""The pause after a turn that failed because of a bug, in wall-clock seconds."""
FINISH_WITHIN = 10.0
"""The longest time that shutdown waits for unfinished work, in wall-clock seconds."""


class Part:
    """A task that runs from the start of the process to its end, such as the delivery of messages.

    bot/app.py lists all parts. Shutdown, `/health` and `/metrics` use the methods of this class for each part in
    the list. A part overrides the methods that it needs.

    If shutdown has to wait for the unfinished work of a loop, that loop is also listed in `Bot.loops`.
    """

    name: str
    counted_as: ClassVar[str] = "jobs_in_flight"
    """The key under which `/health` reports `in_flight`."""
    vital: ClassVar[bool] = True
    """True if the whole bot is reported as unhealthy when this part has a problem."""
    waits_for_witnesses: ClassVar[bool] = False
    """True if the part must not start until this machine's clock has been compared with other clocks."""

    async def run(self) -> None:
        """Run until cancelled."""
        raise NotImplementedError

    async def end(self) -> None:
        """Finish or abandon the work in progress, and leave the rest to other processes.

        Called at the end of the process, after `run` was cancelled.
        """

    @property
    def in_flight(self) -> int:
        """The number of items being worked on."""
        return 0

    def pass_is_due(self) -> bool:
        """Return whether this part of the process is about to start some work.

        Uses only values in memory, and doesn't read the store.
        """
        return False

    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the time at which this part of the process will next have work, by the bot's clock.

        The time is in the past if there is work now. None if no such time is known.
        """

    async def trouble(self) -> list[str]:
        """Return the current problems of the part, described for an operator. Empty if all is well."""
        return []

    async def figures(self) -> Mapping[str, Any]:
        """Return additional entries for `/health`.

        If several parts use the same key, `/health` shows the sum of their numbers.
        """
        return {}


@dataclass
class Loop(Part):
    """A task of the process that only runs a function.

    It has nothing to report, and nothing to finish at shutdown.
    """

    name: str
    forever: Callable[[], Awaitable[None]]

    @override
    async def run(self) -> None:
        await self.forever()


async def finish(work: Awaitable[object]) -> None:
    """Wait for unfinished work at the end of the process, for at most FINISH_WITHIN."""
    try:
        async with asyncio.timeout(FINISH_WITHIN):
            await work
    except TimeoutError:
        # Abandoning the running work is safe. The bot commits its intention to make a call before it makes the
        # call, so after the next start it looks up the outcome of each unfinished call.
        log.warning("gpubot.drain_timed_out")


def ignore(*_: object) -> None:
    """Do nothing: the default of callbacks."""


async def keep_running(
    name: str,
    turn: Callable[[], Awaitable[object]],
    clock: Clock,
    *,
    on_outage: Callable[[], None] = ignore,
    on_bug: Callable[[], None] = ignore,
    **logged: str,
) -> NoReturn:
    """Call `turn` repeatedly until cancelled.

    Each turn does all work that is due, and returns when it is time to check again.

    A turn that raises an error is logged under `name`, with the additional fields `logged`. After a pause, the
    next turn follows. The process must never end because of an error, because the process also runs the overdue
    deletion.
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
