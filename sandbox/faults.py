"""Faults on purpose: the middleware that delays, refuses, garbles, cuts and holds requests of a server.

A request is read whole, noted in the traffic log, and then meets the faults that match it: first every
`latency`, then at most one of the others, the oldest. What the server then does runs in a task of its own, so
that a client that leaves never stops it half-way; a fault that comes *before* the act prevents it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import Field, model_validator

from sandbox.clock import Bell, SandboxClock, real_sleep
from sandbox.exact import dumps
from sandbox.serving import CONTROL, ControlModel, control_call, number, read, refusal, reply
from sandbox.traffic import NO_ANSWER, Traffic

GARBAGE = "<html><head><title>Bad gateway</title></head><body>no route to backend</body>"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FaultKind(StrEnum):
    """What a fault does; see docs/sandbox.md."""

    LATENCY = "latency"
    STATUS = "status"
    HANG = "hang"
    GARBAGE = "garbage"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    HOLD_BEFORE = "hold_before"
    HOLD_AFTER = "hold_after"


class FaultOrder(ControlModel):
    """A fault as it is asked for."""

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
    def _fits_its_kind(self) -> "FaultOrder":
        if self.acts and self.kind not in {FaultKind.STATUS, FaultKind.GARBAGE}:
            raise ValueError(f"acts says nothing to {self.kind}")
        return self


class Fault:
    """A fault in force, and what it has met so far."""

    def __init__(self, name: str, order: FaultOrder) -> None:
        self.name = name
        self.order = order
        self.active = True
        self.left = order.times
        self.hits = 0
        self.held = 0
        self.dropped = 0
        self.released = asyncio.Event()

    def take(self) -> None:
        """Uses the fault for one request; it meets no more than `times` of them."""
        if self.left is not None:
            self.left -= 1

    def remove(self) -> None:
        """Ends it: it meets no further request and lets go what it holds. Its counts stay readable."""
        self.active = False
        self.released.set()

    def shown(self) -> dict[str, Any]:
        """The fault as the control API shows it."""
        return {
            "id": self.name,
            **self.order.model_dump(),
            "active": self.active,
            "left": self.left,
            "hits": self.hits,
            "held": self.held,
            "dropped": self.dropped,
        }


def route_name(request: web.Request) -> str:
    """The name of the route that a request met; a server names its routes by endpoint."""
    return request.match_info.route.name or "unknown"


def plain_error(status: int) -> dict[str, Any]:
    """What a status fault answers when its server has no shape of its own for errors."""
    return {"detail": f"the service answered {status}"}


class Faults:
    """The faults and the traffic log of one server.

    Use: `web.Application(middlewares=[faults.middleware()])`, `faults.add_routes(app.router)`, and
    `app.on_shutdown.append(faults.close)`. Requests under `/_control/` meet no fault and are not logged.
    """

    def __init__(
        self,
        clock: SandboxClock,
        *,
        endpoint_of: Callable[[web.Request], str] = route_name,
        known: frozenset[str] | None = None,
        error_body: Callable[[int], dict[str, Any]] = plain_error,
    ) -> None:
        """`endpoint_of` names a request's endpoint, `known` are all such names (None: any is accepted),
        `error_body` makes the JSON that a status fault answers."""
        self.traffic = Traffic(clock)
        self._endpoint_of = endpoint_of
        self._known = known
        self._error_body = error_body
        self._faults: dict[str, Fault] = {}
        self._made = 0
        self._bell = Bell()
        self._acting: set[asyncio.Task[web.StreamResponse]] = set()
        self._closing = asyncio.Event()

    # --- faults by name -------------------------------------------------------------------------------------

    def add(self, order: FaultOrder) -> Fault:
        """Puts a fault in force. Raises ValueError for an endpoint that this server does not have."""
        if self._known is not None and order.endpoint != "*" and order.endpoint not in self._known:
            raise ValueError(f"no endpoint {order.endpoint}; there are: {', '.join(sorted(self._known))}")
        self._made += 1
        fault = Fault(f"f{self._made}", order)
        self._faults[fault.name] = fault
        return fault

    def get(self, name: str) -> Fault:
        """The fault of that name, also one that is over. Raises KeyError when there never was one."""
        return self._faults[name]

    async def wait_hit(self, fault: Fault, seconds: float) -> bool:
        """Waits until the fault has met a request, `seconds` of real time at most. Says whether it has."""
        return await self._bell.until(lambda: fault.hits > 0, seconds)

    async def wait_dropped(self, fault: Fault, seconds: float) -> bool:
        """Waits until a client has gone while held, `seconds` of real time at most. Says whether one has."""
        return await self._bell.until(lambda: fault.dropped > 0, seconds)

    async def close(self, _app: web.Application | None = None) -> None:
        """The server stops: whatever is held or hangs is cut, and nothing new is held."""
        self._closing.set()
        for fault in self._faults.values():
            fault.remove()
        for task in list(self._acting):
            task.cancel()

    # --- requests -------------------------------------------------------------------------------------------

    def middleware(self) -> Middleware:
        """The middleware to put outermost."""

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
            await real_sleep(latency.order.seconds)
        if fault is None:
            return (await self._act(request, handler)).result()
        match fault.order.kind:
            case FaultKind.STATUS | FaultKind.GARBAGE:
                if fault.order.acts:
                    await self._act(request, handler, then_count=fault)
                else:
                    self._count(fault)
                return self._wrong_answer(fault.order)
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
        """The faults that this request meets, taken for it: every latency, and one other."""
        latencies: list[Fault] = []
        other: Fault | None = None
        for fault in self._faults.values():
            order = fault.order
            if not fault.active or fault.left == 0 or order.endpoint not in ("*", endpoint):
                continue
            if order.match is not None and not _contains(request, raw, order.match):
                continue
            if order.kind is FaultKind.LATENCY:
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
        """Does what the request asks, to its end even if the client goes; the task has the answer.

        A fault that strikes after the act is counted once it is done, so that a hit means: it has happened.
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
            task.exception()  # marks it as seen: after the client has gone, nobody else asks

    def _count(self, fault: Fault) -> None:
        fault.hits += 1
        self._bell.ring()

    async def _hold(self, fault: Fault, request: web.Request, *, counted: bool = False) -> None:
        """Holds the request until the fault is released; ends with CancelledError when the client goes."""
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
            self._bell.ring()
        if self._closing.is_set():
            await self._cut(request)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        """Closes the connection without an answer; the server then cancels this handler."""
        if request.transport is not None:
            request.transport.close()
        await asyncio.Event().wait()
        raise AssertionError("a cut connection goes on")

    def _wrong_answer(self, order: FaultOrder) -> web.Response:
        if order.kind is FaultKind.GARBAGE:
            return web.Response(
                text=GARBAGE if order.body is None else order.body, content_type="application/json"
            )
        headers = {} if order.retry_after is None else {"Retry-After": str(order.retry_after)}
        text = dumps(self._error_body(order.status)) if order.body is None else order.body
        return web.Response(text=text, status=order.status, content_type="application/json", headers=headers)

    # --- the control API ------------------------------------------------------------------------------------

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds `/_control/faults` and `/_control/traffic`."""
        router.add_post("/_control/faults", self._post)
        router.add_get("/_control/faults", self._list)
        router.add_delete("/_control/faults", self._clear)
        router.add_get("/_control/faults/{id}", self._look)
        router.add_delete("/_control/faults/{id}", self._remove)
        router.add_post("/_control/faults/{id}/release", self._remove)
        self.traffic.add_routes(router)

    async def _post(self, request: web.Request) -> web.Response:
        order = await read(request, FaultOrder)
        try:
            fault = self.add(order)
        except ValueError as wrong:
            raise refusal(422, str(wrong)) from None
        return reply(fault.shown())

    async def _list(self, _request: web.Request) -> web.Response:
        return reply({"faults": [fault.shown() for fault in self._faults.values()]})

    async def _clear(self, _request: web.Request) -> web.Response:
        for fault in self._faults.values():
            fault.remove()
        return reply({"ok": True})

    async def _look(self, request: web.Request) -> web.Response:
        fault = self._named(request)
        seconds = number(request, "wait", 0)
        match request.query.get("for", "hits"):
            case "hits":
                await self.wait_hit(fault, seconds)
            case "dropped":
                await self.wait_dropped(fault, seconds)
            case _:
                raise refusal(422, "for is hits or dropped")
        return reply(fault.shown())

    async def _remove(self, request: web.Request) -> web.Response:
        fault = self._named(request)
        fault.remove()
        return reply(fault.shown())

    def _named(self, request: web.Request) -> Fault:
        try:
            return self.get(request.match_info["id"])
        except KeyError:
            raise refusal(404, "no such fault") from None


def _contains(request: web.Request, raw: bytes, text: str) -> bool:
    """Whether the path, the query or the body has `text` in it, as sent or with its escapes read."""
    sent = [request.path, request.query_string, raw.decode("utf-8", "replace")]
    return any(text in part or text in unquote_plus(part) for part in sent)
