"""The outbox: messages that are to be posted in Slack, and those that Slack shows already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.model.base import Frozen, Instant
from bot.model.budget import MonthPart


class MessageKind(StrEnum):
    """The kinds of messages. Only surfaces, and some answers to a QUOTE, are edited after they were posted."""

    CARD = "card"
    """A surface: one for each rental, in `Rental.card_channel`."""
    THREAD = "thread"
    """Posted once in the card's thread, from the facts of one event."""
    APPROVAL = "approval"
    """A surface for the approvers, about what one event asked and how its owner changed that since."""
    DIRECT = "direct"
    """A surface in one person's direct messages, caused by one event."""
    ALERT = "alert"
    """Posted once to one person, from one event alone: about the account, or about a rental whose step fails."""
    REMINDER = "reminder"
    """A surface in one approver's direct messages: what waited for them when they were reminded."""
    QUESTION = "question"
    """A surface in one admin's direct messages, about one question to the admins, caused by one event."""
    HOME = "home"
    """A surface: the Home tab of one person, from the first time that they open it."""
    QUOTE = "quote"
    """Sent once to the person who asked: the offers that were found. If it is the direct message to somebody who
    waited for an offer, it is edited once they rent from it."""
    LOOKING = "looking"
    """Sent once to the person who asked, if the search takes longer."""
    REPLY = "reply"
    """Sent once to the person who acted, rendered when it was queued."""
    FILE = "file"
    """Uploaded once to one person's direct messages: a file of charges. After a crash, it is uploaded again."""

    @property
    def surface(self) -> bool:
        """Whether it is edited after it was posted."""
        return self in _SURFACES

    @property
    def answer(self) -> bool:
        """Whether it answers what one person did, by a `response_url` or by a direct message."""
        return self in {MessageKind.QUOTE, MessageKind.LOOKING, MessageKind.REPLY}


_SURFACES = frozenset(
    {
        *(MessageKind.CARD, MessageKind.APPROVAL, MessageKind.DIRECT),
        *(MessageKind.REMINDER, MessageKind.QUESTION, MessageKind.HOME),
    }
)


class NextCall(StrEnum):
    """The call to Slack that a message needs next."""

    ANSWER = "answer"
    """A request to its `response_url`, or chat.postEphemeral."""
    FIND = "find"
    """conversations.history or .replies: the conversation is read back first. The outcome of a post is unknown, so
    it could be posted twice; or the bot was started, perhaps with a backup, and nobody knows what Slack shows."""
    POST = "post"
    """chat.postMessage."""
    EDIT = "edit"
    """chat.update."""
    PUBLISH = "publish"
    """views.publish, of a Home tab."""


class DestinationKind(StrEnum):
    """The kinds of places that messages go to."""

    CHANNEL = "channel"
    PERSON = "person"
    """Posting to a user id opens the direct message with that person."""
    RESPONSE_URL = "response_url"
    EPHEMERAL = "ephemeral"
    """One person in a channel, who alone sees the message there."""


RESPONSE_URL_LIFE = timedelta(minutes=30)
"""How long a `response_url` works (docs.slack.dev/interactivity/handling-user-interaction)."""


class Destination(Frozen):
    """Where a message goes. Made by the functions below."""

    kind: DestinationKind
    value: str
    """The channel id, the user id, the URL, or `C0GPUS/U0ANA/1700000000.1`, as the column `to` stores it."""


def to_channel(channel: str) -> Destination:
    return Destination(kind=DestinationKind.CHANNEL, value=channel)


def to_person(user: str) -> Destination:
    return Destination(kind=DestinationKind.PERSON, value=user)


def to_response_url(url: str) -> Destination:
    """Return the destination of an answer to a command, a click or a submission."""
    return Destination(kind=DestinationKind.RESPONSE_URL, value=url)


def to_ephemeral(channel: str, user: str, thread_ts: str = "") -> Destination:
    """Return the destination of an answer that one person sees in a channel, or in a thread there."""
    return Destination(kind=DestinationKind.EPHEMERAL, value="/".join(filter(None, (channel, user, thread_ts))))


def ephemeral_place(to: Destination) -> tuple[str, str, str | None]:
    """Return the channel, the person and the thread of an ephemeral destination. Raise ValueError for others."""
    channel, user, *thread = to.value.split("/")
    return channel, user, thread[0] if thread else None


def stored_destination(text: str) -> Destination:
    """Return the destination that is stored as a text. This function and `store/messages.py` tell the kinds apart.

    User ids begin with U or W, those of conversations with C, D or G (docs.slack.dev/reference/objects).
    """
    if text.startswith("http"):
        return to_response_url(text)
    if "/" in text:
        return Destination(kind=DestinationKind.EPHEMERAL, value=text)
    return to_person(text) if text.startswith(("U", "W")) else to_channel(text)


_VERSIONS_FROM = datetime(2026, 1, 1, tzinfo=UTC)


def lowest_version(real_now: datetime) -> int:
    """Return the lowest version that a message may get at this real time: the seconds since 2026.

    Versions grow more slowly than time: by one with each change. So if the database goes back to a backup, new
    versions are still higher than all that Slack was ever shown.
    """
    return max((real_now - _VERSIONS_FROM) // timedelta(seconds=1), 1)


class Message(Frozen):
    """One row of the outbox. `queued` makes a new one."""

    id: int = 0
    """The store sets it; 0 until then. It is in the metadata of the post, so that the post can be found."""
    kind: MessageKind
    to: Destination
    rental_id: str | None = None
    event_id: int | None = None
    quote_id: str | None = None
    question_id: str | None = None
    body: dict[str, Any] | None = None
    """For a reply: what to send, as rendered. For a reminder: the ids of the rentals that it lists. For a Home
    tab: the page of rentals that it shows, counted from 0."""
    charges_of: MonthPart | None = None
    """For a file: what it has the charges of."""
    broadcast: bool = False
    """For a reply in a thread: whether the reply is also shown in the channel."""
    target_version: int = 1
    """The version that Slack should show, and that the post's metadata has. Each change of what it is about
    increases it. It never goes backwards, even with a backup of the database (`lowest_version`)."""
    shown_version: int = 0
    """The version that Slack shows; 0 before it is posted."""
    version_at_start: int | None = None
    """The version that the message had when the database was opened: if Slack shows a later one, that database is
    a backup. None once the versions are compared, and for a card that is only edited."""
    digest: str = ""
    """Hash of the text and blocks that Slack has, so that an edit that changes nothing is not sent."""
    channel: str | None = None
    """Where it was posted: for a direct message, the `D...` id."""
    ts: str | None = None
    """Slack's id of the post in its channel. None until it is known to be posted."""
    posted_at: Instant | None = None
    """When Slack took it, in our time."""
    sending: bool = False
    """Whether a post began whose outcome is unknown. The conversation is read back before the next one."""
    tries: int = 0
    """How many calls in a row got no answer. 0 while the message waits for something else than its own next try,
    such as the time that Slack asked for."""
    closed: bool = False
    """Whether it is never posted or edited again."""
    created_at: Instant
    """Real time."""
    due_at: Instant | None = None
    """When delivery looks at the message next, in real time. None if Slack shows what it should."""
    refresh_at: Instant | None = None
    """When the message is edited again although its rental did not change, in our time, because it shows how much
    time has passed. Slack's pace allows few edits, so everything with a `due_at` goes first."""

    @property
    def uncompared(self) -> bool:
        """Whether the message is still to be compared with what Slack shows."""
        return self.version_at_start is not None

    @property
    def refreshes(self) -> bool:
        """Whether its next edit only shows how much time has passed."""
        return self.due_at is None and self.refresh_at is not None

    @property
    def next_call(self) -> NextCall:
        """Return the call that the message needs next. A column has it, by which delivery finds what to send."""
        if self.kind is MessageKind.HOME:
            return NextCall.PUBLISH
        if self.to.kind in {DestinationKind.RESPONSE_URL, DestinationKind.EPHEMERAL}:
            return NextCall.ANSWER
        if self.uncompared:
            return NextCall.FIND
        if self.ts is not None:
            return NextCall.EDIT
        return NextCall.FIND if self.sending else NextCall.POST

    @property
    def shown_again(self) -> bool:
        """Whether the message is edited in any case, because nobody knows what Slack shows."""
        return self.ts is not None and self.digest == ""


def queued(kind: MessageKind, to: Destination, real_now: datetime, **fields: Any) -> Message:
    """Return a new message, which is due at once."""
    return Message(kind=kind, to=to, created_at=real_now, due_at=real_now, **fields)
