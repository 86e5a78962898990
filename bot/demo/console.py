"""`gpubot sandbox`: the bot and the sandbox to play with, from a terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import SystemClock
from bot.demo.outside import Outside, Seen
from bot.demo.play import Play
from bot.demo.printing import INDENT, Line, Printer, as_text, of_message
from bot.demo.processes import NotRunning, Ready, environment, free_port, sandbox, start_bot, stop
from bot.demo.script import HOME, PEOPLE
from bot.errors import GpubotError

LOOK_EVERY = 1.0
"""Real seconds between looks at what is new."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HELP = """\
Ana and Cleo rent, Ben is the admin and approves. Type what someone does:
  ana get H100 EU         Ana types /gpu get H100 EU in #training
  cleo @gpus list all     Cleo types /gpu list all in #gpus (@dm: to the bot itself)
  ana 3                   Ana clicks button [3]
  ana ok                  Ana sends off the dialog that she has open
  +2h                     two hours pass
  help, quit"""


class Unclear(GpubotError):
    """A line that means nothing here."""


@dataclass
class Console:
    """Numbers the buttons that people see, and does what is typed."""

    play: Play
    printer: Printer
    _buttons: list[tuple[str, Seen, str]] = field(default_factory=list)

    def message(self, reader: str, message: Seen) -> None:
        """Prints a message with its buttons numbered."""
        if message.deleted:
            return
        line = of_message(reader, message)
        numbered = []
        for label in line.buttons:
            self._buttons.append((reader, message, label))
            numbered.append(f"{len(self._buttons)}: {label}")
        shown = Line(**{**line.__dict__, "buttons": tuple(numbered)})
        self.printer.say(as_text(shown))

    async def does(self, typed: str) -> None:
        """Does what one line says. Raises GpubotError with words for whoever typed it."""
        if typed in {"help", "?"}:
            self.printer.say(HELP)
            return
        passes = re.fullmatch(r"\+\s*(\d+)\s*([smhd])", typed)
        if passes:
            await self.play.passes(timedelta(**{UNITS[passes[2]]: int(passes[1])}))
            return
        who, _, rest = typed.partition(" ")
        name, rest = who.capitalize(), rest.strip()
        if name not in PEOPLE:
            raise Unclear(f"I know Ana, Ben and Cleo, no {who}. Type help to see what you can do.")
        if rest == "ok":
            await self.play.confirms(name)
        elif rest.isdigit():
            await self._click(name, int(rest))
        else:
            place, _, words = rest.partition(" ") if rest.startswith("@") else ("@#training", "", rest)
            await self.play.types(name, place.removeprefix("@"), words.removeprefix("/gpu").strip())

    async def _click(self, name: str, number: int) -> None:
        if not 1 <= number <= len(self._buttons):
            raise Unclear(f"There is no button {number} yet.")
        _, message, label = self._buttons[number - 1]
        await self.play.clicks(name, message, label)
        views = (await self.play.outside.slack("GET", "views", user=PEOPLE[name]))["views"]
        if views:
            view = views[-1]
            self.printer.say(f"{INDENT}dialog: {view['title']}: {view['reads']}")
            self.printer.say(f"{INDENT}send it off with: {name.lower()} ok")


async def play_along(say: Callable[[str], None]) -> None:
    """Runs until `quit`, the end of what is typed, Ctrl-C or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with tempfile.TemporaryDirectory(prefix="gpubot-sandbox-") as name:
        folder = Path(name)
        say("Starting the sandbox and gpubot run ...")
        async with sandbox(log=folder / "sandbox.log") as ready, aiohttp.ClientSession() as session:
            http = f"127.0.0.1:{free_port()}"
            settings = environment(ready, folder, admins=PEOPLE["Ben"], channel=HOME, http=http)
            bot = await start_bot(settings, folder / "bot.log")
            try:
                play = Play(Outside(ready, session), bot, session, PEOPLE)
                console = Console(play, Printer(as_text))
                play.on_message = console.message
                if not sys.stdin.isatty():
                    play.on_action = console.printer.action  # a terminal shows what was typed by itself
                say(_where(ready, http, folder))
                say(HELP)
                await _until(ended, _look(play), _listen(console, ended))
            finally:
                await stop(bot.process)


async def _until(ended: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Works until it is ended. Raises what breaks before that."""
    broken: list[Exception] = []

    async def kept(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            if not ended.is_set():  # what is told to end together goes away in any order
                broken.append(error)
            ended.set()

    tasks = [asyncio.create_task(kept(work)) for work in works]
    await ended.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for error in broken:
        if isinstance(error, GpubotError):
            raise error
        raise NotRunning(f"The sandbox can't go on ({type(error).__name__}). Start it again.") from error


def _where(ready: Ready, http: str, folder: Path) -> str:
    return "\n".join(
        (
            f"Slack's control API: {ready.slack}/_control/workspace   (docs/sandbox.md tells what it can)",
            f"Compute Clear's:     {ready.compute}/_control/account",
            f"The bot:             http://{http}/health   log: {folder / 'bot.log'}",
        )
    )


async def _look(play: Play) -> None:
    """Shows what comes by itself as time passes."""
    while True:
        await play.read()
        await SystemClock().pause(LOOK_EVERY)


async def _listen(console: Console, ended: asyncio.Event) -> None:
    """Does what is typed until `quit` or its end. Where nobody types, everything is left running."""
    if not (sys.stdin.isatty() or stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode)):
        return  # nobody types there
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        typed = line.decode(errors="replace").strip()
        if typed in {"quit", "exit"}:
            ended.set()
            return
        try:
            if typed:
                await console.does(typed)
        except (GpubotError, LookupError) as error:
            console.printer.say(str(error))
    ended.set()
