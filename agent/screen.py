"""The output of `gpubot agent`: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any

from bot.model.text import for_terminal, one_line

_ERASE = "\r\x1b[K"
"""Moves the cursor of a terminal to the beginning of the line, and deletes the line."""


def _clean(line: str) -> str:
    """Return a line without control characters and line breaks, which a note could contain."""
    return for_terminal(line.replace("\n", " "))


def _columns() -> int:
    """Return the width of the terminal to which stderr is connected."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


class Screen:
    """Prints the results and the progress of a command.

    Results go to stdout. Progress goes to stderr, and only if that is a terminal, so that a log has only the
    results and the errors.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._unfinished = False
        """True if the last line of the terminal is to be replaced by the next one."""

    @property
    def terminal(self) -> bool:
        """True if progress is shown."""
        return self._terminal

    def result(self, *lines: str) -> None:
        """Print the result of the command."""
        self._write_error("")
        for line in lines:
            sys.stdout.write(_clean(line) + "\n")
        sys.stdout.flush()

    def json(self, body: Any) -> None:
        """Print an answer of the API on one line, with escapes for all characters beyond ASCII."""
        self.result(json.dumps(body))

    def note(self, line: str) -> None:
        """Print a line for people, also if nobody is at a terminal."""
        self._write_error(_clean(line) + "\n")

    def progress(self, line: str) -> None:
        """Print a line that stays on the terminal."""
        if self._terminal:
            self.note(line)

    def status(self, line: str) -> None:
        """Print a line that the next line replaces on the terminal."""
        if self._terminal:
            # The terminal would wrap a longer line, and only its last part could be replaced.
            self._write_error(one_line(line, max(_columns() - 1, 20)))
            self._unfinished = True

    def _write_error(self, text: str) -> None:
        # If the terminal was closed, a command with heartbeats keeps running without messages.
        with suppress(OSError):
            sys.stderr.write((_ERASE if self._unfinished else "") + text)
            sys.stderr.flush()
        self._unfinished = False
