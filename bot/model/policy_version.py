"""The team's policy file as the store keeps it, and its versions."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from bot.model.base import Frozen, Instant


class PolicyFile(Frozen):
    """A policy file with the scripts that it names. A newer gpubot reads it as it would read the file itself."""

    text: str = ""
    scripts: Mapping[str, str] = Field(default_factory=dict)
    """The text of each set-up script by its path, as the file has it."""


class PolicyVersion(Frozen):
    """A policy file that came into force."""

    n: int
    """1 for the first, then counted up."""
    at: Instant
    """When it was read."""
    by: str | None = None
    """The Slack id of the admin who had it read. None: it was read at a start or after SIGHUP."""
    file: PolicyFile
