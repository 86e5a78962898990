"""A running Slack workspace for tests, with an app that uses it and people who act through the control API."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from sandbox.client import Server
from sandbox.clock import SandboxClock
from sandbox.slack import AppConfig, SlackSandbox, Timing
from sandbox.slack.default import TRAINING
from sandbox.slack.state import BOT_ID, BOT_USER

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Json = dict[str, Any]


class Stopwatch:
    """A replacement for the wall clock that a test can move."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class RawSocket:
    """A Socket Mode connection without an SDK, which shows messages unchanged."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Json:
        message = await self.socket.receive_json(timeout=20)
        assert isinstance(message, dict)
        return message

    async def ack(self, envelope: Json, payload: Any = None) -> None:
        await self.socket.send_json({"envelope_id": envelope["envelope_id"], "payload": payload})


class World:
    def __init__(self, sandbox: SlackSandbox, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.sandbox = sandbox
        self.url = sandbox.url
        self.session = session
        self.client = AsyncWebClient(
            token=sandbox.bot_token, base_url=f"{sandbox.url}/api/", session=session, retry_handlers=[]
        )
        self._control = Server(self.url, session)
        self._stack = stack

    # The app

    async def bolt(self, register: Callable[[AsyncApp], Any]) -> AsyncApp:
        """Connect a Bolt app with these listeners. It stays connected until the world ends."""

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=self.sandbox.bot_token,
                bot_id=BOT_ID,
                bot_user_id=BOT_USER,
            )

        client = AsyncWebClient(base_url=f"{self.url}/api/", session=self.session, retry_handlers=[])
        app = AsyncApp(name="tests", client=client, authorize=authorize, signing_secret="")
        register(app)
        handler: Any = AsyncSocketModeHandler(app, app_token=self.sandbox.app_token)
        await handler.connect_async()
        self._stack.push_async_callback(handler.close_async)
        return app

    async def ticket(self) -> str:
        answer = await self.client.apps_connections_open(app_token=self.sandbox.app_token)
        return str(answer["url"])

    async def socket(self, *, hello: bool = True) -> RawSocket:
        connected = await self.session.ws_connect(await self.ticket(), autoping=False)
        self._stack.push_async_callback(connected.close)
        raw = RawSocket(connected)
        if hello:
            assert (await raw.next())["type"] == "hello"
        return raw

    async def refused(self, call: Any) -> str:
        """Return the error code with which an API call fails."""
        try:
            answer = await call
        except SlackApiError as error:
            return str(error.response["error"])
        raise AssertionError(f"accepted: {answer}")

    async def raw(self, method: str, *, token: str | None = None, **parts: Any) -> Json:
        """Make a call without the SDK. `parts` are aiohttp's arguments, such as json, data or params."""
        headers = {"Authorization": f"Bearer {token or self.sandbox.bot_token}"}
        async with self.session.post(f"{self.url}/api/{method}", headers=headers, **parts) as answer:
            body = json.loads(await answer.text())
            assert isinstance(body, dict)
            return body

    # The people

    async def get(self, path: str, **query: Any) -> Json:
        """Make a GET call to the control API. Return the response together with its HTTP status."""
        status, answer = await self._control.raw("GET", path, None, query)
        return {"status": status, **answer}

    async def act(self, path: str, method: str = "POST", **body: Any) -> Json:
        """Make a POST or PATCH call to the control API. Return the response together with its HTTP status."""
        status, answer = await self._control.raw(method, path, body)
        return {"status": status, **answer}

    async def command(self, user: str, text: str = "", channel: str = TRAINING, **more: Any) -> Json:
        return await self.act("command", user=user, channel=channel, command="/gpu", text=text, **more)

    async def see(self, user: str, **query: Any) -> list[Json]:
        messages = (await self.get("see", user=user, **query))["messages"]
        assert isinstance(messages, list)
        return messages

    async def reads(self, user: str, **query: Any) -> list[str]:
        return [message["reads"] for message in await self.see(user, **query) if not message["deleted"]]

    async def post(self, channel: str = TRAINING, text: str = "Ready", **more: Any) -> AsyncSlackResponse:
        return await self.client.chat_postMessage(channel=channel, text=text, **more)


@asynccontextmanager
async def workspace(
    *,
    app: AppConfig | None = None,
    pace: bool | float = False,
    timing: Timing | None = None,
    stopwatch: Stopwatch | None = None,
    seed: int = 1,
) -> AsyncIterator[World]:
    clock = SandboxClock(NOON, speed=0)
    moved: dict[str, Any] = {"monotonic": stopwatch} if stopwatch else {}
    sandbox = SlackSandbox(clock, app=app, pace=pace, timing=timing, seed=seed, **moved)
    await sandbox.start()
    try:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            yield World(sandbox, session, stack)
    finally:
        await sandbox.stop()


def button(text: str, action_id: str, value: str | None = None, **more: Any) -> Json:
    element: Json = {"type": "button", "text": {"type": "plain_text", "text": text}, "action_id": action_id}
    element |= more
    return element if value is None else {**element, "value": value}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def text_input(block_id: str, action_id: str = "typed", **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": block_id.title()},
        "element": {"type": "plain_text_input", "action_id": action_id, **more},
    }


def modal(*blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Form"},
        "submit": {"type": "plain_text", "text": "Save"},
        "blocks": list(blocks),
        **more,
    }
