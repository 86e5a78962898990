"""Machines with Debian's OpenSSH server, to which the real `ssh` can log in.

A machine is this machine in other namespaces: /root, /var/lib, /usr/local/bin and /usr/local/sbin are directories
of the test, /run is empty, and only the machine's own processes are visible. This way, a startup script runs
unchanged, and sshd works with its defaults for root. The server is started for each connection (`sshd -i`), as
inetd would do. It therefore needs no port of its own, and nothing runs while nobody is connected. A machine has no
GPU; a test that needs one installs its own `nvidia-smi`.

Namespaces need root, and in a container also `--privileged`. Without them, the test is skipped.
"""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from tests.programs import NEEDS, PATH, ROOT, program

PATIENCE = 60
"""Seconds after which a command that hangs makes its test fail."""
_ENTER = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Options of `unshare`. When the program that it starts ends, every process of the machine ends too."""
_MOUNT = """
mount --bind "$1" /root && mount --bind "$2" /var/lib || exit
mount --bind "$3" /usr/local/sbin && mount --bind "$4" /usr/local/bin || exit
mount -t tmpfs none /run && mkdir -m 755 /run/sshd || exit
[ ! -e /usr/bin/nvidia-smi ] || mount --bind /dev/null /usr/bin/nvidia-smi || exit
cd /
shift 4
exec "$@"
"""


async def run(*command: str, env: Mapping[str, str] | None = None, typed: str = "") -> tuple[int, str]:
    """Run a command, and return its exit status and what it wrote to both outputs. `typed` is its input."""
    process = await asyncio.create_subprocess_exec(*command, env=env, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(typed.encode()), PATIENCE)
    except TimeoutError:
        await _end(process)
        raise
    return await process.wait(), output.decode(errors="replace")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def new_key(path: Path, kind: str = "ssh-ed25519") -> Path:
    """Create a key pair, and return the path of its private half.

    The public half is in the same folder, with `.pub` added to the name.
    """
    pair = asyncssh.generate_private_key(kind)
    path.touch(mode=0o600)
    path.write_bytes(pair.export_private_key("openssh"))
    path.with_name(f"{path.name}.pub").write_bytes(pair.export_public_key("openssh"))
    return path


def public_line(private: Path) -> str:
    """Return the public half of a key pair as `<type> <base64>`."""
    return private.with_name(f"{private.name}.pub").read_text().strip()


def _options(settings: Mapping[str, object]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


_SIGNALS = ("env", "--default-signal=HUP,INT,QUIT")
"""Restores signals that are ignored if the tests run under `nohup`.

A shell can't trap a signal that was ignored when it started.
"""


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


class Machine:
    """A machine with its own /root, /var/lib, /usr/local/bin, /usr/local/sbin and host key.

    To change the host key, assign another one to `host_key`.
    """

    def __init__(self, directory: Path) -> None:
        self.root, self.var_lib = directory / "root", directory / "var-lib"
        self.root.mkdir(parents=True, mode=0o700)
        self.var_lib.mkdir()
        self.sbin, self.bin = directory / "sbin", directory / "bin"
        self.sbin.mkdir()
        self.bin.mkdir()
        self.host_key = new_key(directory / "host_key")
        self.log = directory / "sshd.log"
        self.authorized_keys = self.root / ".ssh/authorized_keys"
        self._init: int | None = None
        """The process ID of the machine's first process, while the machine stays up."""

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Keep the machine running for the duration of the block.

        Processes that a command leaves running, and files that it writes to /run, are then still there for the
        next command. Without this, each command gets a machine of its own.
        """
        process = await asyncio.create_subprocess_exec(
            *self.command("sh", "-c", "echo up; exec sleep 1000000"),
            env={"PATH": PATH},
            stdin=DEVNULL,
            stdout=PIPE,
        )
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"up\n"
            # `unshare` itself stays outside the process namespace. Its only child is the first process inside.
            self._init = _only_child(process.pid)
            yield
        finally:
            self._init = None
            await _end(process)

    def command(self, *command: str) -> tuple[str, ...]:
        """Return the command that runs `command` as root on the machine.

        All processes that it leaves running end with it, unless the machine stays `up`.
        """
        if self._init is not None:
            return (*_SIGNALS, program("nsenter"), f"--target={self._init}", "--mount", "--pid", *command)
        mount = ("sh", "-c", _MOUNT, "sh", str(self.root), str(self.var_lib), str(self.sbin), str(self.bin))
        return (*_SIGNALS, program("unshare"), *_ENTER, *mount, *command)

    async def run(self, *command: str, **env: str) -> tuple[int, str]:
        """Run a command on the machine, and return its exit status and its output.

        Its environment is as small as that of a startup script, plus `env`.
        """
        return await run(*self.command(*command), env={"PATH": PATH, **env})

    def install(self, name: str, script: str) -> None:
        """Put a script into /usr/local/sbin, which is the first folder in PATH."""
        file = self.sbin / name
        file.write_text(script)
        file.chmod(0o755)

    @asynccontextmanager
    async def running(self, *command: str) -> AsyncIterator[None]:
        """Run a command for the duration of the block, then end it and all its processes."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*command), env={"PATH": PATH}, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            yield
        finally:
            await _end(process)


async def new_machine(directory: Path) -> Machine:
    """Return a machine whose files are in `directory`. Skip the test if namespaces aren't available."""
    status, _ = await run(program("unshare"), *_ENTER, "true")
    if os.geteuid() != 0 or status:
        pytest.skip(f"{NEEDS}{ROOT}")
    return Machine(directory)


class SshServer:
    """The SSH server of a machine on 127.0.0.1.

    To put another machine behind the same port, assign it to `machine`.
    """

    def __init__(self, machine: Machine, listener: socket.socket) -> None:
        self.machine = machine
        self.port: int = listener.getsockname()[1]
        self._sshd = program("sshd")

    async def serve(self, listener: socket.socket) -> None:
        """Serve connections until cancelled, then end them."""
        sessions: list[Process] = []
        try:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                with connection:
                    connection.setblocking(True)  # sshd expects a blocking socket
                    sessions.append(await self._start_session(connection))
        finally:
            for session in sessions:
                await _end(session)

    async def _start_session(self, connection: socket.socket) -> Process:
        machine = self.machine
        settings = {
            "HostKey": machine.host_key,
            "LogLevel": "VERBOSE",
            "PasswordAuthentication": "no",
            "Subsystem": "sftp internal-sftp",
            "UsePAM": "no",  # this machine's PAM may want services that don't run
            "X11Forwarding": "yes",
            "XAuthLocation": "/usr/local/sbin/xauth",
        }
        command = (self._sshd, "-i", "-f", "/dev/null", "-E", str(machine.log), *_options(settings))
        return await asyncio.create_subprocess_exec(
            *machine.command(*command), stdin=connection.fileno(), stdout=connection.fileno(), stderr=DEVNULL
        )

    def client(self, name: str, private_key: Path, *options: str) -> tuple[str, ...]:
        """Return the beginning of a command of OpenSSH's client: ssh, scp or sftp.

        The client uses a single key, and none of the user's own settings except those in `options`.
        """
        settings = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": private_key,
            "LogLevel": "ERROR",
            "Port": self.port,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
        }
        return (program(name), *options, "-F", "none", *_options(settings))

    async def login(self, private_key: Path, command: str = "true") -> tuple[int, str]:
        """Run a command through the real `ssh`, and return its exit status and its output.

        The status is 255 if the key is refused.
        """
        return await run(*self.client("ssh", private_key), "root@127.0.0.1", command)

    async def lets_in(self, private_key: Path) -> bool:
        """Return whether the server accepts a key."""
        status, _ = await self.login(private_key)
        return status == 0


@asynccontextmanager
async def ssh_server(machine: Machine) -> AsyncIterator[SshServer]:
    """Run the SSH server of a machine for the duration of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server = SshServer(machine, listener)
        serving = asyncio.create_task(server.serve(listener))
        try:
            yield server
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
