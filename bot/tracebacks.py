"""Formats exceptions for logs: their classes, and the places in the code where they were raised.

Messages of exceptions and variables of frames are omitted, because they can contain a token, a key or text that
people typed. Source lines are omitted too, because an installed file may be newer than the code that is running.
"""

from __future__ import annotations

import errno
import traceback
from collections import deque
from pathlib import Path
from typing import TypedDict

MOST_EXCEPTIONS = 12
MOST_FRAMES = 20
"""The number of innermost frames that are kept for each exception."""


class Part(TypedDict):
    """One exception of a chain: the exception that was raised, or one that led to it."""

    error: str
    """The name of the exception's class, followed by that of its error number, if any: `OSError ENOSPC`."""
    how: str
    """The role of this exception in the chain.

    `raised` is the exception that was finally raised. `cause`, `context` and `member` (of a group) are exceptions
    that led to it.
    """
    where: list[str]
    """The frames as `file:line function`, outermost first."""


def parts_of(error: BaseException) -> list[Part]:
    """Return the exception, followed by all exceptions that led to it.

    Each exception is followed directly by its cause or context. A group is then followed by its members. At most
    MOST_EXCEPTIONS are returned.
    """
    parts: list[Part] = []
    seen: set[int] = set()
    waiting = [(error, "raised")]
    while waiting and len(parts) < MOST_EXCEPTIONS:
        one, how = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        parts.append(Part(error=_class_of(one), how=how, where=_frames(one)))
        if isinstance(one, BaseExceptionGroup):
            waiting.extend((member, "member") for member in reversed(one.exceptions))
        if one.__cause__ is not None:
            waiting.append((one.__cause__, "cause"))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append((one.__context__, "context"))
    return parts


def as_text(parts: list[Part]) -> str:
    """Return the exceptions as text for people: a line for each exception, followed by a line for each frame."""
    lines = []
    for part in parts:
        lines.append(part["error"] if part["how"] == "raised" else f"{part['how']}: {part['error']}")
        lines.extend(f"  {frame}" for frame in part["where"])
    return "\n".join(lines)


def place(file: str, line: int | None) -> str:
    """Return the place of a line of code as `folder/file:line`."""
    return f"{'/'.join(Path(file).parts[-2:])}:{line or 0}"


def _class_of(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    number = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{name} {number}" if number else name


def _frames(error: BaseException) -> list[str]:
    walked = traceback.walk_tb(error.__traceback__)
    frames = (f"{place(frame.f_code.co_filename, line)} {frame.f_code.co_qualname}" for frame, line in walked)
    return list(deque(frames, maxlen=MOST_FRAMES))
