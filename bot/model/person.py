"""People and conversations as Slack describes them, and people's SSH keys."""

from __future__ import annotations

from bot.model.base import Frozen, Instant


class Person(Frozen):
    """A person in Slack. The policy determines their roles: see `bot/policy/team/roles.py`."""

    id: str
    name: str
    tz: str = ""
    """The IANA name of the person's time zone. Empty if it isn't known.

    The name is stored instead of the offset, because Slack sends no event when daylight saving time changes the
    offset.
    """
    guest: bool = False
    deactivated: bool = False
    outsider: bool = False
    """True if the person belongs to another workspace, which shares a channel with this one."""
    bot: bool = False
    groups: frozenset[str] = frozenset()
    """IDs of the policy's user groups to which the person belongs."""


OPERATOR = Person(id="operator", name="the operator")
"""The person who types commands on the machine that runs the bot (`bot/operator`).

Slack's user IDs begin with U or W, so no Slack user has this ID. The `detail` of each event says why the operator
made the change.
"""


class Absence(Frozen):
    """A period in which an approver isn't asked, because they said that they are away."""

    since: Instant
    until: Instant


class Key(Frozen):
    """A person's public SSH key, in the normalized form that `read_key` produces."""

    line: str
    """The key as `<type> <base64>`, without its comment."""
    comment: str
    """The key's comment, at most 100 characters. Untrusted text: escape it for display."""
    fingerprint: str


class Channel(Frozen):
    """A Slack conversation, with the facts that determine whether a card can be posted there."""

    id: str
    member: bool
    """True if the bot is a member, so that it can post there."""
    direct: bool = False
    shared: bool = False
    """True if people of other workspaces can read the channel."""
    name: str | None = None
    """The name without the `#`, such as `gpus`. None if Slack didn't report it.

    Untrusted text: escape it for display.
    """
