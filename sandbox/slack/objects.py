"""Converts people, channels, messages and views to Slack's JSON objects."""

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, OTHER_TEAM, TEAM, Workspace, as_ts, microseconds

DOMAIN = "sandbox"
VERIFICATION_TOKEN = "sandbox-verification"  # noqa: S105 - it guards nothing
"""The deprecated `token` field of every payload."""


def user_json(workspace: Workspace, person: Person) -> Json:
    """Return a user object."""
    user: Json = {
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
    if person.app_id:
        user["profile"] |= {"api_app_id": person.app_id, "bot_id": person.bot_id, "always_active": False}
    if person.deleted:
        return user
    offset = workspace.clock.now().astimezone(ZoneInfo(person.tz)).utcoffset()
    user |= {
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
    }
    if not workspace.lacks.guest_flags:
        user["is_restricted"] = person.guest is not None
        user["is_ultra_restricted"] = person.guest == "ultra_restricted"
        if not person.is_in(TEAM):
            user["is_stranger"] = not any(
                {person.id, BOT_USER} <= channel.members
                for channel in workspace.channels.values()
                if channel.kind != "im"
            )
    if person.org:
        user["enterprise_user"] = {
            "id": person.id,
            "enterprise_id": person.org,
            "enterprise_name": "Sandbox Organization",
            "is_admin": False,
            "is_owner": False,
            "teams": list(person.teams or (person.team,)),
        }
    return user


def short_user(person: Person) -> Json:
    """Return the short user object of an interaction payload.

    In an Enterprise organization, `team_id` is the id of the organization. Source:
    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload.
    """
    team = person.org or person.team
    return {"id": person.id, "username": person.handle, "name": person.handle, "team_id": team}


def channel_json(workspace: Workspace, channel: Channel) -> Json:
    """Return a channel object."""
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
    }


def message_json(workspace: Workspace, message: Message, *, metadata: bool = False) -> Json:
    """Return a message object.

    It contains the message's full metadata if `metadata` is set, and otherwise only the metadata's event_type.
    """
    shown: Json = {"type": "message", "user": message.author, "ts": message.ts, "text": message.text}
    shown["team"] = workspace.people[message.author].team if message.author in workspace.people else TEAM
    author = workspace.people.get(message.author)
    if message.by_app:
        shown |= {"bot_id": BOT_ID, "app_id": APP_ID, "bot_profile": _bot_profile(workspace)}
    elif author is not None and author.app_id:
        shown |= {"bot_id": author.bot_id, "app_id": author.app_id, "bot_profile": _profile_of_other_app(author)}
        if author.team != TEAM:
            shown |= {"user_team": author.team, "source_team": author.team}
    if message.blocks:
        shown["blocks"] = message.blocks
    if message.files:
        shown |= {"files": message.files, "upload": True}
    if message.edited and not message.blocks:
        shown["edited"] = {"user": message.author, "ts": as_ts(microseconds(message.at))}
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
        shown["parent_user_id"] = workspace.messages[message.channel][message.thread_ts].author
    if message.broadcast:
        shown["subtype"] = "thread_broadcast"
    if message.metadata is not None:
        shown["metadata"] = message.metadata if metadata else {"event_type": message.metadata["event_type"]}
    replies = [each for each in workspace.replies(message.channel, message.ts) if each.is_reply]
    if replies:
        users = list(dict.fromkeys(reply.author for reply in replies))
        shown |= {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "reply_users": users[:5],
            "latest_reply": replies[-1].ts,
            "is_locked": False,
            "subscribed": False,
        }
    return shown


def _bot_profile(workspace: Workspace) -> Json:
    return {"id": BOT_ID, "app_id": APP_ID, "name": workspace.app.name, "deleted": False, "team_id": TEAM}


def _profile_of_other_app(bot: Person) -> Json:
    return {"id": bot.bot_id, "app_id": bot.app_id, "name": bot.name, "deleted": bot.deleted, "team_id": bot.team}


def view_json(view: View) -> Json:
    """Return a view object."""
    source = view.source
    return {
        "id": view.id,
        "team_id": TEAM,
        "type": view.kind,
        "blocks": source["blocks"],
        "private_metadata": source.get("private_metadata") or "",
        "callback_id": source.get("callback_id") or "",
        "state": {"values": view.values},
        "hash": view.hash,
        "title": _with_emoji(source.get("title")),
        "clear_on_close": False,
        "notify_on_close": False,
        "close": _with_emoji(source.get("close")),
        "submit": _with_emoji(source.get("submit")),
        "previous_view_id": None,
        "root_view_id": view.id,
        "app_id": APP_ID,
        "external_id": "",
        "app_installed_team_id": TEAM,
        "bot_id": BOT_ID,
    }


def _with_emoji(text: Any) -> Json | None:
    return {"emoji": True, **text} if isinstance(text, dict) else None
