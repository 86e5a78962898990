"""A client of a running sandbox, for programs and tests.

It acts for people, reads what they see, moves the clock, sets faults and reads the bill, over the control API of
docs/sandbox.md. Rare calls have no method of their own: they go through `Server.get`, `post` and `patch`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import aiohttp
from pydantic import BaseModel, ConfigDict

from sandbox.serving import CONTROL, LONGEST_WAIT

Json = dict[str, Any]


class ControlError(Exception):
    """The sandbox refused a control call; `error` is its name for the reason, such as `no_such_button`."""

    def __init__(self, call: str, answer: Json) -> None:
        super().__init__(f"The sandbox refuses {call}: {answer}")
        self.error = str(answer.get("error"))


@dataclass(frozen=True)
class Addresses:
    """The URLs of a running sandbox, and the tokens that it accepts."""

    compute: str
    slack: str
    api: str
    clock: str
    bot_token: str
    app_token: str
    compute_token: str

    @classmethod
    def read(cls, line: bytes) -> Addresses:
        """Return the addresses in the line that `python -m sandbox` prints when it is ready."""
        return cls(**json.loads(line))


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClockState(_Answer):
    """The sandbox's time. `revision` grows with each jump."""

    now: datetime
    revision: int


class Outcome(_Answer):
    """How a command, a click or a submission ended for the person. `payload` is that of the acknowledgement."""

    ok: bool
    error: str | None = None
    errors: dict[str, str] = {}
    payload: Any = None
    took_ms: float | None = None


class Button(_Answer):
    """A button or a menu, with all that a click on it needs."""

    text: str
    action_id: str = ""
    block_id: str = ""
    value: str | None = None


class SeenMessage(_Answer):
    """A message as one person sees it. `text` is the notification, `reads` what the blocks say."""

    seq: int
    at: datetime
    channel: str
    channel_name: str
    is_dm: bool
    ts: str
    thread_ts: str | None = None
    author: str
    only_you: bool
    text: str
    reads: str
    buttons: tuple[Button, ...] = ()
    edited: bool = False
    deleted: bool = False

    def button(self, label: str) -> Button:
        """Return the first button whose text begins with `label`. Raise LookupError if there is none."""
        for button in self.buttons:
            if button.text.startswith(label):
                return button
        raise LookupError(f"no button {label!r} on {self.reads!r}: {[button.text for button in self.buttons]}")


class Option(_Answer):
    """One choice of a menu."""

    text: str
    value: str


class Input(_Answer):
    """A field of a modal."""

    block_id: str
    action_id: str
    label: str
    hint: str
    optional: bool
    value: Json | None
    options: tuple[Option, ...]


class Modal(_Answer):
    """A modal that one person has open."""

    view_id: str
    callback_id: str
    title: str
    reads: str
    inputs: tuple[Input, ...]
    submit: str | None
    private_metadata: str


class Purchase(_Answer):
    """An offer that was bought."""

    offer_id: str
    vendor: str
    resource_name: str | None
    at: datetime


class Machine(_Answer):
    """A resource of the account; `alive` while it bills."""

    resource_id: str
    offer_id: str | None
    name: str
    vendor: str
    alive: bool
    port: int | None
    billed_from: datetime
    billed_to: datetime | None


class Account(_Answer):
    """The offers that the account bought, and every resource of the account."""

    offers_bought: tuple[Purchase, ...]
    resources: tuple[Machine, ...]


class BillLine(_Answer):
    """The cost of one resource so far, in micro-dollars."""

    resource_id: str
    name: str
    micros: int


class LoggedRequest(_Answer):
    """A request that a server received. `status`: None while it is under way, 0 if it got no answer."""

    n: int
    at: datetime
    endpoint: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Sockets:
    """The names of the app's Socket Mode connections, and how many were ever opened."""

    names: tuple[str, ...]
    opened: int


class Server:
    """The control API of one server, Slack's or Compute Clear's."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, path: str, **query: object) -> Json:
        """Make a GET call; parameters that are None are left out. Raise ControlError if it is refused."""
        return await self.call("GET", path, None, query)

    async def post(self, path: str, body: Json | None = None) -> Json:
        """Make a POST call. Raise ControlError if it is refused."""
        return await self.call("POST", path, body or {})

    async def patch(self, path: str, body: Json) -> Json:
        """Make a PATCH call. Raise ControlError if it is refused."""
        return await self.call("PATCH", path, body)

    async def call(self, method: str, path: str, body: Json | None, query: Json | None = None) -> Json:
        """Make any control call. Raise ControlError if it is refused."""
        status, answer = await self.raw(method, path, body, query)
        if status >= 400:
            raise ControlError(f"{path} {body or query}", answer)
        return answer

    async def raw(self, method: str, path: str, body: Json | None, query: Json | None = None) -> tuple[int, Json]:
        """Make a call and return its HTTP status and its answer, whether or not it is refused."""
        params = {name: str(value) for name, value in (query or {}).items() if value is not None}
        async with self._session.request(method, self._url + CONTROL + path, json=body, params=params) as answer:
            return answer.status, cast(Json, await answer.json())

    async def add_fault(self, endpoint: str, kind: str, **fields: object) -> Fault:
        """Put a fault in force at an endpoint of this server."""
        added = await self.post("faults", {"endpoint": endpoint, "kind": kind, **fields})
        return Fault(self, str(added["id"]))

    async def fault_hits(self) -> int:
        """Return how many requests met a fault so far."""
        return sum(int(fault["hits"]) for fault in (await self.get("faults"))["faults"])

    async def remove_faults(self) -> None:
        """Remove every fault. Requests that are held go on."""
        await self.call("DELETE", "faults", None)

    async def traffic(self, **query: object) -> list[LoggedRequest]:
        """Return the requests of the traffic log that `query` names: `after`, `endpoint`, `answered`, `wait`."""
        found = await self.get("traffic", **query)
        return [LoggedRequest.model_validate(entry) for entry in found["requests"]]


class Fault:
    """A fault in force."""

    def __init__(self, server: Server, fault_id: str) -> None:
        self._server = server
        self._path = f"faults/{fault_id}"

    async def hits(self, wait: float) -> int:
        """Return how many requests met it; wait up to `wait` real seconds for the first."""
        return int((await self._server.get(self._path, wait=wait))["hits"])

    async def met(self) -> None:
        """Return once a request met it; a kind that acts first has acted then. Raise TimeoutError if none does."""
        if not await self.hits(LONGEST_WAIT):
            raise TimeoutError(f"no request met the fault within {LONGEST_WAIT:.0f} s")

    async def dropped(self) -> None:
        """Return once the client of a held request has gone. Raise TimeoutError if none goes."""
        state = await self._server.get(self._path, **{"for": "dropped", "wait": LONGEST_WAIT})
        if not state["dropped"]:
            raise TimeoutError(f"no client of a held request went within {LONGEST_WAIT:.0f} s")

    async def release(self) -> None:
        """Let the requests that it holds go on, and remove it."""
        await self._server.post(f"{self._path}/release")


class SandboxClient:
    """Both servers of one sandbox, and the people, the clock and the account in it."""

    def __init__(self, addresses: Addresses, session: aiohttp.ClientSession) -> None:
        self.addresses = addresses
        self.slack = Server(addresses.slack, session)
        self.compute = Server(addresses.compute, session)

    # --- time

    async def clock(self) -> ClockState:
        """Return the sandbox's time and its revision."""
        return ClockState.model_validate(await self.compute.get("clock"))

    async def now(self) -> datetime:
        """Return the sandbox's time."""
        return (await self.clock()).now

    async def jump_to(self, moment: datetime) -> None:
        """Move the clock forward to `moment`; do nothing if that has passed."""
        if moment > await self.now():
            await self.compute.post("clock", {"to": moment.isoformat()})

    # --- what people do; each waits for the app's acknowledgement

    async def command(self, user: str, channel: str, text: str) -> Outcome:
        """Type `/gpu text` in a channel; `dm` is the direct message with the bot."""
        place: Json = {"dm": True} if channel == "dm" else {"channel": channel}
        body = {"user": user, "command": "/gpu", "text": text, **place}
        return Outcome.model_validate(await self.slack.post("command", body))

    async def click(
        self, user: str, message: SeenMessage, button: str | Button, *, as_read: bool = False
    ) -> Outcome:
        """Click a button, or the first one whose text begins with `button`.

        With `as_read`, click the message as it was when it was read, although it may have changed since.
        """
        target = message.button(button) if isinstance(button, str) else button
        body: Json = {"user": user, "channel": message.channel, "ts": message.ts}
        body |= {"action_id": target.action_id, "block_id": target.block_id}
        if as_read:
            body["seq"] = message.seq
        return Outcome.model_validate(await self.slack.post("click", body))

    async def submit(self, user: str, modal: Modal, values: Json | None = None) -> Outcome:
        """Fill in the modal (block id, action id, value) and submit it."""
        body = {"user": user, "view_id": modal.view_id, "values": values or {}}
        return Outcome.model_validate(await self.slack.post("submit", body))

    async def close(self, user: str, modal: Modal) -> None:
        """Close the modal."""
        await self.slack.post("close", {"user": user, "view_id": modal.view_id})

    # --- what people see

    async def see(
        self,
        user: str,
        after: int = 0,
        *,
        channel: str | None = None,
        versions: bool = False,
        wait: float | None = None,
    ) -> list[SeenMessage]:
        """Return the messages that changed for someone after the change with the number `after`, in that order.

        Each is returned once as it is now, or with `versions` in every state that it went through. `wait` is how
        many real seconds to wait for the first.
        """
        query = {"user": user, "after": after, "channel": channel, "wait": wait, "versions": int(versions)}
        answer = await self.slack.get("see", **query)
        return [SeenMessage.model_validate(message) for message in answer["messages"]]

    async def last_change(self, user: str) -> int:
        """Return the number of the newest change of any message."""
        return int((await self.slack.get("see", user=user, after=10**9))["last"])

    async def modal(self, user: str, *, wait: float = 0) -> Modal | None:
        """Return the modal that someone has open, if any; wait up to `wait` real seconds for one to open."""
        modal = (await self.slack.get("views", user=user, wait=wait))["modal"]
        return None if modal is None else Modal.model_validate(modal)

    async def open_modal(self, user: str) -> Modal:
        """Return the modal that opens for someone now. Raise LookupError if none opens within 5 real seconds."""
        modal = await self.modal(user, wait=5)
        if modal is None:
            raise LookupError(f"{user} has no modal open")
        return modal

    async def sockets(
        self, *, least: int | None = None, opened: int | None = None, wait: float | None = None
    ) -> Sockets:
        """Return the app's connections; wait until `least` are connected and `opened` were ever opened."""
        answer = await self.slack.get("sockets", least=least, opened=opened, wait=wait)
        return Sockets(tuple(socket["socket"] for socket in answer["sockets"]), int(answer["opened"]))

    # --- the market and the account

    async def vendor(self, name: str, behaviour: str, **fields: object) -> None:
        """Set how a vendor behaves from now on. `*` sets all vendors."""
        await self.compute.post(f"vendors/{name}", {"behaviour": behaviour, **fields})

    async def vanish(self, resource_id: str, how: str) -> None:
        """Let the vendor take a machine back: `deleted`, or `missing` as if it had never existed."""
        await self.compute.post(f"resources/{resource_id}/vanish", {"how": how})

    async def account(self) -> Account:
        """Return the offers that were bought, and every resource."""
        return Account.model_validate(await self.compute.get("account"))

    async def bill(self) -> list[BillLine]:
        """Return a line for each resource."""
        return [BillLine.model_validate(line) for line in (await self.compute.get("bill"))["lines"]]

    # --- faults

    async def add_fault(self, endpoint: str, kind: str, **fields: object) -> Fault:
        """Put a fault in force at a Slack method, `response_url`, `socket`, or an operation of Compute Clear."""
        of_slack = "." in endpoint or endpoint in {"response_url", "socket"}
        return await (self.slack if of_slack else self.compute).add_fault(endpoint, kind, **fields)

    async def remove_faults(self) -> None:
        """Remove every fault of both servers."""
        await self.slack.remove_faults()
        await self.compute.remove_faults()
