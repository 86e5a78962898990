"""Simulates the program on a machine that starts the owner's script on-ending.sh shortly before the machine's end.

The bot sends the end to the machine in each probe run (docs/probe.md). No script is really run here: the control
API sets how long the script takes and with which status it exits.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STARTS_BEFORE = timedelta(minutes=15)
_END_COMMAND = re.compile(r"/usr/local/sbin/gpubot-probe ([1-9][0-9]{0,9}) (0|[1-9][0-9]{0,6})")


@dataclass(frozen=True)
class OnEnding:
    """An owner's on-ending.sh, as the control API describes it."""

    lasts: timedelta | None = timedelta(0)
    """The time that the script takes. None if it never exits."""
    status: int = 0
    """Its exit status."""
    refused: str | None = None
    """The reason why the script isn't started, such as `not_executable`, in the format of the probe's report.

    None if the script can be started.
    """


@dataclass(frozen=True)
class Run:
    """One run of on-ending.sh. `end` is the machine's end, in Unix seconds, for which it was started."""

    end: int
    began: datetime
    script: OnEnding

    def runs(self, now: datetime) -> bool:
        """Return whether the script is still running."""
        return self.script.lasts is None or now < self.began + self.script.lasts


@dataclass
class EndingPart:
    """The end of a machine as the bot sent it, and the runs of the owner's script on-ending.sh.

    Ends are in Unix seconds.
    """

    script: OnEnding | None = None
    """The owner's script. None if there is no on-ending.sh."""
    ends_at: int | None = None
    """The end that was sent last. None if none was sent yet."""
    runs: list[Run] = field(default_factory=list)

    def receive(self, command: str, now: datetime) -> None:
        """Handle the command that a probe run sent.

        If the command states the machine's end, the end is stored, and the script is started if it is due. Other
        commands are ignored. The script runs at most once for each end, and never twice at the same time.
        """
        found = _END_COMMAND.fullmatch(command)
        if found is None:
            return
        self.ends_at = end = int(found[1])
        due = timedelta(seconds=int(found[2])) <= STARTS_BEFORE
        if self.script is None or self.script.refused is not None or not due:
            return
        if self._running(now) is None and self._run_for(end) is None:
            self.runs.append(Run(end, now, self.script))

    def report(self, now: datetime) -> str:
        """Return the line about on-ending.sh in the probe's report."""
        running = self._running(now)
        last = None if self.ends_at is None else self._run_for(self.ends_at)
        if running is not None:
            return f"on-ending running {running.end}"
        if last is not None:
            return f"on-ending ended {last.script.status} {last.end}"
        if self.script is None:
            return "on-ending none"
        return "on-ending there" if self.script.refused is None else f"on-ending refused {self.script.refused}"

    def _running(self, now: datetime) -> Run | None:
        return next((run for run in self.runs if run.runs(now)), None)

    def _run_for(self, end: int) -> Run | None:
        return next((run for run in self.runs if run.end == end), None)
