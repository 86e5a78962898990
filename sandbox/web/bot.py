"""Stores information about the bot that uses the sandbox, and advances the clock in step with the bot.

The program that starts the bot sends the information with `POST /_control/bot`. The sandbox contains none of the
bot's code. To find out when the bot's next work is due, it reads the bot's /health. This way, the clock never
jumps past work that the bot still has to do.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

import aiohttp
from aiohttp import web
from pydantic import Field

from sandbox.clock import SandboxClock
from sandbox.serving import ControlModel, read, refusal, reply

IDLE_WAIT_SECONDS = 10
"""The maximum wall-clock seconds to wait until the bot is idle. After that, the clock moves regardless."""
SHORTEST_STEP = timedelta(seconds=1)
LONGEST_SPAN = 60 * 86_400.0


class BotBody(ControlModel):
    """Information about the bot. Fields that are left out keep their values."""

    health: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}/health$")] | None = None
    api: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")] | None = None
    help: tuple[tuple[str, str], ...] | None = None
    ledger: dict[str, int] | None = None
    key: str | None = None


class TimeBody(ControlModel):
    """The time to pass: a number of sandbox seconds, or if left out, until the bot's next work is due."""

    seconds: Annotated[float, Field(gt=0, le=LONGEST_SPAN)] | None = None


class Bot:
    """The bot, with the information that the page has about it."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._health: str | None = None
        self.api: str | None = None
        """The address of the bot's REST API. None if it is unknown."""
        self.help: tuple[tuple[str, str], ...] = ()
        """The commands as people type them, each with a description."""
        self.ledger: dict[str, int] | None = None
        """The bot's ledger: micro-dollars by resource id. None if it is unknown."""
        self.key: str | None = None
        """The public SSH key that the page's guide uses to rent a machine."""

    def as_json(self) -> dict[str, Any]:
        """Return the part of this information that is sent to browsers."""
        return {"help": self.help, "ledger": self.ledger, "key": self.key, "api": self.api is not None}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the control calls."""
        router.add_post("/_control/bot", self._name)
        router.add_post("/_control/time", self._pass_time)

    async def _name(self, request: web.Request) -> web.Response:
        body = await read(request, BotBody)
        self._health = body.health or self._health
        self.api = body.api or self.api
        self.help = self.help if body.help is None else body.help
        self.ledger = self.ledger if body.ledger is None else body.ledger
        self.key = body.key or self.key
        return reply(self.as_json())

    async def _pass_time(self, request: web.Request) -> web.Response:
        """Advance the clock in steps, from one due time of the bot to the next.

        In this way, the bot does each piece of work at the time at which it is due.
        """
        body = await read(request, TimeBody)
        start = self._clock.now()
        if body.seconds is None:
            due = await self._next_due()
            if due is None:
                raise refusal(409, "nothing is due")
            self._jump(max(due, self._clock.now() + SHORTEST_STEP))
        else:
            end = start + timedelta(seconds=body.seconds)
            while (now := self._clock.now()) < end:
                due = await self._next_due()
                self._jump(end if due is None else min(max(due, now + SHORTEST_STEP), end))
        await self._next_due()
        return reply({"from": start, "now": self._clock.now()})

    def _jump(self, moment: datetime) -> None:
        # The clock can't go back. It may run so fast that it has already passed this moment.
        if moment > self._clock.now():
            self._clock.jump_to(moment)

    async def _next_due(self) -> datetime | None:
        """Wait until the bot is idle, and return the time at which its next work is due.

        None if no work is scheduled, or if the bot doesn't respond.
        """
        if self._health is None:
            return None
        query = {"settled": str(self._clock.revision), "wait": str(IDLE_WAIT_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=2 * IDLE_WAIT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self._health, params=query) as answer,
            ):
                due = (await answer.json()).get("next_due")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return None if due is None else datetime.fromisoformat(due)
