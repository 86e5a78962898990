"""Fault injection: a middleware that delays, fails, garbles, cuts off or holds the requests to a server.

A request is read in full and added to the traffic log. Then the matching faults are applied to it: first every
`latency`, then the oldest of the others. The server's handler runs in its own task, so that it always finishes,
even if the client disconnects. With a fault that applies *before* the handler, the handler doesn't run at all, or
only after the fault has released the request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import Field, model_validator

from sandbox.clock import Notifier, SandboxClock, real_sleep
from sandbox.exact_json import dumps
from sandbox.serving import CONTROL, ControlModel, control_call, number, read, refusal, reply
from sandbox.traffic import NO_ANSWER, Traffic

GARBAGE = "<html><head><title>Bad gateway</title></head><body>no route to backend</body>"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FaultKind(StrEnum):
    """The effect of a fault on a request. See docs/sandbox-api.md."""

    LATENCY = "latency"
    STATUS = "status"
    HANG = "hang"
    GARBAGE = "garbage"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    HOLD_BEFORE = "hold_before"
    HOLD_AFTER = "hold_after"


class FaultBody(ControlModel):
    """The body of the control call that adds a fault."""

    endpoint: Annotated[str, Field(min_length=1, description="an endpoint's name, * for all")]
    kind: Annotated[FaultKind, Field(strict=False)]
    times: Annotated[int, Field(ge=1, description="requests it meets; null: until removed")] | None = 1
    match: Annotated[str, Field(description="only requests with this in path, query or body")] | None = None
    seconds: Annotated[float, Field(ge=0, description="real seconds of latency")] = 1.0
    status: Annotated[int, Field(ge=200, le=599)] = 500
    retry_after: Annotated[int, Field(ge=0, description="seconds, as Retry-After")] | None = None
    acts: Annotated[bool, Field(description="status and garbage: act first, then answer so")] = False
    body: Annotated[str, Field(description="the body to answer, for status and garbage")] | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "FaultBody":
        if self.acts and self.kind not in {FaultKind.STATUS, FaultKind.GARBAGE}:
            raise ValueError(f"acts has no meaning for {self.kind}")
        return self


class Fault:
    """A fault, with counts of the requests that it has affected.

    `left` is the number of further requests that it may affect (None: any number), `hits` the number of requests
    that it has affected, `held` the number of requests that it holds now, and `dropped` the number of held
    requests whose client disconnected.
    """

    def __init__(self, name: str, body: FaultBody) -> None:
        self.name = name
        self.body = body
        self.active = True
        self.left = body.times
        self.hits = 0
        self.held = 0
        self.dropped = 0
        self.released = asyncio.Event()

    def take(self) -> None:
        """Use up one of the requests that the fault may affect."""
        if self.left is not None:
            self.left -= 1

    def remove(self) -> None:
        """Deactivate the fault, and release the requests that it holds. Its counts remain available."""
        self.active = False
        self.released.set()

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the control API shows it."""
        return {
            "id": self.name,
            **self.body.model_dump(),
            "active": self.active,
            "left": self.left,
            "hits": self.hits,
            "held": self.held,
            "dropped": self.dropped,
        }


def route_name(request: web.Request) -> str:
    """Return the name of a request's route, which serves as the name of its endpoint."""
    return request.match_info.route.name or "unknown"


def plain_error(status: int) -> dict[str, Any]:
    """Return the body of a `status` fault, for servers that have no error format of their own."""
    return {"detail": f"the service answered {status}"}


class Faults:
    """The faults and the traffic log of one server.

    A server installs `web.Application(middlewares=[faults.middleware()])`, `faults.add_routes(app.router)` and
    `app.on_shutdown.append(faults.close)`. Requests to `/_control/` are neither affected by faults nor logged.
    """

    def __init__(
        self,
        clock: SandboxClock,
        *,
        endpoint_of: Callable[[web.Request], str] = route_name,
        known: frozenset[str] | None = None,
        error_body: Callable[[int], dict[str, Any]] = plain_error,
    ) -> None:
        """Set up fault injection for a server.

        Args:
            clock: The clock of the traffic log.
            endpoint_of: Returns the endpoint of a request.
            known: The names of all endpoints. If None, faults may name any endpoint.
            error_body: Returns the JSON body for the status code of a `status` fault.
        """
        self.traffic = Traffic(clock)
        self._endpoint_of = endpoint_of
        self.known = known
        self._error_body = error_body
        self._faults: dict[str, Fault] = {}
        self._added = 0
        self._changes = Notifier()
        self._acting: set[asyncio.Task[web.StreamResponse]] = set()
        self._closing = asyncio.Event()

    # --- faults

    def add(self, body: FaultBody) -> Fault:
        """Add a fault. Raise ValueError if this server has no such endpoint."""
        if self.known is not None and body.endpoint != "*" and body.endpoint not in self.known:
            raise ValueError(f"no endpoint {body.endpoint}; there are: {', '.join(sorted(self.known))}")
        self._added += 1
        fault = Fault(f"f{self._added}", body)
        self._faults[fault.name] = fault
        return fault

    def get(self, name: str) -> Fault:
        """Return the fault with this name, even if it has been removed. Raise KeyError if there never was one."""
        return self._faults[name]

    def active(self) -> list[Fault]:
        """Return the faults that can still affect a request, or that hold one now."""
        return [fault for fault in self._faults.values() if fault.active and (fault.left != 0 or fault.held)]

    async def wait_hit(self, fault: Fault, seconds: float) -> bool:
        """Wait until the fault has affected a request, and return whether it has.

        Waits at most `seconds` of wall-clock time.
        """
        return await self._changes.wait_for(lambda: fault.hits > 0, seconds)

    async def wait_dropped(self, fault: Fault, seconds: float) -> bool:
        """Wait until the client of a held request disconnects, and return whether one did.

        Waits at most `seconds` of wall-clock time.
        """
        return await self._changes.wait_for(lambda: fault.dropped > 0, seconds)

    async def close(self, _app: web.Application | None = None) -> None:
        """Cut off all requests that are held or hang, and hold no more requests. Called when the server stops."""
        self._closing.set()
        for fault in self._faults.values():
            fault.remove()
        for task in list(self._acting):
            task.cancel()

    # --- requests

    def middleware(self) -> Middleware:
        """Return the middleware, which must be the outermost one of its application."""

        @web.middleware
        async def meet_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(CONTROL):
                return await control_call(request, handler)
            raw = await request.read()
            endpoint = self._endpoint_of(request)
            entry = self.traffic.begin(endpoint, request, raw)
            try:
                response = await self._through(endpoint, request, raw, handler)
            except web.HTTPException as answer:
                self.traffic.end(entry, answer.status)
                raise
            except asyncio.CancelledError:
                self.traffic.end(entry, NO_ANSWER)
                raise
            except Exception:
                self.traffic.end(entry, 500)
                raise
            self.traffic.end(entry, response.status)
            return response

        return meet_faults

    async def _through(
        self, endpoint: str, request: web.Request, raw: bytes, handler: Handler
    ) -> web.StreamResponse:
        latencies, fault = self._matching(endpoint, request, raw)
        for latency in latencies:
            self._count(latency)
            await real_sleep(latency.body.seconds)
        if fault is None:
            return (await self._act(request, handler)).result()
        match fault.body.kind:
            case FaultKind.STATUS | FaultKind.GARBAGE:
                if fault.body.acts:
                    await self._act(request, handler, then_count=fault)
                else:
                    self._count(fault)
                return self._wrong_answer(fault.body)
            case FaultKind.CUT_BEFORE:
                self._count(fault)
                return await self._cut(request)
            case FaultKind.CUT_AFTER:
                await self._act(request, handler, then_count=fault)
                return await self._cut(request)
            case FaultKind.HOLD_BEFORE:
                await self._hold(fault, request)
                return (await self._act(request, handler)).result()
            case FaultKind.HOLD_AFTER:
                done = await self._act(request, handler, then_count=fault)
                await self._hold(fault, request, counted=True)
                return done.result()
            case _:
                self._count(fault)
                await self._closing.wait()
                return await self._cut(request)

    def _matching(self, endpoint: str, request: web.Request, raw: bytes) -> tuple[list[Fault], Fault | None]:
        """Select the faults that affect this request: every `latency`, and at most one other.

        The request is deducted from the number of requests that each of these faults may still affect.
        """
        latencies: list[Fault] = []
        other: Fault | None = None
        for fault in self._faults.values():
            body = fault.body
            if not fault.active or fault.left == 0 or body.endpoint not in ("*", endpoint):
                continue
            if body.match is not None and not _contains(request, raw, body.match):
                continue
            if body.kind is FaultKind.LATENCY:
                latencies.append(fault)
            elif other is None:
                other = fault
            else:
                continue
            fault.take()
        return latencies, other

    async def _act(
        self, request: web.Request, handler: Handler, then_count: Fault | None = None
    ) -> asyncio.Task[web.StreamResponse]:
        """Run the server's handler to its end, even if the client disconnects, and return the finished task.

        `then_count` is a fault that applies after the handler. The request counts as affected by this fault only
        when the handler is done. A test that waits for the fault can therefore rely on what the handler did.
        """
        task = asyncio.ensure_future(handler(request))
        self._acting.add(task)
        task.add_done_callback(self._acted)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if then_count is not None:
                fault = then_count
                task.add_done_callback(lambda _done: self._count(fault))
            raise
        if then_count is not None:
            self._count(then_count)
        return task

    def _acted(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self._acting.discard(task)
        if not task.cancelled():
            # If the client has disconnected, nobody awaits this task. Read its exception here. Otherwise, asyncio
            # would log that the exception was never retrieved.
            task.exception()

    def _count(self, fault: Fault) -> None:
        fault.hits += 1
        self._changes.notify()

    async def _hold(self, fault: Fault, request: web.Request, *, counted: bool = False) -> None:
        """Hold the request until the fault is released. Raise CancelledError if the client disconnects."""
        fault.held += 1
        if not counted:
            self._count(fault)
        try:
            await fault.released.wait()
        except asyncio.CancelledError:
            fault.dropped += 1
            raise
        finally:
            fault.held -= 1
            self._changes.notify()
        if self._closing.is_set():
            await self._cut(request)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        """Close the connection without a response. The server then cancels this handler."""
        if request.transport is not None:
            request.transport.close()
        await asyncio.Event().wait()
        raise AssertionError("a cut connection goes on")

    def _wrong_answer(self, body: FaultBody) -> web.Response:
        if body.kind is FaultKind.GARBAGE:
            return web.Response(text=GARBAGE if body.body is None else body.body, content_type="application/json")
        headers = {} if body.retry_after is None else {"Retry-After": str(body.retry_after)}
        text = dumps(self._error_body(body.status)) if body.body is None else body.body
        return web.Response(text=text, status=body.status, content_type="application/json", headers=headers)

    # --- the control API

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add `/_control/faults` and `/_control/traffic`."""
        router.add_post("/_control/faults", self._post)
        router.add_get("/_control/faults", self._list)
        router.add_delete("/_control/faults", self._clear)
        router.add_get("/_control/faults/{id}", self._show)
        router.add_delete("/_control/faults/{id}", self._remove)
        router.add_post("/_control/faults/{id}/release", self._remove)
        self.traffic.add_routes(router)

    async def _post(self, request: web.Request) -> web.Response:
        body = await read(request, FaultBody)
        try:
            fault = self.add(body)
        except ValueError as wrong:
            raise refusal(422, str(wrong)) from None
        return reply(fault.as_json())

    async def _list(self, _request: web.Request) -> web.Response:
        return reply({"faults": [fault.as_json() for fault in self._faults.values()]})

    async def _clear(self, _request: web.Request) -> web.Response:
        for fault in self._faults.values():
            fault.remove()
        return reply({"ok": True})

    async def _show(self, request: web.Request) -> web.Response:
        fault = self._named(request)
        seconds = number(request, "wait", 0)
        match request.query.get("for", "hits"):
            case "hits":
                await self.wait_hit(fault, seconds)
            case "dropped":
                await self.wait_dropped(fault, seconds)
            case _:
                raise refusal(422, "for is hits or dropped")
        return reply(fault.as_json())

    async def _remove(self, request: web.Request) -> web.Response:
        fault = self._named(request)
        fault.remove()
        return reply(fault.as_json())

    def _named(self, request: web.Request) -> Fault:
        try:
            return self.get(request.match_info["id"])
        except KeyError:
            raise refusal(404, "no such fault") from None


def _contains(request: web.Request, raw: bytes, text: str) -> bool:
    """Return whether the path, the query or the body contains `text`, either as sent or with escapes decoded."""
    sent = [request.path, request.query_string, raw.decode("utf-8", "replace")]
    return any(text in part or text in unquote_plus(part) for part in sent)
