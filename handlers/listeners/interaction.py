"""What someone did in Slack, read from the payload, and what comes of it.

Payload shapes: docs.slack.dev/reference/interaction-payloads and
docs.slack.dev/interactivity/implementing-slash-commands. Nothing here raises for a payload of another shape than
documented: what is absent is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import ConfigDict, ValidationError

from bot.model.base import Frozen
from bot.model.person import Person
from handlers.ids import Field
from handlers.views.blocks import Json, Rendered


class InteractionKind(StrEnum):
    """How something was asked. It decides how an answer reaches the person."""

    COMMAND = "command"
    """Answered in the acknowledgement."""
    CLICK = "click"
    """Answered through the `response_url`."""
    SUBMISSION = "submission"
    """Errors in the acknowledgement; all else through the `response_url` of what opened the modal."""


class ModalMetadata(Frozen):
    """What a modal's `private_metadata` holds, so that its submission goes on where the person was. A dialog
    outlives an update of ours: what another version put in besides is passed over."""

    model_config = ConfigDict(extra="ignore")

    value: str = ""
    """As of the button that opened it: ids."""
    channel: str = ""
    reply_url: str = ""
    ephemeral: bool = False
    on_surface: bool = False
    thread_ts: str = ""
    another: bool = False
    """"Another one" was meant."""
    opened_at: int = 0

    @classmethod
    def read(cls, text: str) -> ModalMetadata:
        """Carries nothing where the text isn't what `model_dump_json` made."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return cls()


class Interaction(Frozen):
    """A command, click or submission, before it is known who the person is."""

    kind: InteractionKind
    name: str
    """The command, the button's `action_id`, or the modal's `callback_id`."""
    user_id: str
    team_id: str
    channel: str
    reply_url: str
    trigger_id: str = ""
    ephemeral: bool = False
    """Clicked on a message that only this person sees, so an answer may take its place."""
    on_surface: bool = False
    """Clicked on a message that changes by itself as things do."""
    thread_ts: str = ""
    """Of the thread in which something was clicked, empty for its first message: an answer in the thread is seen
    only by who has it open."""
    opened_at: int = 0
    """When the submitted modal was opened: real, as a Unix time; 0 for anything else."""
    text: str = ""
    """A command's words."""
    value: str = ""
    """A button's value, or that of the button that opened the submitted modal."""
    another: bool = False
    inputs: Mapping[str, str] = {}
    """A modal's inputs; those left empty are not in it."""

    def carried(self, value: str, opened_at: int, *, another: bool = False) -> ModalMetadata:
        """What a modal opened from here carries."""
        return ModalMetadata(
            value=value,
            channel=self.channel,
            reply_url=self.reply_url,
            ephemeral=self.ephemeral,
            on_surface=self.on_surface,
            thread_ts=self.thread_ts,
            another=another or self.another,
            opened_at=opened_at,
        )


class UserInteraction(Interaction):
    """An arrival by someone we know."""

    person: Person


# --- what comes of it


class Reply(Frozen):
    """Words for this person alone."""

    said: Rendered
    replaces: bool = False
    """Takes the place of the message that was clicked, where only this person sees that."""
    refuses: bool = False
    """It wasn't done: a modal says so itself, and stays."""
    beside: str = ""
    """The block id of the input that a refusal is about; empty for the first."""


class Opens(Frozen):
    """A modal. It carries `value` to its submission."""

    view: Json
    another: bool = False


class FieldErrors(Frozen):
    """A submission to be put right: the modal stays open."""

    errors: dict[Field, str]


Outcome: TypeAlias = Reply | Opens | FieldErrors | None
"""None: the store tells it, in the card, thread or messages it queued."""


# --- reading payloads


def command(body: Mapping[str, Any]) -> Interaction:
    """A slash command."""
    channel = text(body, "channel_id")
    return Interaction(
        kind=InteractionKind.COMMAND,
        name=text(body, "command"),
        user_id=text(body, "user_id"),
        # Outsiders can't run commands; the team is that of the channel's workspace, not the person's own.
        team_id="",
        channel=channel,
        reply_url=text(body, "response_url"),
        trigger_id=text(body, "trigger_id"),
        text=text(body, "text"),
    )


def click(body: Mapping[str, Any]) -> Interaction:
    """A click on a button."""
    actions = body.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    button = first if isinstance(first, Mapping) else {}
    container = part(body, "container")
    thread = text(container, "thread_ts")
    channel = text(container, "channel_id") or text(part(body, "channel"), "id")
    return Interaction(
        kind=InteractionKind.CLICK,
        name=text(button, "action_id"),
        user_id=text(part(body, "user"), "id"),
        team_id=text(part(body, "user"), "team_id"),
        channel=channel,
        reply_url=text(body, "response_url"),
        trigger_id=text(body, "trigger_id"),
        ephemeral=container.get("is_ephemeral") is True,
        on_surface=container.get("is_ephemeral") is not True,
        thread_ts="" if thread == text(container, "message_ts") else thread,
        value=text(button, "value"),
    )


def submission(body: Mapping[str, Any]) -> Interaction:
    """A modal that was submitted."""
    view = part(body, "view")
    carried = ModalMetadata.read(text(view, "private_metadata"))
    return Interaction(
        kind=InteractionKind.SUBMISSION,
        name=text(view, "callback_id"),
        user_id=text(part(body, "user"), "id"),
        team_id=text(part(body, "user"), "team_id"),
        channel=carried.channel,
        reply_url=carried.reply_url,
        trigger_id=text(body, "trigger_id"),
        ephemeral=carried.ephemeral,
        on_surface=carried.on_surface,
        thread_ts=carried.thread_ts,
        opened_at=carried.opened_at,
        value=carried.value,
        another=carried.another,
        inputs=_inputs(part(part(view, "state"), "values")),
    )


def input_blocks(body: Mapping[str, Any]) -> list[str]:
    """The ids of a modal's input blocks, in their order."""
    blocks = part(body, "view").get("blocks")
    inputs = [
        text(block, "block_id")
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, Mapping) and block.get("type") == "input"
    ]
    return [block for block in inputs if block]


def _inputs(values: Mapping[str, Any]) -> dict[str, str]:
    given = {}
    for field in Field:
        element = part(part(values, field.value), field.value)
        chosen = text(part(element, "selected_option"), "value") or text(element, "value")
        if chosen:
            given[field.value] = chosen
    return given


def is_direct(channel: str) -> bool:
    """Whether it is a direct message, by its id: to the bot, or between two people."""
    return channel.startswith("D")


def part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object of a payload; an empty one if there is none."""
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def text(body: Mapping[str, Any], key: str) -> str:
    """Return a text of a payload; an empty one if there is none."""
    found = body.get(key)
    return found if isinstance(found, str) else ""
