"""The objects of a workspace, such as people, channels and messages. Times are in sandbox time, aware, in UTC."""

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
    """The home team: usually the workspace's team.

    Outsiders and colleagues from other workspaces of the organization have another home team.
    """
    guest: Guest | None = None
    deleted: bool = False
    is_bot: bool = False
    org: str = ""
    """The Enterprise organization of the home team, if it has one."""
    teams: tuple[str, ...] = ()
    """All teams to which the person belongs in the organization. Empty if they belong only to their home team."""
    app_id: str = ""
    """The app to which the bot belongs, if it is the bot of another app."""
    bot_id: str = ""
    """The ID of that bot (`B...`), which is another than the ID of its user."""

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
    """True if the channel is shared with another team (Slack Connect)."""
    created: int = 0


@dataclass(frozen=True)
class Group:
    """A user group."""

    id: str
    handle: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One state of a message. Each post, edit and deletion creates a new state with its own `seq`."""

    seq: int
    channel: str
    ts: str
    at: datetime
    """The time of this state. In contrast, `ts` is the time at which the message was posted."""
    author: str
    by_app: bool
    text: str
    """The text as the app sent it: escaped, and with ids in mentions."""
    blocks: list[Json]
    files: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    only_for: str | None = None
    """The only person who sees the message if it is ephemeral; None for other messages."""
    edited: bool = False
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        """True if the message is a reply in a thread. The parent isn't one."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(frozen=True)
class View:
    """A modal or a Home tab that one person has open."""

    id: str
    user: str
    source: Json
    """The view as the app sent it, with missing block_ids and action_ids added."""
    hash: str
    values: Json
    """The values of the inputs, by block_id and then by action_id, in Slack's format."""
    errors: Json = field(default_factory=dict)
    """The errors of the last submission, by block_id."""

    @property
    def kind(self) -> str:
        """The type of the view: `modal` or `home`."""
        return str(self.source["type"])


@dataclass(frozen=True)
class Lacks:
    """The features that the workspace doesn't support, since Slack-compatible servers may lack them."""

    metadata: bool = False
    history: bool = False
    usergroups: bool = False
    guest_flags: bool = False
    ephemerals: bool = False
    """If true, ephemeral messages are accepted but never shown, which can happen with Slack too."""
    blocks: tuple[str, ...] = ()
    """The types of blocks that are refused like unknown types."""
