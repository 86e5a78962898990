"""Parses the report that the probe's script prints. docs/probe.md describes the format.

Nothing in the report is trusted, because the machine is under someone else's control. A value out of range is
treated as missing, and an answer that isn't a complete report is ignored.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from hashlib import blake2s

from bot.model.base import changed
from bot.model.machine_use import (
    GpuModel,
    GpuUse,
    Missed,
    OnEnding,
    OnEndingRefused,
    OnEndingState,
    Report,
    SetupProgress,
    SetupState,
)
from bot.model.text import one_line
from bot.probe.health import read_health
from bot.probe.jobs import read_jobs

FIRST_LINE, LAST_LINE = b"gpubot-probe 1\n", b"end\n"
LONGEST_LINE = 300
"""The maximum length of a line in characters."""
MOST_LINES = 1000
"""The maximum number of lines. A machine with 64 GPUs and 256 connections prints about 600."""
MOST_GPUS = 64
MOST_PEERS = 256
"""The maximum number of connections to count. If there are more, this number is reported instead."""
LONGEST_NAME = 64
"""The maximum length of a GPU's name in characters."""
HIGHEST_MIB, HIGHEST_WATTS = 100_000_000, 100_000
"""The highest plausible memory (100 TB) and power (100 kW) of a GPU. A higher value is treated as missing."""

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_INDEX = re.compile(r"[0-9]{1,2}")
_PEER = re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}")
_SETUP = re.compile(r"(running|done|failed)(?: [0-9]{1,3}(?: ([1-9][0-9]{0,5}))?)?")
_END = "([1-9][0-9]{0,9})"
_ON_ENDING = re.compile(
    f"(none|there)|refused ({'|'.join(OnEndingRefused)})|running {_END}|ended ([0-9]{{1,3}}) {_END}"
)
_TIMED_OUT = "137"
"""The exit status of nvidia-smi after it was ended by SIGKILL because it hung: 128 + 9.

See pubs.opengroup.org/onlinepubs/9799919799, Shell Command Language, 2.8.2.
"""


class _NoReport(Exception):
    """The answer isn't a valid report."""


def is_complete(answer: bytes | bytearray) -> bool:
    """Return whether the first and last line of a report have arrived.

    A machine can print more output after the report (`text_after_report`).
    """
    return _between(answer) is not None


def read_report(answer: bytes | bytearray, secret: bytes) -> Report | None:
    """Parse the report in a machine's answer. Text before and after it, such as that of a login shell, is ignored.

    Returns None if there is no report of this version, or if the report has a line that the script never prints.

    Args:
        answer: The output of the machine.
        secret: A secret of at most 32 bytes with which addresses are hashed. Without it, anyone who knows a hash
            could find its address by hashing all possible addresses.
    """
    between = _between(answer)
    if between is None:
        return None
    lines = between.decode(errors="replace").split("\n")[:-1]
    if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        return None
    try:
        report = _Reader(secret).read(lines)
    except _NoReport:
        return None
    after = text_after_report(answer)
    return changed(report, health=read_health(after), jobs=read_jobs(after))


def text_after_report(answer: bytes | bytearray) -> bytes:
    """Return the text after the last line of a complete report.

    Newer versions of the probe's script print more there. Earlier versions of the bot ignore it.
    """
    end = _after_line(answer, LAST_LINE, max(_after_line(answer, FIRST_LINE, 0), 0))
    return bytes(answer[end:]) if end >= 0 else b""


def _between(answer: bytes | bytearray) -> bytes | None:
    """Return the lines between the first and the last line of a report, or None if either of them is missing."""
    begin = _after_line(answer, FIRST_LINE, 0)
    end = -1 if begin < 0 else _after_line(answer, LAST_LINE, begin)
    return None if end < 0 else bytes(answer[begin : end - len(LAST_LINE)])


def _after_line(answer: bytes | bytearray, line: bytes, start: int) -> int:
    """Search `answer` for a line, and return the position after the line, or -1 if the line is missing.

    The search begins at `start`.
    """
    if answer.startswith(line, start):
        return start + len(line)
    found = answer.find(b"\n" + line, max(start - 1, 0))
    return -1 if found < 0 else found + 1 + len(line)


class _Reader:
    """Parses the lines of one report."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._own: str | None = None
        self._peers: dict[str, None] = {}
        self._peers_read = False
        self._gpus: dict[int, GpuUse] = {}
        self._all_read = False
        """True once a second reading of any GPU has arrived.

        nvidia-smi reads all GPUs in turn and then begins again. A second reading therefore shows that every GPU
        has been read once.
        """
        self._models: dict[int, GpuModel] = {}
        self._outcome: str | None = None
        self._setup: SetupProgress | None = None
        self._on_ending: OnEnding | None = None

    def read(self, lines: list[str]) -> Report:
        """Parse the report.

        Raises _NoReport if a line is missing, or if there is a line that the script never prints.
        """
        facts = {
            "ssh": self._read_own,
            "peer": self._read_peer,
            "peers": self._read_end_of_peers,
            "setup": self._read_setup,
            "on-ending": self._read_on_ending,
            "gpu": self._read_gpu,
            "nvidia-smi": self._read_outcome,
        }
        for line in lines:
            word, _, rest = line.partition(" ")
            if word not in facts:
                raise _NoReport
            facts[word](rest)
        if not self._peers_read or self._outcome is None:
            raise _NoReport
        peers = [peer for peer in self._peers if peer != self._own][:MOST_PEERS]
        return Report(
            gpus=tuple(self._gpus[index] for index in sorted(self._gpus)),
            peers=tuple(blake2s(peer.encode(), key=self._secret, digest_size=8).hexdigest() for peer in peers),
            models=tuple(self._models[index] for index in sorted(self._models)),
            setup=self._setup,
            on_ending=self._on_ending,
            missed=self._why_not_all(),
        )

    def _why_not_all(self) -> Missed | None:
        """Return the reason why readings are missing for some or all GPUs, or None if none are missing.

        If the driver hangs while reading a GPU, the readings of that GPU and of all later ones are missing.
        """
        if self._outcome == _TIMED_OUT and not self._all_read:
            return Missed.NVIDIA_SMI_HANGS
        if self._gpus:
            return None
        if self._outcome == "none":
            return Missed.NO_NVIDIA_SMI
        return Missed.NO_GPU if self._outcome == "0" else Missed.UNREADABLE

    def _read_own(self, rest: str) -> None:
        """Parse the probe's own SSH connection, so that it isn't counted.

        The line has the format of $SSH_CONNECTION: `203.0.113.7 51234 10.0.0.4 22`.
        """
        address, _, port = rest.partition(" ")
        self._own = _as_proc_writes(address, port.partition(" ")[0])

    def _read_peer(self, rest: str) -> None:
        """Parse the address and port of a peer, the remote end of a connection to the machine's SSH server.

        The line has the format of /proc/net/tcp: `0771000A:C822`.
        """
        if not _PEER.fullmatch(rest):
            raise _NoReport
        self._peers[_without_mapping(rest)] = None

    def _read_end_of_peers(self, rest: str) -> None:
        if not _NUMBER.fullmatch(rest):
            raise _NoReport
        self._peers_read = True

    def _read_setup(self, rest: str) -> None:
        """Parse the progress of the setup script: `running`, `done`, `failed 1` or `failed 1 12`.

        The numbers are the exit status of the script and the line at which it failed. Any other text is ignored:
        the setup script runs as root, so it can write anything into its status file.
        """
        if found := _SETUP.fullmatch(rest):
            state = SetupState(found[1])
            line = int(found[2]) if found[2] and state is SetupState.FAILED else None
            self._setup = SetupProgress(state=state, line=line)

    def _read_on_ending(self, rest: str) -> None:
        """Parse the progress of on-ending.sh.

        The progress is `none`, `there`, `refused owner`, `running 1764365000` or `ended 1 1764365000`. The small
        number is the script's exit status. The large number is the end of the lease for which the script was
        started, in Unix seconds. Any other text is ignored.
        """
        found = _ON_ENDING.fullmatch(rest)
        if found is None:
            return
        state, why, running, status, ended = found.groups()
        end = datetime.fromtimestamp(int(running or ended), UTC) if running or ended else None
        if state is not None:
            self._on_ending = OnEnding(state=OnEndingState(state))
        elif why is not None:
            self._on_ending = OnEnding(state=OnEndingState.REFUSED, why=OnEndingRefused(why))
        elif status is None:
            self._on_ending = OnEnding(state=OnEndingState.RUNNING, end=end)
        elif int(status) == 0:
            self._on_ending = OnEnding(state=OnEndingState.DONE, end=end)
        elif int(status) <= 255:
            self._on_ending = OnEnding(state=OnEndingState.FAILED, end=end, status=int(status))

    def _read_gpu(self, rest: str) -> None:
        """Parse one reading of one GPU: `0, 98, 70123, 412.33, Disabled, 81559, NVIDIA H100 80GB HBM3`.

        A row that can't be parsed is ignored, because drivers also print errors in this place.
        """
        values = [value.strip() for value in rest.split(",", 6)]
        if not _INDEX.fullmatch(values[0]) or int(values[0]) >= MOST_GPUS:
            return
        values += [""] * (7 - len(values))
        _, use, memory, watts, _, total, name = values
        index = int(values[0])
        self._all_read = self._all_read or index in self._gpus
        before = self._gpus.get(index, GpuUse(index=index))
        self._gpus[index] = GpuUse(
            index=index,
            highest=_highest(before.highest, _number(use, 100)),
            memory_mib=_highest(before.memory_mib, _number(memory, HIGHEST_MIB)),
            watts=_highest(before.watts, _number(watts, HIGHEST_WATTS)),
        )
        if shown := one_line(name, LONGEST_NAME):
            self._models.setdefault(index, GpuModel(name=shown, memory_mib=_number(total, HIGHEST_MIB) or 0))

    def _read_outcome(self, rest: str) -> None:
        """Store the exit status of nvidia-smi, such as `0`, or `none` if there is no such program."""
        self._outcome = rest


def _number(text: str, highest: int) -> int | None:
    """Parse and round a number. Returns None for `[N/A]`, any other text, or a number above `highest`."""
    if not _NUMBER.fullmatch(text):
        return None
    number = round(float(text))
    return number if number <= highest else None


def _highest(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _as_proc_writes(address: str, port: str) -> str | None:
    """Return an address and port in the format of /proc/net/tcp, or None if they aren't valid.

    In this format, each group of 4 bytes is written as a hexadecimal number in little-endian order
    (docs.kernel.org/networking/proc_net_tcp.html).
    """
    try:
        packed = ipaddress.ip_address(address.partition("%")[0]).packed
        number = int(port) if _NUMBER.fullmatch(port) else -1
    except ValueError:
        return None
    if not 0 <= number <= 0xFFFF:
        return None
    words = [packed[start : start + 4][::-1].hex().upper() for start in range(0, len(packed), 4)]
    return _without_mapping(f"{''.join(words)}:{number:04X}")


def _without_mapping(peer: str) -> str:
    """Return an IPv4-mapped IPv6 peer (`::ffff:203.0.113.7`) as a plain IPv4 peer, the form that sshd uses."""
    return peer.removeprefix("0000000000000000FFFF0000") if len(peer) > 13 else peer
