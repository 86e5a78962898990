"""The prober checks whether an SSH server responds on a port."""

from __future__ import annotations

import pytest

from bot.probe.prober import SshProber
from tests.probe.servers import listening


@pytest.mark.parametrize("sent", [b"SSH-2.0-OpenSSH_9.6\r\n", b"Welcome\r\n\r\nSSH-2.0-x\r\n", b"SSH-1.99-x\n"])
async def test_a_server_that_sends_an_ssh_banner_is_found(sent: bytes) -> None:
    async with listening(sent, stays=True) as port:
        assert await SshProber().banner("127.0.0.1", port)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"not SSH-2.0\r\n",
        b"x" * 100_000,
        b"line\n" * 1000 + b"SSH-2.0-x\n",
    ],
)
async def test_a_server_that_sends_anything_else_is_not_found(sent: bytes) -> None:
    async with listening(sent) as port:
        assert not await SshProber().banner("127.0.0.1", port)


async def test_a_port_that_sends_nothing_is_abandoned_after_the_timeout() -> None:
    async with listening(b"", stays=True) as port:
        assert not await SshProber(seconds=0.05).banner("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("a" * 300, 22), ("no.such.host.invalid", 22)])
async def test_an_unusable_address_raises_nothing(host: str, port: int) -> None:
    assert not await SshProber().banner(host, port)
