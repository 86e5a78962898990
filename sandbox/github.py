"""The public keys of GitHub's users, as `https://github.com/NAME.keys` serves them.

GitHub answers text/plain: one key on each line and without comments, nothing for a user without keys, and 404 for
an unknown name. Upper and lower case are the same in a name.
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
"""The name of the one endpoint, for faults and the traffic log."""
HUGE_BYTES = 64 * 1024 + 1
"""The size of a `huge` answer, at least."""
CHUNK_BYTES = 4096
DRIP_SECONDS = 0.05
"""Real seconds between two bytes of an `endless` answer."""
GARBAGE = b"\xff\xfe\x00ssh-ed25519 \xc3\x28\r\n"


class UserBody(ControlModel):
    """The keys of a user, and how the server answers for them."""

    keys: Annotated[tuple[str, ...], Field(strict=False)] = ()
    behaviour: Literal["normal", "huge", "endless", "redirects", "garbage"] = "normal"


@dataclass(frozen=True)
class User:
    """A user of GitHub. `keys` are lines without comments."""

    keys: tuple[str, ...]
    behaviour: str

    def text(self) -> str:
        """Return the body of the normal answer."""
        return "".join(f"{key}\n" for key in self.keys)


class GithubSandbox:
    """The server. It knows no user until the control API adds one."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._users: dict[str, User] = {}
        self._served: Served | None = None
        self.faults = Faults(clock, known=frozenset({ENDPOINT}))

    async def start(self, port: int = 0) -> str:
        """Begin to serve on 127.0.0.1 (port 0: a free one), and return the URL, without a slash at the end."""
        app = web.Application(middlewares=[self.faults.middleware()])
        app.router.add_get("/{name}.keys", self._keys, name=ENDPOINT)
        self.add_control_routes(app.router)
        app.on_shutdown.append(self.faults.close)
        self._served = await serve(app, port)
        return self._served.url

    async def stop(self) -> None:
        """End every connection."""
        if self._served is not None:
            await self._served.stop()
            self._served = None

    def add_control_routes(self, router: web.UrlDispatcher) -> None:
        """Add the control calls."""
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
        # GitHub keeps a key without its comment.
        keys = tuple(" ".join(key.split()[:2]) for key in body.keys)
        self._users[name.lower()] = User(keys, body.behaviour)
        return reply({"name": name, "keys": keys, "behaviour": body.behaviour})

    async def _remove_user(self, request: web.Request) -> web.Response:
        if self._users.pop(request.match_info["name"].lower(), None) is None:
            raise refusal(404, "no such user")
        return reply({"ok": True})


async def _in_chunks(request: web.Request, user: User, more: AsyncIterator[bytes]) -> web.StreamResponse:
    """Answer with the user's keys and then `more`, in chunks, so that no header tells the size."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    with suppress(ConnectionError):  # a client may go when it has read or waited too much
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
