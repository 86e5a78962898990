"""Reads small text files that people write, up to a maximum size, with one clear reason for each failure."""

from __future__ import annotations

from pathlib import Path

LARGEST = 256 * 1024
"""Bytes. Policy files, `.env` files and tokens are far smaller."""


class Unreadable(Exception):
    """The file can't be read. Its text is the reason, such as `Is a directory`."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Return the file's text. Raise Unreadable if it can't be opened, is larger than `largest` bytes, or is not
    UTF-8. Never read more than `largest` bytes: `/dev/zero` or a disk image would fill the memory."""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "it can't be opened") from error
    except ValueError as error:  # a path with a NUL byte
        raise Unreadable("its path is no path") from error
    if len(content) > largest:
        raise Unreadable(f"it is larger than {largest // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8 text") from error
