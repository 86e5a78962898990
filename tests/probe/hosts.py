"""SSH servers on the loopback interface that accept the probe's key, and then do anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import asyncssh
from typing_extensions import override

Process = asyncssh.SSHServerProcess[bytes]
Acts = Callable[[Process], Awaitable[None]]

REPORT = b"gpubot-probe 1\npeers 1\ngpu 0, 98, 1, 1, , 81559, NVIDIA H100\nnvidia-smi 0\nend\n"


@cache
def host_key(number: int = 0) -> asyncssh.SSHKey:
    """Return a host key, always the same one for the same number."""
    return asyncssh.generate_private_key("ssh-ed25519", comment=str(number))


class Host(asyncssh.SSHServer):
    """Accepts every login, and records what clients try."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.connection: asyncssh.SSHServerConnection | None = None

    @override
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    @override
    def begin_auth(self, username: str) -> bool:
        self.tried.append(username)
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.tried.append("key")
        return True


class RefusingHost(Host):
    """Refuses every key, but would accept a password."""

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        super().validate_public_key(username, key)
        return False

    @override
    def password_auth_supported(self) -> bool:
        return True

    @override
    def validate_password(self, username: str, password: str) -> bool:
        self.tried.append("password")
        return True


class TalkingHost(Host):
    """Keeps sending a banner of 100,000 bytes before it accepts a login."""

    @override
    def begin_auth(self, username: str) -> bool:
        assert self.connection is not None
        for _ in range(10):
            self.connection.send_auth_banner("x" * 100_000)
        return super().begin_auth(username)


@asynccontextmanager
async def serving(acts: Acts, host: Host | None = None, key: asyncssh.SSHKey | None = None) -> AsyncIterator[int]:
    """Serve SSH on a port. Each session runs `acts`."""

    async def process(session: Process) -> None:
        with suppress(OSError, asyncssh.Error):
            await acts(session)
        session.exit(0)

    kept = host or Host()
    more: dict[str, Any] = {"gss_host": None, "encoding": None, "server_host_keys": [key or host_key()]}
    async with await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: kept, process_factory=process, **more
    ) as server:
        yield server.get_port()


def prints(answer: bytes) -> Acts:
    """Print the text, then end."""

    async def act(session: Process) -> None:
        session.stdout.write(answer)
        await session.stdout.drain()

    return act


def repeats(piece: bytes, *, to_stderr: bool = False) -> Acts:
    """Keep printing the text until the client disconnects."""

    async def act(session: Process) -> None:
        output = session.stderr if to_stderr else session.stdout
        while True:
            output.write(piece)
            await output.drain()

    return act
