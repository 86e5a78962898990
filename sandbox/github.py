"""Serves the public SSH keys of GitHub users, as `https://github.com/NAME.keys` does.

GitHub responds with plain text that has one key per line, without comments. The text is empty for a user without
keys, and the status is 404 for an unknown name. Names are case-insensitive.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from sandbox.clock import SandboxClock, real_sleep
from sandbox.clock_routes import add_clock_routes
from sandbox.faults import Faults
from sandbox.serving import ControlModel, Served, read, refusal, reply, serve

ENDPOINT = "user_keys"
"""The name of the only endpoint, as faults and the traffic log use it."""
HUGE_BYTES = 64 * 1024 + 1
"""The minimum size of a `huge` answer."""
CHUNK_BYTES = 4096
DRIP_SECONDS = 0.05
"""Wall-clock seconds between two bytes of an `endless` answer."""
GARBAGE = b"\xff\xfe\x00ssh-ed25519 \xc3\x28\r\n"


class UserBody(ControlModel):
    """The keys of a user, and how the server responds to requests for them."""

    keys: Annotated[tuple[str, ...], Field(strict=False)] = ()
    behaviour: Literal["normal", "huge", "endless", "redirects", "garbage"] = "normal"


@dataclass(frozen=True)
class User:
    """A GitHub user. `keys` are lines without comments."""

    keys: tuple[str, ...]
    behaviour: str

    def text(self) -> str:
        """Return the body of a normal response: one key per line."""
        return "".join(f"{key}\n" for key in self.keys)


class GithubSandbox:
    """The GitHub server. It has no users until the control API adds some."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._users: dict[str, User] = {}
        self._served: Served | None = None
        self.faults = Faults(clock, known=frozenset({ENDPOINT}))

    async def start(self, port: int = 0) -> str:
        """Start serving on 127.0.0.1, and return the URL without a trailing slash. Port 0 picks a free port."""
        app = web.Application(middlewares=[self.faults.middleware()])
        app.router.add_get("/{name}.keys", self._keys, name=ENDPOINT)
        self.add_control_routes(app.router)
        app.on_shutdown.append(self.faults.close)
        self._served = await serve(app, port)
        return self._served.url

    async def stop(self) -> None:
        """Stop serving and close every connection."""
        if self._served is not None:
            await self._served.stop()
            self._served = None

    def add_control_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the control API."""
        router.add_post("/_control/users/{name}", self._set_user)
        router.add_delete("/_control/users/{name}", self._remove_user)
        add_clock_routes(router, self._clock)
        self.faults.add_routes(router)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        user = self._users.get(name.lower())
        if user is None:
            return web.Response(text="Not Found", status=404)
        match user.behaviour:
            case "redirects" if "moved" not in request.query:
                return web.Response(status=302, headers={"Location": f"/{name}.keys?moved=1"})
            case "huge":
                return await _in_chunks(request, user, _long_lines())
            case "endless":
                return await _in_chunks(request, user, _drops())
            case "garbage":
                return web.Response(body=GARBAGE, content_type="text/plain", charset="utf-8")
            case _:
                return web.Response(text=user.text())

    async def _set_user(self, request: web.Request) -> web.Response:
        body = await read(request, UserBody)
        name = request.match_info["name"]
        # GitHub removes the comment from a key.
        keys = tuple(" ".join(key.split()[:2]) for key in body.keys)
        self._users[name.lower()] = User(keys, body.behaviour)
        return reply({"name": name, "keys": keys, "behaviour": body.behaviour})

    async def _remove_user(self, request: web.Request) -> web.Response:
        if self._users.pop(request.match_info["name"].lower(), None) is None:
            raise refusal(404, "no such user")
        return reply({"ok": True})


async def _in_chunks(request: web.Request, user: User, more: AsyncIterator[bytes]) -> web.StreamResponse:
    """Respond with the user's keys and then `more`, in chunks, so that no header announces the size."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    # The client may close the connection if the response is too long or takes too long. This isn't an error of the
    # sandbox.
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(user.text().encode())
        async for chunk in more:
            await response.write(chunk)
        await response.write_eof()
    return response


async def _long_lines() -> AsyncIterator[bytes]:
    for _ in range(HUGE_BYTES // CHUNK_BYTES + 1):
        yield b"ssh-rsa " + b"A" * (CHUNK_BYTES - 9) + b"\n"


async def _drops() -> AsyncIterator[bytes]:
    while True:
        await real_sleep(DRIP_SECONDS)
        yield b"\n"
