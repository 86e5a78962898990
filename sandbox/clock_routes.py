"""`/_control/clock`: reads and changes the sandbox's clock over HTTP."""

from typing import Annotated

from aiohttp import web
from pydantic import AwareDatetime, Field

from sandbox.clock import SandboxClock
from sandbox.serving import LONGEST_WAIT, ControlModel, number, read, refusal, reply


class ClockChange(ControlModel):
    """A change of the clock. Fields that are left out change nothing."""

    jump: Annotated[float, Field(description="sandbox seconds to skip")] | None = None
    to: Annotated[AwareDatetime, Field(description="the time to skip to")] | None = None
    speed: Annotated[float, Field(description="sandbox seconds per real second")] | None = None


def add_clock_routes(router: web.UrlDispatcher, clock: SandboxClock) -> None:
    """Add GET and POST `/_control/clock`."""

    def answer() -> web.Response:
        return reply({"now": clock.now(), "speed": clock.speed, "revision": clock.revision})

    async def show(request: web.Request) -> web.Response:
        if "after" in request.query:
            after = int(number(request, "after", 0))
            await clock.wait_revision(after, min(number(request, "wait", LONGEST_WAIT), LONGEST_WAIT))
        return answer()

    async def change(request: web.Request) -> web.Response:
        body = await read(request, ClockChange)
        try:
            clock.change(jump=body.jump, to=body.to, speed=body.speed)
        except ValueError as wrong:
            raise refusal(422, str(wrong)) from None
        return answer()

    router.add_get("/_control/clock", show)
    router.add_post("/_control/clock", change)
