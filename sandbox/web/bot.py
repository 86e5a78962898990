"""What the page knows of the bot that uses the sandbox. The program that starts the bot names it with
`POST /_control/bot`.

The sandbox knows nothing of the bot's code: it asks the bot's /health when its next work is due, so that time
passes with the bot instead of ahead of it.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

import aiohttp
from aiohttp import web
from pydantic import Field

from sandbox.clock import SandboxClock
from sandbox.serving import ControlModel, read, refusal, reply

SETTLE_SECONDS = 10
"""Real seconds to wait until the bot has nothing left to do at one moment. Then time passes all the same."""
SHORTEST_STEP = timedelta(seconds=1)
LONGEST_SPAN = 60 * 86_400.0


class BotBody(ControlModel):
    """What is known of the bot. A field that is left out keeps its value."""

    health: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}/health$")] | None = None
    help: tuple[tuple[str, str], ...] | None = None
    ledger: dict[str, int] | None = None
    key: str | None = None


class TimeBody(ControlModel):
    """How much time passes: some seconds, or if it is left out, as many as until the bot's next work."""

    seconds: Annotated[float, Field(gt=0, le=LONGEST_SPAN)] | None = None


class Bot:
    """The bot, as far as the page knows it."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._health: str | None = None
        self.help: tuple[tuple[str, str], ...] = ()
        """Each command as people type it, and what it does."""
        self.ledger: dict[str, int] | None = None
        """Micro-dollars by resource. None: nobody has said what the ledger has."""
        self.key: str | None = None
        """The public SSH key with which the page's guide rents."""

    def as_json(self) -> dict[str, Any]:
        """Return what a browser is sent."""
        return {"help": self.help, "ledger": self.ledger, "key": self.key}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/_control/bot", self._name)
        router.add_post("/_control/time", self._pass_time)

    async def _name(self, request: web.Request) -> web.Response:
        body = await read(request, BotBody)
        self._health = body.health or self._health
        self.help = self.help if body.help is None else body.help
        self.ledger = self.ledger if body.ledger is None else body.ledger
        self.key = body.key or self.key
        return reply(self.as_json())

    async def _pass_time(self, request: web.Request) -> web.Response:
        """Let time pass from one due time of the bot to the next, so that the bot does each thing in its time."""
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
        if moment > self._clock.now():  # at a high speed it can have passed meanwhile
            self._clock.jump_to(moment)

    async def _next_due(self) -> datetime | None:
        """Wait until the bot has nothing left to do now, and return when it is due next. Return None if nothing
        is, or if no bot answers.
        """
        if self._health is None:
            return None
        query = {"settled": str(self._clock.revision), "wait": str(SETTLE_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=2 * SETTLE_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self._health, params=query) as answer,
            ):
                due = (await answer.json()).get("next_due")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return None if due is None else datetime.fromisoformat(due)
