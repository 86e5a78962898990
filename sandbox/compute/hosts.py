"""Keeps the SSH hosts in step with the machines: up before the API says so, down before it says they are gone."""

import asyncio
from datetime import datetime
from functools import partial
from uuid import NAMESPACE_OID, uuid5

from sandbox.clock import SandboxClock
from sandbox.compute.agenda import Agenda
from sandbox.compute.machines import Machine
from sandbox.smi import Gpu
from sandbox.ssh import Box, SshHost


class Hosts:
    """Opens and closes the SSH host of each machine when its time has come."""

    def __init__(self, clock: SandboxClock, agenda: Agenda) -> None:
        self._clock = clock
        self._agenda = agenda
        self._lock = asyncio.Lock()
        self._open: dict[str, SshHost] = {}
        self._follower: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follows the clock from now on, so that hosts come and go also when nobody asks the API."""
        self._follower = asyncio.create_task(self._follow(), name="sandbox-hosts")

    async def stop(self) -> None:
        """Takes every host down."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
        for host in list(self._open.values()):
            await host.stop()
        self._open.clear()

    async def settle(self) -> datetime:
        """Brings every host to where its machine is, and returns the time at which that is so.

        Whoever answers for that time, without waiting in between, says nothing that the hosts belie.
        """
        while True:
            now = self._clock.now()
            soonest = self._agenda.next()
            if not self._lock.locked() and (soonest is None or now < soonest):
                return now
            async with self._lock:
                for machine in self._agenda.pop_due(self._clock.now()):
                    await self._match(machine)

    async def _match(self, machine: Machine) -> None:
        wanted = machine.listens(self._clock.now())
        if wanted and machine.host is None:
            host = SshHost(_box(machine), machine.ssh_public_key, self._clock, silent=machine.silent)
            await host.start()
            machine.host = self._open[machine.resource_id] = host
        elif not wanted and machine.host is not None:
            host, machine.host = machine.host, None
            del self._open[machine.resource_id]
            await host.stop()

    async def _follow(self) -> None:
        while True:
            await self.settle()
            soonest = self._agenda.next()
            if soonest is None:
                await self._agenda.bell.until(lambda: self._agenda.next() is not None)
                continue
            waits = [
                asyncio.create_task(self._clock.sleep_until(soonest)),
                asyncio.create_task(self._agenda.bell.until(partial(self._has_before, soonest))),
            ]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.wait(waits)

    def _has_before(self, moment: datetime) -> bool:
        soonest = self._agenda.next()
        return soonest is None or soonest < moment


def _box(machine: Machine) -> Box:
    gpus = [
        Gpu(
            machine.variant.shown,
            machine.variant.memory_mib,
            str(uuid5(NAMESPACE_OID, f"{machine.resource_id}/{n}")),
        )
        for n in range(machine.gpus)
    ]
    assert machine.runs_at is not None  # noqa: S101 - a host is made only for what runs
    return Box(f"{machine.vendor}-{machine.resource_id[:8]}", gpus, machine.runs_at)
