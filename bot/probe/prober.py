"""Checks a machine over the network, with SSH."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

import asyncssh
import structlog
from typing_extensions import override

from bot.model.machine_use import EndToTell, Missed, ProbeResult
from bot.policy.access.probe_script import SCRIPT_PATH
from bot.probe.connecting import Connector, LimitedConnection
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.report import is_complete, read_report

SECONDS = 5.0
HOST_KEY_SECONDS = 2.0
"""The maximum time in seconds (wall clock) for reading the host key.

The time is short because the bot tries to read the host key before it notifies the owner that the machine is
ready. If the key can't be read in time, the bot tries again with the next checks of the machine.
"""
PROBE_RUN_SECONDS = 15.0
AFTER_REPORT_SECONDS = 6.0
"""The maximum time in seconds (wall clock) for what the script prints after the report.

With this limit, the report is used even if the GPU driver hangs after it.
"""
MAX_LINE = 1024
MAX_LINES = 30
"""The maximum number of lines to read while waiting for the SSH banner.

A server is allowed to send other lines before the banner (RFC 4253, section 4.2).
"""
HOST_KEY_BYTES = 16 * 1024
"""The maximum number of bytes that a server can send before its host key is known. OpenSSH sends 2 KiB."""
PROBE_RUN_BYTES = 64 * 1024
"""The maximum number of bytes that a machine can send in one probe run, including the login."""

HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""The host key algorithms, in the same order as in ssh_config(5).

If a server has several host keys, the bot therefore reads the same key that people see when they log in with
OpenSSH.
"""
KEX_ALGORITHMS = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
)
"""The key exchange algorithms, limited to those with a fixed group.

Other algorithms let the server choose the group. Calculating with a very large group would block the event loop.
"""
CIPHERS = (
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
"""The ciphers that are enabled in both OpenSSH and Dropbear.

The older ciphers in asyncssh's list are slow in Python.
"""
WINDOW = 32 * 1024
"""The number of unread bytes after which the server must stop sending (the window size of the SSH channel)."""

_log = structlog.get_logger("gpubot.probe")


class SshProber:
    """Probes machines over TCP (`bot.lifecycle.outside.Prober`). It logs in only with the probe's key."""

    def __init__(
        self,
        key: ProbeKey | None = None,
        *,
        seconds: float = SECONDS,
        host_key_seconds: float = HOST_KEY_SECONDS,
        probe_run_seconds: float = PROBE_RUN_SECONDS,
        after_report_seconds: float = AFTER_REPORT_SECONDS,
    ) -> None:
        """Create a prober.

        Args:
            key: The key to log in with. Without one, `run_probe` uses a new key that no machine accepts.
            seconds: The time limit of each call (wall clock).
            host_key_seconds: The time limit of `host_key`, if it is shorter than `seconds`.
            probe_run_seconds: The time limit of `run_probe`.
            after_report_seconds: The time for which `run_probe` waits for further output after the report.
        """
        # asyncssh looks up the name of the local user, although it doesn't need the name here. In a container, a
        # user may have no name, and the lookup would fail. It doesn't fail if LOGNAME is set.
        os.environ.setdefault("LOGNAME", "gpubot")
        key = key or new_probe_key()
        self._key, self._secret = key.private, key.secret
        self._connector = Connector()
        self._seconds = seconds
        self._host_key_seconds = min(seconds, host_key_seconds)
        self._probe_run_seconds = probe_run_seconds
        self._after_report_seconds = after_report_seconds

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                with await self._connector.connected(host, port, vendor) as sock:
                    reader, writer = await asyncio.open_connection(sock=sock, limit=MAX_LINE)
                    try:
                        return await _has_banner(reader)
                    finally:
                        writer.transport.abort()
        except (OSError, TimeoutError, ValueError, OverflowError) as error:
            _log.debug("probe.no_banner", error=type(error).__name__)
            return False

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        """Read the host key's fingerprint with a key exchange, without logging in.

        If the server has several keys, the ed25519 key is used.
        """
        try:
            async with asyncio.timeout(self._host_key_seconds):
                with await self._connector.connected(host, port, vendor) as sock:
                    tunnel: Any = LimitedConnection(sock, HOST_KEY_BYTES)
                    key = await asyncssh.get_server_host_key(
                        host,
                        port,
                        tunnel=tunnel,
                        config=None,
                        kex_algs=KEX_ALGORITHMS,
                        server_host_key_algs=HOST_KEY_ALGORITHMS,
                        # These options stop asyncssh from using the keys in ~/.ssh or the keys of an SSH agent.
                        options=asyncssh.SSHClientConnectionOptions(
                            config=None, client_keys=None, known_hosts=None
                        ),
                    )
        except Exception as error:
            # Catch all exceptions, because data from a broken or hostile SSH server can make asyncssh raise any of
            # them. The machine can be used even if the bot couldn't read its host key, by which ssh recognizes the
            # machine.
            _log.info("probe.no_host_key", error=type(error).__name__)
            return None
        return key.get_fingerprint("sha256") if key is not None else None

    async def run_probe(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> ProbeResult:
        client, session = _Client(self._key, host_key), _Session()
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._probe_run_seconds):
                with await self._connector.connected(host, port, vendor) as sock:
                    tunnel = LimitedConnection(sock, PROBE_RUN_BYTES)
                    await _run_script(
                        host,
                        port,
                        client,
                        session,
                        tunnel,
                        command=ask_for(ending),
                        after_report_seconds=self._after_report_seconds,
                    )
        except Exception as caught:
            # Catch all exceptions, because data from a broken or hostile SSH server can make asyncssh raise any of
            # them.
            error = caught
        report = read_report(session.answer, self._secret) if client.logged_in else None
        missed = None if report is not None else _why(client, error)
        known = client.offered or client.logged_in or client.changed
        return ProbeResult(report=report, missed=missed, host_key=client.shown if known else None)


async def _has_banner(reader: asyncio.StreamReader) -> bool:
    for _ in range(MAX_LINES):
        line = await reader.readline()
        if line.startswith(b"SSH-"):
            return True
        if not line:
            return False
    return False


# --- a probe run


class _Client(asyncssh.SSHClient):
    """Checks the host key, offers the probe's key, and records how far the login gets."""

    def __init__(self, key: asyncssh.SSHKey, pinned: str | None) -> None:
        self._keys = [key]
        self._pinned = pinned
        self.shown: str | None = None
        """The fingerprint of the host key that the server presented.

        If `offered` is true, the server has also proven that it has the matching private key.
        """
        self.changed = False
        self.offered = False
        """True once the probe's key has been offered to the server."""
        self.logged_in = False

    @override
    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key.get_fingerprint("sha256")
        self.changed = self._pinned is not None and self._pinned != self.shown
        self._pinned = self.shown  # a later key exchange of this connection must use the same key
        return not self.changed

    @override
    def public_key_auth_requested(self) -> list[asyncssh.SSHKey]:
        """Return the probe's key on the first call, and no key afterwards.

        asyncssh calls this after the key exchange, until a key is accepted or there are no more keys.
        """
        self.offered = True
        keys, self._keys = self._keys, []
        return keys

    @override
    def auth_completed(self) -> None:
        self.logged_in = True


class _Session(asyncssh.SSHClientSession[bytes]):
    """Collects the output of the script."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self.complete = asyncio.Event()
        """Set once the report is complete, or once nothing more can arrive."""
        self.over = asyncio.Event()
        """Set once nothing more can arrive."""

    @override
    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is None:  # otherwise the data is from stderr
            self.answer += data
            if is_complete(self.answer):
                self.complete.set()

    @override
    def eof_received(self) -> bool:
        self._end()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        self.complete.set()
        self.over.set()


MOST_LEFT = 9_999_999
"""The longest remaining time, in seconds, that is sent to a machine: almost 116 days.

Longer times are shortened to this.
"""


def ask_for(ending: EndToTell | None) -> str:
    """Return the command that a probe run sends to the machine.

    The command is `/usr/local/sbin/gpubot-probe END LEFT`. END is the time at which the machine's lease ends, in
    Unix seconds, and LEFT is the remaining time in whole seconds. If `ending` is None, both are left out.
    """
    if ending is None:
        return SCRIPT_PATH
    return f"{SCRIPT_PATH} {int(ending.end.timestamp())} {min(int(ending.left.total_seconds()), MOST_LEFT)}"


def _why(client: _Client, error: Exception | None) -> Missed:
    if client.changed:
        return Missed.HOST_KEY_CHANGED
    if client.logged_in:
        return Missed.UNREADABLE
    if client.offered:
        # Apart from a timeout, every error after the bot has offered its key means that the server refused the
        # key. The class of the error says nothing more, because some servers refuse a key by just closing the
        # connection.
        return Missed.NO_ANSWER if isinstance(error, TimeoutError) else Missed.REFUSED
    # The bot never got to offer its key. If the server has shown its host key and then denied the login, the bot's
    # key counts as refused. Such a server accepts no keys at all, or it refuses this one before it has proven its
    # identity.
    refused = client.shown is not None and isinstance(error, asyncssh.PermissionDenied)
    return Missed.REFUSED if refused else Missed.NO_ANSWER


async def _run_script(
    host: str,
    port: int,
    client: _Client,
    session: _Session,
    tunnel: LimitedConnection,
    *,
    command: str,
    after_report_seconds: float,
) -> None:
    connection = await asyncssh.connect(
        host,
        port,
        tunnel=tunnel,
        config=None,
        client_factory=lambda: client,
        username="root",
        # None stops asyncssh from using the keys in ~/.ssh or the keys of an SSH agent. asyncssh gets the bot's
        # key from `client` instead.
        client_keys=None,
        preferred_auth=["publickey"],
        gss_host=None,
        # Empty lists stop asyncssh from reading ~/.ssh/known_hosts. It then asks `client` whether to trust a
        # server's host key.
        known_hosts=([], [], []),
        server_host_key_algs=HOST_KEY_ALGORITHMS,
        kex_algs=KEX_ALGORITHMS,
        encryption_algs=CIPHERS,
        compression_algs=None,
        login_timeout=0,  # the timeout of the whole probe run applies instead
    )
    try:
        # This command may be ignored. If the line of the bot's key in the machine's authorized_keys has the option
        # `command=`, the machine runs the command in that option, which is the probe as well.
        await connection.create_session(
            lambda: session,
            command,
            encoding=None,
            window=WINDOW,
            request_pty=False,
        )
        await session.complete.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(after_report_seconds):
                await session.over.wait()
    finally:
        connection.abort()
        await connection.wait_closed()
