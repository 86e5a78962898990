"""Starts and stops the SSH servers of the simulated machines, in step with what the API shows.

A machine's SSH server starts before the API shows the machine as running, and stops before the API shows the
machine as terminated.
"""

import asyncio
from datetime import datetime
from functools import partial

from sandbox.clock import SandboxClock
from sandbox.compute.machines import Machine
from sandbox.compute.schedule import Schedule
from sandbox.ssh import SshHost


class Hosts:
    """The SSH hosts of the running machines."""

    def __init__(self, clock: SandboxClock, schedule: Schedule) -> None:
        self._clock = clock
        self._schedule = schedule
        self._lock = asyncio.Lock()
        self._open: dict[str, SshHost] = {}
        self._follower: asyncio.Task[None] | None = None
        self.next_port = 0
        """The port on which the next host listens. 0 picks a free one."""

    def start(self) -> None:
        """Start following the clock, so that hosts also start and stop while nobody calls the API."""
        self._follower = asyncio.create_task(self._follow(), name="sandbox-hosts")

    async def stop(self) -> None:
        """Stop every host."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
        for host in list(self._open.values()):
            await host.stop()
        self._open.clear()

    def listens_on(self, port: int) -> bool:
        """Return whether a host listens on this port now."""
        return any(host.port == port for host in self._open.values())

    async def update(self) -> datetime:
        """Start and stop the SSH servers that are due, and return the time for which all servers are up to date.

        The caller should compute the API's response for this time, without awaiting anything in between.
        Otherwise, more time would pass, and the response might contradict the SSH servers.
        """
        while True:
            now = self._clock.now()
            soonest = self._schedule.next()
            if not self._lock.locked() and (soonest is None or now < soonest):
                return now
            async with self._lock:
                for machine in self._schedule.pop_due(self._clock.now()):
                    await self._update(machine)

    async def _update(self, machine: Machine) -> None:
        wanted = machine.listens(self._clock.now())
        if wanted and machine.host is None:
            host = SshHost(
                lambda: machine.info(self._clock.now()),
                lambda: machine.authorized_keys(self._clock.now()),
                machine.host_keys,
                self._clock,
                note_typed=machine.note_typed,
                silent=machine.silent,
            )
            port, self.next_port = self.next_port, 0
            await host.start(port)
            machine.host = self._open[machine.resource_id] = host
        elif not wanted and machine.host is not None:
            host, machine.host = machine.host, None
            del self._open[machine.resource_id]
            await host.stop()

    async def _follow(self) -> None:
        while True:
            await self.update()
            soonest = self._schedule.next()
            if soonest is None:
                await self._schedule.changes.wait_for(lambda: self._schedule.next() is not None)
                continue
            waits = [
                asyncio.create_task(self._clock.sleep_until(soonest)),
                asyncio.create_task(self._schedule.changes.wait_for(partial(self._has_before, soonest))),
            ]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.wait(waits)

    def _has_before(self, moment: datetime) -> bool:
        soonest = self._schedule.next()
        return soonest is None or soonest < moment
