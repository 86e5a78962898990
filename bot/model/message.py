"""What is to be said in Slack, and what was: the outbox."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from bot.model.base import Frozen, Instant


class MessageKind(StrEnum):
    """Where a message goes and whether it is a surface (edited as things change) or said once."""

    CARD = "card"
    """A surface: one for each rental, in `card_channel`."""
    THREAD = "thread"
    """Said once, below the card, from its event's facts."""
    APPROVAL = "approval"
    """A surface in the approvals channel, for one envelope version."""
    DIRECT = "direct"
    """A surface in the DM of one person, made by one event."""
    NOTICE = "notice"
    """Said once to one person, from its event alone: about the account, or that a rental is in trouble."""
    QUOTE = "quote"
    """Said once to one person through a `response_url`: what was found."""
    LOOKING = "looking"
    """Said once through a `response_url`: it takes a little longer."""
    REPLY = "reply"
    """Said once through a `response_url`, rendered when it was written."""

    @property
    def surface(self) -> bool:
        """Whether it is edited after it was posted."""
        return self in {MessageKind.CARD, MessageKind.APPROVAL, MessageKind.DIRECT}

    @property
    def answer(self) -> bool:
        """Whether it goes to a `response_url`, or is one person's answer in their direct message."""
        return self in {MessageKind.QUOTE, MessageKind.LOOKING, MessageKind.REPLY}


class NextCall(StrEnum):
    """The call to Slack that a message needs next."""

    ANSWER = "answer"
    """To its `response_url`."""
    FIND = "find"
    """A post was sent and its outcome is unknown: read the place back before anything else."""
    POST = "post"
    """chat.postMessage."""
    EDIT = "edit"
    """chat.update."""


class DestinationKind(StrEnum):
    """What kind of place a message goes to."""

    CHANNEL = "channel"
    PERSON = "person"
    """Posting to a user id opens the direct message with that person."""
    RESPONSE_URL = "response_url"


class Destination(Frozen):
    """Where a message goes. Made by `to_channel`, `to_person`, `to_response_url` or `stored_destination`."""

    kind: DestinationKind
    value: str
    """The channel id, the user id or the URL, as the column `to` stores it."""


def to_channel(channel: str) -> Destination:
    """Return the destination of a message to a channel."""
    return Destination(kind=DestinationKind.CHANNEL, value=channel)


def to_person(user: str) -> Destination:
    """Return the destination of a direct message to a person."""
    return Destination(kind=DestinationKind.PERSON, value=user)


def to_response_url(url: str) -> Destination:
    """Return the destination of an answer to a command, a click or a submission."""
    return Destination(kind=DestinationKind.RESPONSE_URL, value=url)


def stored_destination(text: str) -> Destination:
    """Return the destination that is stored as a bare id or URL. This is the only place that tells them apart.

    User ids begin with U or W, those of conversations with C, D or G (docs.slack.dev/reference/objects).
    """
    if text.startswith("http"):
        return to_response_url(text)
    return to_person(text) if text.startswith(("U", "W")) else to_channel(text)


class Message(Frozen):
    """One message, from wanted to shown."""

    id: int = 0
    """Given by the store; 0 until then. Travels in Slack's message metadata."""
    kind: MessageKind
    to: Destination
    rental_id: str | None = None
    event_id: int | None = None
    quote_id: str | None = None
    envelope: int | None = None
    """For an approval: the envelope version it asks about."""
    body: dict[str, Any] | None = None
    """For a reply: what to send, as rendered."""
    broadcast: bool = False
    wanted: int = 1
    """The version that it should show."""
    shown: int = 0
    """The version that it shows; 0 before it is posted."""
    digest: str = ""
    """Of what it shows, so that an edit that changes nothing is not sent."""
    channel: str | None = None
    """Where it was posted: for a DM, the `D...` id."""
    ts: str | None = None
    posted_at: Instant | None = None
    """Our time at which Slack took it."""
    sending: bool = False
    """A post is or was under way: after a crash it is looked up before it is posted again."""
    tries: int = 0
    closed: bool = False
    """Nothing about it will change any more."""
    created_at: Instant
    due_at: Instant | None = None
    """Real time at which delivery looks at it next; None when there is nothing to do."""

    @property
    def next_call(self) -> NextCall:
        """Return the call that it needs next. `store/messages.py` says the same in SQL."""
        if self.to.kind is DestinationKind.RESPONSE_URL:
            return NextCall.ANSWER
        if self.ts is not None:
            return NextCall.EDIT
        return NextCall.FIND if self.sending else NextCall.POST
