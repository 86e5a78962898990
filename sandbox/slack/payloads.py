"""What Slack sends the app, complete as the real payloads are.

Shapes: https://docs.slack.dev/reference/interaction-payloads and
https://docs.slack.dev/interactivity/implementing-slash-commands.
"""

import secrets
from typing import Any

from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID, BOT_USER, TEAM, Workspace
from sandbox.slack.wire import DOMAIN, LEGACY_WORD, message_json, short_user, view_json


def command(
    workspace: Workspace,
    person: Person,
    channel: Channel,
    name: str,
    text: str,
    *,
    response_url: str,
    trigger_id: str,
) -> Json:
    return {
        "token": LEGACY_WORD,
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


def _interaction(kind: str, person: Person, trigger_id: str | None) -> Json:
    told: Json = {
        "type": kind,
        "team": {"id": TEAM, "domain": DOMAIN},
        "user": short_user(person),
        "api_app_id": APP_ID,
        "token": LEGACY_WORD,
        "enterprise": None,
        "is_enterprise_install": False,
    }
    if trigger_id is not None:
        told["trigger_id"] = trigger_id
    return told


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
    """block_actions from a message. For an ephemeral one there is no `message`, as Slack documents none."""
    channel = workspace.channels[message.channel]
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    told = _interaction("block_actions", person, trigger_id) | {
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
        told["message"] = message_json(workspace, message, metadata=True)
    return told


def view_click(person: Person, view: View, action: Json, *, trigger_id: str) -> Json:
    """block_actions from a modal or a Home tab; these have no response_url."""
    return _interaction("block_actions", person, trigger_id) | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(view),
        "actions": [action],
    }


def submission(person: Person, view: View, *, trigger_id: str, response_urls: list[Json]) -> Json:
    return _interaction("view_submission", person, trigger_id) | {
        "view": view_json(view),
        "response_urls": response_urls,
    }


def closed(person: Person, view: View, *, cleared: bool) -> Json:
    return _interaction("view_closed", person, None) | {"view": view_json(view), "is_cleared": cleared}


def suggestion(person: Person, block: Json, element: Json, typed: str, where: Json) -> Json:
    """block_suggestion: what an external select asks for while a person types."""
    return _interaction("block_suggestion", person, None) | {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "value": typed,
        **where,
    }


def event(workspace: Workspace, inner: Json) -> Json:
    """The event_callback round an event; its event_id names it for ever."""
    channel = workspace.channel(inner.get("channel"))
    return {
        "token": LEGACY_WORD,
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
    """One entry of `actions`: the element, and what was chosen."""
    told: Json = {**value, "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": ts}
    if element["type"] == "button":
        told.pop("value", None)
        shown: dict[str, Any] = {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        told |= shown
        if "text" in told:
            told["text"] = {"emoji": True, **told["text"]}
    elif "placeholder" in element:
        told["placeholder"] = element["placeholder"]
    return told
