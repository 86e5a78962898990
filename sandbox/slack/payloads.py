"""Builds the payloads that Slack sends to the app, with all fields of the real ones.

Source: https://docs.slack.dev/reference/interaction-payloads and
https://docs.slack.dev/interactivity/implementing-slash-commands.
"""

import secrets
from typing import Any

from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.objects import DOMAIN, VERIFICATION_TOKEN, message_json, short_user, view_json
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID, BOT_USER, TEAM, Workspace


def command(
    person: Person,
    channel: Channel,
    name: str,
    text: str,
    *,
    response_url: str,
    trigger_id: str,
) -> Json:
    """Return the payload of a slash command."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": {"im": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name),
        "user_id": person.id,
        "user_name": person.handle,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def _interaction(kind: str, person: Person, trigger_id: str) -> Json:
    return {
        "type": kind,
        "team": {"id": TEAM, "domain": DOMAIN},
        "user": short_user(person),
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": trigger_id,
    }


def message_click(
    workspace: Workspace,
    person: Person,
    message: Message,
    action: Json,
    state: Json,
    *,
    response_url: str,
    trigger_id: str,
) -> Json:
    """Return a block_actions payload for an element of a message.

    The payload for an ephemeral message contains no `message`, because Slack documents none.
    """
    channel = workspace.channels[message.channel]
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    payload = _interaction("block_actions", person, trigger_id) | {
        "container": container,
        "channel": {
            "id": channel.id,
            "name": {"im": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name),
        },
        "state": {"values": state},
        "response_url": response_url,
        "actions": [action],
    }
    if message.only_for is None:
        payload["message"] = message_json(workspace, message, metadata=True)
    return payload


def view_click(person: Person, view: View, action: Json, *, trigger_id: str) -> Json:
    """Return a block_actions payload for an element of a modal or a Home tab. It has no response_url."""
    return _interaction("block_actions", person, trigger_id) | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(view),
        "actions": [action],
    }


def submission(person: Person, view: View, *, trigger_id: str) -> Json:
    """Return a view_submission payload.

    Its `response_urls` are empty, because they are only for types of menus that the sandbox doesn't support.
    """
    return _interaction("view_submission", person, trigger_id) | {"view": view_json(view), "response_urls": []}


def event(workspace: Workspace, inner: Json) -> Json:
    """Wrap an event in an event_callback payload with a new event_id."""
    channel = workspace.channel(inner.get("channel"))
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP_ID,
        "event": inner,
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(6).upper()}",
        "event_time": workspace.seconds(),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": channel is not None and channel.shared,
        "event_context": f"4-{secrets.token_hex(12)}",
    }


def action(block: Json, element: Json, value: Json, ts: str) -> Json:
    """Return an entry of `actions`, which contains the element and its new value."""
    entry: Json = {**value, "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": ts}
    if element["type"] == "button":
        entry.pop("value", None)
        shown: dict[str, Any] = {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        entry |= shown
        if "text" in entry:
            entry["text"] = {"emoji": True, **entry["text"]}
    elif "placeholder" in element:
        entry["placeholder"] = element["placeholder"]
    return entry
