"""Files that apps upload: a URL, the bytes, the completion. A share appears later, as after Slack's virus scan.

Rules: https://docs.slack.dev/messaging/working-with-files.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from mimetypes import guess_type
from urllib.parse import quote

from aiohttp import web

from sandbox.clock import real_sleep
from sandbox.slack.model import Channel
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, Workspace
from sandbox.slack.timing import Timing


@dataclass
class File:
    """A file. `received` tells whether its bytes came, `completed` whether its upload was completed."""

    id: str
    name: str
    length: int
    alt_text: str
    title: str
    created: int
    url: str = ""
    """Where a person's browser downloads it."""
    content: bytes = b""
    received: bool = False
    completed: bool = False
    shares: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    """As in Slack's file object: `public` or `private`, then the channel, then the messages."""

    @property
    def mimetype(self) -> str:
        """Return the type that Slack guesses from the name."""
        return guess_type(self.name)[0] or "application/octet-stream"

    def as_json(self) -> Json:
        """Return Slack's file object."""
        return {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title,
            "alt_txt": self.alt_text,
            "mimetype": self.mimetype,
            "filetype": self.name.rpartition(".")[2],
            "user": BOT_USER,
            "size": self.length,
            "url_private_download": self.url,
            "mode": "hosted",
            "is_public": "public" in self.shares,
            "shares": self.shares,
        }


class Files:
    """The files of a workspace."""

    def __init__(self, workspace: Workspace, timing: Timing) -> None:
        self._workspace = workspace
        self._timing = timing
        self._files: dict[str, File] = {}
        self._by_token: dict[str, File] = {}
        self._sharing: set[asyncio.Task[None]] = set()
        self.url = ""

    def begin(self, name: str, length: int, alt_text: str) -> tuple[str, File]:
        """Begin an upload. Return the URL for the bytes, and the file."""
        file_id = self._workspace.new_id("F")
        file = File(
            *(file_id, name, length, alt_text),
            title=name,
            created=self._workspace.seconds(),
            url=f"{self.url}/files/{file_id}/{quote(name, safe='')}",
        )
        token = secrets.token_urlsafe(24)
        self._files[file.id] = self._by_token[token] = file
        return f"{self.url}/upload/v1/{token}", file

    def get(self, file_id: object) -> File | None:
        """Return the file, also if its upload is not completed."""
        return self._files.get(file_id) if isinstance(file_id, str) else None

    async def receive(self, request: web.Request) -> web.Response:
        """Take the bytes as the body, not as a form. Their number must be the announced one."""
        file = self._by_token.get(request.match_info["token"])
        if file is None or file.completed:
            return web.Response(status=404, text="Not found")
        raw = await request.read()
        if len(raw) != file.length:
            return web.Response(status=400, text="Length mismatch")
        file.content, file.received = raw, True
        return web.Response(text=f"OK - {len(raw)}")

    async def download(self, request: web.Request) -> web.Response:
        """Return the bytes of a file, as a person's browser gets them."""
        file = self._files.get(request.match_info["file"])
        if file is None or not file.completed:
            return web.Response(status=404, text="Not found")
        return web.Response(body=file.content, content_type=file.mimetype)

    def complete(self, files: list[File], channel: Channel | None, comment: str, thread_ts: str | None) -> None:
        """Complete the uploads. In a channel they are shared as one message after a while."""
        for file in files:
            file.completed = True
        if channel is not None:
            task = asyncio.ensure_future(self._share(files, channel, comment, thread_ts))
            self._sharing.add(task)
            task.add_done_callback(self._sharing.discard)

    async def _share(self, files: list[File], channel: Channel, comment: str, thread_ts: str | None) -> None:
        await real_sleep(self._timing.share)
        message = self._workspace.post(
            channel, BOT_USER, comment, files=[file.as_json() for file in files], thread_ts=thread_ts
        )
        share: Json = {"ts": message.ts, "channel_name": channel.name, "reply_users": []}
        if thread_ts is not None:
            share["thread_ts"] = thread_ts
        for file in files:
            shares = file.shares.setdefault("public" if channel.kind == "public" else "private", {})
            shares.setdefault(channel.id, []).append(share)
            self._workspace.on_file(file.id, channel)

    async def close(self) -> None:
        """Cancel the shares that have not appeared yet."""
        for task in list(self._sharing):
            task.cancel()
        await asyncio.gather(*self._sharing, return_exceptions=True)
