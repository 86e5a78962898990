"""How Slack writes people, channels, messages and views as JSON."""

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.slack.model import Channel, Group, Message, Person, View
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, OTHER_TEAM, TEAM, Workspace, as_ts, microseconds

DOMAIN = "sandbox"
LEGACY_WORD = "sandbox-verification"
"""The `token` field that every payload still carries, and that nobody checks any more."""


def user_json(workspace: Workspace, person: Person) -> Json:
    shared: Json = {
        "id": person.id,
        "team_id": person.team,
        "name": person.handle,
        "deleted": person.deleted,
        "real_name": person.name,
        "profile": {
            "real_name": person.name,
            "display_name": person.name,
            "real_name_normalized": person.name,
            "display_name_normalized": person.name,
            "team": person.team,
        },
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": workspace.seconds(),
    }
    if person.deleted:
        return shared
    offset = workspace.clock.now().astimezone(ZoneInfo(person.tz)).utcoffset()
    shared |= {
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
    }
    if not workspace.lacks.guest_flags:
        shared["is_restricted"] = person.guest is not None
        shared["is_ultra_restricted"] = person.guest == "ultra_restricted"
        if person.team != TEAM:
            shared["is_stranger"] = not any(
                {person.id, BOT_USER} <= channel.members
                for channel in workspace.channels.values()
                if channel.kind != "im"
            )
    return shared


def short_user(person: Person) -> Json:
    """The user of an interaction."""
    return {"id": person.id, "username": person.handle, "name": person.handle, "team_id": person.team}


def channel_json(workspace: Workspace, channel: Channel) -> Json:
    if channel.kind == "im":
        partner = workspace.people[workspace.dm_partner(channel)]
        return {
            "id": channel.id,
            "created": channel.created,
            "is_archived": False,
            "is_im": True,
            "is_org_shared": False,
            "context_team_id": TEAM,
            "user": partner.id,
            "is_user_deleted": partner.deleted,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.kind == "private",
        "created": channel.created,
        "is_archived": channel.archived,
        "is_general": False,
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "shared_team_ids": [TEAM, OTHER_TEAM] if channel.shared else [TEAM],
        "context_team_id": TEAM,
        "is_member": workspace.bot_is_in(channel),
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
        "num_members": len(channel.members),
    }


def group_json(workspace: Workspace, group: Group, *, users: bool) -> Json:
    told: Json = {
        "id": group.id,
        "team_id": TEAM,
        "is_usergroup": True,
        "name": group.handle,
        "handle": group.handle,
        "description": "",
        "is_external": False,
        "date_create": 0,
        "date_update": workspace.seconds(),
        "date_delete": 0,
        "user_count": len(group.members),
        "prefs": {"channels": [], "groups": []},
    }
    if users:
        told["users"] = list(group.members)
    return told


def message_json(workspace: Workspace, message: Message, *, metadata: bool = False) -> Json:
    told: Json = {"type": "message", "user": message.author, "ts": message.ts, "text": message.text}
    told["team"] = workspace.people[message.author].team if message.author in workspace.people else TEAM
    if message.by_app:
        told |= {"bot_id": BOT_ID, "app_id": APP_ID, "bot_profile": _bot_profile(workspace)}
    if message.blocks:
        told["blocks"] = message.blocks
    if message.attachments:
        told["attachments"] = message.attachments
    if message.files:
        told |= {"files": message.files, "upload": True}
    if message.edited and not message.blocks:
        told["edited"] = {"user": message.author, "ts": as_ts(microseconds(message.at))}
    if message.thread_ts is not None:
        told["thread_ts"] = message.thread_ts
        told["parent_user_id"] = workspace.messages[message.channel][message.thread_ts].author
    if message.broadcast:
        told["subtype"] = "thread_broadcast"
    if message.metadata is not None:
        told["metadata"] = message.metadata if metadata else {"event_type": message.metadata["event_type"]}
    replies = [each for each in workspace.replies(message.channel, message.ts) if each.is_reply]
    if replies:
        users = list(dict.fromkeys(reply.author for reply in replies))
        told |= {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "reply_users": users[:5],
            "latest_reply": replies[-1].ts,
            "is_locked": False,
            "subscribed": False,
        }
    return told


def _bot_profile(workspace: Workspace) -> Json:
    return {"id": BOT_ID, "app_id": APP_ID, "name": workspace.app.name, "deleted": False, "team_id": TEAM}


def view_json(view: View, *, state: bool = True) -> Json:
    source = view.source
    return {
        "id": view.id,
        "team_id": TEAM,
        "type": view.kind,
        "blocks": source["blocks"],
        "private_metadata": source.get("private_metadata") or "",
        "callback_id": source.get("callback_id") or "",
        "state": {"values": view.values if state else {}},
        "hash": view.hash,
        "title": _whole(source.get("title")),
        "clear_on_close": bool(source.get("clear_on_close")),
        "notify_on_close": bool(source.get("notify_on_close")),
        "close": _whole(source.get("close")),
        "submit": _whole(source.get("submit")),
        "previous_view_id": view.previous,
        "root_view_id": view.root,
        "app_id": APP_ID,
        "external_id": source.get("external_id") or "",
        "app_installed_team_id": TEAM,
        "bot_id": BOT_ID,
    }


def _whole(text: Any) -> Json | None:
    return {"emoji": True, **text} if isinstance(text, dict) else None
