"""Reads a machine's SSH host key by a key exchange, without a login."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import structlog

from bot.probe.connecting import Connector, LimitedConnection

_log = structlog.get_logger("gpubot.probe")

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

MOST_BYTES = 16 * 1024
"""The most bytes that a server may send until its host key is known. OpenSSH sends 2 KiB."""


async def fingerprint(
    connector: Connector, host: str, port: int, seconds: float, vendor: str | None = None
) -> str | None:
    """Return the fingerprint of the server's host key as ssh prints it: `SHA256:...`. If it has several keys, the
    ed25519 key counts.

    Return None if no key exchange succeeds within this many real seconds and MOST_BYTES. Never raise.
    """
    try:
        async with asyncio.timeout(seconds):
            with await connector.connected(host, port, vendor) as sock:
                tunnel: Any = LimitedConnection(sock, MOST_BYTES)
                key = await asyncssh.get_server_host_key(
                    host,
                    port,
                    tunnel=tunnel,
                    config=None,
                    kex_algs=KEX_ALGORITHMS,
                    server_host_key_algs=HOST_KEY_ALGORITHMS,
                    # Otherwise asyncssh reads the keys in ~/.ssh and asks an agent for keys.
                    options=asyncssh.SSHClientConnectionOptions(config=None, client_keys=None, known_hosts=None),
                )
    except Exception as error:
        # The server's bytes decide which exception asyncssh raises. People can use a machine without this key.
        _log.info("probe.no_host_key", error=type(error).__name__)
        return None
    return key.get_fingerprint("sha256") if key is not None else None
