"""The lines that people can type in `gpubot sandbox` about machines: their use, their jobs and their faults."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from bot.errors import Mistake
from sandbox.client import ControlError, Job, Machine, MachineFault, SandboxClient

USE = re.compile(r"(?P<percent>\d{1,3})\s*%?(?P<connected>\s+connected)?|(?P<fault>[a-z_]+)")
FORMS = f"use k7mq2 98, use k7mq2 0 connected, or use k7mq2 and one of {', '.join(MachineFault)}"


def read_use(text: str) -> dict[str, Any]:
    """Parse a text like `98`, `0 connected` or `hang` as a phase: the use of a machine for some time.

    Raises Mistake if the text isn't valid.
    """
    found = USE.fullmatch(text)
    if found and found["fault"] in set(MachineFault):
        return {"fault": found["fault"]}
    if found and found["percent"] and int(found["percent"]) <= 100:
        return {"all": int(found["percent"]), "connections": 1 if found["connected"] else 0}
    raise Mistake(f"A machine's use is set as {FORMS}.")


async def change_use(sandbox: SandboxClient, text: str) -> str:
    """Set the use of a machine starting now, and return a sentence that describes it.

    Raises Mistake if the text is invalid.
    """
    name, _, rest = text.partition(" ")
    phase = read_use(rest.strip())
    machine = await _machine(sandbox, name)
    use = (await sandbox.use(machine.resource_id, phase)).use
    if use.fault:
        return f"{machine.name}: {use.fault}."
    gpus = ", ".join(f"{percent} %" for percent in use.gpus)
    return f"{machine.name}: GPUs at {gpus}, {'one' if use.connections else 'no'} connection."


async def reclaim(sandbox: SandboxClient, name: str) -> str:
    """Make the vendor reclaim a machine, and return a sentence that says so.

    Raises Mistake if there is no such machine.
    """
    machine = await _machine(sandbox, name)
    await sandbox.vanish(machine.resource_id, "deleted")
    return f"{machine.vendor} takes {machine.name} back."


# --- jobs and GPUs


BUSY = 98
"""The utilization of the GPUs by a job, in percent."""
_CHANGE = re.compile(r"say\s+(?P<text>.+)|exit\s+(?P<status>\d{1,3})")
_TROUBLE = re.compile(r"(?P<gpu>\d{1,2})\s+(?:xid\s+(?P<xid>\d{1,3})|(?P<word>hot|lost))")


async def run_job(sandbox: SandboxClient, text: str) -> str:
    """Start a job, or let the newest running job of a machine print a line or end. Return a sentence about it.

    Raises Mistake if the text is invalid, if the machine runs no job, or if it can't start one.
    """
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if not rest:
        raise Mistake("Jobs run as job k7mq2 python train.py, job k7mq2 say step 5 of 9, and job k7mq2 exit 0.")
    machine = await _machine(sandbox, name)
    change = _CHANGE.fullmatch(rest)
    if change is None:
        try:
            job = await sandbox.start_job(machine.resource_id, rest, all=BUSY)
        except ControlError as refused:
            raise Mistake(f"{machine.name}: {refused.error}.") from None
        return f"{machine.name}: {job.name} runs, GPUs at {BUSY} %."
    job = await _running_job(sandbox, machine)
    if change["text"] is not None:
        job = await sandbox.say(machine.resource_id, job, change["text"])
        return f"{machine.name}: {job.name} says: {job.progress}"
    status = int(change["status"])
    if status > 255:
        raise Mistake("An exit status is a number from 0 to 255.")
    await sandbox.end_job(machine.resource_id, job, status)
    return f"{machine.name}: {job.name} has ended with exit status {status}."


async def _running_job(sandbox: SandboxClient, machine: Machine) -> Job:
    jobs = (await sandbox.machine(machine.resource_id)).jobs or ()
    running = [job for job in jobs if job.runs]
    if not running:
        raise Mistake(f"{machine.name} runs no job. Start one: job {machine.name} python train.py")
    return running[-1]


async def break_gpu(sandbox: SandboxClient, text: str) -> str:
    """Break a GPU of a machine, and return a sentence about it.

    Raises Mistake if the text is invalid, or if the machine has no such GPU.
    """
    name, _, rest = text.partition(" ")
    found = _TROUBLE.fullmatch(rest.strip())
    if found is None:
        raise Mistake("A GPU breaks as break k7mq2 3 xid 79, break k7mq2 3 lost, or break k7mq2 3 hot.")
    machine, gpu = await _machine(sandbox, name), int(found["gpu"])
    fields: dict[str, object] = {"xid": int(found["xid"])} if found["xid"] else {found["word"]: True}
    try:
        await sandbox.break_gpu(machine.resource_id, gpu, **fields)
    except ControlError as refused:
        raise Mistake(f"{machine.name}: {refused.error}.") from None
    return f"{machine.name}: GPU {gpu}, {rest.strip().partition(' ')[2].strip()}."


async def reboot(sandbox: SandboxClient, name: str) -> str:
    """Restart a machine, and return a sentence that says so. Raises Mistake if there is no such machine."""
    machine = await _machine(sandbox, name)
    await sandbox.reboot(machine.resource_id)
    return f"{machine.name} has restarted. Its jobs are gone, and its GPUs work."


async def _machine(sandbox: SandboxClient, name: str) -> Machine:
    """Return the running machine with this name, or the newest running machine of the rental with this ID."""
    running = [machine for machine in (await sandbox.account()).resources if machine.alive]
    named = {machine.name: machine for machine in running}
    named |= {machine.name.split("-")[1]: machine for machine in running if machine.name.startswith("gpubot-")}
    if name not in named:
        there = ", ".join(machine.name for machine in running) or "no machine"
        raise Mistake(f'No machine "{name}" is there. There is: {there}.')
    return named[name]


LINES: dict[str, Callable[[SandboxClient, str], Awaitable[str]]] = {
    "use": change_use,
    "job": run_job,
    "break": break_gpu,
    "reboot": reboot,
    "vanish": reclaim,
}
"""The function that carries out a line about a machine, by the first word of the line."""
