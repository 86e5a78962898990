"""The workspace sends signed requests to an app in HTTP mode, and follows the app's responses."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from sandbox.clock import real_sleep
from sandbox.serving import serve
from sandbox.slack import Timing
from sandbox.slack.default import ANA, TRAINING
from tests.sandbox.slack_world import World, actions, button, workspace

Json = dict[str, Any]
QUICK = Timing(ack=0.3, retries=(0.0, 0.0, 0.0))
URL = "https://bot.example.com/slack/events"


def manifest(url: str = URL, **settings: Any) -> Json:
    return {
        "features": {"slash_commands": [{"command": "/gpu", "url": url, "should_escape": True}]},
        "oauth_config": {"scopes": {"bot": ["commands", "chat:write", "im:history"]}},
        "settings": {
            "interactivity": {"is_enabled": True, "request_url": url},
            "event_subscriptions": {"request_url": url, "bot_events": ["message.im"]},
            "socket_mode_enabled": False,
            **settings,
        },
    }


@dataclass
class App:
    """An app in HTTP mode. It checks each signature, and returns prepared responses."""

    url: str = ""
    secret: str = ""
    requests: list[tuple[dict[str, str], Json]] = field(default_factory=list)
    answers: deque[web.Response | None] = field(default_factory=deque)
    """The prepared responses. None stands for no response until the sandbox gives up.

    When none are left, the app returns an empty 200.
    """

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not SignatureVerifier(self.secret).is_valid_request(body, dict(request.headers)):
            return web.Response(status=401)
        sent = json.loads(body) if request.content_type == "application/json" else dict(parse_qsl(body.decode()))
        if sent.get("type") == "url_verification":
            return web.json_response({"challenge": sent["challenge"]})
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, json.loads(sent["payload"]) if "payload" in sent else sent))
        answer = self.answers.popleft() if self.answers else web.Response()
        if answer is None:
            await real_sleep(60)
        return answer or web.Response()


@asynccontextmanager
async def http_app(timing: Timing = QUICK) -> AsyncIterator[tuple[World, App]]:
    """Run a workspace whose app is in HTTP mode."""
    app = App()
    application = web.Application()
    application.router.add_post("/slack/events", app.serve)
    served = await serve(application)
    app.url = served.url
    try:
        async with workspace(timing=timing) as world:
            app.secret = world.sandbox.http.signing_secret
            installed = await world.act("app", manifest=manifest(), reach=app.url)
            assert installed["status"] == 200, installed
            yield world, app
    finally:
        await served.stop()


def text(body: str, status: int = 200, **headers: str) -> web.Response:
    return web.Response(text=body, status=status, headers=headers)


async def test_a_command_is_a_signed_form_and_its_response_is_shown() -> None:
    async with http_app() as (world, app):
        app.answers += [web.json_response({"text": "Hello"}), text("Plain words")]
        assert (await world.command(ANA, "get H100"))["ok"]
        assert (await world.command(ANA, "list"))["ok"]
        assert await world.reads(ANA) == ["Hello", "Plain words"]
        (headers, first), _ = app.requests
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        assert (first["command"], first["text"], first["channel_id"]) == ("/gpu", "get H100", TRAINING)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text("", 500), "dispatch_failed"),
        (text("", 201), "dispatch_failed"),
        (text("", 302, Location=URL), "dispatch_failed"),
        (None, "operation_timeout"),
    ],
)
async def test_a_command_without_a_timely_200_fails_and_is_not_retried(
    answer: web.Response | None, error: str
) -> None:
    async with http_app() as (world, app):
        app.answers.append(answer)
        assert (await world.command(ANA))["error"] == error
        assert len(app.requests) == 1


async def test_a_click_is_sent_as_a_form_with_its_payload() -> None:
    """The click fails if nobody listens at the request URL."""
    async with http_app() as (world, app):
        await world.post(blocks=[actions(button("Go", "go", "v1"))])
        [seen] = await world.see(ANA)
        click = {"user": ANA, "channel": TRAINING, "ts": seen["ts"], "action_id": "go"}
        assert (await world.act("click", **click))["ok"]
        ((_, payload),) = app.requests
        assert (payload["type"], payload["actions"][0]["value"]) == ("block_actions", "v1")
        await world.act("app", reach="http://127.0.0.1:9")
        assert (await world.act("click", **click))["error"] == "dispatch_failed"


async def test_an_event_is_retried_with_number_and_reason_until_a_2xx_response() -> None:
    async with http_app() as (world, app):
        app.answers += [None, text("", 500), text("", 204)]
        sent = await world.act("event", type="team_rename", name="new")
        [delivery] = (await world.get("events", id=sent["event_id"], wait=20))["events"]
        assert (delivery["attempts"], delivery["state"]) == (3, "acknowledged")
        retries = [(h.get("x-slack-retry-num"), h.get("x-slack-retry-reason")) for h, _ in app.requests]
        assert retries == [(None, None), ("1", "http_timeout"), ("2", "http_error")]
        assert {body["event_id"] for _, body in app.requests} == {sent["event_id"]}


async def test_an_event_is_given_up_after_three_retries_or_at_the_apps_request() -> None:
    async with http_app() as (world, app):
        app.answers += [text("", 500), text("", 500), text("", 500), text("", 500)]
        first = await world.act("event", type="team_rename")
        [delivery] = (await world.get("events", id=first["event_id"], wait=20))["events"]
        assert (delivery["attempts"], delivery["state"]) == (4, "given_up")
        app.answers.append(text("", 500, **{"x-slack-no-retry": "1"}))
        second = await world.act("event", type="team_rename")
        [delivery] = (await world.get("events", id=second["event_id"], wait=20))["events"]
        assert (delivery["attempts"], delivery["state"]) == (1, "given_up")


async def test_a_new_signing_secret_makes_the_old_one_useless() -> None:
    async with http_app() as (world, app):
        await world.act("tokens", signing="new")
        assert (await world.command(ANA))["error"] == "dispatch_failed"
        app.secret = (await world.get("workspace"))["tokens"]["signing_secret"]
        assert (await world.command(ANA))["ok"]


async def test_in_socket_mode_nothing_is_sent_to_the_request_urls() -> None:
    async with http_app() as (world, app):
        assert (await world.act("app", manifest=manifest(socket_mode_enabled=True)))["status"] == 200
        assert (await world.command(ANA))["error"] == "dispatch_failed"
        assert app.requests == []


@pytest.mark.parametrize("url", ["http://bot.example.com/slack/events", "bot.example.com", ""])
async def test_a_manifest_without_https_request_urls_is_refused(url: str) -> None:
    async with workspace() as world:
        refused = await world.act("app", manifest=manifest(url), reach="http://127.0.0.1:9")
        assert (refused["status"], "needs a request URL that begins with https://" in refused["error"]) == (
            422,
            True,
        )


async def test_a_request_url_is_refused_if_the_app_doesnt_answer_the_challenge() -> None:
    async with http_app() as (world, app):
        app.secret = "0bad" * 8
        refused = await world.act("app", manifest=manifest())
        assert refused == {"status": 422, "error": "request_url: it didn't answer with the challenge"}
        refused = await world.act("app", manifest=manifest(), reach="http://127.0.0.1:9")
        assert refused["status"] == 422
