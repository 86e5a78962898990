"""Acts for people in the sandbox, reads what they see, and moves its clock: its control API (docs/sandbox.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict

from bot.demo.processes import NotRunning, Ready

Json = dict[str, Any]


class Forbidden(NotRunning):
    """The sandbox lets nobody do that; `error` is its word for why."""

    def __init__(self, words: str, error: str) -> None:
        super().__init__(words)
        self.error = error


class Seen(BaseModel):
    """A message as one person sees it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

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
    buttons: tuple[Json, ...] = ()
    edited: bool = False
    deleted: bool = False
    broadcast: bool = False

    def button(self, label: str) -> Json:
        """The button whose text begins with `label`. Raises LookupError where there is none."""
        for button in self.buttons:
            if str(button["text"]).startswith(label):
                return button
        raise LookupError(f"no button {label!r} on {self.reads!r}: {[b['text'] for b in self.buttons]}")


class Outside:
    """The control API of both servers."""

    def __init__(self, ready: Ready, session: aiohttp.ClientSession) -> None:
        self.ready = ready
        self._session = session

    async def slack(self, method: str, path: str, body: Json | None = None, **query: object) -> Json:
        """One control call to the workspace."""
        return await self._call(self.ready.slack, method, path, body, query)

    async def compute(self, method: str, path: str, body: Json | None = None, **query: object) -> Json:
        """One control call to Compute Clear."""
        return await self._call(self.ready.compute, method, path, body, query)

    async def _call(self, base: str, method: str, path: str, body: Json | None, query: Json) -> Json:
        params = {name: str(value) for name, value in query.items() if value is not None}
        async with self._session.request(
            method, f"{base}/_control/{path}", json=body if method != "GET" else None, params=params
        ) as answer:
            said = await answer.json()
        if answer.status >= 400:
            raise Forbidden(f"The sandbox refuses {path} {body}: {said}", str(said.get("error")))
        return dict(said)

    # --- time

    async def clock(self) -> tuple[datetime, int]:
        """The sandbox's time and its revision."""
        said = await self.compute("GET", "clock")
        return datetime.fromisoformat(said["now"]), int(said["revision"])

    async def jump_to(self, moment: datetime) -> int:
        """Moves its clock, never back; answers the revision."""
        now, revision = await self.clock()
        if moment <= now:
            return revision
        said = await self.compute("POST", "clock", {"to": moment.isoformat()})
        return int(said["revision"])

    # --- people

    async def command(self, user: str, channel: str, text: str) -> Json:
        """Someone types `/gpu text`; answers once it is acknowledged."""
        place: Json = {"dm": True} if channel == "dm" else {"channel": channel}
        return await self.slack("POST", "command", {"user": user, "command": "/gpu", "text": text, **place})

    async def click(self, user: str, message: Seen, label: str) -> Json:
        """Someone clicks the button whose text begins with `label`."""
        button = message.button(label)
        return await self.slack(
            "POST",
            "click",
            {
                "user": user,
                "channel": message.channel,
                "ts": message.ts,
                "action_id": button["action_id"],
                "block_id": button["block_id"],
                "confirmed": True,
            },
        )

    async def modal(self, user: str) -> Json:
        """The modal that someone has open, once there is one. Raises LookupError without one."""
        views = (await self.slack("GET", "views", user=user, wait=5))["views"]
        if not views:
            raise LookupError(f"{user} has no modal open")
        return dict(views[-1])

    async def open_modal(self, user: str) -> Json | None:
        """The modal that someone has open now, if any."""
        views = (await self.slack("GET", "views", user=user))["views"]
        return dict(views[-1]) if views else None

    async def close(self, user: str, view: Json) -> None:
        """Someone closes the modal."""
        await self.slack("POST", "close", {"user": user, "view_id": view["view_id"]})

    async def submit(self, user: str, view: Json, values: Json | None = None) -> Json:
        """Someone sends the modal off."""
        return await self.slack(
            "POST", "submit", {"user": user, "view_id": view["view_id"], "values": values or {}}
        )

    async def see(
        self, user: str, after: int = 0, *, channel: str | None = None, versions: bool = False
    ) -> list[Seen]:
        """What changed for someone after `after`, in order."""
        said = await self.slack(
            "GET", "see", user=user, after=after, channel=channel, versions="1" if versions else None
        )
        return [Seen.model_validate(message) for message in said["messages"]]

    # --- the market

    async def vendor(self, name: str, behaviour: str, **more: object) -> None:
        """How a vendor behaves from now on."""
        await self.compute("POST", f"vendors/{name}", {"behaviour": behaviour, **more})

    async def bill(self) -> Json:
        """What the account is billed for."""
        return await self.compute("GET", "bill")

    async def account(self) -> Json:
        """What was bought and what lives."""
        return await self.compute("GET", "account")
