"""The part of a machine that is told its end and starts its owner's on-ending.sh; docs/probe.md describes it. No
script is run here: the control API says how long one takes.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STARTS_BEFORE = timedelta(minutes=15)
_TELLS = re.compile(r"/usr/local/sbin/gpubot-probe ([1-9][0-9]{0,9}) (0|[1-9][0-9]{0,6})")


@dataclass(frozen=True)
class OnEnding:
    """An on-ending.sh."""

    lasts: timedelta | None = timedelta(0)
    """How long it takes. None: it never ends."""
    status: int = 0
    """Its exit status."""
    refused: str | None = None
    """Why it is not started, in the word of the report."""


@dataclass(frozen=True)
class Run:
    """One run of an on-ending.sh, for the end that was told."""

    end: int
    began: datetime
    script: OnEnding

    def runs(self, now: datetime) -> bool:
        """Return whether it still runs."""
        return self.script.lasts is None or now < self.began + self.script.lasts


@dataclass
class EndingPart:
    """What a machine knows of its end. Ends are in Unix seconds."""

    script: OnEnding | None = None
    """None: there is no on-ending.sh."""
    ends_at: int | None = None
    """The end that it was told last."""
    runs: list[Run] = field(default_factory=list)

    def told(self, command: str, now: datetime) -> None:
        """Take note of the command that a visit asked for. Only one that states an end counts."""
        found = _TELLS.fullmatch(command)
        if found is None:
            return
        self.ends_at = end = int(found[1])
        due = timedelta(seconds=int(found[2])) <= STARTS_BEFORE
        if self.script is None or self.script.refused is not None or not due:
            return
        if self._running(now) is None and self._run_for(end) is None:
            self.runs.append(Run(end, now, self.script))

    def report(self, now: datetime) -> str:
        """Return the line of the probe's report."""
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
