"""An act of the demo: a script rents a machine with a token, and dies. Its machine ends soon afterwards."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from demo.play import Missed, Play

SOON = timedelta(hours=1)
LATER = timedelta(hours=3)
SECRET = re.compile(r"gpb_[0-9A-Za-z]+")
KEY = "run-812"


async def let_a_program_rent(
    play: Play, narrate: Callable[[str], None], settings: Mapping[str, str], api: str
) -> None:
    """Let a script rent a machine with one of Ana's tokens, send one heartbeat, and die.

    No further heartbeat arrives, so Ana gets a message, and the machine ends before the end of its lease.

    Args:
        play: The sandbox and the bot.
        narrate: Explains to the reader what happens next.
        settings: The environment of the bot, from which the script gets its `PATH`.
        api: The URL of the bot's REST API.

    Raises Missed if something that should have happened didn't happen.
    """
    narrate(
        "A nightly script needs a GPU, and nobody is there to click. Ana makes a token for it. Its terms say\n"
        "how much the script may spend, and what happens if its heartbeat stops. They are within what Ana may\n"
        "rent without asking, so nobody has to approve them. The secret is shown only once."
    )
    await play.types("Ana", "#training", "token")
    lost = "End the machine, unless its GPUs are working"
    await play.confirms("Ana", filled={"Name": "nightly eval", "GPUs": "H100", "If its heartbeat is lost": lost})
    secret = await _secret(play)
    narrate(
        "The script rents with the token. All rules for Ana apply to the script as well. In Slack, the rental is\n"
        "a single line, with a button that stops the token and ends all machines that were rented with it."
    )
    script = _Script(play, {"PATH": settings["PATH"], "GPUBOT_API_URL": api, "GPUBOT_TOKEN": secret})
    await script.runs("agent", "rent", "H100", "EU", "--for", "2h", "--max", "8", "--key", KEY)
    await play.until_sees("Cleo", "nightly eval (Ana) rents 1x H100 SXM 80 GB", SOON)
    await play.until_sees("Cleo", ") until ", SOON)
    await script.runs("agent", "heartbeat", "--key", KEY)
    narrate(
        "Then the script dies, and its machine would cost money until the lease ends. After 20 min without a\n"
        "heartbeat, gpubot asks Ana. Nobody answers, and the GPU is idle, so the machine ends, as the terms of\n"
        "the token say."
    )
    await play.until_sees("Ana", "The heartbeat for 1x H100 SXM 80 GB", SOON, dm=True)
    await play.until_sees("Cleo", "for nightly eval (Ana). It cost $", LATER)
    await script.runs("agent", "show", "--key", KEY)


async def _secret(play: Play) -> str:
    """Read the secret in the last step of the form, and close the dialog."""
    modal = await play.sandbox.open_modal(play.people["Ana"])
    found = SECRET.search(modal.reads)
    if found is None:
        raise Missed(f"The form shows no secret: {modal.reads}")
    shown = SECRET.sub("gpb_...", modal.reads)
    play.on_action("Ana", "dialog", f"{modal.title}: {shown}", await play.sandbox.now())
    await play.sandbox.close(play.people["Ana"], modal)
    return found[0]


class _Script:
    """The script, which runs `gpubot` on some machine with nothing but the token."""

    def __init__(self, play: Play, environment: Mapping[str, str]) -> None:
        self._play = play
        self._environment = dict(environment)

    async def runs(self, *words: str) -> None:
        """Run a command and print its output. Raise Missed if the command fails."""
        now = await self._play.sandbox.now()
        self._play.on_action("script", "terminal", f"$ gpubot {' '.join(words)}", now)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *words),
            env=self._environment,
            cwd=Path(__file__).parents[1],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode != 0:
            raise Missed(f"gpubot {' '.join(words)} failed: {err.decode()}{out.decode()}")
        await self._play.settle()
        self._play.on_action("script", "terminal", out.decode().strip(), now)
