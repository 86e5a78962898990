"""A machine that runs startup scripts, and its SSH server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_machine, ssh_server


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    return await new_machine(tmp_path / "machine")


@pytest.fixture
async def server(machine: Machine) -> AsyncIterator[SshServer]:
    async with ssh_server(machine) as server:
        yield server


@pytest.fixture(params=["dash", "busybox sh"])
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return a shell that some machines have as /bin/sh."""
    name, *rest = request.param.split()
    return (program(name), *rest)
