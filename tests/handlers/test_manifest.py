"""Checks manifest.yml against Slack's limits, and against every command, scope and event that the code uses.

Limits: the JSON schema of slackapi/manifest-schema. Scopes: the page of each method and event at docs.slack.dev.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.config.manifest import http_manifest, socket_manifest
from bot.errors import Mistake
from handlers.listeners import commands
from handlers.slack_api.scopes import NEEDED, OPTIONAL
from tests.handlers.team import MANIFEST

ROOT = Path(__file__).parents[2]
HISTORY = {"channels:history", "groups:history", "im:history"}
METHOD_SCOPES: dict[str, set[str]] = {
    "api_call": set(),  # blocks.validate
    "apps_connections_open": set(),
    "auth_test": set(),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": HISTORY,
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_members": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_replies": HISTORY,
    "files_completeUploadExternal": {"files:write"},
    "files_getUploadURLExternal": {"files:write"},
    "usergroups_users_list": {"usergroups:read"},
    "users_info": {"users:read"},
    "views_open": set(),
    "views_publish": set(),
    "views_update": set(),
}
EVENT_SCOPES: dict[str, set[str]] = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "channel_left": {"channels:read"},
    "channel_shared": {"channels:read", "groups:read"},
    "channel_unshared": {"channels:read", "groups:read"},
    "group_left": {"groups:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.im": {"im:history"},
    "subteam_members_changed": {"usergroups:read"},
    "user_change": {"users:read"},
}


@cache
def methods_called() -> set[str]:
    """Return every Web API method that bot/ and handlers/ call, by its name in the SDK."""
    known = {name for name in dir(AsyncWebClient) if "_" in name and not name.startswith("_")}
    called = set()
    for folder in ("bot", "handlers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr in known
                    and ast.unparse(node.value).endswith("client")
                ):
                    called.add(node.attr)
    return called


def bot_events() -> list[str]:
    found: list[str] = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    return found


def test_the_scopes_of_all_called_methods_are_listed_here() -> None:
    assert methods_called() <= set(METHOD_SCOPES)
    assert {"chat_postMessage", "users_info", "views_open"} <= methods_called()


def test_the_manifest_and_the_doctor_have_exactly_the_needed_scopes() -> None:
    needed = {"commands"}
    needed.update(*(METHOD_SCOPES[method] for method in methods_called()))
    needed.update(*(EVENT_SCOPES[name] for name in bot_events()))
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed
    assert {*NEEDED, *OPTIONAL} == needed, "what the doctor checks"
    assert not NEEDED.keys() & OPTIONAL.keys()


def test_the_manifest_has_one_command_with_escaped_text() -> None:
    (entry,) = MANIFEST["features"]["slash_commands"]
    assert entry["command"] == commands.COMMAND
    assert entry["should_escape"] is True, "the parser undoes Slack's escapes"


def test_the_manifest_enables_socket_mode_and_modals() -> None:
    settings = MANIFEST["settings"]
    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"]["is_enabled"] is True
    assert settings["token_rotation_enabled"] is False, "a static token; rotation can't be switched off again"
    home = MANIFEST["features"]["app_home"]
    assert home["home_tab_enabled"] is True, "else views.publish is refused"
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False, "else /gpu can't be typed in the direct message"


def test_the_command_prints_the_manifest_for_either_mode() -> None:
    assert socket_manifest() == (ROOT / "manifest.yml").read_text()
    url = "https://bot.example.com/slack/events"
    expected = yaml.safe_load(socket_manifest())
    expected["settings"]["socket_mode_enabled"] = False
    expected["settings"]["interactivity"]["request_url"] = url
    expected["settings"]["event_subscriptions"]["request_url"] = url
    expected["features"]["slash_commands"][0]["url"] = url
    for given in ("https://bot.example.com", "https://bot.example.com/"):
        text = http_manifest(given)
        assert yaml.safe_load(text) == expected
        assert "APP_TOKEN" not in text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://bot.example.com", "Slack sends requests only to https"),
        ("https://bot.example.com/?team=1", "leave out the ? or # and what follows it"),
        ("https://ana:pw@bot.example.com", "leave out the name and password before the @"),
        ("bot.example.com", "it must be a web address, such as https://example.com/"),
    ],
)
def test_an_address_that_slack_cannot_reach_is_refused_with_a_reason(url: str, words: str) -> None:
    with pytest.raises(Mistake) as refused:
        http_manifest(url)
    assert refused.value.words == f"--http {url}: {words}. Write it like https://bot.example.com"


def test_the_manifest_is_within_slacks_limits() -> None:
    top = {"_metadata", "display_information", "settings", "features", "oauth_config"}
    assert set(MANIFEST) <= top, "unknown top-level keys are refused"
    display, features = MANIFEST["display_information"], MANIFEST["features"]
    assert 1 <= len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    assert 175 <= len(display.get("long_description", "x" * 175)) <= 4000
    assert len(features["bot_user"]["display_name"]) <= 80
    assert len(features["slash_commands"]) <= 50
    for entry in features["slash_commands"]:
        assert 2 <= len(entry["command"]) <= 32
        assert 1 <= len(entry["description"]) <= 2000
        assert len(entry["usage_hint"]) <= 1000
        assert {"wait", "give", "spend", "policy"} <= set(entry["usage_hint"].split(" | "))
    assert len(MANIFEST["oauth_config"]["scopes"]["bot"]) <= 255
    assert len(bot_events()) <= 100
    assert no_duplicates(bot_events())
    assert no_duplicates(MANIFEST["oauth_config"]["scopes"]["bot"])


def no_duplicates(names: list[Any]) -> bool:
    return len(names) == len(set(names))
