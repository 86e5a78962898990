"""Shows the app's responses to interactions: through a response_url, or in the acknowledgement of a command.

Rules: https://docs.slack.dev/interactivity/handling-user-interaction. In two cases that Slack's documentation
leaves open, the sandbox is strict. A response to a click replaces the clicked message unless it contains
`replace_original: false`, and the replacement is visible to the same people as before.
"""

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.slack.arguments import ApiError, Arguments, read_json
from sandbox.slack.call import Content, content
from sandbox.slack.model import Message
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, Workspace
from sandbox.slack.triggers import ResponseUrl, Triggers


class Responses:
    """Shows the app's responses as messages."""

    def __init__(self, workspace: Workspace, triggers: Triggers) -> None:
        self._workspace = workspace
        self._triggers = triggers

    async def serve(self, request: web.Request) -> web.Response:
        """Handle a POST to a response_url.

        Responds with 200 and `ok`. If the URL isn't valid, responds with 404. If the body isn't valid, responds
        with 400 and Slack's error code; the response doesn't contain the reasons.
        """
        try:
            url = self._triggers.response(request.match_info["url"])
        except ApiError as error:
            return web.json_response(error.body, status=404)
        try:
            self._answer(url, await read_body(request))
        except ApiError as error:
            return web.Response(text=error.code, status=400)
        return web.Response(text="ok")

    def _answer(self, url: ResponseUrl, body: Json) -> None:
        args = Arguments(body)
        original = self._workspace.message(url.channel, url.ts)
        if url.kind == "message" and body.get("replace_original", True) in (True, "true", 1):
            self._replace(original, content(self._workspace, args))
            return
        self.show(url.user, url.channel, args, thread_ts=args.text("thread_ts"))

    def _replace(self, original: Message | None, new: Content) -> None:
        if original is None or original.deleted:
            raise ApiError("message_not_found")
        self._workspace.edit(original, text=new.text or "", blocks=new.blocks or [], edited=True)

    def show(self, user: str, channel: str, args: Arguments, thread_ts: str | None = None) -> Message | None:
        """Post a new message, which only this person sees unless it has `response_type: in_channel`.

        Raises ApiError if Slack refuses the content. Returns None, without posting, if only this person should see
        the message but the workspace doesn't support ephemeral messages.
        """
        new = content(self._workspace, args)
        everyone = args.text("response_type") == "in_channel"
        if thread_ts is not None and not self._workspace.replies(channel, thread_ts):
            raise ApiError("thread_not_found")
        if self._workspace.lacks.ephemerals and not everyone:
            return None
        return self._workspace.post(
            self._workspace.channels[channel],
            BOT_USER,
            new.text or "",
            blocks=new.blocks or [],
            thread_ts=thread_ts,
            only_for=None if everyone else user,
        )


async def read_body(request: web.Request) -> Json:
    """Parse a body that is JSON with any content type, or a form with JSON in `payload`.

    Raises ApiError `invalid_payload` if it is neither.
    """
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
