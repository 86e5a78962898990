"""A call to a Web API method, and the checks that several methods share."""

import json
from dataclasses import dataclass

from sandbox.slack.arguments import ApiError, Arguments
from sandbox.slack.blocks import message_problems, with_ids
from sandbox.slack.files import Files
from sandbox.slack.model import Channel, Person
from sandbox.slack.rate_limits import RateLimits
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace
from sandbox.slack.triggers import Triggers

LONGEST_TEXT = 40_000
LONGEST_EDIT = 4_000
METADATA_BYTES = 1_024
"""The maximum size of a message's metadata. Slack doesn't publish its limit; this is a safe assumption."""


@dataclass(frozen=True)
class Call:
    """A call to a method, whose token has already been checked."""

    workspace: Workspace
    triggers: Triggers
    files: Files
    limits: RateLimits
    args: Arguments

    def need_scope(self, *any_of: str) -> None:
        """Refuse the call unless the app has at least one of these scopes. Raises ApiError `missing_scope`."""
        scopes = self.workspace.app.scopes
        if not any(scope in scopes for scope in any_of):
            raise ApiError("missing_scope", needed=any_of[0], provided=",".join(scopes))

    def channel(self, name: str = "channel") -> Channel:
        """Return the channel whose id is in an argument.

        Raises ApiError `channel_not_found` if there is none, or if the channel is private and the bot isn't a
        member.
        """
        channel = self.workspace.channel(self.args.needed(name))
        if channel is None or (channel.kind != "public" and not self.workspace.bot_is_in(channel)):
            raise ApiError("channel_not_found")
        return channel

    def person(self, name: str = "user") -> Person:
        """Return the person whose id is in an argument. Raise ApiError `user_not_found` if there is none."""
        person = self.workspace.person(self.args.needed(name))
        if person is None:
            raise ApiError("user_not_found")
        return person


@dataclass(frozen=True)
class Content:
    """The content of a message as the app sent it. Parts that the app didn't send are None."""

    text: str | None
    blocks: list[Json] | None
    metadata: Json | None


def content(workspace: Workspace, args: Arguments, *, longest: int | None = None) -> Content:
    """Validate the content of a message, and return it.

    A text of more than `longest` characters is refused. If `longest` is None, the text is instead cut after 40,000
    characters.

    Raises:
        ApiError: `no_text`, `msg_too_long`, `invalid_blocks`, `invalid_blocks_format`, `msg_blocks_too_long`,
            `invalid_metadata_format`, `invalid_metadata_schema` or `metadata_too_large`.
    """
    text, blocks = args.text("text"), _blocks(workspace, args)
    if not (text and text.strip()) and not blocks:
        raise ApiError("no_text")
    if text is not None:
        if longest is not None and len(text) > longest:
            raise ApiError("msg_too_long")
        text = text[:LONGEST_TEXT]
    return Content(text, blocks, _metadata(args))


def _blocks(workspace: Workspace, args: Arguments) -> list[Json] | None:
    blocks = args.parsed("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    code, reasons = message_problems(blocks, refused=workspace.lacks.blocks)
    if code:
        raise ApiError(code, reasons[:1])
    return with_ids(blocks)


def _metadata(args: Arguments) -> Json | None:
    """Validate a message's metadata, and return it. None if there is none; `{}` removes the metadata of a message.

    The values may be strings, numbers, booleans, flat objects and arrays.
    """
    metadata = args.parsed("metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if metadata == {}:
        return {}
    if not isinstance(metadata, dict):
        raise ApiError("invalid_metadata_format")
    kind, payload = metadata.get("event_type"), metadata.get("event_payload", {})
    if not isinstance(kind, str) or not kind or not isinstance(payload, dict):
        raise ApiError("invalid_metadata_schema")
    if set(metadata) - {"event_type", "event_payload", "entities"}:
        raise ApiError("invalid_metadata_schema")
    if not all(_flat(value, inner=True) for value in payload.values()):
        raise ApiError("invalid_metadata_schema")
    checked: Json = {"event_type": kind, "event_payload": payload}
    if len(json.dumps(checked)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return checked


def _flat(value: object, *, inner: bool) -> bool:
    if isinstance(value, str | int | float | bool):
        return True
    if isinstance(value, list):
        return inner and all(_flat(each, inner=True) for each in value)
    if isinstance(value, dict):
        return inner and all(_flat(each, inner=False) for each in value.values())
    return False
