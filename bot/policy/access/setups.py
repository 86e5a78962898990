"""Checks the team's set-up scripts, which the policy file names: `setup: {torch: setup/torch.sh}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bot.model.text import one_line
from bot.text_file import Unreadable

LARGEST_SETUP = 6_000
"""Bytes: half of a boot script, which has room for keys too."""
LONGEST_NAME = 32
NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
"""What people type after `setup`. It has only characters that the parser of requests leaves unchanged."""


ScriptReader = Callable[[str], str]
"""Returns the text of the script with a path, as the policy file has it. Raises Unreadable."""


def read_setups(paths: Any, read: ScriptReader) -> tuple[dict[str, str], dict[tuple[str, ...], str]]:
    """Return the text of each set-up script by its name, and what is wrong by the keys in the policy file.

    `paths` is the value of the key `setup`: a path for each name, relative to the folder of the policy file.
    """
    if paths is None:
        return {}, {}
    if not isinstance(paths, dict):
        return {}, {("setup",): "write a path for each name, such as {torch: setup/torch.sh}"}
    texts: dict[str, str] = {}
    wrong: dict[tuple[str, ...], str] = {}
    for name, path in paths.items():
        try:
            texts[name] = _read_setup(name, path, read)
        except ValueError as error:
            wrong["setup", name] = str(error)
    return texts, wrong


def _read_setup(name: str, path: Any, read: ScriptReader) -> str:
    """Return the text of a set-up script. Raise ValueError that says what is wrong."""
    if len(name) > LONGEST_NAME or not re.fullmatch(NAME, name):
        letters = f"up to {LONGEST_NAME} small letters and digits"
        raise ValueError(f"a name has {letters}, and single hyphens between them")
    if not isinstance(path, str):
        raise ValueError("write the path of a shell script, such as setup/torch.sh")
    shown = one_line(path, 100)
    try:
        text = read(path)
    except Unreadable as error:
        raise ValueError(f"I can't read {shown}: {error}") from error
    size = len(text.encode())
    if not text.strip():
        raise ValueError(f"{shown} is empty")
    if size > LARGEST_SETUP:
        raise ValueError(f"{shown} has {size:,} bytes; a set-up script has at most {LARGEST_SETUP:,}")
    if "\0" in text:
        raise ValueError(f"{shown} is no text: it has a NUL byte")
    if "\r" in text:
        # The kernel would look for a program named "/bin/sh\r".
        raise ValueError(f"{shown} has the line ends of Windows; write it with those of Unix")
    if not text.startswith("#!/"):
        raise ValueError(f"the first line of {shown} must name its shell: #!/bin/sh")
    return text
