"""The state of the workspace: people, channels, groups, views, and the most recent states of the messages.

Each post, edit and deletion creates a new state of a message with a number of its own, `seq`. Each change wakes
the requests of the control API that wait for a change.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.clock import Notifier, SandboxClock
from sandbox.slack.app_config import AppConfig
from sandbox.slack.model import Channel, Group, Lacks, Message, Person, View
from sandbox.slack.render import Reader

TEAM = "T0SANDBOX"
OTHER_TEAM = "T0OUTSIDE"
BOT_USER = "U0BOT0000"
BOT_ID = "B0BOT0000"
APP_ID = "A0APP0000"
MAX_STATES = 100_000


def microseconds(at: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def as_ts(microseconds: int) -> str:
    """Format a time as Slack's `ts`, such as `1795532700.000100`: seconds, a dot, and six digits."""
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


class Workspace:
    """A Slack workspace with one app."""

    def __init__(self, clock: SandboxClock, app: AppConfig, *, max_states: int = MAX_STATES) -> None:
        """Create a workspace without people and channels.

        `max_states` is the number of states of messages that are kept. The latest state of each message is always
        kept.
        """
        self.clock = clock
        self.app = app
        self.lacks = Lacks()
        self.changes = Notifier()
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, Group] = {}
        self.last = 0
        """The `seq` of the newest state, counted from 1."""
        self._states: deque[Message] = deque(maxlen=max_states)
        self.modals: dict[str, View] = {}
        """The open modal of each person."""
        self.homes: dict[str, View] = {}
        self.values: dict[tuple[str, str, str], dict[str, Any]] = {}
        """The choices that people made in the menus of messages.

        The keys are (channel, ts, user), then block_id, then action_id.
        """
        self.messages: dict[str, dict[str, Message]] = defaultdict(dict)
        self.threads: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.on_message: Callable[[Message | None, Message], None] = lambda _before, _after: None
        """Called when a message is posted, edited or deleted, with the message's previous state and its new state.

        For a post, the previous state is None. Not called for ephemeral messages.
        """
        self.on_file: Callable[[str, Channel], None] = lambda _file_id, _channel: None
        """Called for every file that a message shares."""
        self._last_ts = 0
        self._ids = 0

    # People and channels

    def person(self, wanted: Any) -> Person | None:
        """Return the person with this id, or None if there is none. `wanted` need not be a string."""
        return self.people.get(wanted) if isinstance(wanted, str) else None

    def channel(self, wanted: Any) -> Channel | None:
        """Return the channel with this id, or None if there is none. `wanted` need not be a string."""
        return self.channels.get(wanted) if isinstance(wanted, str) else None

    def channel_named(self, name: str) -> Channel | None:
        """Return the channel with this name, or None if there is none."""
        return next((each for each in self.channels.values() if each.name == name and name), None)

    def bot_is_in(self, channel: Channel) -> bool:
        """Return whether the app's bot is a member of the channel."""
        return BOT_USER in channel.members

    def dm(self, user: str) -> Channel:
        """Return the direct message channel between this person and the bot, and open it if it isn't open yet."""
        channel = Channel(f"D{user[1:]}", "", "im", frozenset({user, BOT_USER}), created=self.seconds())
        return self.channels.setdefault(channel.id, channel)

    def dm_partner(self, channel: Channel) -> str:
        """Return the person in a direct message with the bot."""
        return next(member for member in channel.members if member != BOT_USER)

    def new_id(self, prefix: str) -> str:
        """Return a new id."""
        self._ids += 1
        return f"{prefix}0NEW{self._ids:05d}"

    def is_full_member(self, person: Person) -> bool:
        """Return whether the person is neither a guest nor an outsider nor deactivated."""
        return person.is_in(TEAM) and person.guest is None and not person.deleted

    def can_read(self, person: Person, channel: Channel) -> bool:
        """Return whether the person can read the channel: as a member, or as a full member if it is public."""
        return person.id in channel.members or (channel.kind == "public" and self.is_full_member(person))

    # Messages

    def seconds(self) -> int:
        """Return the sandbox time in seconds since 1970."""
        return int(self.clock.now().timestamp())

    def new_ts(self, at: datetime | None = None) -> str:
        """Return a unique `ts` for a message that is posted at a time (default: now)."""
        self._last_ts = max(microseconds(at or self.clock.now()), self._last_ts + 1)
        return as_ts(self._last_ts)

    def message(self, channel: Any, ts: Any) -> Message | None:
        """Return the current state of a message, even if it is deleted, or None if there is no such message."""
        if not isinstance(channel, str) or not isinstance(ts, str):
            return None
        return self.messages.get(channel, {}).get(ts)

    def post(self, channel: Channel, author: str, text: str, **fields: Any) -> Message:
        """Post a message. `fields` are additional fields of `Message`."""
        at = self.clock.now()
        ts = self.new_ts(at)
        message = self._record(
            Message(
                seq=0,
                channel=channel.id,
                ts=ts,
                at=at,
                author=author,
                text=text,
                **{"by_app": author == BOT_USER, "blocks": [], **fields},
            )
        )
        if message.only_for is None:
            self.threads[channel.id, message.thread_ts or ts].append(ts)
            self.on_message(None, message)
        self.changes.notify()
        return message

    def edit(self, message: Message, **fields: Any) -> Message:
        """Change fields of a message."""
        changed = self._record(replace(message, at=self.clock.now(), **fields))
        if message.only_for is None:
            self.on_message(message, changed)
        self.changes.notify()
        return changed

    def delete(self, message: Message) -> None:
        """Delete a message."""
        self.edit(message, deleted=True)
        thread = self.threads.get((message.channel, message.thread_ts or message.ts))
        if thread and message.ts in thread:
            thread.remove(message.ts)

    def _record(self, message: Message) -> Message:
        self.last += 1
        numbered = replace(message, seq=self.last)
        self._states.append(numbered)
        self.messages[numbered.channel][numbered.ts] = numbered
        return numbered

    def states(self, after: int) -> list[Message]:
        """Return the states of messages whose number is above `after`, in order.

        States that are no longer kept are left out.
        """
        found: list[Message] = []
        for state in reversed(self._states):
            if state.seq <= after:
                break
            found.append(state)
        return found[::-1]

    def changed(self, after: int) -> list[Message]:
        """Return the current states of the messages that changed after the change with the number `after`.

        They are in the order of their last change.
        """
        if self._states and self._states[0].seq > after + 1:
            every: Iterable[Message] = (each for inside in self.messages.values() for each in inside.values())
            return sorted((each for each in every if each.seq > after), key=lambda each: each.seq)
        latest = {(state.channel, state.ts): state for state in self.states(after)}
        return sorted(latest.values(), key=lambda each: each.seq)

    def as_it_was(self, message: Message, seq: int) -> Message | None:
        """Return the state that a message had after the change with this number.

        None if this state is no longer kept.
        """
        same = (
            each for each in reversed(self._states) if (each.channel, each.ts) == (message.channel, message.ts)
        )
        return next((each for each in same if each.seq <= seq), None)

    def replies(self, channel: str, thread_ts: str) -> list[Message]:
        """Return the messages of a thread, starting with the parent. Empty if there is no such thread."""
        return [self.messages[channel][ts] for ts in self.threads.get((channel, thread_ts), [])]

    def visible_to_all(self, channel: str) -> Iterable[Message]:
        """Return the messages of a channel that all members see, oldest first."""
        return (
            message
            for message in self.messages.get(channel, {}).values()
            if not message.deleted and message.only_for is None
        )

    def reader(self, user: str) -> Reader:
        """Return the information needed to render text for this person."""
        person = self.people.get(user)
        return Reader(
            tz=person.tz if person else "UTC",
            now=self.clock.now(),
            person=self._person_name,
            channel=self._channel_name,
            group=self._group_name,
        )

    def _person_name(self, user: str) -> str | None:
        person = self.people.get(user)
        return person.name if person else None

    def _channel_name(self, channel: str) -> str | None:
        found = self.channels.get(channel)
        return found.name if found else None

    def _group_name(self, group: str) -> str | None:
        found = self.groups.get(group)
        return found.handle if found else None

    # Modals

    def modal(self, view_id: Any) -> View | None:
        """Return the open modal with this id, whoever has it open, or None if there is none."""
        return next((view for view in self.modals.values() if view.id == view_id), None)

    def put_modal(self, view: View) -> None:
        """Open a modal for its person, or replace the one that they have open."""
        self.modals[view.user] = view
        self.changes.notify()

    def close_modal(self, view: View) -> None:
        """Close a modal, if its person still has it open."""
        if self.modal(view.id) is not None:
            del self.modals[view.user]
        self.changes.notify()
