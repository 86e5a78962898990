"""A call of a Web API method, and the checks that several methods share."""

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
"""Slack does not publish the limit; this is a safe assumption."""


@dataclass(frozen=True)
class Call:
    """One call of a method. Its token has been checked."""

    workspace: Workspace
    triggers: Triggers
    files: Files
    limits: RateLimits
    args: Arguments

    def need_scope(self, *any_of: str) -> None:
        """Raise ApiError missing_scope unless the app has one of these."""
        scopes = self.workspace.app.scopes
        if not any(scope in scopes for scope in any_of):
            raise ApiError("missing_scope", needed=any_of[0], provided=",".join(scopes))

    def channel(self, name: str = "channel") -> Channel:
        """Return the channel that an argument names. Raise ApiError channel_not_found, also if the channel is
        hidden from the bot.
        """
        channel = self.workspace.channel(self.args.needed(name))
        if channel is None or (channel.kind != "public" and not self.workspace.bot_is_in(channel)):
            raise ApiError("channel_not_found")
        return channel

    def person(self, name: str = "user") -> Person:
        """Return the person whom an argument names. Raise ApiError user_not_found."""
        person = self.workspace.person(self.args.needed(name))
        if person is None:
            raise ApiError("user_not_found")
        return person


@dataclass(frozen=True)
class Content:
    """The content of a message as the app sent it. None stands for what the app did not send."""

    text: str | None
    blocks: list[Json] | None
    metadata: Json | None


def content(workspace: Workspace, args: Arguments, *, longest: int | None = None) -> Content:
    """Return the content of a message, checked by what the workspace knows.

    Raise ApiError: no_text, msg_too_long (over `longest` characters; None: the text is cut at 40,000),
    invalid_blocks, invalid_blocks_format, msg_blocks_too_long, invalid_metadata_format, invalid_metadata_schema,
    metadata_too_large.
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
    """Return the metadata; {} clears it. Its values are strings, numbers, booleans, flat objects and arrays."""
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
