"""A machine on which people run gpubot-run, and what its reader prints about their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT, JOBS_PATH
from bot.policy.access.run_script import GPUBOT_RUN_SCRIPT, JOBS_DIRECTORY
from bot.policy.access.startup_script import compacted
from tests.programs import program
from tests.ssh_server import Machine

APPLETS = (
    *("sh", "awk", "cat", "chmod", "chroot", "date", "head", "id", "mkdir", "mktemp", "mv", "readlink", "rm"),
    *("sleep", "sort", "stat", "su", "timeout", "touch", "tr"),
)
"""The commands that the two scripts need."""
MOST_BYTES = 2_000
"""The largest output of the reader."""
ANA, EVE, NOBODY = 1000, 2000, 65534
"""Users of the machine other than root."""


class Job(NamedTuple):
    """A line of the reader's output about a job."""

    id: str
    user: int
    state: str
    age: int
    ended: int | None
    name: str


class Jobs:
    """A machine that stays up, with gpubot-run and its reader as they are sent, in one of three shells."""

    def __init__(self, machine: Machine, shell: str = "dash") -> None:
        self.machine = machine
        self.reader = NOBODY if shell == "busybox" else 65533
        """The user as whom the reader reads."""
        interpreter = {"dash": "dash", "bash": "bash --posix", "busybox": "busybox sh"}[shell].split()
        first = f"#!{' '.join([program(interpreter[0]), *interpreter[1:]])}"
        machine.install("gpubot-jobs", compacted(GPUBOT_JOBS_SCRIPT).replace("#!/bin/sh", first, 1))
        run = machine.bin / "gpubot-run"
        run.write_text(compacted(GPUBOT_RUN_SCRIPT).replace("#!/bin/sh", first, 1))
        run.chmod(0o755)
        if shell == "busybox":
            for applet in APPLETS:
                (machine.sbin / applet).symlink_to(program("busybox"))

    async def sh(
        self, script: str, user: int = 0, env: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[int, str]:
        """Run a script on the machine as one of its users, with `env` added to a small environment."""
        as_user = () if not user else (program("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups")
        return await self.machine.run(*as_user, program("dash"), "-c", script, **env)

    async def begin(self, command: str, *, user: int = 0) -> int:
        """Start a command in the background, in a process group of its own, and return its process ID.

        The ID is also that of the group.
        """
        script = f"setsid {command} </dev/null >/dev/null 2>&1 & echo $!"
        status, printed = await self.sh(script, user)
        assert status == 0
        return int(printed)

    async def printed(self) -> list[str]:
        """Return the lines that the reader prints."""
        status, printed = await self.machine.run(JOBS_PATH)
        assert status == 0
        assert len(printed) <= MOST_BYTES
        return printed.splitlines()

    async def read(self) -> list[Job]:
        """Return the jobs that the reader prints."""
        first, *lines, last = await self.printed()
        assert (first, last) == ("gpubot-jobs 1", "jobs-end")
        return [_job(line) for line in lines if not line.startswith("progress ")]

    async def states(self) -> list[str]:
        """Return the states of the jobs that the reader prints."""
        return [job.state for job in await self.read()]

    async def until(self, *states: str) -> None:
        """Wait until the reader prints jobs with these states. pytest-timeout ends an endless wait."""
        while await self.states() != list(states):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)

    async def until_file(self, name: str) -> str:
        """Wait until a file is in /root and has a complete line, and return its text."""
        file = self.machine.root / name
        while not file.exists() or not file.read_text().endswith("\n"):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
        return file.read_text()

    async def files(self) -> str:
        """Return the names of the files in the folder of the jobs, and what is in them."""
        _, found = await self.sh(f"cd {JOBS_DIRECTORY} && grep -rH . . | sort")
        return found


def _job(line: str) -> Job:
    word, job_id, user, state, age, ended, name = line.split(" ", 6)
    assert word == "job"
    return Job(job_id, int(user), state, int(age), None if ended == "-" else int(ended), name)
