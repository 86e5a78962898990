"""The console of `gpubot sandbox`, with which people try out the bot in a browser or from a terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import SystemClock
from bot.errors import GpubotError, Mistake
from bot.policy.team.policy_file import PolicySource
from demo.dialogs import Dialogs
from demo.laptop import Laptop
from demo.machines import LINES
from demo.own_policy import add_cast
from demo.play import GITHUB_NAME, HOME, PEOPLE, Play
from demo.printing import Printer, as_text, of_message
from demo.processes import (
    DATABASE,
    NotRunning,
    environment,
    free_port,
    run_sandbox,
    start_bot,
    stop,
    until_it_ends,
    write_policy,
)
from handlers.typed.commands import ADMIN_HELP, APPROVER_HELP
from handlers.typed.commands import HELP as MEMBER_HELP
from sandbox.client import ControlError, SandboxClient, SeenMessage

READ_EVERY = 1.0
"""Wall-clock seconds between two reads of new messages, or of the ledger."""
SPAN = re.compile(
    r"\+(?:\s*(?P<days>\d{1,7})\s*d)?(?:\s*(?P<hours>\d{1,7})\s*h)?"
    r"(?:\s*(?P<minutes>\d{1,7})\s*m)?(?:\s*(?P<seconds>\d{1,7})\s*s)?"
)
LONGEST = timedelta(days=60)
"""The longest jump that one line can make.

While something is rented, time passes from one due time of the bot to the next, so a long jump takes long.
"""
HELP_OF_BOT = (*MEMBER_HELP, *APPROVER_HELP, *ADMIN_HELP)
"""Each command with its description, for the page on which people type commands."""
WHO = "Ana and Cleo rent, Ben is the admin and approves."
WHO_OF_POLICY = "Ana and Cleo rent, Ben is the admin of GPUBOT_ADMINS. Your policy names:"
HELP = """\
A line begins with who does it:
  ana get H100 EU         Ana types /gpu get H100 EU in #training; also: with @cleo, setup torch
  cleo @gpus list all     Cleo types /gpu list all in #gpus (@dm: to the bot itself)
  ana 3                   Ana clicks button [3]
  ana 1=6h                Ana fills in field 1 of the dialog that she has open
  ana ok, ana close       Ana sends the dialog off, or closes it
  use k7mq2 98            the GPUs of k7mq2 compute at 98 %; also: use k7mq2 0 connected, use k7mq2 hang
  job k7mq2 train.py      a job starts, and keeps the GPUs at 98 %; then: job k7mq2 say step 5 of 9,
                          and at its end job k7mq2 exit 0, or exit 137
  break k7mq2 3 xid 79    GPU 3 falls off the bus; also: break k7mq2 3 lost, break k7mq2 3 hot
  reboot k7mq2            k7mq2 restarts: its jobs are gone, and its GPUs work
  vanish k7mq2            the vendor takes k7mq2 back
  +2h, +1h30m             two hours pass, or one and a half (d, h, m, s)
  help, quit"""


@dataclass
class Console:
    """Numbers the buttons that people see, and carries out typed lines."""

    play: Play
    printer: Printer
    dialogs: Dialogs
    who: str = WHO
    """The people who can act, in a sentence."""
    _buttons: list[tuple[str, SeenMessage, str]] = field(default_factory=list)
    _dialog: dict[str, str] = field(default_factory=dict)
    """The text of each person's modal when it was last printed, by the person's name.

    The modal is printed again only if its text has changed.
    """

    def message(self, reader: str, message: SeenMessage) -> None:
        """Print a message with its buttons numbered."""
        if message.deleted:
            return
        line = of_message(reader, message)
        numbered = []
        for label in line.buttons:
            self._buttons.append((reader, message, label))
            numbered.append(f"{len(self._buttons)}: {label}")
        self.printer.say(as_text(replace(line, buttons=tuple(numbered))))

    def say_help(self) -> None:
        """Print the people who can act, and the lines that can be typed."""
        self.printer.say(f"{self.who}\n{HELP}")

    async def run(self, typed: str) -> None:
        """Carry out a typed line.

        Raises GpubotError with a message for the person who typed the line.
        """
        who, _, rest = typed.partition(" ")
        name, rest = who.capitalize(), rest.strip()
        if typed in {"help", "?"}:
            self.say_help()
        elif typed.startswith("+"):
            await self.play.passes(read_span(typed))
        elif who in LINES:
            self.printer.say(await LINES[who](self.play.sandbox, rest))
        elif name in self.play.people:
            try:
                await self._run_for(name, rest)
            except ControlError as refused:
                raise Mistake(await self._reason(name, rest, refused.error)) from None
        else:
            *names, last = self.play.people
            known = f"{', '.join(names)} and {last}"
            raise Mistake(f'I know {known}, no "{who}". A line begins with who does it; help shows how.')

    async def _run_for(self, name: str, rest: str) -> None:
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
            place, text = read_place(rest)
            await self.play.types(name, place, text)
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

    async def _reason(self, name: str, typed: str, error: str) -> str:
        place, _ = read_place(typed)
        match error:
            case "no_such_channel":
                channels = (await self.play.sandbox.slack.get("workspace"))["channels"]
                names = ", ".join(f"@{each['name']}" for each in channels if each["name"])
                return f"There is no @{place}. There are: @dm, {names}"
            case "not_a_member":
                return f"{name} is not in #{place}."
            case "no_such_message" | "no_such_button":
                return "That button is no longer there, or not where they can click it."
            case _:
                return f"Slack lets {name} do no such thing: {error}."


def read_place(typed: str) -> tuple[str, str]:
    """Return the channel in which a command is typed, and the text of the command."""
    place, _, text = typed.partition(" ") if typed.startswith("@") else ("training", "", typed)
    return place.lstrip("@#"), text.strip().removeprefix("/gpu").strip()


def read_span(typed: str) -> timedelta:
    """Return the time span that a line like `+2h` or `+1h30m` means.

    Raises Mistake if the line isn't a time span, or if the span is too long.
    """
    found = SPAN.fullmatch(typed)
    given = {unit: int(number) for unit, number in found.groupdict().items() if number} if found else {}
    if not given:
        raise Mistake("Time passes as +30s, +10m, +1h30m or +2d.")
    span = timedelta(**given)
    if span > LONGEST:
        raise Mistake(f"At most {LONGEST.days} days at once: +{LONGEST.days}d.")
    return span


async def play_along(say: Callable[[str], None], policy: Path | None = None) -> None:
    """Run until `quit`, Ctrl-C or SIGTERM.

    Args:
        say: Prints a line.
        policy: The absolute path of a policy file whose rules apply, or None for the sandbox's own rules.

    Raises:
        WrongPolicy: The file contains mistakes.
        NotRunning: The sandbox or the bot ended on its own.
    """
    rules = None if policy is None else PolicySource(policy, home_channel=HOME, admins=()).read().rules
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with tempfile.TemporaryDirectory(prefix="gpubot-sandbox-") as name:
        folder = Path(name)
        say("Starting the sandbox and gpubot run ...")
        async with run_sandbox(log=folder / "sandbox.log") as addresses, aiohttp.ClientSession() as session:
            say(f"Open in a browser: {addresses.page}")
            http, api = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
            sandbox = SandboxClient(addresses, session)
            cast = None if rules is None else await add_cast(rules, sandbox)
            people = PEOPLE if cast is None else cast.people
            settings = environment(
                addresses,
                folder,
                admins=PEOPLE["Ben"],
                channel=HOME,
                http=http,
                api=api,
                policy=write_policy(folder) if policy is None else policy,
            )
            laptop = Laptop.new(folder / "laptop", "you@laptop")
            bot = await start_bot(settings, folder / "bot.log")
            try:
                await sandbox.github_keys(GITHUB_NAME, laptop.public_key)
                play = Play(sandbox, bot, session, people)
                who = WHO if cast is None else "\n".join([WHO_OF_POLICY, *cast.lines])
                console = Console(play, Printer(as_text), Dialogs(sandbox, people), who)
                play.on_message = console.message
                await _send_to_page(
                    addresses.page,
                    session,
                    health=bot.health,
                    api=f"http://{api}",
                    help=HELP_OF_BOT,
                    key=laptop.public_key,
                )
                if not os.isatty(0):
                    # Print the lines that people type, unless standard input is a terminal, which already shows
                    # them.
                    play.on_action = console.printer.action
                console.say_help()
                say(_key(laptop))
                say(f"For gpubot agent in another terminal: export GPUBOT_API_URL=http://{api}")
                say(
                    f"Times at the left are UTC. In messages each reader sees their own.\nThe bot's log: {bot.log}"
                )
                await _until_ended(
                    ended,
                    _keep_reading(play),
                    _keep_sending_ledger(addresses.page, session, folder / DATABASE),
                    _listen(console, ended),
                    until_it_ends(bot),
                )
            except aiohttp.ClientError as error:
                raise NotRunning(f"The sandbox or the bot has ended: {error}") from None
            finally:
                await stop(bot.process)


async def _until_ended(ended: asyncio.Event, *loops: Coroutine[Any, Any, None]) -> None:
    """Run all loops until `ended` is set. If a loop fails before that, raise its error.

    Ctrl-C in a terminal also stops the processes of the sandbox and the bot. The loops may then fail because
    these processes no longer respond, so errors after `ended` is set are ignored.
    """
    tasks = [asyncio.create_task(loop) for loop in loops]
    waiting = {asyncio.create_task(ended.wait()), *tasks}
    try:
        while not ended.is_set():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not ended.is_set():
                for task in done:
                    await task
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, *waiting, return_exceptions=True)


def _key(laptop: Laptop) -> str:
    return "\n".join(
        (
            "A key to rent with, typed or from GitHub:",
            f"  ana key {laptop.public_key}",
            f"  ana key github {GITHUB_NAME}",
            f"It opens what Ana rents: ssh -i {laptop.private_key} ...",
        )
    )


async def _send_to_page(url: str, session: aiohttp.ClientSession, **fields: Any) -> None:
    """Send facts about the bot to the sandbox's page, because the sandbox doesn't import the bot's code."""
    async with session.post(f"{url}/_control/bot", json=fields) as answer:
        answer.raise_for_status()


async def _keep_sending_ledger(url: str, session: aiohttp.ClientSession, database: Path) -> None:
    """Send the ledger's amounts to the page whenever they have changed."""
    sent: dict[str, int] | None = None
    while True:
        # Use a blocking connection in a thread. An asyncio connection isn't closed cleanly if Ctrl-C interrupts a
        # read.
        ledger = await asyncio.to_thread(_ledger_of, database)
        if ledger is not None and ledger != sent:
            await _send_to_page(url, session, ledger=ledger)
            sent = ledger
        await SystemClock().pause(READ_EVERY)


def _ledger_of(database: Path) -> dict[str, int] | None:
    """Return the amount of each resource in micro-dollars, or None if the database is busy."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return dict(connection.execute("SELECT resource_id, sum(amount) FROM ledger GROUP BY resource_id"))
        except sqlite3.OperationalError:
            return None


async def _keep_reading(play: Play) -> None:
    """Print the messages that arrive as time passes."""
    while True:
        await play.read()
        await SystemClock().pause(READ_EVERY)


async def _listen(console: Console, ended: asyncio.Event) -> None:
    """Carry out typed lines until `quit` or Ctrl-D.

    If the lines come from a pipe or a file, the sandbox and the bot keep running after the last line.
    """
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
                await console.run(typed)
        except (GpubotError, ControlError, LookupError) as error:
            console.printer.say(str(error))
    if os.isatty(0):
        ended.set()


def _read_input(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Put each line of standard input into `lines`, then None.

    This runs in a thread with blocking reads, because asyncio can't read files. In addition, asyncio would make a
    terminal non-blocking. This would affect output too, and programs that later run in the same terminal.
    """
    rest = b""
    # Two errors are expected here: the process may have no standard input, and the event loop may end before this
    # thread.
    with suppress(OSError, RuntimeError):
        while chunk := os.read(0, 4096):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
    with suppress(RuntimeError):
        if rest:
            loop.call_soon_threadsafe(lines.put_nowait, rest.decode(errors="replace"))
        loop.call_soon_threadsafe(lines.put_nowait, None)
