"""Files as apps upload them: an address, the bytes, the completion. A share shows up later, as after a scan.

Rules: https://docs.slack.dev/messaging/working-with-files.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from mimetypes import guess_type

from aiohttp import web

from sandbox.clock import real_sleep
from sandbox.slack.model import Channel
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, Workspace
from sandbox.slack.timing import Timing


@dataclass
class File:
    """A file on its way, or there: its bytes were `received`, its upload `completed`."""

    id: str
    name: str
    length: int
    alt_text: str
    title: str
    created: int
    received: bool = False
    completed: bool = False
    shares: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    """`public` or `private`, then the channel, then where in it: as Slack tells them."""

    def told(self) -> Json:
        """The file object."""
        return {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title,
            "alt_txt": self.alt_text,
            "mimetype": guess_type(self.name)[0] or "application/octet-stream",
            "filetype": self.name.rpartition(".")[2],
            "user": BOT_USER,
            "size": self.length,
            "mode": "hosted",
            "is_public": "public" in self.shares,
            "shares": self.shares,
        }


class Files:
    """The files of a workspace. Their bytes are counted and forgotten."""

    def __init__(self, workspace: Workspace, timing: Timing) -> None:
        self._workspace = workspace
        self._timing = timing
        self._files: dict[str, File] = {}
        self._addresses: dict[str, File] = {}
        self._sharing: set[asyncio.Task[None]] = set()
        self.url = ""

    def begin(self, name: str, length: int, alt_text: str) -> tuple[str, File]:
        """The address for the bytes of a new file."""
        file = File(
            self._workspace.new_id("F"), name, length, alt_text, title=name, created=self._workspace.seconds()
        )
        address = secrets.token_urlsafe(24)
        self._files[file.id] = self._addresses[address] = file
        return f"{self.url}/upload/v1/{address}", file

    def get(self, file_id: object) -> File | None:
        """The file, at whatever stage."""
        return self._files.get(file_id) if isinstance(file_id, str) else None

    async def receive(self, request: web.Request) -> web.Response:
        """Takes the bytes as the body (not as a form); they must be as many as was said."""
        file = self._addresses.get(request.match_info["address"])
        if file is None or file.completed:
            return web.Response(status=404, text="Not found")
        raw = await request.read()
        if len(raw) != file.length:
            return web.Response(status=400, text="Length mismatch")
        file.received = True
        return web.Response(text=f"OK - {len(raw)}")

    def complete(self, files: list[File], channel: Channel | None, comment: str, thread_ts: str | None) -> None:
        """Ends the uploads; in a channel they show up as one message, when they have been looked at."""
        for file in files:
            file.completed = True
        if channel is not None:
            task = asyncio.ensure_future(self._share(files, channel, comment, thread_ts))
            self._sharing.add(task)
            task.add_done_callback(self._sharing.discard)

    async def _share(self, files: list[File], channel: Channel, comment: str, thread_ts: str | None) -> None:
        await real_sleep(self._timing.share)
        message = self._workspace.post(
            channel, BOT_USER, comment, files=[file.told() for file in files], thread_ts=thread_ts
        )
        where: Json = {"ts": message.ts, "channel_name": channel.name, "reply_users": []}
        if thread_ts is not None:
            where["thread_ts"] = thread_ts
        for file in files:
            shares = file.shares.setdefault("public" if channel.kind == "public" else "private", {})
            shares.setdefault(channel.id, []).append(where)
            self._workspace.on_file(file.id, channel)

    async def close(self) -> None:
        """Drops what is not shared yet."""
        for task in list(self._sharing):
            task.cancel()
        await asyncio.gather(*self._sharing, return_exceptions=True)
