"""Selects the messages that a person sees, and converts messages and views to the format of the control API."""

from sandbox.slack import render
from sandbox.slack.blocks import elements_of
from sandbox.slack.elements import choices
from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.pings import Ping
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace
from sandbox.slack.values import is_empty


def can_see(workspace: Workspace, person: Person, message: Message, *, peek: bool) -> bool:
    """Return whether a person sees a message.

    People see the messages in the channels of which they are members, except for other people's ephemeral
    messages. With `peek`, they also see messages in public channels that they could open to read.
    """
    channel = workspace.channels[message.channel]
    if message.only_for is not None:
        return message.only_for == person.id and person.id in channel.members
    return person.id in channel.members or (peek and workspace.can_read(person, channel))


def changes(
    workspace: Workspace, person: Person, *, channel: Channel | None, after: int, versions: bool
) -> list[Message]:
    """Return the changed messages that the person sees, in order of change.

    Args:
        workspace: The workspace.
        person: The person who reads.
        channel: If set, only this channel is searched, and the person need not be a member if it is public.
        after: The `seq` after which the messages changed.
        versions: Whether to return each message in every state that is kept, instead of only in its current state.
    """
    return [
        message
        for message in (workspace.states(after) if versions else workspace.changed(after))
        if channel is None or message.channel == channel.id
        if can_see(workspace, person, message, peek=channel is not None)
    ]


def message_seen(workspace: Workspace, person: Person, message: Message) -> Json:
    """Return a message as the person sees it."""
    reader = workspace.reader(person.id)
    channel = workspace.channels[message.channel]
    author = workspace.people.get(message.author)
    text = render.mrkdwn(message.text, reader)
    lines = [render.reads(message.blocks, reader)] if message.blocks else [text]
    lines += [": ".join(filter(None, (file["title"], file["alt_txt"]))) for file in message.files]
    return {
        "seq": message.seq,
        "at": message.at,
        "channel": channel.id,
        "channel_name": channel.name,
        "is_dm": channel.kind == "im",
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "broadcast": message.broadcast,
        "author": author.name if author else "Slackbot",
        "only_you": message.only_for is not None,
        "text": text,
        "reads": "\n".join(line for line in lines if line),
        "buttons": render.buttons(message.blocks, reader),
        "files": [{"name": file["name"], "url": file["url_private_download"]} for file in message.files],
        "edited": message.edited,
        "deleted": message.deleted,
    }


def ping_seen(workspace: Workspace, ping: Ping) -> Json:
    """Return a notification as its person sees it."""
    message, reader = ping.message, workspace.reader(ping.user)
    channel = workspace.channels[message.channel]
    return {
        "seq": message.seq,
        "at": message.at,
        "user": ping.user,
        "why": ping.why,
        "channel": channel.id,
        "channel_name": channel.name,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "text": render.mrkdwn(message.text, reader),
    }


def view_seen(workspace: Workspace, view: View) -> Json:
    """Return a modal or Home tab as its person sees it."""
    reader = workspace.reader(view.user)
    source = view.source
    return {
        "view_id": view.id,
        "type": view.kind,
        "callback_id": source.get("callback_id") or "",
        "title": render.text_object(source.get("title"), reader),
        "reads": render.reads(source["blocks"], reader),
        "inputs": [
            _input_seen(view, block, element, workspace)
            for block in source["blocks"]
            if block["type"] == "input"
            for element in elements_of(block)
        ],
        "buttons": render.buttons(source["blocks"], reader),
        "submit": render.text_object(source.get("submit"), reader) or None,
        "close": render.text_object(source.get("close"), reader) or None,
        "errors": view.errors,
        "private_metadata": source.get("private_metadata") or "",
        "hash": view.hash,
    }


def _input_seen(view: View, block: Json, element: Json, workspace: Workspace) -> Json:
    reader = workspace.reader(view.user)
    value = view.values[block["block_id"]][element["action_id"]]
    return {
        "block_id": block["block_id"],
        "action_id": element["action_id"],
        "type": element["type"],
        "label": render.text_object(block["label"], reader),
        "hint": render.text_object(block.get("hint"), reader),
        "optional": bool(block.get("optional")),
        "placeholder": render.text_object(element.get("placeholder"), reader),
        "value": None if is_empty(value) else value,
        "options": _options_seen(element, workspace, reader),
    }


def _options_seen(element: Json, workspace: Workspace, reader: render.Reader) -> list[Json]:
    """Return the options of an input. A menu of people offers everyone who isn't deactivated or a bot."""
    if element["type"] in {"users_select", "multi_users_select"}:
        people = (person for person in workspace.people.values() if not person.deleted and not person.is_bot)
        return [{"text": person.name, "value": person.id} for person in people]
    return [
        {"text": render.text_object(choice.get("text"), reader), "value": choice.get("value")}
        for choice in choices(element)
    ]
