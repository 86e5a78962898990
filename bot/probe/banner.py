"""Checks whether an SSH server answers at a port."""

from __future__ import annotations

import asyncio

import structlog

from bot.probe.connecting import Connector

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
