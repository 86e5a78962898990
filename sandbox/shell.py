"""The shell of a simulated machine, with the commands `nvidia-smi`, `uptime`, and the probe if it is installed."""

import shlex
from collections.abc import Callable
from datetime import datetime

from sandbox.clock import SandboxClock
from sandbox.host_info import HostInfo
from sandbox.nvidia_smi import gpu_list, gpu_table
from sandbox.probe_report import GARBAGE, Peer, report
from sandbox.use import Fault

_COMMANDS = ("nvidia-smi", "uptime", "exit")
_NOT_FOUND = 127


class Hangs(Exception):
    """The command never ends."""


class Shell:
    """The shell of a machine."""

    def __init__(
        self,
        info: Callable[[], HostInfo],
        clock: SandboxClock,
        connection: tuple[Peer, Peer],
        others: list[Peer],
    ) -> None:
        """Open a shell for one login.

        Args:
            info: Returns the current state of the machine.
            clock: The sandbox's clock.
            connection: The client and the server of this login.
            others: The clients of the server's other connections.
        """
        self._info = info
        self._clock = clock
        self._connection = connection
        self._others = others
        self.status = 0
        self.exited = False

    def run_forced(self, command: str, requested: str) -> tuple[str, int]:
        """Run the forced command of a key, and return its output and exit status.

        `requested` is the command that the client sent, which sshd would pass in SSH_ORIGINAL_COMMAND. Raises
        Hangs if the forced command never ends.
        """
        info = self._info()
        if info.ending is not None and command == info.probe:
            info.ending.receive(requested, self._clock.now())
        return self.run(command)

    def run(self, line: str) -> tuple[str, int]:
        """Run a line, and return its output and exit status. The command `exit` sets `exited`.

        Raises Hangs if the command never ends.
        """
        try:
            words = shlex.split(line)
        except ValueError:
            words = [line.strip()]
        if not words:
            return "", self.status
        output, self.status = self._command(self._info(), words[0], words[1:])
        return output, self.status

    def _command(self, info: HostInfo, name: str, arguments: list[str]) -> tuple[str, int]:
        now = self._clock.now()
        phase = info.use.at(now)
        if name == "nvidia-smi" and phase.fault is not Fault.NO_NVIDIA_SMI:
            if phase.fault is Fault.NVIDIA_SMI_HANGS:
                raise Hangs
            if arguments == ["-L"]:
                return gpu_list(info.gpus), 0
            if arguments:
                return f"Invalid combination of input arguments: {' '.join(arguments)}\n", 2
            return gpu_table(info.gpus, lambda gpu: info.percent(gpu, now), now), 0
        if name == info.probe:
            return self._report(info, now)
        if name == "uptime":
            return uptime(info.up_since, now), 0
        if name == "exit":
            self.exited = True
            given = arguments[0] if arguments else ""
            return "", int(given) % 256 if given.isdecimal() else self.status
        return f"bash: {name}: command not found\n(there are: {', '.join(_COMMANDS)})\n", _NOT_FOUND

    def _report(self, info: HostInfo, now: datetime) -> tuple[str, int]:
        match info.use.at(now).fault:
            case Fault.HANG:
                raise Hangs
            case Fault.GARBAGE:
                return GARBAGE, 0
            case _:
                return report(info, self._connection, self._others, now), 0


def uptime(since: datetime, now: datetime) -> str:
    """Return the output of `uptime` for a machine that was booted at `since`."""
    minutes = max(0, int((now - since).total_seconds()) // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    up = f"{hours:2d}:{rest:02d}" if hours else f"{rest} min"
    if days:
        up = f"{days} day{'s' if days > 1 else ''}, {up}"
    return f" {now:%H:%M:%S} up {up},  1 user,  load average: 0.00, 0.00, 0.00\n"
