"""Answers to an interaction: through its response_url, or in the acknowledgement of a command.

Rules: https://docs.slack.dev/interactivity/handling-user-interaction. Where Slack's documents are silent the
strict reading holds: an answer to a click replaces what was clicked on unless it says `replace_original: false`,
and a message keeps its visibility when it is replaced.
"""

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.slack.calling import ApiError, Arguments, read_json
from sandbox.slack.context import Content, content
from sandbox.slack.model import Message
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, Workspace
from sandbox.slack.triggers import ResponseUrl, Triggers


class Replies:
    def __init__(self, workspace: Workspace, triggers: Triggers) -> None:
        self._workspace = workspace
        self._triggers = triggers

    async def serve(self, request: web.Request) -> web.Response:
        """A POST to a response_url: 200 `ok`, else 404 or 400 with Slack's error."""
        try:
            url = self._triggers.response(request.match_info["url"])
        except ApiError as error:
            return web.json_response(error.body, status=404)
        try:
            self._answer(url, await _body(request))
        except ApiError as error:
            return web.json_response(error.body, status=400)
        return web.Response(text="ok")

    def _answer(self, url: ResponseUrl, body: Json) -> None:
        args = Arguments(body)
        original = self._workspace.message(url.channel, url.ts)
        if args.flag("delete_original"):
            self._workspace.delete(_there(original))
            return
        if url.kind == "message" and body.get("replace_original", True) in (True, "true", 1):
            self._replace(_there(original), content(args))
            return
        self.show(url.user, url.channel, args, thread_ts=args.text("thread_ts"))

    def _replace(self, original: Message, said: Content) -> None:
        self._workspace.edit(
            original,
            text=said.text or "",
            blocks=said.blocks or [],
            attachments=said.attachments or [],
            edited=True,
        )

    def show(self, user: str, channel: str, args: Arguments, thread_ts: str | None = None) -> Message | None:
        """A new message: for the person alone, or for all with `response_type: in_channel`.

        Raises ApiError for content that Slack refuses. None when ephemeral messages get lost here.
        """
        said = content(args)
        everyone = args.text("response_type") == "in_channel"
        if thread_ts is not None and not self._workspace.replies(channel, thread_ts):
            raise ApiError("thread_not_found")
        if self._workspace.lacks.ephemerals and not everyone:
            return None
        return self._workspace.post(
            self._workspace.channels[channel],
            BOT_USER,
            said.text or "",
            blocks=said.blocks or [],
            attachments=said.attachments or [],
            thread_ts=thread_ts,
            only_for=None if everyone else user,
        )


def _there(original: Message | None) -> Message:
    if original is None or original.deleted:
        raise ApiError("message_not_found")
    return original


async def _body(request: web.Request) -> Json:
    """JSON, whatever the content type says, or a form with `payload`."""
    raw = await request.read()
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            body: Any = read_json(dict(parse_qsl(raw.decode())).get("payload", ""))
        else:
            body = read_json(raw)
    except ValueError:
        raise ApiError("invalid_payload") from None
    if not isinstance(body, dict):
        raise ApiError("invalid_payload")
    return body
