"""User interactions read from Slack's payloads, and the ways in which the bot answers them.

Payloads: docs.slack.dev/reference/interaction-payloads and
docs.slack.dev/interactivity/implementing-slash-commands. Nothing here raises for a payload of another shape.
Missing values are empty.
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
    """The kind of an interaction, which determines how an answer reaches the person."""

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

    It is answered where it was written, visible only to its author.
    """

    @property
    def typed(self) -> bool:
        """True if the person typed the text of a command."""
        return self in {InteractionKind.COMMAND, InteractionKind.MESSAGE}


class Origin(Frozen):
    """The place in Slack where an interaction happened.

    A modal keeps the origin of the interaction that opened it. Because the modal may be submitted after an update
    of the bot, fields from other versions are ignored, and each field has a default.
    """

    model_config = ConfigDict(extra="ignore")

    channel: str = ""
    response_url: str = ""
    """Empty if there is no URL, or if it has expired."""
    ephemeral: bool = False
    """True if the interaction happened on a message that only this person sees, which an answer may replace."""
    on_surface: bool = False
    """True if the interaction happened on a live message, which the bot edits as things change."""
    thread_ts: str = ""
    """The thread of a message to the bot, or of a clicked reply.

    Empty if the first message of a thread was clicked, because only people who have that thread open would see an
    answer in it.
    """
    opened_at: int = 0
    """The wall-clock time at which the submitted modal was opened, as a Unix time. 0 if no modal was submitted."""


class ModalMetadata(Frozen):
    """A modal's `private_metadata`: the value that its submission is about, and the origin of the modal."""

    model_config = ConfigDict(extra="ignore")

    value: str = ""
    """The value as encoded by `Value.encode`."""
    value_type: str = ""
    """The value's TYPE_NAME."""
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

    This is the button's `action_id`, the `callback_id` of the modal that was submitted or chosen in, or the type
    of a message's event.
    """
    user_id: str
    team_id: str
    origin: Origin
    trigger_id: str = ""
    text: str = ""
    """The text after a command, or the text of a message without the mention of the bot."""
    written_at: Instant | None = None
    """The bot time at which a message was written. None for other interactions, which Slack sends only once."""
    value: str = ""
    """The value of a button or submitted modal, still encoded."""
    value_type: str = ""
    """The TYPE_NAME of a submitted modal's value."""
    view_id: str = ""
    """Slack's ID of the modal."""
    inputs: Mapping[str, str] = {}
    """The values of a modal's inputs, without empty inputs.

    Several checkboxes or people form one text, with spaces between their values or IDs.
    """

    @property
    def reply_to(self) -> Destination:
        """Return the destination of an answer.

        It goes to the `response_url` if there is one. Otherwise, a mention is answered in its channel, where only
        this person sees the answer, and everything else in the person's direct messages.
        """
        if self.origin.response_url:
            return to_response_url(self.origin.response_url)
        if self.kind is InteractionKind.MESSAGE and not is_direct(self.origin.channel):
            return to_ephemeral(self.origin.channel, self.user_id, self.origin.thread_ts)
        return to_person(self.user_id)


class UserInteraction(Interaction):
    """An interaction of a person who has been looked up."""

    person: Person


# --- answers


class Reply(Frozen):
    """A reply that only this person sees, unless `replaces_for_all` is set."""

    content: Rendered
    replaces_original: bool = False
    """True if the reply replaces the clicked message, provided that only this person sees that message."""
    replaces_for_all: bool = False
    """True if the reply replaces the clicked message even in a channel.

    This is set if nobody can use the message's buttons any more.
    """
    refused: bool = False
    """True if nothing was done. If a modal was submitted, it stays open and shows the reply."""
    block_id: str = ""
    """The input that a refusal is about. Empty for the first input."""
    to: Destination | None = None
    """The destination of the reply, or None for the usual place.

    If this is set, a command's reply is also sent separately from the acknowledgement. This is useful because
    Slack doesn't report whether it accepted the blocks of an acknowledgement.
    """


class ShowPrice(Frozen):
    """The outcome that shows the price of a person's request in the request form, which stays open."""

    person: Person
    request: Request | None = None
    message: str = ""
    """The reason why there is no price, as mrkdwn, if there is no request."""


class OpenModal(Frozen):
    """The outcome that opens a modal. After a submission, this modal replaces the submitted one."""

    modal: Modal
    reply: Reply | None = None
    """A reply that remains after the person closes the modal, with a button that opens it again."""
    price: ShowPrice | None = None
    """The price to show in a request form once it is open."""


class FieldErrors(Frozen):
    """The outcome that shows errors in a submission. The modal stays open, with each error below its input."""

    errors: dict[Field, str]


Outcome: TypeAlias = Reply | OpenModal | ShowPrice | FieldErrors | None
"""The result of a handler.

None if no reply is needed, because a card, thread or message in the outbox shows what was done.
"""


# --- reading payloads


def command(body: Mapping[str, Any]) -> Interaction:
    """Read the payload of a slash command."""
    return Interaction(
        kind=InteractionKind.COMMAND,
        name=text(body, "command"),
        user_id=text(body, "user_id"),
        # The payload contains the channel's team, not the person's own. Outsiders can't run slash commands anyway.
        team_id="",
        origin=Origin(channel=text(body, "channel_id"), response_url=text(body, "response_url")),
        trigger_id=text(body, "trigger_id"),
        text=text(body, "text"),
    )


def click(body: Mapping[str, Any]) -> Interaction:
    """Read the payload of a click on a button, or of a choice in an input of a modal.

    A click in the Home tab has neither a channel nor a `response_url`. It counts as a click in the person's direct
    messages, which are identified by the person's ID.
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
        entered = entered or text(element, "selected_user") or _checked(element) or _people(element)
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
    """Return an object from a payload, or an empty one if it is missing."""
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def parts(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects in a list of a payload, or an empty list if it is missing."""
    found = body.get(key)
    return [one for one in (found if isinstance(found, list) else []) if isinstance(one, Mapping)]


def text(body: Mapping[str, Any], key: str) -> str:
    """Return a text from a payload, or an empty one if it is missing."""
    found = body.get(key)
    return found if isinstance(found, str) else ""
