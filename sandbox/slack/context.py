"""What a Web API method works with, and the checks that many of them share."""

import json
from dataclasses import dataclass

from sandbox.slack.blocks import message_problems, with_ids
from sandbox.slack.calling import ApiError, Arguments
from sandbox.slack.files import Files
from sandbox.slack.model import Channel, Person
from sandbox.slack.pace import Pace
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import Workspace
from sandbox.slack.triggers import Triggers

LONGEST_TEXT = 40_000
LONGEST_EDIT = 4_000
METADATA_BYTES = 1_024
"""Unpublished; the safe assumption of the reference."""
ATTACHMENTS = 100


@dataclass(frozen=True)
class Call:
    """One call of a method, its token already checked."""

    workspace: Workspace
    triggers: Triggers
    sockets: Sockets
    files: Files
    pace: Pace
    url: str
    args: Arguments

    def need_scope(self, *any_of: str) -> None:
        """Raises ApiError missing_scope unless the app has one of these."""
        scopes = self.workspace.app.scopes
        if not any(scope in scopes for scope in any_of):
            raise ApiError("missing_scope", needed=any_of[0], provided=",".join(scopes))

    def channel(self, name: str = "channel") -> Channel:
        """An argument's channel. Raises ApiError channel_not_found, also for a private one without the bot."""
        channel = self.workspace.channel(self.args.needed(name))
        if channel is None or (channel.kind != "public" and not self.workspace.bot_is_in(channel)):
            raise ApiError("channel_not_found")
        return channel

    def person(self, name: str = "user") -> Person:
        person = self.workspace.person(self.args.needed(name))
        if person is None:
            raise ApiError("user_not_found")
        return person


@dataclass(frozen=True)
class Content:
    """The content of a message as an app sent it; None where it sent nothing."""

    text: str | None
    blocks: list[Json] | None
    attachments: list[Json] | None
    metadata: Json | None


def content(args: Arguments, *, longest: int | None = None) -> Content:
    """Reads and checks what a message says.

    Raises ApiError: no_text, msg_too_long (over `longest` characters; None: the text is cut at 40,000),
    invalid_blocks, invalid_blocks_format, msg_blocks_too_long, invalid_attachments, too_many_attachments,
    markdown_text_conflict, invalid_metadata_format, invalid_metadata_schema, metadata_too_large.
    """
    text, blocks = args.text("text"), _blocks(args)
    markdown = args.text("markdown_text")
    if markdown is not None:
        if text is not None or blocks is not None:
            raise ApiError("markdown_text_conflict")
        if len(markdown) > 12_000:
            raise ApiError("msg_too_long")
        text = markdown
    attachments = args.parsed("attachments", "invalid_attachments")
    if attachments is not None:
        if not isinstance(attachments, list) or not all(isinstance(each, dict) for each in attachments):
            raise ApiError("invalid_attachments")
        if any("blocks" in each for each in attachments):  # what nobody here can show is not let through unread
            raise ApiError("invalid_attachments")
        if len(attachments) > ATTACHMENTS:
            raise ApiError("too_many_attachments")
    if not (text and text.strip()) and not blocks and not attachments:
        raise ApiError("no_text")
    if text is not None:
        if longest is not None and len(text) > longest:
            raise ApiError("msg_too_long")
        text = text[:LONGEST_TEXT]
    return Content(text, blocks, attachments, _metadata(args))


def _blocks(args: Arguments) -> list[Json] | None:
    blocks = args.parsed("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    code, reasons = message_problems(blocks)
    if code:
        raise ApiError(code, reasons)
    return with_ids(blocks)


def _metadata(args: Arguments) -> Json | None:
    """The metadata, {} to clear it. Values: string, number, boolean, flat objects and arrays."""
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
    kept: Json = {"event_type": kind, "event_payload": payload}
    if len(json.dumps(kept)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return kept


def _flat(value: object, *, inner: bool) -> bool:
    if isinstance(value, str | int | float | bool):
        return True
    if isinstance(value, list):
        return inner and all(_flat(each, inner=True) for each in value)
    if isinstance(value, dict):
        return inner and all(_flat(each, inner=False) for each in value.values())
    return False
