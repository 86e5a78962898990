"""Raw servers on loopback that send anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def listening(sent: bytes, *, repeated: bytes = b"", stays: bool = False) -> AsyncIterator[int]:
    """Listen on a port. Send `sent` to each client, then `repeated` until the client leaves. Then close the
    connection unless it `stays` open."""
    gone = asyncio.Event()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        with suppress(ConnectionError):
            while repeated:
                writer.write(repeated)
                await writer.drain()
        if stays:
            await gone.wait()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            gone.set()
