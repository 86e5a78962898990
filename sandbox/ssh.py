"""SSH hosts on this machine: real enough for `ssh root@127.0.0.1 -p PORT nvidia-smi`, and for a login by hand."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import asyncssh

from sandbox.clock import SandboxClock, real_sleep
from sandbox.serving import HOST
from sandbox.smi import Gpu, gpu_list, gpu_table

_COMMANDS = ("nvidia-smi", "uptime", "exit")
_NOT_FOUND = 127


@cache
def host_key() -> asyncssh.SSHKey:
    """The ed25519 key that all hosts of this process show, made when it is first needed."""
    return asyncssh.generate_private_key("ssh-ed25519")


@dataclass(frozen=True)
class Box:
    """The machine behind a host, as far as its shell can tell."""

    hostname: str
    gpus: Sequence[Gpu]
    up_since: datetime


class SshHost:
    """One SSH server on 127.0.0.1 for one machine: lets in root with one key, to a shell with three commands.

    A `silent` one accepts connections and never says a word.
    """

    def __init__(self, box: Box, authorized_key: str | None, clock: SandboxClock, *, silent: bool = False) -> None:
        """`authorized_key` is a line of an authorized_keys file; when it can't be read, nobody gets in."""
        self._box = box
        self._key = _public_key(authorized_key)
        self._clock = clock
        self._silent = silent
        self._server: asyncssh.SSHAcceptor | asyncio.Server | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._silences: set[asyncio.StreamWriter] = set()
        self._stopped = False
        self.port = 0

    async def start(self) -> int:
        """Begins to listen on a free port, and returns it."""
        if self._silent:
            server = await asyncio.start_server(self._say_nothing, HOST, 0)
            self._server = server
            self.port = server.sockets[0].getsockname()[1]
            return self.port
        acceptor = await asyncssh.listen(
            HOST,
            0,
            server_factory=lambda: _Door(self._key, self._admit, self._connections.discard),
            server_host_keys=[host_key()],
            process_factory=self._login,
            agent_forwarding=False,
            gss_host=None,
            compression_algs=None,
        )
        self._server = acceptor
        self.port = acceptor.get_port()
        return self.port

    async def stop(self) -> None:
        """Stops listening and cuts every connection, as a machine does that is switched off."""
        self._stopped = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()
        for writer in list(self._silences):
            writer.transport.abort()
        await real_sleep(0)  # lets the connections hear of it

    def _admit(self, connection: asyncssh.SSHServerConnection) -> None:
        """Keeps a connection in mind; one that was under way while the host stopped is cut."""
        self._connections.add(connection)
        if self._stopped:
            connection.abort()

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._silences.add(writer)
        try:
            while not self._stopped and await reader.read(1024):
                pass
        except ConnectionError:
            pass
        finally:
            self._silences.discard(writer)
            writer.close()

    async def _login(self, process: asyncssh.SSHServerProcess[str]) -> None:
        shell = Shell(self._box, self._clock)
        try:
            if process.command is not None:
                output, status = shell.run(process.command)
                process.stdout.write(output)
                process.exit(status)
                return
            process.exit(await self._converse(process, shell))
        except (asyncssh.BreakReceived, asyncssh.ConnectionLost, BrokenPipeError, ConnectionError):
            process.exit(1)

    async def _converse(self, process: asyncssh.SSHServerProcess[str], shell: "Shell") -> int:
        """A login by hand, line by line until `exit` or the end of input. Returns the last command's status."""
        prompt = f"root@{self._box.hostname}:~# " if process.term_type else ""
        while True:
            process.stdout.write(prompt)
            try:
                line = await process.stdin.readline()
            except asyncssh.BreakReceived:
                process.stdout.write("^C\n")
                continue
            if not line:
                return shell.status
            output, _ = shell.run(line)
            process.stdout.write(output)
            if shell.left:
                return shell.status


class Shell:
    """What can be typed on a machine."""

    def __init__(self, box: Box, clock: SandboxClock) -> None:
        self._box = box
        self._clock = clock
        self.status = 0
        self.left = False

    def run(self, line: str) -> tuple[str, int]:
        """What a line prints and its exit status, which the shell also remembers; `exit` sets `left`."""
        try:
            words = shlex.split(line)
        except ValueError:
            words = [line.strip()]
        if not words:
            return "", self.status
        output, self.status = self._command(words[0], words[1:])
        return output, self.status

    def _command(self, name: str, arguments: list[str]) -> tuple[str, int]:
        now = self._clock.now()
        if name == "nvidia-smi":
            if arguments == ["-L"]:
                return gpu_list(self._box.gpus), 0
            if arguments:
                return f"Invalid combination of input arguments: {' '.join(arguments)}\n", 2
            return gpu_table(self._box.gpus, now), 0
        if name == "uptime":
            return uptime(self._box.up_since, now), 0
        if name == "exit":
            self.left = True
            given = arguments[0] if arguments else ""
            return "", int(given) % 256 if given.isdecimal() else self.status
        return f"bash: {name}: command not found\n(there are: {', '.join(_COMMANDS)})\n", _NOT_FOUND


def uptime(since: datetime, now: datetime) -> str:
    """The line of `uptime`, for a machine that is up since then."""
    minutes = max(0, int((now - since).total_seconds()) // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    up = f"{hours:2d}:{rest:02d}" if hours else f"{rest} min"
    if days:
        up = f"{days} day{'s' if days > 1 else ''}, {up}"
    return f" {now:%H:%M:%S} up {up},  1 user,  load average: 0.00, 0.00, 0.00\n"


class _Door(asyncssh.SSHServer):
    """Lets in root with the one key, and nobody else."""

    def __init__(
        self,
        key: asyncssh.SSHKey | None,
        came: Callable[[asyncssh.SSHServerConnection], None],
        went: Callable[[asyncssh.SSHServerConnection], None],
    ) -> None:
        self._key = key
        self._came = came
        self._went = went
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._came(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._went(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "root" and self._key is not None and key.public_data == self._key.public_data


def _public_key(line: str | None) -> asyncssh.SSHKey | None:
    if line is None:
        return None
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return None
