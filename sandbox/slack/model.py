"""The values of a workspace. Times are aware UTC datetimes of the sandbox's clock."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sandbox.slack.schema import Json

ChannelKind = Literal["public", "private", "im"]
Guest = Literal["restricted", "ultra_restricted"]


@dataclass(frozen=True)
class Person:
    """A person or the bot."""

    id: str
    name: str
    tz: str
    team: str
    """The home team; another team for an outsider, or for a colleague in the same organization."""
    guest: Guest | None = None
    deleted: bool = False
    is_bot: bool = False
    org: str = ""
    """The Enterprise organization of the home team, if it has one."""
    teams: tuple[str, ...] = ()
    """All teams within the organization; empty if that is only the home team."""

    def is_in(self, team: str) -> bool:
        """Return whether this person is a member of a team."""
        return team in (self.teams or (self.team,))

    @property
    def handle(self) -> str:
        """The name that follows the @ in a mention."""
        return self.name.lower().replace(" ", "")


@dataclass(frozen=True)
class Channel:
    """A channel or a direct message."""

    id: str
    name: str
    """Empty for a direct message."""
    kind: ChannelKind
    members: frozenset[str]
    archived: bool = False
    shared: bool = False
    """Whether it is shared with another team (Slack Connect)."""
    created: int = 0


@dataclass(frozen=True)
class Group:
    """A user group."""

    id: str
    handle: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One state of a message. Each post, edit and deletion makes a new state with a seq of its own."""

    seq: int
    channel: str
    ts: str
    at: datetime
    """When this state began; the ts is the time at which the message was posted."""
    author: str
    by_app: bool
    text: str
    """As the app sent it: escaped, with ids as mentions."""
    blocks: list[Json]
    files: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    only_for: str | None = None
    """The only person who sees it, if it is ephemeral."""
    edited: bool = False
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it is in a thread, and not its parent."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(frozen=True)
class View:
    """A modal or a Home tab that one person has open."""

    id: str
    user: str
    source: Json
    """As the app sent it, with every block_id and action_id filled in."""
    hash: str
    values: Json
    """The values that are filled in, by block_id and action_id, in Slack's form."""
    errors: Json = field(default_factory=dict)
    """By block_id, the errors of the last submission."""

    @property
    def kind(self) -> str:
        """`modal` or `home`."""
        return str(self.source["type"])


@dataclass(frozen=True)
class Lacks:
    """The features of Slack that a compatible server may lack."""

    metadata: bool = False
    history: bool = False
    usergroups: bool = False
    guest_flags: bool = False
    ephemerals: bool = False
    """Ephemeral messages are accepted and never shown, as can happen with Slack."""
    blocks: tuple[str, ...] = ()
    """The types of blocks that are refused, as an unknown one is."""
