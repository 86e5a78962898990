"""People as Slack knows them."""

from __future__ import annotations

from bot.model.base import Frozen, Instant


class Person(Frozen):
    """Someone in Slack. Roles are the policy's, see bot/policy/roles.py."""

    id: str
    name: str
    tz: str = "UTC"
    """IANA name; the offset is computed, as it changes without an event (Slack's `user_change` page)."""
    guest: bool = False
    deactivated: bool = False
    outsider: bool = False
    """Of another workspace, in a shared channel."""
    bot: bool = False
    groups: frozenset[str] = frozenset()
    """Ids of the user groups the policy names that this person is in."""


class Key(Frozen):
    """A person's public SSH key, re-encoded by us."""

    line: str
    """`<type> <base64>`, without the comment."""
    comment: str
    """At most 100 characters. Data, never markup."""
    fingerprint: str
    set_at: Instant


class Channel(Frozen):
    """A Slack conversation as far as it matters for where a card goes."""

    id: str
    member: bool
    """Whether the bot can post there as a member."""
    direct: bool = False
    shared: bool = False
    """Outsiders read it."""
