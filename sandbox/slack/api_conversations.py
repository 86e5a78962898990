"""conversations.*: shows channels, direct messages and their history.

Rules: https://docs.slack.dev/reference/methods/conversations.history and the pages of the other methods.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from sandbox.slack.arguments import ApiError
from sandbox.slack.call import Call
from sandbox.slack.model import Channel, Message
from sandbox.slack.objects import channel_json, message_json
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, TEAM

Item = TypeVar("Item")

_TS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_FAMILY = {"public": "channels", "private": "groups", "im": "im"}


def open_(call: Call) -> Json:
    """Open the direct message with a person."""
    workspace = call.workspace
    before = set(workspace.channels)
    if "channel" in call.args:
        channel = call.channel()
    else:
        users = [user for user in call.args.needed("users").split(",") if user]
        if len(users) != 1:
            raise ApiError("missing_scope", needed="mpim:write", provided=",".join(workspace.app.scopes))
        person = workspace.person(users[0])
        if person is None:
            raise ApiError("user_not_found")
        if person.id == BOT_USER:
            raise ApiError("cannot_dm_bot")
        if person.deleted:
            raise ApiError("user_disabled")
        if not person.is_in(TEAM) and not any(
            {person.id, BOT_USER} <= each.members for each in workspace.channels.values()
        ):
            raise ApiError("user_not_visible")
        channel = workspace.dm(person.id)
    opened: Json = {"no_op": True, "already_open": True} if channel.id in before else {}
    return {"ok": True, **opened, "channel": {"id": channel.id}}


def info(call: Call) -> Json:
    """Return a channel."""
    return {"ok": True, "channel": channel_json(call.workspace, _readable(call, "read"))}


def members(call: Call) -> Json:
    """Return a page of a channel's members."""
    channel = _readable(call, "read")
    shown, cursor = _page(call, sorted(channel.members))
    return {"ok": True, "members": shown, "response_metadata": {"next_cursor": cursor}}


def history(call: Call) -> Json:
    """Return a page of a channel's messages, newest first."""
    channel = _readable(call, "history")
    wanted = _between(call)
    newest_first = [
        message
        for message in reversed(list(call.workspace.visible_to_all(channel.id)))
        if (not message.is_reply or message.broadcast) and wanted(message)
    ]
    return _messages(call, newest_first)


def replies(call: Call) -> Json:
    """Return a page of a thread's messages, starting with the parent."""
    channel = _readable(call, "history")
    wanted = _between(call)
    found = call.workspace.message(channel.id, call.args.needed("ts"))
    if found is None or found.only_for is not None:
        raise ApiError("thread_not_found")
    thread = call.workspace.replies(channel.id, found.thread_ts or found.ts)
    shown = [each for each in thread if not each.is_reply or wanted(each)]
    if not shown:
        raise ApiError("thread_not_found")
    return _messages(call, shown)


def _readable(call: Call, what: str) -> Channel:
    """Return the requested channel, if the app has the scope for it.

    `what` is the last part of the scope, `read` or `history`. For `history`, the bot must also be a member.
    """
    wanted = call.workspace.channel(call.args.needed("channel"))
    if wanted is not None:
        call.need_scope(f"{_FAMILY[wanted.kind]}:{what}")
    channel = call.channel()
    if what == "history" and not call.workspace.bot_is_in(channel):
        raise ApiError("not_in_channel")
    return channel


def _between(call: Call) -> Callable[[Message], bool]:
    """Return a filter for the arguments `oldest` and `latest`. Raise ApiError if one of them isn't a ts."""
    oldest, latest = _bound(call, "oldest"), _bound(call, "latest")
    inclusive = call.args.flag("inclusive")

    def wanted(message: Message) -> bool:
        ts = Decimal(message.ts)
        late = oldest is None or ts > oldest or (inclusive and ts == oldest)
        return late and (latest is None or ts < latest or (inclusive and ts == latest))

    return wanted


def _bound(call: Call, name: str) -> Decimal | None:
    text = call.args.text(name)
    if not text:
        return None
    if _TS.fullmatch(text) is None:
        raise ApiError(f"invalid_ts_{name}")
    return Decimal(text)


def _messages(call: Call, found: list[Message]) -> Json:
    shown, cursor = _page(call, found)
    metadata = call.args.flag("include_all_metadata")
    messages = [message_json(call.workspace, message, metadata=metadata) for message in shown]
    answer: Json = {"ok": True, "messages": messages, "has_more": bool(cursor), "pin_count": 0}
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def _page(call: Call, items: Sequence[Item]) -> tuple[list[Item], str]:
    """Return the requested page, and the cursor of the next one, which is empty on the last page.

    Raises ApiError `invalid_cursor` or `invalid_limit`.
    """
    limit = call.args.number("limit", 100, 1, 999)
    cursor = call.args.text("cursor") or "p:0"
    prefix, _, place = cursor.partition(":")
    if prefix != "p" or not (place.isascii() and place.isdigit()) or len(place) > 9:
        raise ApiError("invalid_cursor")
    start = int(place)
    more = len(items) > start + limit
    return list(items[start : start + limit]), f"p:{start + limit}" if more else ""
