"""The protocol between operator commands, such as `gpubot list`, and the running bot.

Each side sends one line of JSON, and then the connection is closed.
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
from bot.net.socket_file import listening_elsewhere, peer_problem, short_path, socket_problem
from bot.text_file import ENV_FILE

LONGEST_WAIT = 60.0
"""The time in seconds (wall clock) to wait for an answer. It is long because the bot's database may be slow."""
LONGEST_REQUEST = 16 * 1024
"""The maximum size of a request in bytes."""
LONGEST_ANSWER = 4 * 1024 * 1024
"""The maximum size of an answer in bytes. A list of 500 rentals has about 100 kB."""

Words = Annotated[str, Field(max_length=200)]
"""An ID, a duration or a time at which a lease ends, as it was typed."""


class Kind(StrEnum):
    """The kind of a command."""

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
    """A command with the arguments that were typed. Each kind uses some of them."""

    kind: Kind
    id: Words = ""
    """The ID of the rental."""
    by: Words = ""
    """The extension of a lease: a duration such as `2h`, or a new end such as `until 18:00`."""
    up_to: Words = ""
    """The total in dollars that the operator approves, such as `137.54`.

    If the request has a different total, the approval is refused.
    """
    words: Words = ""
    """The arguments of `/gpu spend`, such as `project vision 2026-10`.

    If empty, the team's spend this month is shown.
    """
    why: str = ""
    """The operator's reason. Every command that changes something needs one."""


class Request(Frozen):
    """A command, and the version of the gpubot that sends it."""

    version: str
    command: Command


class Answer(Frozen):
    """The outcome of a command, or the reason why nothing was done."""

    done: bool
    text: str
    """Lines of text for a terminal."""


def own_version() -> str:
    """Return the version of this gpubot. The bot and the operator command must have the same version."""
    return version("gpubot")


def ask(command: Command) -> str:
    """Send a command to the running bot, and return its answer.

    Raises:
        Mistake: The bot did nothing, for the reason in the message. Also raised if a setting that determines the
            path of the socket can't be read.
        Unusable: No bot is running on this machine, or another user could be impersonating the bot.
        Outage: The bot didn't answer. Nobody knows whether it carried out the command.
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
    """Return a message saying that no bot listens on this path.

    If programs listen on sockets of the same name in other folders, the message lists their paths.
    """
    others = [for_terminal(str(other)) for other in listening_elsewhere(path)]
    if not others:
        return f"gpubot isn't running here, or it uses another folder. It doesn't answer on {path}."
    return (
        f"gpubot doesn't answer on {path}, but a program listens on {', '.join(others)}. "
        f"If that is gpubot, set GPUBOT_SOCKET={others[0]} for it and for your commands."
    )
