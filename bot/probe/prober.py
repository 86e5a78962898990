"""What the bot finds out about a machine from outside, with SSH."""

from __future__ import annotations

import asyncio
import os
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
"""Real seconds for the host key: few, because the owner is notified only afterwards that the machine is ready. The
next checks try again."""
PROBE_RUN_SECONDS = 15.0
MAX_LINE = 1024
MAX_LINES = 30
"""The most lines that are read. A server may send other lines before its banner (RFC 4253, section 4.2)."""
HOST_KEY_BYTES = 16 * 1024
"""The most bytes that a server may send until its host key is known. OpenSSH sends 2 KiB."""
PROBE_RUN_BYTES = 64 * 1024
"""The most bytes that a machine may send in one visit, the login included."""

HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""In the order of ssh_config(5), so that OpenSSH asks people about the same key of a server that has several."""
KEX_ALGORITHMS = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
)
"""Only those with a fixed group. A server could choose a group so large that it blocks the event loop."""
CIPHERS = (
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
"""Those that OpenSSH and Dropbear have on. The old ones of asyncssh's list are slow in Python."""
WINDOW = 32 * 1024
"""How many bytes the server may send before we read them."""

_log = structlog.get_logger("gpubot.probe")


class SshProber:
    """bot.lifecycle.outside.Prober over TCP. It logs in with the probe's key only."""

    def __init__(
        self,
        key: ProbeKey | None = None,
        *,
        seconds: float = SECONDS,
        host_key_seconds: float = HOST_KEY_SECONDS,
        probe_run_seconds: float = PROBE_RUN_SECONDS,
    ) -> None:
        """`seconds` is how many real seconds each call may take, but `host_key` takes at most `host_key_seconds`,
        and `run_probe` `probe_run_seconds`. Without a key, `run_probe` has a new one, which no machine knows.
        """
        # asyncssh asks for the name of the local user, though it is not used. In a container there may be none.
        os.environ.setdefault("LOGNAME", "gpubot")
        key = key or new_probe_key()
        self._key, self._secret = key.private, key.secret
        self._connector = Connector()
        self._seconds = seconds
        self._host_key_seconds = min(seconds, host_key_seconds)
        self._probe_run_seconds = probe_run_seconds

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
        """Read it by a key exchange, without a login. If the server has several keys, the ed25519 key counts."""
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
                        # Otherwise asyncssh reads the keys in ~/.ssh and asks an agent for keys.
                        options=asyncssh.SSHClientConnectionOptions(
                            config=None, client_keys=None, known_hosts=None
                        ),
                    )
        except Exception as error:
            # The server's bytes decide which exception asyncssh raises. People can use a machine without this key.
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
                    await _run_script(host, port, client, session, tunnel, command=ask_for(ending))
        except Exception as caught:
            # The server's bytes decide which exception asyncssh raises.
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


# --- a visit


class _Client(asyncssh.SSHClient):
    """Checks the host key, offers the probe's key, and notes how far the login comes."""

    def __init__(self, key: asyncssh.SSHKey, pinned: str | None) -> None:
        self._keys = [key]
        self._pinned = pinned
        self.shown: str | None = None
        """The fingerprint that the server showed. Once `offered` is set, the server has proven that it has this
        key."""
        self.changed = False
        self.offered = False
        """Whether our key was offered to the server."""
        self.logged_in = False

    @override
    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key.get_fingerprint("sha256")
        self.changed = self._pinned is not None and self._pinned != self.shown
        self._pinned = self.shown  # the server may begin another key exchange
        return not self.changed

    @override
    def public_key_auth_requested(self) -> list[asyncssh.SSHKey]:
        """Return the key at the first call, and no key at later calls. asyncssh calls this when the key exchange
        is over.
        """
        self.offered = True
        keys, self._keys = self._keys, []
        return keys

    @override
    def auth_completed(self) -> None:
        self.logged_in = True


class _Session(asyncssh.SSHClientSession[bytes]):
    """Collects what the script prints until its report is complete."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self.over = asyncio.Event()

    @override
    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is None:  # else it is the error output
            self.answer += data
            if is_complete(self.answer):
                self.over.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


MOST_LEFT = 9_999_999
"""Seconds, nearly 116 days: the most that a command states. A longer time is stated as this."""


def ask_for(ending: EndToTell | None) -> str:
    """Return the command that a visit asks for: `/usr/local/sbin/gpubot-probe END LEFT`, with END in Unix seconds
    and LEFT in whole seconds. Return the path alone if the machine is told no end.
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
        # Servers that refuse a key may also close the connection without a word.
        return Missed.NO_ANSWER if isinstance(error, TimeoutError) else Missed.REFUSED
    # The server accepts no keys, or it refuses ours before it has proven who it is.
    refused = client.shown is not None and isinstance(error, asyncssh.PermissionDenied)
    return Missed.REFUSED if refused else Missed.NO_ANSWER


async def _run_script(
    host: str, port: int, client: _Client, session: _Session, tunnel: LimitedConnection, *, command: str
) -> None:
    connection = await asyncssh.connect(
        host,
        port,
        tunnel=tunnel,
        config=None,
        client_factory=lambda: client,
        username="root",
        # `client` has the key. None also keeps asyncssh from ~/.ssh and from an agent.
        client_keys=None,
        preferred_auth=["publickey"],
        gss_host=None,
        # Empty lists: `client` judges every host key, and ~/.ssh/known_hosts is not read.
        known_hosts=([], [], []),
        server_host_key_algs=HOST_KEY_ALGORITHMS,
        kex_algs=KEX_ALGORITHMS,
        encryption_algs=CIPHERS,
        compression_algs=None,
        login_timeout=0,  # the time-out of the visit counts
    )
    try:
        # The machine runs the probe whatever we ask for, if the key's line has `command=`.
        await connection.create_session(
            lambda: session,
            command,
            encoding=None,
            window=WINDOW,
            request_pty=False,
        )
        await session.over.wait()
    finally:
        connection.abort()
        await connection.wait_closed()
