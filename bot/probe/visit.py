"""One visit of a machine: log in with the probe's key, run its script, read the report."""

from __future__ import annotations

import asyncio

import asyncssh
from typing_extensions import override

from bot.model.machine_use import EndToTell, Missed, Visit
from bot.policy.access.probe_script import SCRIPT_PATH
from bot.probe.connecting import Connector, LimitedConnection
from bot.probe.host_key import HOST_KEY_ALGORITHMS, KEX_ALGORITHMS
from bot.probe.report import is_complete, read_report

USER = "root"
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
        is over."""
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
    and LEFT in whole seconds. Return the path alone if the machine is told no end."""
    if ending is None:
        return SCRIPT_PATH
    return f"{SCRIPT_PATH} {int(ending.end.timestamp())} {min(int(ending.left.total_seconds()), MOST_LEFT)}"


async def visit(
    connector: Connector,
    host: str,
    port: int,
    pinned: str | None,
    key: asyncssh.SSHKey,
    *,
    vendor: str | None,
    ending: EndToTell | None,
    secret: bytes,
    seconds: float,
    most: int,
) -> Visit:
    """Return the report of a machine, or why there is none. Never raise.

    `pinned` is the fingerprint of its host key, as `fingerprint` returns it; a server that shows another one gets
    no login. If it is None, any key is accepted. The machine is told the end `ending`. `secret` goes into the
    hashes of addresses. The visit takes at most `seconds` real seconds and reads at most `most` bytes.
    """
    client, session = _Client(key, pinned), _Session()
    error: Exception | None = None
    try:
        async with asyncio.timeout(seconds):
            with await connector.connected(host, port, vendor) as sock:
                await _run_script(
                    host, port, client, session, LimitedConnection(sock, most), command=ask_for(ending)
                )
    except Exception as caught:
        # The server's bytes decide which exception asyncssh raises.
        error = caught
    report = read_report(session.answer, secret) if client.logged_in else None
    missed = None if report is not None else _why(client, error)
    known = client.offered or client.logged_in or client.changed
    return Visit(report=report, missed=missed, host_key=client.shown if known else None)


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
        username=USER,
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
