"""A program that fails in every possible way, with secrets in its variables and in the messages of its exceptions.

`python -m tests.broken_program console|json|quiet|none` selects how the program logs. `quiet` is the mode of
commands that log nothing, and `none` doesn't set up logging at all.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from typing import NoReturn

import structlog

from bot import __main__ as command_line
from bot.config.settings import LogFormat
from bot.ops.logs import keep_quiet, set_up_logs

TOKEN = "xoxb-" + "7" * 12 + "-hidden"
NOTE = "the merger with Initech"
KEY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
SECRETS = (TOKEN, NOTE, KEY)


class NotWritten(Exception):
    """An error whose message quotes content."""


def breaks() -> NoReturn:
    """Raise a group of two errors: one with a cause, and one that was raised while another was being handled."""
    token, note, key = SECRETS
    raise ExceptionGroup(f"{token} {note} {key}", [_caused(note, key), _while_handling(token, note)])


def _caused(note: str, key: str) -> Exception:
    try:
        try:
            raise KeyError(f"{key} {note}")
        except KeyError as error:
            raise NotWritten(f"could not write {note} {key}") from error
    except NotWritten as error:
        return error


def _while_handling(token: str, note: str) -> Exception:
    try:
        try:
            raise OSError(28, f"{token} {note}")
        except OSError:
            raise RuntimeError(f"{token}: {note}")  # noqa: B904 - raised while another one is handled
    except RuntimeError as error:
        error.add_note(f"with {token} and {note}")
        return error


class BreaksWhenCollected:
    """Raises an exception that nothing can catch, when it is garbage-collected."""

    def __del__(self) -> None:
        breaks()


def in_our_log() -> None:
    try:
        breaks()
    except ExceptionGroup as error:
        structlog.get_logger("gpubot").exception("step.failed", error=error)


def in_a_librarys_log() -> None:
    try:
        breaks()
    except ExceptionGroup:
        logging.getLogger("aiohttp.server").exception("request %s with %s", TOKEN, NOTE)


async def in_a_task_that_nobody_awaits() -> None:
    async def task() -> None:
        breaks()

    running = asyncio.create_task(task())
    await asyncio.wait({running})
    del running
    gc.collect()


def in_a_thread() -> None:
    thread = threading.Thread(target=breaks)
    thread.start()
    thread.join()


def main() -> None:
    """Fail in every way, and finally with an exception in a command."""
    how = sys.argv[1]
    if how == "quiet":
        keep_quiet()
    elif how != "none":
        set_up_logs(LogFormat(how))
    if how != "none":
        in_our_log()
        in_a_librarys_log()
        asyncio.run(in_a_task_that_nobody_awaits())
        in_a_thread()
        warnings.warn(f"{TOKEN} {NOTE} {KEY}", RuntimeWarning, stacklevel=1)
        BreaksWhenCollected()
        gc.collect()
    command_line.cli.command("break")(breaks)
    sys.argv[1:] = ["break"]
    command_line.main()


if __name__ == "__main__":
    main()
