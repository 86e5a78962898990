"""Whether an SSH server introduces itself at a port."""

from __future__ import annotations

import asyncio

import structlog

_log = structlog.get_logger("gpubot.market")

SECONDS = 5.0
LONGEST_LINE = 1024
MOST_LINES = 30
"""A server may say other lines first (RFC 4253, section 4.2)."""


class SshProber:
    """A Prober over plain TCP. It says nothing itself and logs in nowhere."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    async def banner(self, host: str, port: int) -> bool:
        """Whether a line that starts with `SSH-` comes within a few real seconds. Never raises."""
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
                try:
                    return await _introduces_itself(reader)
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError, OverflowError) as error:
            _log.debug("market.no_banner", error=type(error).__name__)
            return False


async def _introduces_itself(reader: asyncio.StreamReader) -> bool:
    for _ in range(MOST_LINES):
        line = await reader.readline()
        if line.startswith(b"SSH-"):
            return True
        if not line:
            return False
    return False
