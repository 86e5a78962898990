"""What a workspace is made of. Times are aware UTC datetimes of the sandbox's clock."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sandbox.slack.schema import Json

ChannelKind = Literal["public", "private", "im"]
Guest = Literal["restricted", "ultra_restricted"]


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    tz: str
    team: str
    """Another team's id for an outsider."""
    guest: Guest | None = None
    deleted: bool = False
    is_bot: bool = False

    @property
    def handle(self) -> str:
        """What follows the @ when someone writes to this person."""
        return self.name.lower().replace(" ", "")


@dataclass(frozen=True)
class Channel:
    id: str
    name: str
    """Empty for a direct message."""
    kind: ChannelKind
    members: frozenset[str]
    archived: bool = False
    shared: bool = False
    """With another team (Slack Connect)."""
    created: int = 0


@dataclass(frozen=True)
class Group:
    id: str
    handle: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One state of a message; each post, edit and deletion makes the next, with a seq of its own."""

    seq: int
    channel: str
    ts: str
    at: datetime
    """When this state came about; the ts tells when the message was posted."""
    author: str
    by_app: bool
    text: str
    """As sent: escaped, with its mentions as ids."""
    blocks: list[Json]
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    only_for: str | None = None
    """The one person who sees it (an ephemeral message), else None."""
    edited: bool = False
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(frozen=True)
class Ping:
    """A message that made a person's client ring."""

    user: str
    message: Message
    why: Literal["dm", "mention", "group", "channel", "thread"]


@dataclass(frozen=True)
class View:
    """A modal or a Home tab as one person has it open."""

    id: str
    user: str
    source: Json
    """As the app sent it, with every block_id and action_id filled in."""
    hash: str
    values: Json
    """What is filled in: block_id, action_id, then Slack's form of a value."""
    root: str
    previous: str | None = None
    errors: Json = field(default_factory=dict)
    """What the last submission was told, by block_id."""

    @property
    def kind(self) -> str:
        return str(self.source["type"])


@dataclass(frozen=True)
class Lacks:
    """What a lesser Slack-compatible server does not have."""

    metadata: bool = False
    history: bool = False
    usergroups: bool = False
    guest_flags: bool = False
    ephemerals: bool = False
    """Ephemeral messages are accepted and never shown, as Slack's may be."""
