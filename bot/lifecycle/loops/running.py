"""Keeps a loop running through outages and bugs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from bot.clock import Clock
from bot.errors import GpubotError

log = structlog.get_logger()

LOOK_AGAIN = 2.0
"""Real seconds after which a loop looks at the store again if nothing woke it: another process may have made work
due, or its claims may have ended."""
PAUSE_AFTER_OUTAGE = 1.0
"""Real seconds until the next turn, or until a write that must be done is tried again."""
PAUSE_AFTER_BUG = 10.0
"""Real seconds until the next turn."""


def _ignore() -> None:
    return


async def keep_running(
    name: str,
    turn: Callable[[], Awaitable[object]],
    clock: Clock,
    *,
    on_outage: Callable[[], None] = _ignore,
    on_bug: Callable[[], None] = _ignore,
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
