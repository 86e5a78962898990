"""Reads user interactions, such as clicks, from Slack's payloads, and defines the bot's answers to them.

Payloads: docs.slack.dev/reference/interaction-payloads and
docs.slack.dev/interactivity/implementing-slash-commands. If a payload lacks a value, or contains a value of
another type, the value is read as empty. No function in this module raises an error for such a payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import ConfigDict, ValidationError

from bot.model.base import Frozen, Instant
from bot.model.message import Destination, to_ephemeral, to_person, to_response_url
from bot.model.person import Person
from bot.model.request import Request
from handlers.directory import is_direct
from handlers.ids import Field, Value
from handlers.phrases.blocks import Modal, Rendered


class InteractionKind(StrEnum):
    """The kinds of interactions. The kind determines how an answer reaches the person."""

    COMMAND = "command"
    """A slash command. It is answered in the acknowledgement."""
    CLICK = "click"
    """A click on a button. It is answered through the `response_url`."""
    CHOICE = "choice"
    """A choice in an input of a modal that stays open. The only answer is the modal's new content."""
    SUBMISSION = "submission"
    """The submission of a modal.

    Errors are returned in the acknowledgement. Everything else is sent through the `response_url` of the message
    or command that opened the modal.
    """
    MESSAGE = "message"
    """A mention of the bot or a direct message to it.

    A mention is answered in the same channel. Only the person who mentioned the bot sees the answer.
    """

    @property
    def typed(self) -> bool:
        """True if the person typed the text of a command."""
        return self in {InteractionKind.COMMAND, InteractionKind.MESSAGE}


class Origin(Frozen):
    """The place in Slack where an interaction happened.

    A modal keeps the origin of the interaction that opened it. The modal may be submitted after an update of the
    bot. Therefore fields from other versions are ignored, and each field has a default.
    """

    model_config = ConfigDict(extra="ignore")

    channel: str = ""
    response_url: str = ""
    """The URL to which answers can be posted. Empty if there is no URL, or if it has expired."""
    ephemeral: bool = False
    """True if the person clicked in a message that only they see. The answer may replace such a message."""
    on_surface: bool = False
    """True if the person clicked in a message that the bot edits whenever its content changes."""
    thread_ts: str = ""
    """The thread of the message that was written to the bot, or of the message whose button was clicked.

    Empty if that message is the first message of a thread. In this case, the person may not have opened the
    thread, and would overlook an answer in it.
    """
    opened_at: int = 0
    """The wall-clock time at which the submitted modal was opened, as a Unix time. 0 if no modal was submitted."""


class ModalMetadata(Frozen):
    """The data in a modal's `private_metadata`, which Slack returns when the modal is submitted."""

    model_config = ConfigDict(extra="ignore")

    value: str = ""
    """The value that identifies the subject of the modal, such as a rental. Encoded with `Value.encode`."""
    value_type: str = ""
    """The TYPE_NAME of `value`."""
    origin: Origin = Origin()

    @classmethod
    def of(cls, value: Value, origin: Origin) -> ModalMetadata:
        return cls(value=value.encode(), value_type=value.TYPE_NAME, origin=origin)

    @classmethod
    def read(cls, text: str) -> ModalMetadata:
        """Parse a JSON text. Returns empty metadata if the text can't be parsed."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return cls()


class Interaction(Frozen):
    """A command, click, submission or message from a person who hasn't been looked up yet."""

    kind: InteractionKind
    name: str
    """The name of the command, button, modal or event.

    For a click, this is the button's `action_id`. For a submission, or a choice in a modal, this is the modal's
    `callback_id`. For a message, this is the type of its event.
    """
    user_id: str
    team_id: str
    origin: Origin
    trigger_id: str = ""
    text: str = ""
    """The text after a command, or the text of a message without the mention of the bot."""
    written_at: Instant | None = None
    """The time at which a message was written, by the bot's clock.

    None for other interactions: Slack sends these only once, so they can't arrive late.
    """
    value: str = ""
    """The value of a button or submitted modal, still encoded."""
    value_type: str = ""
    """The TYPE_NAME of a submitted modal's value."""
    view_id: str = ""
    """Slack's ID of the modal."""
    inputs: Mapping[str, str] = {}
    """The values of a modal's inputs, by the input's ID. Empty inputs are left out.

    If several boxes are checked or several options or people are chosen, their values or IDs are separated by
    spaces. A day is written as `2026-12-14`.
    """

    @property
    def reply_to(self) -> Destination:
        """Return the destination of an answer: normally the `response_url`.

        If there is none, a mention is answered in its channel, with a message that only this person sees.
        Everything else is answered in the person's direct messages.
        """
        if self.origin.response_url:
            return to_response_url(self.origin.response_url)
        if self.kind is InteractionKind.MESSAGE and not is_direct(self.origin.channel):
            return to_ephemeral(self.origin.channel, self.user_id, self.origin.thread_ts)
        return to_person(self.user_id)


class UserInteraction(Interaction):
    """An interaction together with the person, who has been looked up in Slack or the store."""

    person: Person


# --- answers


class Reply(Frozen):
    """The bot's reply to a person's click, command, submission or message.

    Only this person can see the reply, unless `replaces_for_all` is set.
    """

    content: Rendered
    replaces_original: bool = False
    """True if the reply replaces the clicked message. Ignored if other people can see that message."""
    replaces_for_all: bool = False
    """True if the reply replaces the clicked message even in a channel.

    This is set if the message's buttons no longer work for anybody.
    """
    refused: bool = False
    """True if nothing was done. If a modal was submitted, the modal stays open and shows the reply."""
    block_id: str = ""
    """The ID of the input below which a refusal is shown. Empty for the first input."""
    to: Destination | None = None
    """The destination of the reply. If None, the reply goes to `Interaction.reply_to`.

    The reply to a command is normally part of the acknowledgement. Slack then doesn't report whether it accepted
    the blocks of the reply. If `to` is set, the reply is sent as a separate message instead, so that the bot
    notices a refusal.
    """


class ShowPrice(Frozen):
    """An outcome: show the price of a person's request in the request form, which stays open."""

    person: Person
    request: Request | None = None
    message: str = ""
    """The reason why no price can be shown, as mrkdwn. Empty if there is a request."""


class OpenModal(Frozen):
    """An outcome: open a modal. If a modal was submitted, the new modal replaces it."""

    modal: Modal
    reply: Reply | None = None
    """An additional reply with a button that opens the modal again, in case the person closes the modal."""
    price: ShowPrice | None = None
    """The price to look up and show if the modal is a request form. The lookup begins once the form is open."""


class FieldErrors(Frozen):
    """An outcome: keep the submitted modal open, and show each error below its input."""

    errors: dict[Field, str]


Outcome: TypeAlias = Reply | OpenModal | ShowPrice | FieldErrors | None
"""The result of a handler, which says what to show to the person.

None if there is no reply, because the rental's card, its thread or another message shows what was done.
"""


# --- reading payloads


def command(body: Mapping[str, Any]) -> Interaction:
    """Read the payload of a slash command."""
    return Interaction(
        kind=InteractionKind.COMMAND,
        name=text(body, "command"),
        user_id=text(body, "user_id"),
        # Leave out the team in Slack's payload. It is the team of the channel and may differ from the person's
        # team, so it doesn't show whether the person belongs to the bot's workspace. People of other workspaces
        # can't run slash commands anyway.
        team_id="",
        origin=Origin(channel=text(body, "channel_id"), response_url=text(body, "response_url")),
        trigger_id=text(body, "trigger_id"),
        text=text(body, "text"),
    )


def click(body: Mapping[str, Any]) -> Interaction:
    """Read the payload of a click on a button, or of a choice in an input of a modal.

    A click in the Home tab has neither a channel nor a `response_url`. The person's ID is then used as the
    channel, so that the answer arrives in the person's direct messages.
    """
    button = next(iter(parts(body, "actions")), {})
    if text(part(body, "view"), "type") == "modal" and text(button, "type") != "button":
        return _in_modal(body, InteractionKind.CHOICE)
    container = part(body, "container")
    thread = text(container, "thread_ts")
    user_id = text(part(body, "user"), "id")
    channel = text(container, "channel_id") or text(part(body, "channel"), "id") or user_id
    return Interaction(
        kind=InteractionKind.CLICK,
        name=text(button, "action_id"),
        user_id=user_id,
        team_id=text(part(body, "user"), "team_id"),
        origin=Origin(
            channel=channel,
            response_url=text(body, "response_url"),
            ephemeral=container.get("is_ephemeral") is True,
            on_surface=container.get("is_ephemeral") is not True,
            thread_ts="" if thread == text(container, "message_ts") else thread,
        ),
        trigger_id=text(body, "trigger_id"),
        value=text(button, "value"),
    )


def submission(body: Mapping[str, Any]) -> Interaction:
    """Read the payload of a modal's submission."""
    return _in_modal(body, InteractionKind.SUBMISSION)


def _in_modal(body: Mapping[str, Any], kind: InteractionKind) -> Interaction:
    view = part(body, "view")
    metadata = ModalMetadata.read(text(view, "private_metadata"))
    return Interaction(
        kind=kind,
        name=text(view, "callback_id"),
        user_id=text(part(body, "user"), "id"),
        team_id=text(part(body, "user"), "team_id"),
        trigger_id=text(body, "trigger_id"),
        view_id=text(view, "id"),
        inputs=_inputs(part(part(view, "state"), "values")),
        **dict(metadata),
    )


def input_blocks(body: Mapping[str, Any]) -> list[str]:
    """Return the IDs of a modal's input blocks, from top to bottom."""
    blocks = parts(part(body, "view"), "blocks")
    inputs = [text(block, "block_id") for block in blocks if block.get("type") == "input"]
    return [block for block in inputs if block]


def _inputs(values: Mapping[str, Any]) -> dict[str, str]:
    inputs = {}
    for field in Field:
        element = part(part(values, field.value), field.value)
        entered = text(part(element, "selected_option"), "value") or text(element, "value")
        entered = entered or text(element, "selected_user") or text(element, "selected_date")
        entered = entered or _checked(element) or _people(element)
        if entered:
            inputs[field.value] = entered
    return inputs


def _people(element: Mapping[str, Any]) -> str:
    """Return the IDs of the chosen people, separated by spaces."""
    users = element.get("selected_users")
    return " ".join(user for user in (users if isinstance(users, list) else []) if isinstance(user, str))


def _checked(element: Mapping[str, Any]) -> str:
    """Return the values of the checked boxes, separated by spaces."""
    return " ".join(text(option, "value") for option in parts(element, "selected_options"))


def part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object from a payload. Empty if the object is missing."""
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def parts(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return a list of objects from a payload. Empty if the list is missing."""
    found = body.get(key)
    return [one for one in (found if isinstance(found, list) else []) if isinstance(one, Mapping)]


def text(body: Mapping[str, Any], key: str) -> str:
    """Return a text from a payload. Empty if the text is missing."""
    found = body.get(key)
    return found if isinstance(found, str) else ""
