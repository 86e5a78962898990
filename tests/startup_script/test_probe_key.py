"""With the probe's key, a machine with a real OpenSSH server runs only the probe's script."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.policy.access.probe_script import PROBE_SCRIPT, probe_line
from tests.programs import program
from tests.ssh_server import PATIENCE, Machine, SshServer, new_key, public_line, run

GREETING = b"only for machines\n"
XAUTH = "#!/bin/sh\necho ':99  MIT-MAGIC-COOKIE-1  00112233445566778899aabbccddeeff'\n"
SHOWS_ENVIRONMENT = '#!/bin/sh\necho "agent=$SSH_AUTH_SOCK display=$DISPLAY"\n'
ALL = {"a shell", "a terminal", "another command", "scp", "sftp", "-L", "-R", "-D", "-A", "-X"}


@pytest.fixture
def machine_with_probe(machine: Machine) -> Machine:
    machine.authorized_keys.parent.mkdir(mode=0o700)
    machine.install("gpubot-probe", PROBE_SCRIPT)
    machine.install("nvidia-smi", SHOWS_ENVIRONMENT)
    machine.install("environment", SHOWS_ENVIRONMENT)
    machine.install("xauth", XAUTH)
    return machine


@pytest.mark.parametrize(("restricted", "works"), [(True, set()), (False, ALL)])
async def test_openssh_can_do_nothing_else_with_the_probes_key(
    restricted: bool, works: set[str], machine_with_probe: Machine, server: SshServer, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "key")
    line = public_line(key)
    machine_with_probe.authorized_keys.write_text(f"{probe_line(line) if restricted else line}\n")
    machine_with_probe.authorized_keys.chmod(0o600)

    assert await Intruder(server, key, tmp_path).what_works() == works


class Intruder:
    """Someone who has a key, OpenSSH's client, and a display."""

    def __init__(self, server: SshServer, key: Path, directory: Path) -> None:
        self._server = server
        self._key = key
        self._directory = directory
        self._xauth = directory / "xauth"
        self._xauth.write_text(XAUTH)
        self._xauth.chmod(0o755)

    async def what_works(self) -> set[str]:
        tries = {
            "a shell": self._ssh(typed="echo in a shell\n", shows="in a shell"),
            "a terminal": self._ssh("-tt", command="tty", shows="/dev/pts/"),
            "another command": self._ssh(command="echo another", shows="another"),
            "scp": self._sends("scp"),
            "sftp": self._sends("sftp"),
            "-L": self._local_forward(),
            "-R": self._forwards_from_there(),
            "-D": self._socks(),
            "-A": self._forwards_its_agent(),
            "-X": self._ssh(
                "-X", "-o", f"XAuthLocation={self._xauth}", command="environment", shows="display=local"
            ),
        }
        return {name for name, tried in tries.items() if await tried}

    async def _ssh(self, *options: str, command: str | None = None, typed: str = "", shows: str) -> bool:
        commands = () if command is None else (command,)
        ssh = (*self._server.client("ssh", self._key, *options), "root@127.0.0.1", *commands)
        _, output = await run(*ssh, typed=typed, env={**os.environ, "DISPLAY": ":99"})
        return shows in output

    async def _sends(self, how: str) -> bool:
        """Return whether a file can be sent with the old protocol of scp, or with that of sftp."""
        file = self._directory / f"by-{how}"
        file.write_text("sent\n")
        if how == "scp":
            await run(*self._server.client("scp", self._key, "-O"), str(file), "root@127.0.0.1:")
        else:
            sftp = (*self._server.client("sftp", self._key, "-b", "-"), "root@127.0.0.1")
            await run(*sftp, typed=f"put {file}\n")
        return (self._server.machine.root / file.name).exists()

    async def _forwards_its_agent(self) -> bool:
        ssh = self._server.client("ssh", self._key, "-A", "-o", "IdentityAgent=SSH_AUTH_SOCK")
        _, output = await run(program("ssh-agent"), *ssh, "root@127.0.0.1", "environment")
        return "agent=/" in output

    async def _local_forward(self) -> bool:
        here = self._directory / "forward"
        async with inner_server() as port, self._forwarding("-L", f"{here}:127.0.0.1:{port}"):
            return await _answer(*await asyncio.open_unix_connection(here)) == GREETING

    async def _socks(self) -> bool:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            here = unused.getsockname()[1]
        async with inner_server() as port, self._forwarding("-D", f"127.0.0.1:{here}"):
            # SOCKS4: connect to a port of 127.0.0.1 without a user name. The answer has 8 bytes.
            waitlist_entry = b"\x04\x01" + port.to_bytes(2, "big") + b"\x7f\x00\x00\x01\x00"
            answer = await _answer(*await asyncio.open_connection("127.0.0.1", here), sent=waitlist_entry)
            return answer[8:] == GREETING

    async def _forwards_from_there(self) -> bool:
        async with inner_server() as port, self._forwarding("-R", f"0:127.0.0.1:{port}") as lines:
            return any("Allocated port" in line for line in lines)

    @asynccontextmanager
    async def _forwarding(self, *options: str) -> AsyncIterator[list[str]]:
        """Run `ssh -N` during the block, which begins when the forward is open or ssh has given up."""
        open_when = "Allocated port" if "-R" in options else "Entering interactive session"
        settings = ("-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=DEBUG1")
        ssh = await asyncio.create_subprocess_exec(
            *self._server.client("ssh", self._key, "-N", *options, *settings),
            "root@127.0.0.1",
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        assert ssh.stderr is not None
        lines: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while line := (await ssh.stderr.readline()).decode():
                    lines.append(line)
                    if open_when in line:
                        break
            assert any("Authenticated to" in line for line in lines)
            yield lines
        finally:
            if ssh.returncode is None:
                ssh.kill()
            await ssh.communicate()


@asynccontextmanager
async def inner_server() -> AsyncIterator[int]:
    """Serve a greeting on a port that only the machine itself should be able to reach."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes = b"") -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(sent)
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
