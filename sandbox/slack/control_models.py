"""The bodies of the workspace's control calls; see docs/sandbox.md."""

from typing import Annotated, Any, Literal

from pydantic import Field

from sandbox.serving import ControlModel
from sandbox.slack.model import Guest

Members = tuple[str, ...]


class PersonOrder(ControlModel):
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    tz: str | None = None
    guest: Guest | None = None
    deleted: bool | None = None
    team: Annotated[str, Field(pattern=r"^T[A-Z0-9]+$")] | None = None


class ChannelOrder(ControlModel):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,80}$")] | None = None
    private: bool | None = None
    members: Annotated[Members, Field(strict=False)] | None = None
    bot: bool | None = None
    archived: bool | None = None
    shared: bool | None = None


class GroupOrder(ControlModel):
    handle: Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,21}$")] | None = None
    members: Annotated[Members, Field(strict=False)] | None = None


class CommandOrder(ControlModel):
    user: str
    command: Annotated[str, Field(pattern=r"^/\S+$")]
    text: str = ""
    channel: str | None = None
    dm: bool = False


class ClickOrder(ControlModel):
    user: str
    action_id: str
    channel: str | None = None
    dm: bool = False
    ts: str | None = None
    view_id: str | None = None
    value: str | None = None
    block_id: str | None = None
    selected: Any = None
    confirmed: bool = False
    seq: int | None = None


class SuggestOrder(ClickOrder):
    typed: str = ""


class SubmitOrder(ControlModel):
    user: str
    view_id: str
    values: Annotated[dict[str, dict[str, Any]], Field(default_factory=dict)]


class CloseOrder(ControlModel):
    user: str
    view_id: str
    all: bool = False


class SayOrder(ControlModel):
    user: str
    text: Annotated[str, Field(min_length=1, max_length=40_000)]
    channel: str | None = None
    dm: bool = False
    thread_ts: str | None = None


class UserOrder(ControlModel):
    user: str


class HomeOrder(UserOrder):
    tab: Literal["home", "messages"] = "home"


class DisconnectOrder(ControlModel):
    reason: Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"] | None = None
    kill: bool = False
    refuse_tickets: bool | None = None
    ghosts: Annotated[int, Field(ge=0, le=10)] | None = None
    socket: str | None = None


class LacksOrder(ControlModel):
    metadata: bool | None = None
    history: bool | None = None
    usergroups: bool | None = None
    guest_flags: bool | None = None
    ephemerals: bool | None = None


class TokensOrder(ControlModel):
    bot: Literal["valid", "revoked"] | None = None
    app: Literal["valid", "revoked"] | None = None


class PaceOrder(ControlModel):
    scale: Annotated[float, Field(ge=0)]


class AppOrder(ControlModel):
    scopes: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    events: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    manifest: dict[str, Any] | None = None
