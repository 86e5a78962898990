"""Serves aiohttp applications on this machine, and provides helpers that all control calls share.

*Control calls* are requests to `/_control/`, through which tests and the page change and inspect the sandbox.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.clock import real_sleep
from sandbox.exact_json import dumps

HOST = "127.0.0.1"
OWN_NAMES = frozenset({HOST, "localhost"})
"""The host names under which the control API and the page accept requests."""
CONTROL = "/_control/"
LONGEST_WAIT = 25.0


@dataclass(frozen=True)
class Served:
    """An application that is being served."""

    url: str
    port: int
    runner: web.AppRunner

    async def stop(self) -> None:
        """Stop listening and close every connection, even those whose handler would wait forever."""
        await self.runner.cleanup()
        # Closing the connections has cancelled handlers. Let the event loop run once, so that these handlers
        # finish.
        await real_sleep(0)


async def serve(app: web.Application, port: int = 0) -> Served:
    """Serve `app` on 127.0.0.1, on a free port if `port` is 0. The URL has no trailing slash.

    aiohttp cancels the handler of a request when the client disconnects. `sandbox.faults` needs this to notice
    that a client has disconnected.
    """
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return Served(f"http://{HOST}:{site.port}", site.port, runner)


class ControlModel(BaseModel):
    """The body of a control call. Unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Body = TypeVar("Body", bound=ControlModel)


def reply(value: Any, status: int = 200) -> web.Response:
    """Return a JSON response, with exact Decimals and times."""
    return web.Response(text=dumps(value), status=status, content_type="application/json")


class _NotAllowed(web.HTTPClientError):
    """A 405 response. Unlike aiohttp's own class, it doesn't need the list of allowed methods."""

    status_code = 405


def refusal(status: int, error: str) -> web.HTTPException:
    """Return an exception which makes a control call respond with this status and `{"error": ...}`."""
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        405: _NotAllowed,
        409: web.HTTPConflict,
        422: web.HTTPUnprocessableEntity,
    }
    return kinds[status](text=dumps({"error": error}), content_type="application/json")


def check_sender(request: web.Request) -> None:
    """Refuse requests from web pages of other origins with 403.

    A web page in another tab can send requests to this machine. The browser then adds the origin of that page to
    the request, and this function refuses it. With DNS rebinding, the page's own host name points to this
    machine. The request then names that host, and is refused as well. Programs such as curl send no origin and
    are accepted.
    """
    name, _, port = request.host.rpartition(":")
    if name not in OWN_NAMES or not port.isdecimal():
        raise refusal(403, f"this is http://{HOST}, and no other host")
    if request.headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
        raise refusal(403, "pages of other origins may do nothing here")


async def control_call(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Handle a control call. Refuse unknown calls with an error message, and calls from pages of other origins."""
    check_sender(request)
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = " or ".join(sorted(error.allowed_methods - {"HEAD"}))
        raise refusal(405, f"{request.path} takes {allowed}, not {request.method}") from None
    except web.HTTPNotFound:
        if request.match_info.http_exception is None:
            # The URL is valid, and the handler itself has responded with 404, because the object that the URL
            # names doesn't exist. Pass this response on.
            raise
        raise refusal(404, f"no control call {request.method} {request.path}") from None


async def read(request: web.Request, model: type[Body]) -> Body:
    """Parse the request's JSON body as a model. An empty body counts as `{}`; refuse an invalid one with 422."""
    raw = await request.read()
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as wrong:
        message = "; ".join(
            ": ".join(filter(None, [".".join(map(str, error["loc"])), error["msg"]])) for error in wrong.errors()
        )
        raise refusal(422, message) from None


def wait_of(request: web.Request) -> float:
    """Return the wall-clock seconds for which the call may wait, at most `LONGEST_WAIT`."""
    return min(number(request, "wait", 0), LONGEST_WAIT)


def number(request: web.Request, name: str, default: float) -> float:
    """Return a query parameter as a number, 0 or more. Refuse anything else with 422."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise refusal(422, f"{name} must be a number, 0 or more")
    return value
