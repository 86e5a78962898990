"""The lines of `gpubot sandbox` that change a machine: how it is used, and that its vendor takes it back."""

from __future__ import annotations

import re
from typing import Any

from bot.errors import Mistake
from sandbox.client import Machine, MachineFault, SandboxClient

USE = re.compile(r"(?P<percent>\d{1,3})\s*%?(?P<connected>\s+connected)?|(?P<fault>[a-z_]+)")
FORMS = f"use k7mq2 98, use k7mq2 0 connected, or use k7mq2 and one of {', '.join(MachineFault)}"


def read_use(words: str) -> dict[str, Any]:
    """Return the phase of use in words like `98`, `0 connected` or `hang`. Raise Mistake if they say none."""
    found = USE.fullmatch(words)
    if found and found["fault"] in set(MachineFault):
        return {"fault": found["fault"]}
    if found and found["percent"] and int(found["percent"]) <= 100:
        return {"all": int(found["percent"]), "connections": 1 if found["connected"] else 0}
    raise Mistake(f"A machine's use is set as {FORMS}.")


async def change_use(sandbox: SandboxClient, words: str) -> str:
    """Set how a machine is used from now on, and return what that is. Raise Mistake if the words are wrong."""
    name, _, rest = words.partition(" ")
    phase = read_use(rest.strip())
    machine = await _machine(sandbox, name)
    use = (await sandbox.use(machine.resource_id, phase)).use
    if use.fault:
        return f"{machine.name}: {use.fault}."
    gpus = ", ".join(f"{percent} %" for percent in use.gpus)
    return f"{machine.name}: GPUs at {gpus}, {'one' if use.connections else 'no'} connection."


async def take_back(sandbox: SandboxClient, name: str) -> str:
    """Let the vendor take a machine back, and return that it did. Raise Mistake if there is none."""
    machine = await _machine(sandbox, name)
    await sandbox.vanish(machine.resource_id, "deleted")
    return f"{machine.vendor} takes {machine.name} back."


async def _machine(sandbox: SandboxClient, name: str) -> Machine:
    """Return the newest machine of a rental that still runs."""
    running = [machine for machine in (await sandbox.account()).resources if machine.alive]
    named = {machine.name: machine for machine in running}
    named |= {machine.name.split("-")[1]: machine for machine in running if machine.name.startswith("gpubot-")}
    if name not in named:
        there = ", ".join(machine.name for machine in running) or "no machine"
        raise Mistake(f'No machine "{name}" is there. There is: {there}.')
    return named[name]
