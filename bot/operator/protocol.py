"""What `gpubot list` and the other commands by hand send to the running bot, and what it answers: one line of JSON
each way, then the connection is closed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from bot.model.base import Frozen

LONGEST_REQUEST = 16 * 1024
"""Bytes of a request's line."""
LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer's line. A list of 500 rentals has about 100 kB."""

Words = Annotated[str, Field(max_length=200)]
"""An id, a length or an end, as it was typed."""


class ListAll(Frozen):
    """List what everybody rents."""

    kind: Literal["list"] = "list"


class Show(Frozen):
    """Show one rental with its history."""

    kind: Literal["show"] = "show"
    id: Words


class Extend(Frozen):
    """Make a lease longer."""

    kind: Literal["extend"] = "extend"
    id: Words
    by: Words
    """A length such as `2h`, or an end such as `until 18:00`."""
    why: str


class Destroy(Frozen):
    """Destroy a rental in any state."""

    kind: Literal["destroy"] = "destroy"
    id: Words
    why: str


class Approve(Frozen):
    """Approve a request, or more time, that waits for an approver."""

    kind: Literal["approve"] = "approve"
    id: Words
    up_to: Words
    """The total in dollars that the operator read, such as `137.54`. Another total is refused."""
    why: str


class Deny(Frozen):
    """Deny a request, or more time, that waits for an approver."""

    kind: Literal["deny"] = "deny"
    id: Words
    why: str


class Spend(Frozen):
    """Show what was spent."""

    kind: Literal["spend"] = "spend"
    words: Words
    """As after `/gpu spend`, such as `project vision 2026-10`. Empty: the team, this month."""


class Pause(Frozen):
    """Stop all buying."""

    kind: Literal["pause"] = "pause"
    why: str


class Resume(Frozen):
    """Allow buying again."""

    kind: Literal["resume"] = "resume"
    why: str


Command: TypeAlias = ListAll | Show | Spend | Extend | Destroy | Approve | Deny | Pause | Resume


class Request(Frozen):
    """A command, and which gpubot sends it."""

    version: str
    command: Annotated[Command, Field(discriminator="kind")]


class Answer(Frozen):
    """What the running bot did, or why it did nothing."""

    done: bool
    text: str
    """Lines for a terminal."""


def own_version() -> str:
    """Return the version of this gpubot. Both sides must have the same one."""
    return version("gpubot")
