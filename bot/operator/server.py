"""The socket on which the running bot accepts operator commands. Only the bot's user and root can use it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from pydantic import ValidationError

from bot.errors import GpubotError, Mistake, Unusable, WrongClock, bug_number
from bot.lifecycle.deps import Deps
from bot.net.socket_file import ROOT, listen, user_of
from bot.operator.commands import carry_out, error_on_terminal
from bot.operator.protocol import LONGEST_REQUEST, Answer, Request, own_version
from bot.tracebacks import parts_of

SLOWEST_REQUEST = 10.0
"""The maximum time in seconds (wall clock) for receiving a request, and for sending its answer."""
DRAIN = 3.0
"""The time in seconds (wall clock) to wait for running commands when the bot stops."""

_log = structlog.get_logger("gpubot.operator")


@asynccontextmanager
async def serve(path: Path, deps: Deps) -> AsyncIterator[None]:
    """Accept commands on the socket `path` until the end of the block.

    If the path can't be used, the reason is logged and no commands are accepted. This is deliberate: the bot must
    start in any case, because it has to delete machines whose lease is over.
    """
    try:
        listening = listen(path, "GPUBOT_SOCKET")
    except Unusable as problem:
        _log.error("operator.no_socket", words=problem.words)
        yield
        return
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs each connection in a task
        running.add(task)
        try:
            await _serve_one(deps, reader, writer)
        finally:
            running.discard(task)

    # Don't use asyncio's start_unix_server. Since Python 3.13, it looks up the path to which the socket was bound.
    # The path returned by `short_path` is temporary and may no longer exist by then.
    server = await asyncio.start_server(connected, sock=listening, limit=LONGEST_REQUEST)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - takes no time
        if running:
            _, late = await asyncio.wait(running, timeout=DRAIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


# --- one connection


async def _serve_one(deps: Deps, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and close the connection.

    If no complete line arrives in time, the connection is closed without an answer.
    """
    try:
        user = user_of(writer.get_extra_info("socket"))
        if user not in {None, ROOT, os.geteuid()}:
            _log.warning("operator.refused", user=user)
            return
        async with asyncio.timeout(SLOWEST_REQUEST):
            line = await reader.readline()
        if not line.endswith(b"\n"):
            return
        answer = await _answer(deps, line, user)
        async with asyncio.timeout(SLOWEST_REQUEST):
            writer.write(answer.model_dump_json().encode() + b"\n")
            await writer.drain()
    except (TimeoutError, ValueError, OSError) as error:  # ValueError: the line is too long
        _log.info("operator.no_request", error=type(error).__name__)
    finally:
        writer.close()


async def _answer(deps: Deps, line: bytes, user: int | None) -> Answer:
    """Return the outcome of a command, or the reason why nothing was done.

    The command's arguments are never logged, because people can type confidential text there.
    """
    kind = "unreadable"
    try:
        request = _read(line)
        kind = request.command.kind
        if not deps.may_claim():
            raise WrongClock
        text = await carry_out(deps, request.command)
    except GpubotError as error:
        _log.info("operator", command=kind, user=user, result=type(error).__name__)
        return Answer(done=False, text=error_on_terminal(error))
    except Exception as error:
        number = bug_number()
        _log.error("bug", number=number, command=kind, error=type(error).__name__, raised=parts_of(error))
        return Answer(
            done=False,
            text=f"Something went wrong on my side. Look for {number} in the log. gpubot list shows the rentals.",
        )
    _log.info("operator", command=kind, user=user, result="done")
    return Answer(done=True, text=text)


def _read(line: bytes) -> Request:
    """Parse a request. Raises Mistake if it can't be parsed, or if it comes from another version of gpubot."""
    try:
        request = Request.model_validate_json(line)
    except ValidationError:
        raise Mistake(
            "I can't read this command. Does it have the version of the running gpubot? Check with gpubot doctor."
        ) from None
    if request.version != own_version():
        raise Mistake(
            f"This command is of gpubot {request.version}, and gpubot {own_version()} runs. "
            "Use the command of the running version, or restart gpubot."
        )
    return request
