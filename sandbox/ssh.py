"""SSH hosts on this machine, for `ssh root@127.0.0.1 -p PORT nvidia-smi` and for a login by hand."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncssh
from typing_extensions import override

from sandbox.clock import SandboxClock, real_sleep
from sandbox.nvidia_smi import Gpu, gpu_list, gpu_table
from sandbox.serving import HOST

_COMMANDS = ("nvidia-smi", "uptime", "exit")
_NOT_FOUND = 127


def new_host_key(kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    """Return a new private key for an SSH host."""
    return asyncssh.generate_private_key(kind)


@dataclass(frozen=True)
class HostInfo:
    """The machine of a host, as its shell shows it."""

    hostname: str
    gpus: Sequence[Gpu]
    up_since: datetime


class SshHost:
    """The SSH server of one machine, on 127.0.0.1. It lets in root with one of its keys, to a small shell.

    A `silent` one accepts connections and sends nothing.
    """

    def __init__(
        self,
        info: HostInfo,
        authorized_keys: Sequence[asyncssh.SSHKey],
        host_keys: Sequence[asyncssh.SSHKey],
        clock: SandboxClock,
        *,
        silent: bool = False,
    ) -> None:
        """Without `authorized_keys` nobody can log in."""
        self._info = info
        self._authorized = frozenset(key.public_data for key in authorized_keys)
        self._host_keys = host_keys
        self._clock = clock
        self._silent = silent
        self._server: asyncssh.SSHAcceptor | asyncio.Server | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._silent_connections: set[asyncio.StreamWriter] = set()
        self._stopped = False
        self.port = 0

    async def start(self, port: int = 0) -> int:
        """Begin to listen on a port (0: a free one), and return it. Raise OSError if it is taken."""
        if self._silent:
            server = await asyncio.start_server(self._stay_silent, HOST, port)
            self._server = server
            self.port = server.sockets[0].getsockname()[1]
            return self.port
        acceptor = await asyncssh.listen(
            HOST,
            port,
            server_factory=lambda: _Login(self._authorized, self._remember, self._connections.discard),
            server_host_keys=list(self._host_keys),
            process_factory=self._login,
            agent_forwarding=False,
            gss_host=None,
            compression_algs=None,
        )
        self._server = acceptor
        self.port = acceptor.get_port()
        return self.port

    async def stop(self) -> None:
        """Stop listening, and cut every connection, as if the machine were switched off."""
        self._stopped = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()
        for writer in list(self._silent_connections):
            writer.transport.abort()
        await real_sleep(0)  # let the connections end

    def change_host_keys(self, host_keys: Sequence[asyncssh.SSHKey]) -> None:
        """Show these host keys to every connection from now on."""
        self._host_keys = host_keys
        if isinstance(self._server, asyncssh.SSHAcceptor):
            self._server.update(server_host_keys=list(host_keys))

    def _remember(self, connection: asyncssh.SSHServerConnection) -> None:
        """Remember a connection, so that `stop` can cut it. Cut it now if the host has stopped."""
        self._connections.add(connection)
        if self._stopped:
            connection.abort()

    async def _stay_silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._silent_connections.add(writer)
        try:
            while not self._stopped and await reader.read(1024):
                pass
        except ConnectionError:
            pass
        finally:
            self._silent_connections.discard(writer)
            writer.close()

    async def _login(self, process: asyncssh.SSHServerProcess[str]) -> None:
        shell = Shell(self._info, self._clock)
        try:
            if process.command is not None:
                output, status = shell.run(process.command)
                process.stdout.write(output)
                process.exit(status)
                return
            process.exit(await self._interactive_shell(process, shell))
        except (asyncssh.BreakReceived, asyncssh.ConnectionLost, BrokenPipeError, ConnectionError):
            process.exit(1)

    async def _interactive_shell(self, process: asyncssh.SSHServerProcess[str], shell: "Shell") -> int:
        """Serve a login by hand until `exit` or the end of input. Return the last command's status."""
        prompt = f"root@{self._info.hostname}:~# " if process.term_type else ""
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
            if shell.exited:
                return shell.status


class Shell:
    """The shell of a machine."""

    def __init__(self, info: HostInfo, clock: SandboxClock) -> None:
        self._info = info
        self._clock = clock
        self.status = 0
        self.exited = False

    def run(self, line: str) -> tuple[str, int]:
        """Run a line, and return its output and exit status. `exit` sets `exited`."""
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
                return gpu_list(self._info.gpus), 0
            if arguments:
                return f"Invalid combination of input arguments: {' '.join(arguments)}\n", 2
            return gpu_table(self._info.gpus, now), 0
        if name == "uptime":
            return uptime(self._info.up_since, now), 0
        if name == "exit":
            self.exited = True
            given = arguments[0] if arguments else ""
            return "", int(given) % 256 if given.isdecimal() else self.status
        return f"bash: {name}: command not found\n(there are: {', '.join(_COMMANDS)})\n", _NOT_FOUND


def uptime(since: datetime, now: datetime) -> str:
    """Return the output of `uptime`, for a machine that is up since then."""
    minutes = max(0, int((now - since).total_seconds()) // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    up = f"{hours:2d}:{rest:02d}" if hours else f"{rest} min"
    if days:
        up = f"{days} day{'s' if days > 1 else ''}, {up}"
    return f" {now:%H:%M:%S} up {up},  1 user,  load average: 0.00, 0.00, 0.00\n"


class _Login(asyncssh.SSHServer):
    """Lets in only root with one of the authorized keys, given as their public data."""

    def __init__(
        self,
        authorized: frozenset[bytes],
        on_open: Callable[[asyncssh.SSHServerConnection], None],
        on_close: Callable[[asyncssh.SSHServerConnection], None],
    ) -> None:
        self._authorized = authorized
        self._on_open = on_open
        self._on_close = on_close
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._on_open(conn)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._on_close(self._connection)

    @override
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "root" and key.public_data in self._authorized
