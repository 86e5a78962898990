"""Asks the running bot on this machine to carry out a command."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import ValidationError

from bot.config.settings import Settings, read_partly
from bot.errors import Mistake, Outage, Unusable
from bot.operator.protocol import LONGEST_ANSWER, LONGEST_WHY, Answer, Command, Request, own_version, short_path
from bot.text_file import ENV_FILE

LONGEST_WAIT = 60.0
"""Real seconds for an answer. The bot's database may take its time."""


def ask(command: Command) -> str:
    """Return the bot's answer to a command.

    Raise Mistake with the bot's words if it did nothing, and Unusable if no bot runs here. Raise Outage if it
    gives no answer: then it may have carried the command out.
    """
    path = _socket_path()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LONGEST_WAIT)
        try:
            with short_path(path) as short:
                connection.connect(short)
        except PermissionError:
            raise Unusable(f"Only root and the user who runs gpubot may use {path}.") from None
        except OSError:
            raise Unusable(
                f"gpubot isn't running here, or uses another folder: it doesn't answer on {path}. "
                "gpubot destroy --resource ID works without it."
            ) from None
        try:
            connection.sendall(Request(version=own_version(), command=command).model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = Answer.model_validate_json(lines.readline(LONGEST_ANSWER))
        except (OSError, ValidationError):
            raise Outage(
                "gpubot gave no answer. Perhaps it did it, perhaps not: gpubot list and gpubot show ID say so."
            ) from None
    if not answer.done:
        raise Mistake(answer.text)
    return answer.text


def reason(why: str) -> str:
    """Return the reason that was typed. Raise Mistake if it is empty or too long."""
    if not why.strip():
        raise Mistake('--why: say why, for the people who read it in Slack: --why "the disk is full"')
    if len(why) > LONGEST_WHY:
        raise Mistake(f"--why: write at most {LONGEST_WHY} characters.")
    return why


def _socket_path() -> Path:
    """Return the socket of the bot with these settings. Raise Mistake if a setting that says where it is can't be
    read. No other setting is needed."""
    settings, wrong = read_partly(Settings)
    for name in (str(ENV_FILE), "GPUBOT_SOCKET", "GPUBOT_DATABASE_URL"):
        if name in wrong:
            raise Mistake(wrong[name])
    return settings.socket_path
