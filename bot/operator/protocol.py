"""What `gpubot list` and the other commands by hand send to the running bot, and what it answers: one line of JSON
each way, then the connection is closed.
"""

from __future__ import annotations

import socket
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bot.config.settings import read_needed
from bot.errors import Mistake, Outage, Unusable
from bot.model.base import Frozen
from bot.model.text import for_terminal
from bot.operator.socket_file import listening_elsewhere, peer_problem, short_path, socket_problem
from bot.text_file import ENV_FILE

LONGEST_WAIT = 60.0
"""Real seconds for an answer. The bot's database may take its time."""
LONGEST_REQUEST = 16 * 1024
"""Bytes of a request's line."""
LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer's line. A list of 500 rentals has about 100 kB."""

Words = Annotated[str, Field(max_length=200)]
"""An id, a length or an end, as it was typed."""


class Kind(StrEnum):
    """What a command does."""

    LIST = "list"
    SHOW = "show"
    SPEND = "spend"
    EXTEND = "extend"
    DESTROY = "destroy"
    APPROVE = "approve"
    DENY = "deny"
    PAUSE = "pause"
    RESUME = "resume"


class Command(Frozen):
    """A command, with what was typed for it: each kind uses some of the texts."""

    kind: Kind
    id: Words = ""
    """The rental."""
    by: Words = ""
    """How much longer a lease becomes: a length such as `2h`, or an end such as `until 18:00`."""
    up_to: Words = ""
    """The total in dollars that the operator read and approves, such as `137.54`. Another total is refused."""
    words: Words = ""
    """As after `/gpu spend`, such as `project vision 2026-10`. Empty: the team, this month."""
    why: str = ""
    """The reason of a command that changes something."""


class Request(Frozen):
    """A command, and which gpubot sends it."""

    version: str
    command: Command


class Answer(Frozen):
    """What the running bot did, or why it did nothing."""

    done: bool
    text: str
    """Lines for a terminal."""


def own_version() -> str:
    """Return the version of this gpubot. Both sides must have the same one."""
    return version("gpubot")


def ask(command: Command) -> str:
    """Return the bot's answer to a command.

    Raise Mistake with the bot's words if it did nothing, or if a setting that says where its socket is can't be
    read. Raise Unusable if no bot runs here, or if another user could be in its place. Raise Outage if it
    gives no answer: then it may have carried the command out.
    """
    path = read_needed(str(ENV_FILE), "GPUBOT_SOCKET", "GPUBOT_DATABASE_URL").socket_path
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LONGEST_WAIT)
        try:
            with short_path(path) as short:
                problem = socket_problem(path, at=short)
                if problem is None:
                    connection.connect(short)
                    problem = peer_problem(connection, path, short)
        except PermissionError:
            raise Unusable(f"Only root and the user who runs gpubot may use {path}.") from None
        except OSError:
            raise Unusable(f"{_nobody_on(path)} gpubot destroy --resource ID works without gpubot.") from None
        if problem is not None:
            raise Unusable(f"GPUBOT_SOCKET: nothing was sent, because {problem}")
        try:
            connection.sendall(Request(version=own_version(), command=command).model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = Answer.model_validate_json(lines.readline(LONGEST_ANSWER))
        except (OSError, ValidationError):
            raise Outage(
                "gpubot didn't answer, so this may or may not have been done. "
                "Check with gpubot list or gpubot show ID."
            ) from None
    text = for_terminal(answer.text)
    if not answer.done:
        raise Mistake(text)
    return text


def _nobody_on(path: Path) -> str:
    """Return a sentence saying that no bot listens on this path, and where one does."""
    others = [for_terminal(str(other)) for other in listening_elsewhere(path)]
    if not others:
        return f"gpubot isn't running here, or it uses another folder. It doesn't answer on {path}."
    return (
        f"gpubot doesn't answer on {path}, but a program listens on {', '.join(others)}. "
        f"If that is gpubot, set GPUBOT_SOCKET={others[0]} for it and for your commands."
    )
