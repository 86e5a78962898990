"""The scopes that the bot's token needs, and why. `manifest.yml` asks for the same ones.

The scopes of each method and event: docs.slack.dev/reference/methods and docs.slack.dev/reference/events.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "commands": "/gpu",
        "chat:write": "cards, threads and direct messages",
        "channels:read": "whether I am in a channel, and who else reads it",
        "groups:read": "the same for private channels",
        "channels:history": "after a crash, whether a message was posted",
        "groups:history": "the same in private channels",
        "im:history": "the same in direct messages",
        "im:write": "opening direct messages",
        "users:read": "names, time zones, guests, who has left",
        "usergroups:read": "groups that the policy names",
    }
)
