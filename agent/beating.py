"""Runs a command, sends heartbeats while it runs, and releases the machine when it has ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from agent import words
from agent.client import ApiAway, ApiRefused, Client, Which
from agent.screen import Screen
from bot.clock import Clock
from bot.errors import GpubotError, TooLate
from bot.model.api import ProgramState

EVERY = 300.0
"""The time in seconds (wall clock) between two heartbeats. A heartbeat is lost after 20 minutes without any."""
RELEASE_PATIENCE = 300.0
"""The time in seconds (wall clock) for which the release is tried if the API doesn't answer."""
_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
_FROM_KEYBOARD = frozenset({signal.SIGINT, signal.SIGQUIT})
"""The signals that a terminal sends to all processes in its foreground."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit statuses of a shell for a command that doesn't exist, or that can't be executed."""


async def run(client: Client, which: Which, argv: Sequence[str], *, clock: Clock, screen: Screen) -> int:
    """Run a command with heartbeats, release the machine, and return the exit status for this process.

    The status is that of the command. If a signal ended the command, it is 128 and the signal's number, as in a
    shell. Signals are passed on to the command. A heartbeat that fails never ends the command.

    If the command can't be started, nothing is released. If there is no such rental, or if it is over, this raises
    GpubotError and starts nothing. If the API can't be reached, the command is started anyway.
    """
    await _check(client, which, screen)
    signals = _Signals()
    try:
        child = await asyncio.create_subprocess_exec(*argv)
    except OSError as error:
        signals.close()
        screen.note(f"{argv[0]} can't be started: {error.strerror}. Nothing was released.")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    signals.pass_to(child)
    beats = asyncio.create_task(_beat(client, which, clock, screen))
    status = await child.wait()
    beats.cancel()
    await asyncio.gather(beats, return_exceptions=True)
    release = asyncio.create_task(_release(client, which, screen))
    signals.interrupt(release)
    await asyncio.gather(release, return_exceptions=True)
    if release.cancelled():
        screen.note(_not_released(which, "you stopped waiting"))
    signals.close()
    return status if status >= 0 else 128 - status


async def _check(client: Client, which: Which, screen: Screen) -> None:
    """Refuse a rental for which heartbeats make no sense. Raises GpubotError with the reason."""
    try:
        rental = (await client.rental(await which.find(client))).value
    except (ApiAway, ApiRefused) as error:
        if isinstance(error, ApiRefused) and not error.temporary:
            raise
        screen.note(f"{error.words} The command starts anyway, and I'll try to send a heartbeat every 5 min.")
    else:
        if rental.state.over or rental.state is ProgramState.ENDING:
            raise TooLate(f"{words.over_line(rental)} The command wasn't started.")


async def _beat(client: Client, which: Which, clock: Clock, screen: Screen) -> None:
    """Send heartbeats until the task is cancelled, or until the rental is over."""
    fails = ends = False
    while True:
        try:
            rental = (await client.heartbeat(await which.find(client))).value
        except GpubotError as error:
            if not fails:
                screen.note(f"A heartbeat failed, but the command keeps running: {error.words}")
            fails = True
        except Exception as error:
            # A bug. Without this, no more heartbeats would be sent, and the machine could be ended.
            screen.note(f"A heartbeat failed, but the command keeps running: {type(error).__name__}")
            fails = True
        else:
            if fails:
                screen.note("Heartbeats arrive again.")
            fails = False
            if rental.state.over:
                screen.note(f"The command keeps running, but its machine has ended: {words.over_line(rental)}")
                return
            # A machine whose end has moved nearer can get its previous end back, so keep sending heartbeats.
            if rental.state is ProgramState.ENDING and not ends:
                screen.note(f"The command keeps running, but its machine is ending: {rental.reason}")
            ends = rental.state is ProgramState.ENDING
        await clock.pause(EVERY)


async def _release(client: Client, which: Which, screen: Screen) -> None:
    try:
        rental = (await client.release(await which.find(client), patience=RELEASE_PATIENCE)).value
    except GpubotError as error:
        screen.note(_not_released(which, error.words))
    except Exception as error:
        screen.note(_not_released(which, type(error).__name__))
    else:
        screen.note(words.over_line(rental))


def _not_released(which: Which, why: str) -> str:
    sentence = f"The machine may not have been released: {why.rstrip('.')}. It ends with its lease at the latest."
    return f"{sentence} To release it: gpubot agent release {which}"


class _Signals:
    """Passes the signals that this process gets on to the command.

    Signals that this process ignores, because it was started with `nohup` or in the background of a shell script,
    stay ignored. The command inherits that.
    """

    def __init__(self) -> None:
        self._numbers = [number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
        self._early: list[signal.Signals] = []
        self._child: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        for number in self._numbers:
            asyncio.get_running_loop().add_signal_handler(number, self._got, number)

    def pass_to(self, child: asyncio.subprocess.Process) -> None:
        """Pass all signals on to this process, also those that arrived while it was being started."""
        self._child = child
        for number in self._early:
            self._got(number)

    def interrupt(self, task: asyncio.Task[None]) -> None:
        """Cancel this task at the next signal."""
        self._task = task

    def close(self) -> None:
        for number in self._numbers:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _got(self, number: signal.Signals) -> None:
        if self._task is not None:
            self._task.cancel()
        elif self._child is None:
            self._early.append(number)
        elif not (number in _FROM_KEYBOARD and _in_foreground()):
            with suppress(ProcessLookupError):
                self._child.send_signal(number)


def _in_foreground() -> bool:
    """Return whether this process is in the foreground of a terminal.

    If so, Ctrl-C reaches the command directly. If it were passed on, too, the command would get it twice, and many
    programs treat the second one as an order to stop without saving.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
