"""Looking for an SSH server at a port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.probe.banner import SshProber


@asynccontextmanager
async def a_port(says: bytes, *, stays: bool = False) -> AsyncIterator[int]:
    """A port that says this to whoever connects, and then hangs up or stays silent."""
    gone = asyncio.Event()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        if stays:
            await gone.wait()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            gone.set()


@pytest.mark.parametrize("says", [b"SSH-2.0-OpenSSH_9.6\r\n", b"Welcome\r\n\r\nSSH-2.0-x\r\n", b"SSH-1.99-x\n"])
async def test_a_server_that_introduces_itself_is_found(says: bytes) -> None:
    async with a_port(says, stays=True) as port:
        assert await SshProber().banner("127.0.0.1", port)


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"not SSH-2.0\r\n",
        b"x" * 100_000,
        b"line\n" * 1000 + b"SSH-2.0-x\n",
    ],
)
async def test_anything_else_is_not(says: bytes) -> None:
    async with a_port(says) as port:
        assert not await SshProber().banner("127.0.0.1", port)


async def test_a_silent_port_is_given_up_on() -> None:
    async with a_port(b"", stays=True) as port:
        assert not await SshProber(seconds=0.05).banner("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("a" * 300, 22), ("no.such.host.invalid", 22)])
async def test_no_address_ever_raises(host: str, port: int) -> None:
    assert not await SshProber().banner(host, port)
