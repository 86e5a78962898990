"""What the bot finds out about a machine from outside."""

from __future__ import annotations

import asyncio
import os

import structlog

from bot.model.machine_use import EndToTell, Visit
from bot.probe.connecting import Connector
from bot.probe.host_key import fingerprint
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.visit import visit

SECONDS = 5.0
HOST_KEY_SECONDS = 2.0
"""Real seconds for the host key: few, because the owner is notified only afterwards that the machine is ready. The
next checks try again."""
VISIT_SECONDS = 15.0
VISIT_BYTES = 64 * 1024
"""The most bytes that a machine may send in one visit, the login included."""


class SshProber:
    """A Prober over TCP. It logs in with the probe's key only."""

    def __init__(
        self,
        key: ProbeKey | None = None,
        *,
        seconds: float = SECONDS,
        visit_seconds: float = VISIT_SECONDS,
        visit_bytes: int = VISIT_BYTES,
    ) -> None:
        """`seconds` is how many real seconds each call may take, but `host_key` takes at most HOST_KEY_SECONDS,
        and `visit` `visit_seconds`. Without a key, `visit` has a new one, which no machine knows."""
        # asyncssh asks for the name of the local user, though it is not used. In a container there may be none.
        os.environ.setdefault("LOGNAME", "gpubot")
        key = key or new_probe_key()
        self._key, self._secret = key.private, key.secret
        self._connector = Connector()
        self._seconds = seconds
        self._visit_seconds = visit_seconds
        self._visit_bytes = visit_bytes

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        """Return whether an SSH server sends its banner. Never raise."""
        return await sends_banner(self._connector, host, port, self._seconds, vendor)

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        """Return the fingerprint of the server's host key, or None if it gives none. Never raise."""
        return await fingerprint(self._connector, host, port, min(self._seconds, HOST_KEY_SECONDS), vendor)

    async def visit(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> Visit:
        """Log in, tell the machine the end `ending`, run the probe's script, and return its report or why there is
        none. Never raise.

        A server whose host key doesn't have the fingerprint `host_key` gets no login. None accepts any. Without
        `ending`, only the report is asked for.
        """
        return await visit(
            self._connector,
            host,
            port,
            host_key,
            self._key,
            vendor=vendor,
            ending=ending,
            secret=self._secret,
            seconds=self._visit_seconds,
            most=self._visit_bytes,
        )


# --- checks whether an SSH server answers at a port


_log = structlog.get_logger("gpubot.probe")

MAX_LINE = 1024
MAX_LINES = 30
"""The most lines that are read. A server may send other lines before its banner (RFC 4253, section 4.2)."""


async def sends_banner(
    connector: Connector, host: str, port: int, seconds: float, vendor: str | None = None
) -> bool:
    """Return whether a line that starts with `SSH-` arrives within this many real seconds. Send nothing. Never
    raise."""
    try:
        async with asyncio.timeout(seconds):
            with await connector.connected(host, port, vendor) as sock:
                reader, writer = await asyncio.open_connection(sock=sock, limit=MAX_LINE)
                try:
                    return await _has_banner(reader)
                finally:
                    writer.transport.abort()
    except (OSError, TimeoutError, ValueError, OverflowError) as error:
        _log.debug("probe.no_banner", error=type(error).__name__)
        return False


async def _has_banner(reader: asyncio.StreamReader) -> bool:
    for _ in range(MAX_LINES):
        line = await reader.readline()
        if line.startswith(b"SSH-"):
            return True
        if not line:
            return False
    return False
