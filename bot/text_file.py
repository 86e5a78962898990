"""Reads small text files that people write, such as `.env`.

The size of a file is limited. Errors name the reason in words that people understand.
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
"""The maximum size of a file in bytes. Policy files, `.env` files and tokens are far smaller."""


class Unreadable(Exception):
    """The file can't be read. The error's text is the reason, such as `Is a directory`."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Return the text of a file.

    At most `largest` bytes are read, because `/dev/zero` or a disk image would otherwise fill the memory. Raises
    Unreadable if the file can't be opened, is larger than that, or isn't UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "it can't be opened") from error
    except ValueError as error:  # the path contains a NUL byte
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
    """The values, by name in upper case. Empty values are left out."""
    wrong: str | None = None
    """A message if the file, or one of its lines, can't be read."""
    readable: bool = True
    """False if the file exists but couldn't be read, so a setting that seems to be missing may be in it."""


def read_env_file(path: Path = ENV_FILE) -> EnvFile:
    """Return the content of the file, which is empty if there is no file."""
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
        # A statement that dotenv returns includes the blank lines before it. Count these lines, too, to get the
        # number of the line with the mistake.
        line = bad.line + bad.string[: len(bad.string) - len(bad.string.lstrip())].count("\n")
        wrong = f"{path}: line {line} can't be read: write NAME=value, and close each quote."
    # Remove the invalid statements before dotenv reads the file. The first of them is reported above, and dotenv
    # would log a warning about each.
    good = "".join(each.original.string for each in statements if not each.error)
    values = dotenv_values(stream=io.StringIO(good))
    return EnvFile(values={name.upper(): value for name, value in values.items() if value}, wrong=wrong)


def open_to_others(path: Path = ENV_FILE) -> bool:
    """Return whether people other than the file's owner can read or write it. False if there is no file."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
