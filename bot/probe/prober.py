"""What the bot finds out about a machine from outside."""

from __future__ import annotations

from bot.probe.banner import sends_banner
from bot.probe.host_key import fingerprint

SECONDS = 5.0
HOST_KEY_SECONDS = 2.0
"""Shorter, because the owner is notified that the machine is ready only afterwards. The next checks try again."""


class SshProber:
    """A Prober over TCP. It never logs in."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """`seconds`: how many real seconds each call may take, `host_key` at most HOST_KEY_SECONDS."""
        self._seconds = seconds

    async def banner(self, host: str, port: int) -> bool:
        """Return whether an SSH server sends its banner. Never raise."""
        return await sends_banner(host, port, self._seconds)

    async def host_key(self, host: str, port: int) -> str | None:
        """Return the fingerprint of the server's host key, or None if it gives none. Never raise."""
        return await fingerprint(host, port, min(self._seconds, HOST_KEY_SECONDS))
