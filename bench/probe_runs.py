"""Measures the CPU time of a probe run. The baseline is a plain asyncssh login that runs a command."""

from __future__ import annotations

import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from bench.figures import Figure, figure
from bench.sizes import Size
from bench.timing import compare
from bench.worlds import ROOT
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber

HOST = "127.0.0.1"


async def measure(size: Size) -> Figure:
    """Measure `probe_cpu`: the CPU milliseconds of this process for each probe run of a machine with eight GPUs.

    The machine's SSH server runs in another process, so it doesn't count.
    """
    key = new_probe_key()
    prober = SshProber(key)
    async with _ssh_host() as port:

        async def run_probe() -> None:
            if (await prober.run_probe(HOST, port, None)).report is None:
                raise AssertionError("a probe run got no report")

        async def run_command() -> None:
            login = asyncssh.connect(
                HOST, port, username="root", client_keys=[key.private], known_hosts=None, config=None
            )
            async with login as connection:
                await connection.run("true")

        took = await compare([run_probe, run_command], size.probe_runs)
    return figure("probe_cpu", took[0], "ms", took[1])


@asynccontextmanager
async def _ssh_host() -> AsyncIterator[int]:
    """Run an SSH server in another process, and yield its port."""
    host = await create_subprocess_exec(
        sys.executable, "-m", "bench.ssh_host", cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        if host.stdout is None:
            raise AssertionError("the output of the SSH server is a pipe")
        yield int(await host.stdout.readline())
    finally:
        host.kill()
        await host.communicate()
