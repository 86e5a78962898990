"""The bodies of the workspace's control calls. docs/sandbox-api.md explains them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sandbox.serving import ControlModel
from sandbox.slack.blocks import BLOCKS
from sandbox.slack.model import Guest

Strings = Annotated[tuple[str, ...], Field(strict=False)]


class Command(ControlModel):
    """A slash command that a person types."""

    user: str
    command: Annotated[str, Field(pattern=r"^/\S+$")]
    text: str = ""
    channel: str | None = None
    dm: bool = False


class Click(ControlModel):
    """A person's click on a button, or their choice in a menu."""

    user: str
    action_id: str
    channel: str | None = None
    dm: bool = False
    ts: str | None = None
    view_id: str | None = None
    value: str | None = None
    block_id: str | None = None
    selected: Any = None
    seq: int | None = None


class Submit(ControlModel):
    """The values that a person enters in their modal and submits."""

    user: str
    view_id: str
    values: Annotated[dict[str, dict[str, Any]], Field(default_factory=dict)]


class Close(ControlModel):
    """The modal that a person closes."""

    user: str
    view_id: str


class Say(ControlModel):
    """A message that a person writes."""

    user: str
    text: Annotated[str, Field(min_length=1, max_length=40_000)]
    channel: str | None = None
    dm: bool = False
    thread_ts: str | None = None


class OtherApp(ControlModel):
    """Another app that is installed in the workspace, or `elsewhere`: in another workspace."""

    id: Annotated[str, Field(pattern=r"^A[A-Z0-9]+$")]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    channels: Strings = ()
    elsewhere: bool = False


class AppMessage(ControlModel):
    """A message that the bot of another app posts, as in a call of chat.postMessage."""

    channel: str
    text: str | None = None
    blocks: Any = None
    thread_ts: str | None = None


class OpenHome(ControlModel):
    """The tab of the app, Home or Messages, that a person opens."""

    user: str
    tab: Literal["home", "messages"] = "home"


class PersonChange(ControlModel):
    """A new person, or changes to a person. `id` is allowed only for a new person."""

    id: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")] | None = None
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    tz: str | None = None
    guest: Guest | None = None
    deleted: bool | None = None
    team: Annotated[str, Field(pattern=r"^T[A-Z0-9]+$")] | None = None
    org: Annotated[str, Field(pattern=r"^(E[A-Z0-9]+)?$")] | None = None
    teams: Strings | None = None


class ChannelChange(ControlModel):
    """A new channel, or changes to a channel. `id` is allowed only for a new channel."""

    id: Annotated[str, Field(pattern=r"^[CG][A-Z0-9]+$")] | None = None
    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,80}$")] | None = None
    private: bool | None = None
    members: Strings | None = None
    bot: bool | None = None
    archived: bool | None = None
    shared: bool | None = None


class GroupChange(ControlModel):
    """A new user group, or changes to a group. `id` is allowed only for a new group."""

    id: Annotated[str, Field(pattern=r"^S[A-Z0-9]+$")] | None = None
    handle: Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,21}$")] | None = None
    members: Strings | None = None


class AppChange(ControlModel):
    """Changes to the installed app: its scopes, its events or its whole manifest.

    `reach` is the address of the app on this machine. It replaces the host of the request URLs in the manifest.
    """

    scopes: Strings | None = None
    events: Strings | None = None
    manifest: dict[str, Any] | None = None
    reach: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")] | None = None


class Disconnect(ControlModel):
    """A failure of the app's connections."""

    reason: Literal["warning", "refresh_requested"] | None = None
    kill: bool = False
    refuse_tickets: bool | None = None
    ghosts: Annotated[int, Field(ge=0, le=10)] | None = None
    socket: str | None = None


def _known(blocks: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(blocks) - BLOCKS)
    if unknown:
        raise ValueError(f"not a type of block: {', '.join(unknown)}")
    return blocks


class LacksChange(ControlModel):
    """Changes to the features that the workspace doesn't support."""

    metadata: bool | None = None
    history: bool | None = None
    usergroups: bool | None = None
    guest_flags: bool | None = None
    ephemerals: bool | None = None
    blocks: Annotated[Strings, AfterValidator(_known)] | None = None


class Tokens(ControlModel):
    """Changes to the validity of the tokens and the webhook. `new` replaces a token with a new, valid one."""

    bot: Literal["valid", "revoked", "new"] | None = None
    app: Literal["valid", "revoked", "new"] | None = None
    signing: Literal["new"] | None = None
    webhook: Literal["valid", "removed"] | None = None


class PaceChange(ControlModel):
    """A new speed for the clock of the rate limits. At 0, the limits are switched off."""

    scale: Annotated[float, Field(ge=0)]
