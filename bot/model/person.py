"""People and conversations as Slack describes them, and people's SSH keys."""

from __future__ import annotations

from bot.model.base import Frozen, Instant


class Person(Frozen):
    """Someone in Slack. Their roles follow from the policy: see bot/policy/team/roles.py."""

    id: str
    name: str
    tz: str = ""
    """IANA name. Empty if it is unknown. It is stored instead of the offset, because Slack sends no event when
    daylight saving time changes the offset."""
    guest: bool = False
    deactivated: bool = False
    outsider: bool = False
    """Whether they belong to another workspace and share a channel with ours."""
    bot: bool = False
    groups: frozenset[str] = frozenset()
    """Ids of the user groups that the policy names and that the person is in."""


OPERATOR = Person(id="operator", name="the operator")
"""The person who types commands on the bot's machine (bot/operator). Ids in Slack begin with U or W, so nobody
there has this id. The reason for each change is the `detail` of its event."""


class Absence(Frozen):
    """A time in which an approver is not asked, because they said that they are away."""

    since: Instant
    until: Instant


class Key(Frozen):
    """A person's public SSH key, re-encoded by `read_key`."""

    line: str
    """`<type> <base64>`, without the comment."""
    comment: str
    """At most 100 characters. Data, never markup."""
    fingerprint: str


class Channel(Frozen):
    """A Slack conversation, with everything that decides whether a card can go there."""

    id: str
    member: bool
    """Whether the bot is a member, so that it can post there."""
    direct: bool = False
    shared: bool = False
    """Whether people of other workspaces read it."""
    name: str | None = None
    """Such as `gpus`, without the `#`. None if Slack didn't say it. Data, never markup."""
