"""What someone did in Slack, read from the payload, and how the bot answers it.

Payload shapes: docs.slack.dev/reference/interaction-payloads and
docs.slack.dev/interactivity/implementing-slash-commands. Nothing here raises for a payload of another shape:
missing values are empty.
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
    """How somebody asked. This decides how an answer reaches the person."""

    COMMAND = "command"
    """Answered in the acknowledgement."""
    CLICK = "click"
    """Answered through the `response_url`."""
    CHOICE = "choice"
    """In an input of a modal that stays open. It has no answer but the modal's new content."""
    SUBMISSION = "submission"
    """Errors are answered in the acknowledgement, everything else through the `response_url` of what opened the
    modal."""
    MESSAGE = "message"
    """A mention of the bot or a direct message to it. Answered where it was written, for this person alone."""

    @property
    def typed(self) -> bool:
        """Whether the words of a command were typed."""
        return self in {InteractionKind.COMMAND, InteractionKind.MESSAGE}


class Origin(Frozen):
    """Where something was done in Slack. A modal keeps the origin of what opened it.

    A modal may be submitted after an update, so fields of another version are ignored, and each field has a
    default.
    """

    model_config = ConfigDict(extra="ignore")

    channel: str = ""
    response_url: str = ""
    """Empty if there is no URL, or if it no longer works."""
    ephemeral: bool = False
    """Whether it was done on a message that only this person sees, so that an answer may replace the message."""
    on_surface: bool = False
    """Whether it was done on a message that the bot updates as things change."""
    thread_ts: str = ""
    """The thread of a message to the bot, or of a clicked reply. Empty if the first message of a thread was
    clicked: only people who have that thread open would see an answer in it."""
    opened_at: int = 0
    """When the submitted modal was opened: real time, as a Unix time. 0 if no modal was submitted."""


class ModalMetadata(Frozen):
    """A modal's `private_metadata`: the value for what its submission does, and the origin of what opened it."""

    model_config = ConfigDict(extra="ignore")

    value: str = ""
    """As `Value.encode` writes it."""
    value_type: str = ""
    """The value's TYPE_NAME."""
    origin: Origin = Origin()

    @classmethod
    def of(cls, value: Value, origin: Origin) -> ModalMetadata:
        return cls(value=value.encode(), value_type=value.TYPE_NAME, origin=origin)

    @classmethod
    def read(cls, text: str) -> ModalMetadata:
        """Return the metadata in a JSON text. Return empty metadata if it can't be read."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return cls()


class Interaction(Frozen):
    """A command, click, submission or message, before the bot knows who the person is."""

    kind: InteractionKind
    name: str
    """The command, the button's `action_id`, the `callback_id` of a modal that was submitted or chosen in, or the
    event of a message."""
    user_id: str
    team_id: str
    origin: Origin
    trigger_id: str = ""
    text: str = ""
    """What was typed after a command, or in a message, without the mention of the bot."""
    written_at: Instant | None = None
    """When a message was written, in our time. None for the rest, which Slack sends only once."""
    value: str = ""
    """The value of a button or submitted modal, not yet decoded."""
    value_type: str = ""
    """The TYPE_NAME of a submitted modal's value."""
    view_id: str = ""
    """The submitted modal, as Slack names it."""
    inputs: Mapping[str, str] = {}
    """A modal's inputs without the empty ones. Several checkboxes or people are one text, with a space between
    their values or ids."""

    @property
    def reply_to(self) -> Destination:
        """Return where an answer goes: to the `response_url`; without one, for a mention to its channel, where
        only this person sees the answer, and otherwise to the person's direct messages.
        """
        if self.origin.response_url:
            return to_response_url(self.origin.response_url)
        if self.kind is InteractionKind.MESSAGE and not is_direct(self.origin.channel):
            return to_ephemeral(self.origin.channel, self.user_id, self.origin.thread_ts)
        return to_person(self.user_id)


class UserInteraction(Interaction):
    """An interaction of a person that we know."""

    person: Person


# --- how it is answered


class Reply(Frozen):
    """A reply that only this person sees, unless it `replaces_for_all`."""

    content: Rendered
    replaces_original: bool = False
    """Whether the reply replaces the clicked message, if only this person sees that message."""
    replaces_for_all: bool = False
    """Whether the reply replaces the clicked message also in a channel, because nobody can use its buttons any
    more."""
    refused: bool = False
    """Whether nothing was done: a modal then stays open and shows the reply."""
    block_id: str = ""
    """The input that a refusal is about; empty for the first input."""
    to: Destination | None = None
    """Where the reply goes, apart from the acknowledgement also for a command. Of an acknowledgement, Slack does
    not tell whether it took the blocks. None: the usual place."""


class ShowPrice(Frozen):
    """Show in the request form, which stays open, what a person's request costs."""

    person: Person
    request: Request | None = None
    words: str = ""
    """Why there is no price, as mrkdwn, if there is no request."""


class OpenModal(Frozen):
    """Open a modal. After a submission, it takes the place of the modal that was submitted."""

    modal: Modal
    reply: Reply | None = None
    """A reply that stays when the person closes the modal, with a button that opens it again."""
    price: ShowPrice | None = None
    """What a request form shows once it is open."""


class FieldErrors(Frozen):
    """Errors of a submission: the modal stays open and shows each below its input."""

    errors: dict[Field, str]


Outcome: TypeAlias = Reply | OpenModal | ShowPrice | FieldErrors | None
"""None if no reply is needed, because the queued card, thread or messages show what was done."""


# --- reading payloads


def command(body: Mapping[str, Any]) -> Interaction:
    """Return the interaction in the payload of a slash command."""
    return Interaction(
        kind=InteractionKind.COMMAND,
        name=text(body, "command"),
        user_id=text(body, "user_id"),
        # The payload names the channel's team, not the person's own. Outsiders can't run commands anyway.
        team_id="",
        origin=Origin(channel=text(body, "channel_id"), response_url=text(body, "response_url")),
        trigger_id=text(body, "trigger_id"),
        text=text(body, "text"),
    )


def click(body: Mapping[str, Any]) -> Interaction:
    """Return the interaction in the payload of a click on a button, or of a choice in an input of a modal.

    A click in the Home tab has neither a channel nor a `response_url`. It counts as a click in the person's direct
    messages, which the person's id stands for.
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
    """Return the interaction in the payload of a modal's submission."""
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
    """Return the ids of a modal's input blocks, in their order."""
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
    """Return the ids of the chosen people, with a space between them."""
    users = element.get("selected_users")
    return " ".join(user for user in (users if isinstance(users, list) else []) if isinstance(user, str))


def _checked(element: Mapping[str, Any]) -> str:
    """Return the values of the boxes that are checked, with a space between them."""
    return " ".join(text(option, "value") for option in parts(element, "selected_options"))


def part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object of a payload; an empty one if there is none."""
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def parts(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects in a list of a payload; none if there is no list."""
    found = body.get(key)
    return [one for one in (found if isinstance(found, list) else []) if isinstance(one, Mapping)]


def text(body: Mapping[str, Any], key: str) -> str:
    """Return a text of a payload; an empty one if there is none."""
    found = body.get(key)
    return found if isinstance(found, str) else ""
