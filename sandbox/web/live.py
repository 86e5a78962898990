"""Sends the workspace, as one person sees it, and the content of the control panel to each browser.

Each message on the WebSocket is a JSON object with the parts that have changed. When the page is loaded, it
requests everything. When it reconnects, it requests only what has changed since the last change that it knows.
"""

import asyncio
from contextlib import suppress
from typing import Any

from aiohttp import web

from sandbox.clock import SandboxClock, real_sleep
from sandbox.compute import ComputeSandbox
from sandbox.exact_json import dumps
from sandbox.faults import Faults
from sandbox.serving import number, refusal
from sandbox.slack import SlackSandbox
from sandbox.slack.model import Person
from sandbox.slack.schema import Json
from sandbox.slack.visibility import changes
from sandbox.traffic import Entry
from sandbox.web.bot import Bot
from sandbox.web.phrases import BEHAVIOURS, FAULT_KINDS, GPU_TROUBLES, MACHINE_FAULTS
from sandbox.web.shown import message_shown, view_shown

PANEL_EVERY = 1.0
"""Wall-clock seconds between two updates of the panel."""
HEARTBEAT = 20.0
REQUESTS_SHOWN = 40
BODY_SHOWN = 2_000
"""The maximum number of characters of a request's body that the panel shows."""


class Live:
    """Serves the WebSockets of the page."""

    def __init__(
        self,
        clock: SandboxClock,
        slack: SlackSandbox,
        compute: ComputeSandbox,
        bot: Bot,
        faults: dict[str, Faults],
    ) -> None:
        self._clock = clock
        self._slack = slack
        self._workspace = slack.workspace
        self._compute = compute
        self._bot = bot
        self._faults = faults

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send the workspace as the person `user` sees it, and its updates, until the browser disconnects.

        With `after`, the number of a change, only messages that changed later are sent.
        """
        person = self._workspace.person(request.query.get("user"))
        if person is None or person.is_bot:
            raise refusal(404, "no_such_person")
        after = int(number(request, "after", 0))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT)
        await socket.prepare(request)
        loops = (
            self._send_workspace(socket, person, after),
            self._send_clock(socket),
            self._send_panel(socket),
            _until_disconnected(socket),
        )
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            # The browser may disconnect while the sandbox is sending something. This isn't an error.
            with suppress(ConnectionError):
                task.result()
        return socket

    async def _send_workspace(self, socket: web.WebSocketResponse, person: Person, seq: int) -> None:
        workspace = self._workspace
        sent: Json = {"last": seq}
        while True:
            news = _changed(self._views(person), sent)
            found = changes(workspace, person, channel=None, after=sent["last"], versions=False)
            news |= {
                "messages": [message_shown(workspace, person, message) for message in found],
                "last": workspace.last,
            }
            sent.update(news)
            await socket.send_str(dumps(news))
            await workspace.changes.wait_for(
                lambda: workspace.last > sent["last"] or bool(_changed(self._views(person), sent))
            )

    def _views(self, person: Person) -> Json:
        workspace = self._workspace
        people = [each for each in workspace.people.values() if not each.deleted]
        return {
            "people": [{"id": each.id, "name": each.name, "tz": each.tz, "bot": each.is_bot} for each in people],
            "channels": [
                {"id": each.id, "name": each.name, "kind": each.kind, "archived": each.archived}
                for each in workspace.channels.values()
                if person.id in each.members and each.kind != "im"
            ]
            + [{"id": workspace.dm(person.id).id, "name": workspace.app.name, "kind": "im", "archived": False}],
            "modal": view_shown(workspace, workspace.modals.get(person.id)),
            "home": view_shown(workspace, workspace.homes.get(person.id)),
        }

    async def _send_clock(self, socket: web.WebSocketResponse) -> None:
        while True:
            clock = self._clock
            revision = clock.revision
            shown = {"now": clock.now(), "speed": clock.speed, "revision": revision}
            await socket.send_str(dumps({"clock": shown}))
            while await clock.wait_revision(revision, HEARTBEAT) == revision:
                pass

    async def _send_panel(self, socket: web.WebSocketResponse) -> None:
        sent: Json = {}
        await socket.send_str(dumps({"choices": self._choices()}))
        while True:
            parts = await self._compute.control.overview() | {
                "bot": self._bot.as_json(),
                "connected": self._slack.to_app.connected,
                "faults": self._active_faults(),
                "traffic": self._traffic(),
            }
            news = _changed(parts, sent)
            sent.update(news)
            if news:
                await socket.send_str(dumps(news))
            await real_sleep(PANEL_EVERY)

    def _choices(self) -> Json:
        return {
            "behaviours": list(BEHAVIOURS.items()),
            "machine_faults": list(MACHINE_FAULTS.items()),
            "gpu_troubles": [[dumps(fields), text] for fields, text in GPU_TROUBLES],
            "fault_kinds": list(FAULT_KINDS.items()),
            "addresses": {"slack": self._slack.url, "compute": self._compute.url},
            "endpoints": {name: sorted(faults.known or ()) for name, faults in self._faults.items()},
        }

    def _active_faults(self) -> list[Json]:
        return [
            {"server": name, **fault.as_json()}
            for name, faults in self._faults.items()
            for fault in faults.active()
        ]

    def _traffic(self) -> list[Json]:
        newest = [
            (entry, name)
            for name, faults in self._faults.items()
            for entry in faults.traffic.after(faults.traffic.last - REQUESTS_SHOWN)
        ]
        newest.sort(key=lambda each: each[0].at)
        return [_request(entry, name) for entry, name in newest[-REQUESTS_SHOWN:]]


async def _until_disconnected(socket: web.WebSocketResponse) -> None:
    """Read until the browser disconnects. The page sends nothing here, because it uses control calls to act."""
    async for _ in socket:
        pass


def _changed(parts: Json, sent: Json) -> Json:
    """Return the parts that differ from the parts that were sent before."""
    return {name: part for name, part in parts.items() if name not in sent or sent[name] != part}


def _request(entry: Entry, server: str) -> dict[str, Any]:
    shown = entry.as_json()
    body = "" if shown["body"] is None else dumps(shown["body"])
    return shown | {"server": server, "body": body[:BODY_SHOWN]}
