"""Files that apps upload.

An app first gets an upload URL, then sends the bytes to it, and finally completes the upload. The message that
shares the files appears a little later, as it does after Slack's virus scan.

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
    """A file. `received` is true once its bytes have arrived, `completed` once its upload is complete."""

    id: str
    name: str
    length: int
    alt_text: str
    title: str
    created: int
    url: str = ""
    """The URL from which a person's browser downloads the file."""
    content: bytes = b""
    received: bool = False
    completed: bool = False
    shares: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    """The messages that share the file, by `public` or `private`, then by channel, as in Slack's file object."""

    @property
    def mimetype(self) -> str:
        """The MIME type, which Slack guesses from the name."""
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
        """Start an upload. Return the URL to which the bytes have to be sent, and the file."""
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
        """Return the file with this id, even if its upload isn't complete. Return None if there is none."""
        return self._files.get(file_id) if isinstance(file_id, str) else None

    async def receive(self, request: web.Request) -> web.Response:
        """Receive the bytes of a file.

        The bytes must be the plain body of the request, not a form, and as many as the app announced.
        """
        file = self._by_token.get(request.match_info["token"])
        if file is None or file.completed:
            return web.Response(status=404, text="Not found")
        raw = await request.read()
        if len(raw) != file.length:
            return web.Response(status=400, text="Length mismatch")
        file.content, file.received = raw, True
        return web.Response(text=f"OK - {len(raw)}")

    async def download(self, request: web.Request) -> web.Response:
        """Respond with the bytes of a file."""
        file = self._files.get(request.match_info["file"])
        if file is None or not file.completed:
            return web.Response(status=404, text="Not found")
        return web.Response(body=file.content, content_type=file.mimetype)

    def complete(self, files: list[File], channel: Channel | None, comment: str, thread_ts: str | None) -> None:
        """Complete the uploads. In `channel`, if given, a single message shares the files after a short delay."""
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
        """Cancel the messages that would share files but haven't appeared yet."""
        for task in list(self._sharing):
            task.cancel()
        await asyncio.gather(*self._sharing, return_exceptions=True)
