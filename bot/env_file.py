"""Reads the `.env` file of the working directory, with its mistakes as lines for people."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bot.text_file import Unreadable, read_text

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
        wrong = f"{path}: line {line} is not as I expect: write NAME=value, and close each quote."
    # Leave out bad statements: dotenv would log a warning of its own about each.
    good = "".join(each.original.string for each in statements if not each.error)
    values = dotenv_values(stream=io.StringIO(good))
    return EnvFile(values={name.upper(): value for name, value in values.items() if value}, wrong=wrong)


def open_to_others(path: Path = ENV_FILE) -> bool:
    """Return whether people other than the file's owner can read or write it. Return False if there is no file."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
