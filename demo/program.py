"""An act of the demo: a script gets a token, rents a machine, and dies. Its machine ends soon afterwards."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from demo.play import Missed, Play

SOON = timedelta(hours=1)
LATER = timedelta(hours=3)
CODE = re.compile(r"/gpu token ([A-Z0-9]+)")
KEY = "run-812"


async def let_a_program_rent(
    play: Play, narrate: Callable[[str], None], settings: Mapping[str, str], api: str, folder: Path
) -> None:
    """Let a script log in with Ana's help, rent a machine, send one heartbeat, and die.

    No further heartbeat arrives, so Ana gets a message, and the machine ends before the end of its lease.

    Args:
        play: The sandbox and the bot.
        narrate: Explains to the reader what happens next.
        settings: The environment of the bot, from which the script gets its `PATH`.
        api: The URL of the bot's REST API.
        folder: The script's home directory, in which it stores its token.

    Raises Missed if something that should have happened didn't happen.
    """
    narrate(
        "A nightly script needs a GPU, and nobody is there to click. So Ana gives it a token. The script shows a\n"
        "code, which Ana types in Slack. In the form, she sets how much the script may spend, and what happens\n"
        "if its heartbeat stops. These terms are within what Ana may rent without asking, so nobody has to\n"
        "approve them. The script gets the token over the API, encrypted. The token is never in Slack."
    )
    script = _Script(play, {"PATH": settings["PATH"], "HOME": str(folder)})

    async def make_token(code: str) -> None:
        await play.types("Ana", "#training", f"token {code}")
        lost = "End the machine, unless its GPUs are working"
        await play.confirms(
            "Ana", filled={"Name": "nightly eval", "GPUs": "H100", "If its heartbeat is lost": lost}
        )
        modal = await play.sandbox.open_modal(play.people["Ana"])
        play.on_action("Ana", "dialog", f"{modal.title}: {modal.reads}", await play.sandbox.now())
        await play.sandbox.close(play.people["Ana"], modal)

    await script.logs_in(api, make_token)
    narrate(
        "The script rents with the token. All rules for Ana apply to the script as well. In Slack, the rental is\n"
        "a single line, with a button that stops the token and ends all machines that were rented with it."
    )
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


class _Script:
    """The script, which runs `gpubot` on some machine with nothing but its token."""

    def __init__(self, play: Play, environment: Mapping[str, str]) -> None:
        self._play = play
        self._environment = dict(environment)

    async def logs_in(self, api: str, make_token: Callable[[str], Awaitable[None]]) -> None:
        """Log in to the API. `make_token` is called with the code, while the command waits for the token."""
        process = await self._start("agent", "login", "--url", api)
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        shown, code = "", None
        while code is None:
            line = (await process.stderr.readline()).decode()
            if not line:
                raise Missed(f"gpubot agent login shows no code: {shown}")
            shown += line
            code = CODE.search(line)
        shown += (await process.stderr.readline()).decode()
        self._play.on_action("script", "terminal", shown.strip(), await self._play.sandbox.now())
        await make_token(code[1])
        await self._print_outcome(process, "login")

    async def runs(self, *words: str) -> None:
        """Run a command and print its output. Raise Missed if the command fails."""
        await self._print_outcome(await self._start(*words), words[1])

    async def _start(self, *words: str) -> Process:
        now = await self._play.sandbox.now()
        self._play.on_action("script", "terminal", f"$ gpubot {' '.join(words)}", now)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *words),
            env=self._environment,
            cwd=Path(__file__).parents[1],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def _print_outcome(self, process: Process, command: str) -> None:
        out, err = await process.communicate()
        if process.returncode != 0:
            raise Missed(f"gpubot agent {command} failed: {err.decode()}{out.decode()}")
        await self._play.settle()
        self._play.on_action("script", "terminal", out.decode().strip(), await self._play.sandbox.now())
