"""What the bot finds out about a machine from outside."""

from __future__ import annotations

import os

from bot.model.machine_use import Visit
from bot.probe.banner import sends_banner
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

    async def visit(self, host: str, port: int, host_key: str | None, vendor: str | None = None) -> Visit:
        """Log in, run the probe's script, and return its report or why there is none. Never raise.

        A server whose host key doesn't have the fingerprint `host_key` gets no login. None accepts any.
        """
        return await visit(
            self._connector,
            host,
            port,
            host_key,
            self._key,
            vendor=vendor,
            secret=self._secret,
            seconds=self._visit_seconds,
            most=self._visit_bytes,
        )
