"""A client for the control calls that all servers of the sandbox share, and for faults."""

from __future__ import annotations

from typing import cast

import aiohttp

from sandbox.client.answers import Json, LoggedRequest
from sandbox.serving import CONTROL, LONGEST_WAIT


class ControlError(Exception):
    """The sandbox refused a control call. `error` is a code for the reason, such as `no_such_button`."""

    def __init__(self, call: str, answer: Json) -> None:
        super().__init__(f"The sandbox refuses {call}: {answer}")
        self.error = str(answer.get("error"))


class Server:
    """A client for the control API of one server, such as Slack's or Compute Clear's."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, path: str, **query: object) -> Json:
        """Make a GET call. Parameters that are None are left out. Raise ControlError if the call is refused."""
        return await self.call("GET", path, None, query)

    async def post(self, path: str, body: Json | None = None) -> Json:
        """Make a POST call. Raise ControlError if the call is refused."""
        return await self.call("POST", path, body or {})

    async def patch(self, path: str, body: Json) -> Json:
        """Make a PATCH call. Raise ControlError if the call is refused."""
        return await self.call("PATCH", path, body)

    async def call(self, method: str, path: str, body: Json | None, query: Json | None = None) -> Json:
        """Make a control call with any method. Raise ControlError if the call is refused."""
        status, answer = await self.raw(method, path, body, query)
        if status >= 400:
            raise ControlError(f"{path} {body or query}", answer)
        return answer

    async def raw(self, method: str, path: str, body: Json | None, query: Json | None = None) -> tuple[int, Json]:
        """Make a call, and return the HTTP status and the response, even if the call is refused."""
        params = {name: str(value) for name, value in (query or {}).items() if value is not None}
        async with self._session.request(method, self._url + CONTROL + path, json=body, params=params) as answer:
            return answer.status, cast(Json, await answer.json())

    async def add_fault(self, endpoint: str, kind: str, **fields: object) -> Fault:
        """Add a fault to an endpoint of this server."""
        added = await self.post("faults", {"endpoint": endpoint, "kind": kind, **fields})
        return Fault(self, str(added["id"]))

    async def fault_hits(self) -> int:
        """Return the number of requests that faults have affected so far."""
        return sum(int(fault["hits"]) for fault in (await self.get("faults"))["faults"])

    async def remove_faults(self) -> None:
        """Remove every fault. Requests that are held continue."""
        await self.call("DELETE", "faults", None)

    async def traffic(self, **query: object) -> list[LoggedRequest]:
        """Return requests from the traffic log. `query` can contain `after`, `endpoint`, `answered` and `wait`."""
        found = await self.get("traffic", **query)
        return [LoggedRequest.model_validate(entry) for entry in found["requests"]]


class Fault:
    """A fault that was added to a server."""

    def __init__(self, server: Server, fault_id: str) -> None:
        self._server = server
        self._path = f"faults/{fault_id}"

    async def hits(self, wait: float) -> int:
        """Return the number of requests affected. Wait up to `wait` wall-clock seconds for the first one."""
        return int((await self._server.get(self._path, wait=wait))["hits"])

    async def met(self) -> None:
        """Wait until the fault has affected a request. Raise TimeoutError if no request is affected in time.

        Some faults apply after the server has handled the request. For these, the wait ends when the server has
        handled it.
        """
        if not await self.hits(LONGEST_WAIT):
            raise TimeoutError(f"no request met the fault within {LONGEST_WAIT:.0f} s")

    async def dropped(self) -> None:
        """Wait until the client of a held request has disconnected. Raise TimeoutError if none does."""
        state = await self._server.get(self._path, **{"for": "dropped", "wait": LONGEST_WAIT})
        if not state["dropped"]:
            raise TimeoutError(f"no client of a held request went within {LONGEST_WAIT:.0f} s")

    async def release(self) -> None:
        """Release the requests that the fault holds, and remove the fault."""
        await self._server.post(f"{self._path}/release")
