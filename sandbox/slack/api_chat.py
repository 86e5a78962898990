"""chat.*: posts and edits messages.

Rules: https://docs.slack.dev/reference/methods/chat.postMessage and the pages of the other chat methods.
"""

from sandbox.slack.arguments import ApiError, RateLimited
from sandbox.slack.call import LONGEST_EDIT, Call, content
from sandbox.slack.model import Channel, Message
from sandbox.slack.objects import message_json
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER

_ACTIVE_THREAD = 2
"""A thread shows ephemeral replies only once it has this many messages, including its parent."""


def post_message(call: Call) -> Json:
    """Post a message."""
    workspace, args = call.workspace, call.args
    channel = _channel_to_post_in(call)
    wait = call.limits.post(channel.id)
    if wait:
        raise RateLimited(wait)
    posted = content(workspace, args)
    thread_ts = thread_of(call, channel)
    broadcast = args.flag("reply_broadcast")
    message = workspace.post(
        channel,
        BOT_USER,
        posted.text or "",
        blocks=posted.blocks or [],
        metadata=None if workspace.lacks.metadata else posted.metadata or None,
        thread_ts=thread_ts,
        broadcast=broadcast and thread_ts is not None,
    )
    shown = message_json(workspace, message, metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": shown}


def _channel_to_post_in(call: Call) -> Channel:
    workspace = call.workspace
    wanted = call.args.needed("channel")
    person = workspace.person(wanted)
    if person is not None:
        if person.deleted or person.id == BOT_USER or not _reachable(call, person.id):
            raise ApiError("channel_not_found")
        channel: Channel | None = workspace.dm(person.id)
    else:
        channel = workspace.channel(wanted) or workspace.channel_named(wanted.removeprefix("#"))
    if channel is None or (channel.kind != "public" and not workspace.bot_is_in(channel)):
        raise ApiError("channel_not_found")
    if channel.archived or (channel.kind == "im" and workspace.people[workspace.dm_partner(channel)].deleted):
        raise ApiError("is_archived")
    if channel.kind == "im" and not workspace.app.messages_tab:
        raise ApiError("messages_tab_disabled")
    if not workspace.bot_is_in(channel) and "chat:write.public" not in workspace.app.scopes:
        raise ApiError("not_in_channel")
    return channel


def _reachable(call: Call, user: str) -> bool:
    """Return whether the person is in the bot's team, or is an outsider who shares a channel with the bot."""
    workspace = call.workspace
    if workspace.people[user].is_in(workspace.people[BOT_USER].team):
        return True
    return any({user, BOT_USER} <= channel.members for channel in workspace.channels.values())


def thread_of(call: Call, channel: Channel) -> str | None:
    """Return the `thread_ts` argument, or None if there is none.

    Raises ApiError if the message with this ts can't have replies.
    """
    thread_ts = call.args.text("thread_ts")
    if not thread_ts:
        return None
    parent = call.workspace.message(channel.id, thread_ts)
    if parent is None or parent.only_for is not None:
        raise ApiError("thread_not_found")
    if parent.is_reply:
        raise ApiError("invalid_thread_ts")
    if parent.deleted and not call.workspace.replies(channel.id, thread_ts):
        raise ApiError("thread_not_found")
    return thread_ts


def _visible(call: Call, channel: Channel, name: str) -> Message:
    """Return the message whose ts is in an argument. Raise ApiError if it is unknown, deleted or ephemeral."""
    message = call.workspace.message(channel.id, call.args.needed(name))
    if message is None or message.deleted or message.only_for is not None:
        raise ApiError("message_not_found")
    return message


def update(call: Call) -> Json:
    """Edit one of the app's own messages."""
    workspace, args = call.workspace, call.args
    channel = call.channel()
    message = _visible(call, channel, "ts")
    if not message.by_app:
        raise ApiError("cant_update_message")
    if channel.archived:
        raise ApiError("is_archived")
    posted = content(workspace, args, longest=LONGEST_EDIT)
    metadata = message.metadata
    if posted.metadata is not None and not workspace.lacks.metadata:
        metadata = posted.metadata or None
    changed = workspace.edit(
        message,
        text=posted.text or "",
        blocks=posted.blocks or [],
        metadata=metadata,
        edited=True,
    )
    shown = message_json(workspace, changed, metadata=True)
    return {"ok": True, "channel": channel.id, "ts": changed.ts, "text": changed.text, "message": shown}


def post_ephemeral(call: Call) -> Json:
    """Post a message that only one person sees."""
    workspace = call.workspace
    channel = call.channel()
    if channel.archived:
        raise ApiError("is_archived")
    if not workspace.bot_is_in(channel):
        raise ApiError("not_in_channel")
    person = workspace.person(call.args.needed("user"))
    if person is None or person.deleted or person.id not in channel.members:
        raise ApiError("user_not_in_channel")
    posted = content(workspace, call.args, longest=LONGEST_EDIT)
    if posted.text and len(posted.text.encode(errors="replace")) > LONGEST_EDIT:
        raise ApiError("msg_too_long")
    thread_ts = thread_of(call, channel)
    hidden = thread_ts is not None and len(workspace.replies(channel.id, thread_ts)) < _ACTIVE_THREAD
    if hidden or workspace.lacks.ephemerals:
        return {"ok": True, "message_ts": workspace.new_ts()}
    message = workspace.post(
        channel,
        BOT_USER,
        posted.text or "",
        blocks=posted.blocks or [],
        thread_ts=thread_ts,
        only_for=person.id,
    )
    return {"ok": True, "message_ts": message.ts}
