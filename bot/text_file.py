"""Reads small text files that people write, `.env` among them, up to a maximum size and with one clear reason for
each failure.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

LARGEST = 256 * 1024
"""The most bytes of a file. Policy files, `.env` files and tokens are far smaller."""


class Unreadable(Exception):
    """The file can't be read. Its text is the reason, such as `Is a directory`."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Return the file's text. Raise Unreadable if it can't be opened, is larger than `largest` bytes, or is not
    UTF-8. Never read more than `largest` bytes: `/dev/zero` or a disk image would fill the memory.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "it can't be opened") from error
    except ValueError as error:  # a path with a NUL byte
        raise Unreadable("its path isn't valid") from error
    if len(content) > largest:
        raise Unreadable(f"it is larger than {largest // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("it isn't UTF-8 text") from error


ENV_FILE = Path(".env")


@dataclass(frozen=True)
class EnvFile:
    """The content of a `.env` file."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Values by name in capitals, without the empty ones."""
    wrong: str | None = None
    """One line for a person if the file, or a line of it, can't be read."""
    readable: bool = True
    """False if the file could not be read. A missing setting may then be in it."""


def read_env_file(path: Path = ENV_FILE) -> EnvFile:
    """Return the content of the file. Return an empty EnvFile if there is no file."""
    if not os.path.lexists(path):
        return EnvFile()
    try:
        text = read_text(path)
    except Unreadable as error:
        return EnvFile(wrong=f"{path}: I can't read it: {error}.", readable=False)
    statements = list(parse_stream(io.StringIO(text)))
    bad = next((each.original for each in statements if each.error), None)
    wrong = None
    if bad:
        # A statement starts at the blank lines before it.
        line = bad.line + bad.string[: len(bad.string) - len(bad.string.lstrip())].count("\n")
        wrong = f"{path}: line {line} can't be read: write NAME=value, and close each quote."
    # Leave out bad statements: dotenv would log a warning about each.
    good = "".join(each.original.string for each in statements if not each.error)
    values = dotenv_values(stream=io.StringIO(good))
    return EnvFile(values={name.upper(): value for name, value in values.items() if value}, wrong=wrong)


def open_to_others(path: Path = ENV_FILE) -> bool:
    """Return whether people other than the file's owner can read or write it. Return False if there is no file."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
