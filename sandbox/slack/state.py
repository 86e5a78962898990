"""The workspace: who and what is in it, and the newest states that its messages went through.

All changes go through the methods here. Each message state takes the next `seq` and rings the bell on which
`see`, `pings` and other long polls wait.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.clock import Bell, SandboxClock
from sandbox.slack import mentions
from sandbox.slack.app_config import AppConfig
from sandbox.slack.model import Channel, Group, Lacks, Message, Person, Ping, View
from sandbox.slack.render import Reader

TEAM = "T0SANDBOX"
OTHER_TEAM = "T0OUTSIDE"
BOT_USER = "U0BOT0000"
BOT_ID = "B0BOT0000"
APP_ID = "A0APP0000"
KEPT = 100_000


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def as_ts(microseconds: int) -> str:
    """As Slack writes times: seconds, a point, six digits."""
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


class Workspace:
    def __init__(self, clock: SandboxClock, app: AppConfig, *, kept: int = KEPT) -> None:
        """`kept`: how many states of messages, and how many pings, can be looked up; each message's last one can
        always be."""
        self.clock = clock
        self.app = app
        self.lacks = Lacks()
        self.bell = Bell()
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, Group] = {}
        self.last = 0
        """The seq of the newest state, counted from 1."""
        self._states: deque[Message] = deque(maxlen=kept)
        self.pings: deque[Ping] = deque(maxlen=kept)
        self.views: dict[str, list[View]] = defaultdict(list)
        """Each person's open modals, the top one last."""
        self.homes: dict[str, View] = {}
        self.values: dict[tuple[str, str, str], dict[str, Any]] = {}
        """What a person chose in a message's menus, by (channel, ts, user): block_id, action_id, value."""
        self.messages: dict[str, dict[str, Message]] = defaultdict(dict)
        self.threads: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.on_message: Callable[[Message | None, Message], None] = lambda before, after: None
        """Told of every message for all that is posted (before: None), edited or deleted."""
        self.on_file: Callable[[str, Channel], None] = lambda file_id, channel: None
        """Told of every file that is shared."""
        self._last_ts = 0
        self._made = 0

    # People and places

    def person(self, wanted: Any) -> Person | None:
        return self.people.get(wanted) if isinstance(wanted, str) else None

    def channel(self, wanted: Any) -> Channel | None:
        return self.channels.get(wanted) if isinstance(wanted, str) else None

    def channel_named(self, name: str) -> Channel | None:
        return next((each for each in self.channels.values() if each.name == name and name), None)

    def bot_is_in(self, channel: Channel) -> bool:
        return BOT_USER in channel.members

    def dm(self, user: str) -> Channel:
        """The direct message between this person and the bot; opened when it is not yet."""
        channel = Channel(f"D{user[1:]}", "", "im", frozenset({user, BOT_USER}), created=self.seconds())
        return self.channels.setdefault(channel.id, channel)

    def dm_partner(self, channel: Channel) -> str:
        return next(member for member in channel.members if member != BOT_USER)

    def new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}0NEW{self._made:05d}"

    def is_full_member(self, person: Person) -> bool:
        return person.team == TEAM and person.guest is None and not person.deleted

    def can_read(self, person: Person, channel: Channel) -> bool:
        """Members read a channel; everyone who is no guest and no outsider reads public ones."""
        return person.id in channel.members or (channel.kind == "public" and self.is_full_member(person))

    # Messages

    def seconds(self) -> int:
        return int(self.clock.now().timestamp())

    def new_ts(self, at: datetime | None = None) -> str:
        """A message's id: its time (now, if not given) in microseconds, never the same twice."""
        self._last_ts = max(microseconds(at or self.clock.now()), self._last_ts + 1)
        return as_ts(self._last_ts)

    def message(self, channel: Any, ts: Any) -> Message | None:
        """The message as it is now, also a deleted one."""
        if not isinstance(channel, str) or not isinstance(ts, str):
            return None
        return self.messages.get(channel, {}).get(ts)

    def post(self, channel: Channel, author: str, text: str, **parts: Any) -> Message:
        """Puts a new message into the channel; `parts` are further fields of `Message`."""
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
                **{"by_app": author == BOT_USER, "blocks": [], **parts},
            )
        )
        if message.only_for is None:
            self.pings += mentions.pings(self, message)
            self.threads[channel.id, message.thread_ts or ts].append(ts)
            self.on_message(None, message)
        self.bell.ring()
        return message

    def edit(self, message: Message, **changes: Any) -> Message:
        changed = self._record(replace(message, at=self.clock.now(), **changes))
        if message.only_for is None:
            self.on_message(message, changed)
        self.bell.ring()
        return changed

    def delete(self, message: Message) -> None:
        self.edit(message, deleted=True)
        thread = self.threads.get((message.channel, message.thread_ts or message.ts))
        if thread and message.ts in thread:
            thread.remove(message.ts)

    def lose_ephemerals(self, user: str) -> int:
        """What a reload does to a person's ephemeral messages. Returns how many went."""
        lost = [
            message
            for messages in self.messages.values()
            for message in messages.values()
            if message.only_for == user and not message.deleted
        ]
        for message in lost:
            self.edit(message, deleted=True)
        return len(lost)

    def _record(self, message: Message) -> Message:
        self.last += 1
        numbered = replace(message, seq=self.last)
        self._states.append(numbered)
        self.messages[numbered.channel][numbered.ts] = numbered
        return numbered

    def states(self, after: int) -> list[Message]:
        """The states with a seq over `after`, in order, as far as they are kept."""
        found: list[Message] = []
        for state in reversed(self._states):
            if state.seq <= after:
                break
            found.append(state)
        return found[::-1]

    def changed(self, after: int) -> list[Message]:
        """The messages that changed after a seq, each once as it is now, in order of change."""
        if self._states and self._states[0].seq > after + 1:
            every: Iterable[Message] = (each for inside in self.messages.values() for each in inside.values())
            return sorted((each for each in every if each.seq > after), key=lambda each: each.seq)
        latest = {(state.channel, state.ts): state for state in self.states(after)}
        return sorted(latest.values(), key=lambda each: each.seq)

    def as_it_was(self, message: Message, seq: int) -> Message | None:
        """The message's state at that seq, where it is kept."""
        same = (
            each for each in reversed(self._states) if (each.channel, each.ts) == (message.channel, message.ts)
        )
        return next((each for each in same if each.seq <= seq), None)

    def replies(self, channel: str, thread_ts: str) -> list[Message]:
        """A thread's messages, its parent first; empty when it has no parent."""
        return [self.messages[channel][ts] for ts in self.threads.get((channel, thread_ts), [])]

    def shown(self, channel: str) -> Iterable[Message]:
        """What stands in the channel for everyone, oldest first."""
        return (
            message
            for message in self.messages.get(channel, {}).values()
            if not message.deleted and message.only_for is None
        )

    # How people see it

    def reader(self, user: str) -> Reader:
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

    # Views

    def top_view(self, user: str) -> View | None:
        stack = self.views.get(user)
        return stack[-1] if stack else None

    def view(self, view_id: Any, external_id: Any = None) -> View | None:
        """An open modal by its id or external id, whoever has it open."""
        for stack in self.views.values():
            for view in stack:
                if view.id == view_id or (external_id and view.source.get("external_id") == external_id):
                    return view
        return None

    def put_view(self, view: View) -> None:
        """Replaces the open modal of the same id, or puts a new one on top."""
        stack = self.views[view.user]
        places = [place for place, each in enumerate(stack) if each.id == view.id]
        if places:
            stack[places[0]] = view
        else:
            stack.append(view)
        self.bell.ring()

    def drop_views(self, user: str, keep: int = 0) -> list[View]:
        """Closes a person's modals from the top until `keep` are left; returns the closed ones."""
        stack = self.views[user]
        closed = stack[keep:]
        del stack[keep:]
        self.bell.ring()
        return closed
