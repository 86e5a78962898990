"""`gpubot sandbox`: the bot and the sandbox to play with, from a terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh

from bot.clock import SystemClock
from bot.demo.dialogs import Dialogs
from bot.demo.outside import Forbidden, Outside, Seen
from bot.demo.play import Play
from bot.demo.printing import Line, Printer, as_text, of_message
from bot.demo.processes import NotRunning, Ready, environment, free_port, sandbox, start_bot, stop, until_it_ends
from bot.demo.script import HOME, PEOPLE
from bot.errors import GpubotError, Mistake

LOOK_EVERY = 1.0
"""Real seconds between looks at what is new."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=60)
"""That may pass at once; while something is rented, the bot lives through every moment of it."""
HELP = """\
Ana and Cleo rent, Ben is the admin and approves. A line begins with who does it:
  ana get H100 EU         Ana types /gpu get H100 EU in #training
  cleo @gpus list all     Cleo types /gpu list all in #gpus (@dm: to the bot itself)
  ana 3                   Ana clicks button [3]
  ana 1=6h                Ana fills in field 1 of the dialog that she has open
  ana ok, ana close       Ana sends the dialog off, or closes it
  +2h                     two hours pass (s, m, h, d)
  help, quit"""


@dataclass
class Console:
    """Numbers the buttons that people see, and does what is typed."""

    play: Play
    printer: Printer
    dialogs: Dialogs
    _buttons: list[tuple[str, Seen, str]] = field(default_factory=list)
    _dialog: dict[str, str] = field(default_factory=dict)
    """By person, the dialog as it was shown last: while it stays the same, it isn't shown again."""

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
        who, _, rest = typed.partition(" ")
        name, rest = who.capitalize(), rest.strip()
        if typed in {"help", "?"}:
            self.printer.say(HELP)
        elif typed.startswith("+"):
            await self.play.passes(_span(typed))
        elif name in PEOPLE:
            try:
                await self._does(name, rest)
            except Forbidden as refused:
                raise Mistake(await self._why(name, rest, refused.error)) from None
        else:
            raise Mistake(f'I know Ana, Ben and Cleo, no "{who}". A line begins with who does it; help shows how.')

    async def _does(self, name: str, rest: str) -> None:
        filled = re.fullmatch(r"(\d+)\s*=\s*(.*)", rest)
        if rest.isdecimal():
            await self._click(name, int(rest))
        elif filled:
            await self.dialogs.fill(name, int(filled[1]), filled[2].strip())
            return
        elif rest == "ok":
            await self.dialogs.send(name)
            await self.play.settle()
        elif rest == "close":
            await self.dialogs.close(name)
        else:
            place, words = _place(rest)
            await self.play.types(name, place, words)
        dialog = await self.dialogs.shown(name)
        if dialog and dialog != self._dialog.get(name):
            self.printer.say(dialog)
        self._dialog[name] = dialog

    async def _click(self, name: str, number: int) -> None:
        if not 1 <= number <= len(self._buttons):
            raise Mistake(f"There is no button {number} yet.")
        reader, message, label = self._buttons[number - 1]
        if (message.only_you or message.is_dm) and reader != name:
            raise Mistake(f"Button {number} is for {reader} alone.")
        await self.play.clicks(name, message, label)

    async def _why(self, name: str, typed: str, error: str) -> str:
        place, _ = _place(typed)
        match error:
            case "no_such_channel":
                channels = (await self.play.outside.slack("GET", "workspace"))["channels"]
                names = ", ".join(f"@{each['name']}" for each in channels if each["name"])
                return f"There is no @{place}. There are: @dm, {names}"
            case "not_a_member":
                return f"{name} is not in #{place}."
            case "no_such_message" | "no_such_button":
                return "That button is no longer there, or not where they can click it."
            case _:
                return f"Slack lets {name} do no such thing: {error}."


def _place(typed: str) -> tuple[str, str]:
    """Where a command is typed, and its words."""
    place, _, words = typed.partition(" ") if typed.startswith("@") else ("training", "", typed)
    return place.lstrip("@#"), words.strip().removeprefix("/gpu").strip()


def _span(typed: str) -> timedelta:
    found = re.fullmatch(r"\+\s*(\d{1,7})\s*([smhd])", typed)
    if found is None:
        raise Mistake("Time passes as +30s, +10m, +2h or +1d.")
    span = timedelta(**{UNITS[found[2]]: int(found[1])})
    if span > LONGEST:
        raise Mistake(f"At most {LONGEST.days} days at once: +{LONGEST.days}d.")
    return span


async def play_along(say: Callable[[str], None]) -> None:
    """Runs until `quit`, Ctrl-C or SIGTERM. Raises NotRunning where the sandbox or the bot ends by itself."""
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
                outside = Outside(ready, session)
                play = Play(outside, bot, session, PEOPLE)
                console = Console(play, Printer(as_text), Dialogs(outside, PEOPLE))
                play.on_message = console.message
                if not os.isatty(0):
                    play.on_action = console.printer.action  # a terminal shows by itself what was typed
                say(_where(ready, http, folder))
                say(HELP)
                say(_key(folder))
                await _until_ended(ended, _look(play), _listen(console, ended), until_it_ends(bot))
            except aiohttp.ClientError as error:
                raise NotRunning(f"The sandbox or the bot has ended: {error}") from None
            finally:
                await stop(bot.process)


async def _until_ended(ended: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Does all of it until the end. Raises what one of them raises."""
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(lambda done: ended.set() if not done.cancelled() and done.exception() else None)
    await ended.wait()
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def _key(folder: Path) -> str:
    """Makes a key pair, for whoever has none at hand or doesn't want to use it here."""
    pair = asyncssh.generate_private_key("ssh-ed25519", comment="you@laptop")
    private = folder / "key"
    pair.write_private_key(private)
    private.chmod(0o600)
    public = pair.export_public_key().decode().strip()
    return f"A key to rent with:\n  ana key {public}\nIt opens what she rents: ssh -i {private} ..."


def _where(ready: Ready, http: str, folder: Path) -> str:
    return "\n".join(
        (
            "Times at the left are UTC. Ana reads hers in Berlin, Ben in London, Cleo in New York.",
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
    """Does what is typed until `quit` or Ctrl-D; the end of a pipe or a file leaves everything running."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    threading.Thread(target=_read_input, args=(loop, lines), daemon=True).start()
    while (line := await lines.get()) is not None:
        typed = line.strip()
        if typed in {"quit", "exit"}:
            ended.set()
            return
        try:
            if typed:
                await console.does(typed)
        except (GpubotError, LookupError) as error:
            console.printer.say(str(error))
    if os.isatty(0):
        ended.set()


def _read_input(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Hands on standard input line by line, then None. A thread with plain reads: asyncio would make a terminal
    non-blocking, for the output as well and for whatever runs there afterwards, and takes no files."""
    rest = b""
    with suppress(OSError, RuntimeError):  # there is no input, or the loop has ended meanwhile
        while chunk := os.read(0, 4096):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
    with suppress(RuntimeError):
        if rest:
            loop.call_soon_threadsafe(lines.put_nowait, rest.decode(errors="replace"))
        loop.call_soon_threadsafe(lines.put_nowait, None)
