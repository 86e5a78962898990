"""The outbox: the messages that the bot sends to Slack, including those that Slack already shows.

It also contains the events that the bot sends to webhooks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.model.base import Frozen, Instant
from bot.model.budget import MonthPart


class MessageKind(StrEnum):
    """The kinds of messages.

    A live message is edited whenever its content changes. All other messages are posted once and never edited.
    There is one exception: a message of kind QUOTE can be edited.
    """

    CARD = "card"
    """The message that shows a rental and is kept up to date. It is posted in `Rental.card_channel`."""
    THREAD = "thread"
    """A reply in the card's thread. It is posted once and rendered from the facts of one event."""
    PROGRAM = "program"
    """A reply in the thread in which a Slack app asked for the rental (`Program.thread`).

    Like a reply in the card's thread, it is posted once and rendered from the facts of one event.
    """
    APPROVAL = "approval"
    """A message that asks the approvers a question and is kept up to date. One event causes it.

    The message also shows the changes that the owner has made to the request since the question was asked.
    """
    DIRECT = "direct"
    """A message in one person's direct messages that is kept up to date. One event causes it."""
    ALERT = "alert"
    """A message to one person, posted once and rendered from a single event.

    Alerts are about the account at Compute Clear, or about a rental that the bot fails to advance.
    """
    REMINDER = "reminder"
    """A message to one approver that lists the requests that waited when it was sent. It is kept up to date."""
    QUESTION = "question"
    """A message that asks one admin a question and is kept up to date. One event causes it."""
    TOKEN = "token"  # noqa: S105 - the kind of a message, not a secret
    """A message that asks the approvers about the terms of a token and is kept up to date. One event causes it."""
    HOME = "home"
    """The Home tab of one person, kept up to date from the first time that they open it."""
    QUOTE = "quote"
    """The offers that were found, sent once to the person who asked for them.

    If the person was on the waitlist, they get the offers in a direct message. This message is edited when they
    rent one of the offers.
    """
    LOOKING = "looking"
    """A notice that the search takes longer than usual, sent once to the person who asked."""
    REPLY = "reply"
    """An answer that is sent once to the person or the Slack app that acted. It is rendered when it is queued."""
    FILE = "file"
    """A file of charges, uploaded once to one person's direct messages.

    If the bot crashes during the upload, the file is uploaded again.
    """
    WEBHOOK = "webhook"
    """An event that is sent to a webhook, and not to Slack. `Message.webhook_due_at` says when."""

    @property
    def surface(self) -> bool:
        """True if messages of this kind are edited after they were posted."""
        return self in _LIVE_MESSAGES

    @property
    def asks_approvers(self) -> bool:
        """True if messages of this kind ask the approvers for a decision."""
        return self in {MessageKind.APPROVAL, MessageKind.TOKEN}


_LIVE_MESSAGES = frozenset(
    {
        *(MessageKind.CARD, MessageKind.APPROVAL, MessageKind.DIRECT),
        *(MessageKind.REMINDER, MessageKind.QUESTION, MessageKind.TOKEN, MessageKind.HOME),
    }
)


class NextCall(StrEnum):
    """The call to Slack's API that a message needs next."""

    ANSWER = "answer"
    """A request to the message's `response_url`, or chat.postEphemeral."""
    FIND = "find"
    """A read of the conversation, to find the message there before it is posted or edited.

    The call is conversations.history or conversations.replies. It is needed if the outcome of an earlier post is
    unknown, because the message could otherwise appear twice. It is also needed after a start. If the database is
    a restored backup, Slack can show a later version of the message.
    """
    POST = "post"
    """A post with chat.postMessage."""
    EDIT = "edit"
    """An edit with chat.update."""
    PUBLISH = "publish"
    """An update of a Home tab with views.publish."""


class DestinationKind(StrEnum):
    """The kinds of destinations to which messages are sent."""

    CHANNEL = "channel"
    PERSON = "person"
    """A person's direct messages. Posting to a user ID opens the conversation."""
    RESPONSE_URL = "response_url"
    EPHEMERAL = "ephemeral"
    """One person in a channel. Nobody else sees the message."""
    WEBHOOK = "webhook"


RESPONSE_URL_LIFE = timedelta(minutes=30)
"""The time for which a `response_url` works (docs.slack.dev/interactivity/handling-user-interaction)."""


class Destination(Frozen):
    """The destination of a message. Use the functions below to create one."""

    kind: DestinationKind
    value: str
    """The destination as text, as stored in the column `to`.

    This is a channel ID, a user ID or a URL. For an ephemeral message, it is `C0GPUS/U0ANA/1700000000.1`: the
    channel, the person and the thread. For a webhook, it is `hook:` and the URL.
    """


def to_channel(channel: str) -> Destination:
    return Destination(kind=DestinationKind.CHANNEL, value=channel)


def to_person(user: str) -> Destination:
    return Destination(kind=DestinationKind.PERSON, value=user)


def to_response_url(url: str) -> Destination:
    """Return the destination for an answer to a command, a click or a submission."""
    return Destination(kind=DestinationKind.RESPONSE_URL, value=url)


def to_ephemeral(channel: str, user: str, thread_ts: str = "") -> Destination:
    """Return the destination for an answer that only one person sees, in a channel or in one of its threads."""
    return Destination(kind=DestinationKind.EPHEMERAL, value="/".join(filter(None, (channel, user, thread_ts))))


_HOOK = "hook:"


def to_webhook(url: str) -> Destination:
    """Return the destination for events that a webhook receives."""
    return Destination(kind=DestinationKind.WEBHOOK, value=_HOOK + url)


def ephemeral_place(to: Destination) -> tuple[str, str, str | None]:
    """Return the channel, person and thread of an ephemeral destination.

    Raises ValueError for destinations of other kinds.
    """
    channel, user, *thread = to.value.split("/")
    return channel, user, thread[0] if thread else None


def stored_destination(text: str) -> Destination:
    """Return the destination for a text from the database. The text alone determines the kind of destination.

    User IDs begin with U or W, and IDs of conversations with C, D or G (docs.slack.dev/reference/objects).
    `store/messages.py` distinguishes the kinds in the same way.
    """
    if text.startswith("http"):
        return to_response_url(text)
    if text.startswith(_HOOK):
        return to_webhook(text.removeprefix(_HOOK))
    if "/" in text:
        return Destination(kind=DestinationKind.EPHEMERAL, value=text)
    return to_person(text) if text.startswith(("U", "W")) else to_channel(text)


_VERSIONS_FROM = datetime(2026, 1, 1, tzinfo=UTC)


def lowest_version(real_now: datetime) -> int:
    """Return the lowest version that a message can get at this wall-clock time.

    This is the number of seconds since the start of 2026. Each change adds one to a message's version, and a
    message changes less often than once a second. Therefore, if the database is restored from a backup, new
    versions are still higher than every version that Slack has shown.
    """
    return max((real_now - _VERSIONS_FROM) // timedelta(seconds=1), 1)


class Message(Frozen):
    """A row of the outbox. Use `queued` to create a new one."""

    id: int = 0
    """The ID that the store assigns. 0 before the message is stored.

    The metadata of the post contains the ID, so that the post can be found in Slack.
    """
    kind: MessageKind
    to: Destination
    rental_id: str | None = None
    event_id: int | None = None
    quote_id: str | None = None
    question_id: str | None = None
    token_id: str | None = None
    body: dict[str, Any] | None = None
    """Content that depends on the kind of message.

    - Reply: the rendered message, and its thread.
    - Reply in the thread of a program's request: the thread.
    - Reminder: the IDs of the rentals that it lists.
    - Home tab: the page of rentals that it shows, counted from 0.
    - Webhook: the name of the event.
    """
    charges_of: MonthPart | None = None
    """The scope and month whose charges a file contains. None for messages of other kinds."""
    broadcast: bool = False
    """True if a reply in a thread is also shown in the channel."""
    target_version: int = 1
    """The version of the message that Slack should show. The metadata of the post contains it as well.

    Each change of the content increases the version. The version never decreases, even if the database is restored
    (`lowest_version`). For a webhook, this is the number of the event (`QueuedEvent.number`).
    """
    shown_version: int = 0
    """The version of the message that Slack shows. 0 before the message is posted."""
    version_at_start: int | None = None
    """The message's version when the database was opened.

    If Slack shows a later version, the database is a restored backup. None once the versions have been compared,
    and for messages that don't need the comparison.
    """
    digest: str = ""
    """A hash of the text and blocks that Slack has. Edits that wouldn't change anything aren't sent."""
    channel: str | None = None
    """The channel in which the message was posted. For a direct message, this is the `D...` ID."""
    ts: str | None = None
    """Slack's ID of the post within its channel. None until the message is known to be posted."""
    posted_at: Instant | None = None
    """The time at which Slack accepted the message, by the bot's clock, which the sandbox can set."""
    sending: bool = False
    """True if a post was begun and its outcome is unknown.

    The conversation is then read before the message is posted again, because the message may already be there.
    """
    tries: int = 0
    """The number of consecutive calls that got no answer.

    The delay before the next try grows with this number. The number is 0 while the message waits for another
    reason, such as a delay that Slack requested.
    """
    closed: bool = False
    """True if the message is never posted or edited again."""
    created_at: Instant
    """The wall-clock time at which the message was queued."""
    due_at: Instant | None = None
    """The wall-clock time at which delivery next handles the message. None if Slack is up to date."""
    webhook_due_at: Instant | None = None
    """The wall-clock time at which an event is next sent to its webhook. None for all messages to Slack.

    The `due_at` of such an event is always None. Therefore nothing that looks for messages to Slack finds it.
    """
    refresh_at: Instant | None = None
    """The time at which to update the elapsed time that the message shows. None if it shows no elapsed time.

    Slack's rate limits allow few edits, so messages with a `due_at` are sent first.
    """

    @property
    def thread_ts(self) -> str | None:
        """Slack's ID of the first message of the thread in which a message for a Slack app is posted.

        None for all other messages. The thread of a rental's card isn't known before the card is posted.
        """
        in_channel = self.to.kind is DestinationKind.CHANNEL
        for_app = self.kind in {MessageKind.REPLY, MessageKind.PROGRAM} and in_channel
        return (self.body or {}).get("thread_ts") if for_app else None

    @property
    def uncompared(self) -> bool:
        """True if the message still has to be compared with what Slack shows."""
        return self.version_at_start is not None

    @property
    def refreshes(self) -> bool:
        """True if the next edit would only update the elapsed time that the message shows."""
        return self.due_at is None and self.refresh_at is not None

    @property
    def next_call(self) -> NextCall:
        """The call that the message needs next.

        It is also stored in a column, so that delivery can find the messages to send.
        """
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
        """True if the message must be edited even if its content is unchanged.

        That is the case if nobody knows what Slack shows.
        """
        return self.ts is not None and self.digest == ""


def queued(kind: MessageKind, to: Destination, real_now: datetime, **fields: Any) -> Message:
    """Return a new message that is due immediately. Its times are wall-clock times."""
    if kind is MessageKind.WEBHOOK:
        return Message(kind=kind, to=to, created_at=real_now, webhook_due_at=real_now, **fields)
    return Message(kind=kind, to=to, created_at=real_now, due_at=real_now, **fields)
