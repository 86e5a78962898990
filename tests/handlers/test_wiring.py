"""Every payload that Slack may send matches one listener, and every ID that a view can render has a handler."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import MovedClock
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.deps import Deps
from bot.lifecycle.outside import Market
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.direct_posts import DirectPosts
from handlers.delivery.pace import Pace
from handlers.directory import HomeWorkspace, People, SlackChannels
from handlers.ids import ACTION_VALUES, MODAL_VALUES, Action, ActionId, Callback, CallbackId, numbered
from handlers.listeners import modals, slack_events
from handlers.listeners.context import Context
from handlers.listeners.slack_events import register
from store.db import Database
from tests.handlers.team import MANIFEST, NOON, RULES, GithubWithoutUsers, NothingOffered
from tests.handlers.transactions import MOST

VIEWS = tuple(Path(__file__).parents[2] / "handlers" / room for room in ("actions", "messages", "phrases"))


@pytest.fixture
async def app(tmp_path: Path) -> Any:
    """Return an app with the listeners, without a connection to Slack."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-none")  # noqa: S106 (no token)

    clock = MovedClock(NOON)
    store = await Database.open(f"sqlite:///{tmp_path / 'wiring.sqlite'}", claimant="test", clock=clock)
    client = AsyncWebClient()
    deps = Deps(store=store, clock=clock, rules=RULES)
    made = AsyncApp(name="tests", client=client, authorize=authorize, signing_secret="unused")  # noqa: S106 (Socket Mode has none)
    register(
        made,
        Context(
            deps=deps,
            catalog=lambda: None,
            key_source=GithubWithoutUsers(),
            prices=Prices.of(cast(Market, NothingOffered()), clock),
            people=People(deps, client, HomeWorkspace("T1")),
            channels=SlackChannels(deps, client),
            client=client,
            direct=DirectPosts(client, Pace(), deps, types := BlockTypes()),
            block_types=types,
        ),
    )
    yield made
    await store.close()


async def listener_count(app: AsyncApp, body: dict[str, Any]) -> int:
    """Return the number of listeners that match a payload."""
    request = AsyncBoltRequest(mode="socket_mode", body=body)
    response = BoltResponse(status=200)
    return sum([await listener.async_matches(req=request, resp=response) for listener in app._async_listeners])


def click(action_id: str) -> dict[str, Any]:
    return {"type": "block_actions", "actions": [{"type": "button", "action_id": action_id, "block_id": "b"}]}


def event(kind: str) -> dict[str, Any]:
    return {"type": "event_callback", "event": {"type": kind, "channel_type": "im"}}


async def test_exactly_one_listener_matches_each_button_of_any_version(app: AsyncApp) -> None:
    for action_id in (
        *(numbered(action, n) for action in ACTION_VALUES for n in (1, 2, 25)),
        "",
        "rent.x",
        "stop",
    ):
        assert await listener_count(app, click(action_id)) == 1


async def test_exactly_one_listener_matches_each_dialog_of_any_version(app: AsyncApp) -> None:
    for callback_id in (*MODAL_VALUES, "get_gpus"):
        body = {"type": "view_submission", "view": {"type": "modal", "callback_id": callback_id}}
        assert await listener_count(app, body) == 1


async def test_exactly_one_listener_matches_each_event_in_the_manifest(
    app: AsyncApp,
) -> None:
    subscribed = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    for name in subscribed:
        assert await listener_count(app, event(name.removesuffix(".im"))) == 1, name
    assert sorted(name.removesuffix(".im") for name in subscribed) == sorted(slack_events.HANDLERS)
    assert await listener_count(app, event("reaction_added")) == 0


async def test_exactly_one_listener_matches_each_command_in_the_manifest(
    app: AsyncApp,
) -> None:
    for entry in MANIFEST["features"]["slash_commands"]:
        assert await listener_count(app, {"command": entry["command"], "text": ""}) == 1
    assert await listener_count(app, {"command": "/other", "text": ""}) == 0


async def test_every_action_and_dialog_has_a_handler_and_nothing_else_listens(app: AsyncApp) -> None:
    assert len(app._async_listeners) == 3 + len(slack_events.HANDLERS)
    assert ACTION_VALUES.keys().isdisjoint(MODAL_VALUES)
    assert set(modals.HANDLERS) == {*ACTION_VALUES, *MODAL_VALUES}


def test_every_action_and_dialog_has_a_transaction_limit() -> None:
    """The limits themselves are checked in tests/handlers/team.py."""
    assert {*ACTION_VALUES, *(f"dialog {name}" for name in MODAL_VALUES)} <= MOST.keys()


def _is_wiring(node: ast.stmt) -> bool:
    """Return whether this statement is `ON`, which maps buttons and dialogs to functions."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ON"


def test_views_show_exactly_the_actions_and_dialogs_in_the_tables() -> None:
    """This reads the code of the views, which write IDs only as `Action.NAME` and `Callback.NAME`."""
    used: set[str] = set()
    for path in (path for room in VIEWS for path in room.rglob("*.py")):
        shown = [one for one in ast.parse(path.read_text()).body if not _is_wiring(one)]
        for node in (node for one in shown for node in ast.walk(one)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.add(f"{node.value.id}.{node.attr}")
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                assert path.name == "blocks.py" or not keys & {"action_id", "callback_id"}, path
    actions_used = {name for name in used if name.startswith("Action.")}
    modals_used = {name for name in used if name.startswith("Callback.")}
    assert actions_used == {f"Action.{name}" for name, a in vars(Action).items() if isinstance(a, ActionId)}
    assert modals_used == {f"Callback.{name}" for name, m in vars(Callback).items() if isinstance(m, CallbackId)}
