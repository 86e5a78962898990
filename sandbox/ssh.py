"""SSH servers of the simulated machines, for `ssh root@127.0.0.1 -p PORT nvidia-smi` and interactive logins."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, cast

import asyncssh
from typing_extensions import override

from sandbox.clock import Notifier, SandboxClock, real_sleep
from sandbox.host_info import HostInfo
from sandbox.probe_report import Peer
from sandbox.serving import HOST
from sandbox.shell import Hangs, Shell
from sandbox.use import Fault

_FORCED = "forced-command"
"""The name under which the option `command` is passed to asyncssh.

Under its real name, asyncssh would apply the option itself and hide the command that the client requested.
"""
_RESTRICTED = "restrict,no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
"""The options that replace `restrict`, which asyncssh doesn't know (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""

ACCEPT_AGAIN_SECONDS = 0.1


def new_host_key(kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    """Return a new private key for an SSH host."""
    return asyncssh.generate_private_key(kind)


class SshHost:
    """The SSH server of one machine, on 127.0.0.1.

    It gives root a small shell if one of the authorized keys is used. A *silent* host accepts connections but
    never sends anything.
    """

    def __init__(
        self,
        info: Callable[[], HostInfo],
        authorized_keys: Callable[[], Sequence[str]],
        host_keys: Sequence[asyncssh.SSHKey],
        clock: SandboxClock,
        *,
        note_typed: Callable[[str], None],
        silent: bool = False,
    ) -> None:
        """Create the server of a machine; `start` makes it listen.

        Args:
            info: Returns the current state of the machine. The host is silent while it has the fault `silent`.
            authorized_keys: Returns the current lines of the authorized_keys file.
            host_keys: The host's private keys.
            clock: The sandbox's clock.
            note_typed: Called with each line that a person runs.
            silent: Makes the host silent for as long as it exists.
        """
        self._info = info
        self._authorized_keys = authorized_keys
        self._host_keys = host_keys
        self._clock = clock
        self._note_typed = note_typed
        self._silent = silent
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncssh.SSHServerConnection, tuple[Peer, Peer]] = {}
        """The client and the server of each open connection."""
        self._silent_connections: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.visits = 0
        """The number of logins with a key that is restricted to one command, as the probe's key is."""
        self.visited = Notifier()

    async def start(self, port: int = 0) -> int:
        """Start listening, and return the port. Port 0 picks a free one. Raise OSError if the port is in use."""
        self._listener = socket.create_server((HOST, port))
        self._listener.setblocking(False)
        self._do(self._accept(self._listener))
        self.port = self._listener.getsockname()[1]
        return self.port

    async def stop(self) -> None:
        """Stop listening and abort every connection, as if the machine were switched off."""
        # Let each new task begin before it is cancelled. A task that is cancelled before it has begun can't close
        # its socket.
        await real_sleep(0)
        for task in list(self._tasks):
            task.cancel()
        # Let the cancelled tasks finish. Their sockets must not be closed before that.
        await real_sleep(0)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.disconnect()
        # Let the aborted connections finish.
        await real_sleep(0)

    def disconnect(self) -> None:
        """Abort every connection, as if the machine were restarted."""
        for connection in list(self._connections):
            connection.abort()
        for writer in list(self._silent_connections):
            writer.transport.abort()

    def change_host_keys(self, host_keys: Sequence[asyncssh.SSHKey]) -> None:
        """Present these host keys to every new connection."""
        self._host_keys = host_keys

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"sandbox-ssh-{self.port}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:
                # Accepting this connection failed, because the client has disconnected or because too many files
                # are open. Go on listening.
                await real_sleep(ACCEPT_AGAIN_SECONDS)
                continue
            silent = self._silent or self._info().use.at(self._clock.now()).fault is Fault.SILENT
            self._do(self._stay_silent(client) if silent else self._serve(client))

    async def _serve(self, client: socket.socket) -> None:
        """Serve a connection until its client has logged in. After that, asyncssh serves the connection alone."""
        try:
            await asyncssh.run_server(
                client,
                server_factory=lambda: _Login(self._authorized_keys, self._connections),
                server_host_keys=list(self._host_keys),
                process_factory=self._login,
                agent_forwarding=False,
                gss_host=None,
                compression_algs=None,
                errors="surrogateescape",
            )
        except (OSError, asyncssh.Error):
            client.close()
        except asyncio.CancelledError:
            # If asyncssh is cancelled while it prepares its options, it doesn't close the client's socket. Close
            # it here.
            client.close()
            raise

    async def _stay_silent(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        self._silent_connections.add(writer)
        try:
            with suppress(ConnectionError):
                while await reader.read(1024):
                    pass
        finally:
            self._silent_connections.discard(writer)
            writer.close()

    def _peers(self) -> list[Peer]:
        """Return the client addresses of the open connections."""
        silent = [_address(writer, "peername") for writer in self._silent_connections]
        return [client for client, _ in self._connections.values()] + silent

    async def _login(self, process: asyncssh.SSHServerProcess[str]) -> None:
        connection = cast(asyncssh.SSHServerConnection, process.channel.get_connection())
        own = self._connections.get(connection)
        if own is None:
            # The client disconnected while it was logging in, so there is nobody to serve.
            return
        shell = Shell(self._info, self._clock, own, [peer for peer in self._peers() if peer != own[0]])
        forced = cast(list[str] | None, connection.get_key_option(_FORCED))
        if forced is not None:
            self.visits += 1
            self.visited.notify()
        elif process.command is not None:
            self._note_typed(process.command)
        try:
            if forced is not None:
                output, status = shell.run_forced(forced[0], process.command or "")
                process.stdout.write(output)
                process.exit(status)
                return
            if process.command is not None:
                output, status = shell.run(process.command)
                process.stdout.write(output)
                process.exit(status)
                return
            process.exit(await self._interactive_shell(process, shell))
        except Hangs:
            await process.wait_closed()
        except (asyncssh.BreakReceived, asyncssh.ConnectionLost, BrokenPipeError, ConnectionError):
            process.exit(1)

    async def _interactive_shell(self, process: asyncssh.SSHServerProcess[str], shell: Shell) -> int:
        """Serve an interactive login until `exit` or the end of input. Return the last command's exit status."""
        prompt = f"root@{self._info().hostname}:~# " if process.term_type else ""
        while True:
            process.stdout.write(prompt)
            try:
                line = await process.stdin.readline()
            except asyncssh.BreakReceived:
                process.stdout.write("^C\n")
                continue
            if not line:
                return shell.status
            self._note_typed(line.rstrip("\n"))
            output, _ = shell.run(line)
            process.stdout.write(output)
            if shell.exited:
                return shell.status


def _address(connection: Any, which: str) -> Peer:
    """Return an address and a port of a connection or a writer. The port is 0 if the client has disconnected."""
    address, port = (connection.get_extra_info(which) or (HOST, 0))[:2]
    return address, port


class _Login(asyncssh.SSHServer):
    """The login of one connection. Only root may log in, with an authorized key.

    The connection is listed in `connections` while it is open.
    """

    def __init__(
        self,
        authorized_keys: Callable[[], Sequence[str]],
        connections: dict[asyncssh.SSHServerConnection, tuple[Peer, Peer]],
    ) -> None:
        self._authorized_keys = authorized_keys
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections[conn] = (_address(conn, "peername"), _address(conn, "sockname"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._connections.pop(self._connection, None)

    @override
    def begin_auth(self, username: str) -> bool:
        lines = [
            line.replace("restrict,", _RESTRICTED, 1).replace(",command=", f",{_FORCED}=", 1)
            for line in self._authorized_keys()
        ]
        if self._connection is not None and username == "root" and lines:
            self._connection.set_authorized_keys(asyncssh.import_authorized_keys("\n".join(lines)))
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return True
