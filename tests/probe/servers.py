"""Raw servers on the loopback interface that send anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

Greets = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def greeting(greets: Greets) -> AsyncIterator[int]:
    """Listen on a port, and call `greets` for each client.

    The connection is closed when `greets` or the block ends.
    """
    greetings: set[asyncio.Task[None]] = set()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        greetings.add(task)
        try:
            with suppress(ConnectionError):
                await greets(writer)
        finally:
            writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for task in greetings:
                task.cancel()
            await asyncio.gather(*greetings, return_exceptions=True)


def listening(sent: bytes, *, repeated: bytes = b"", stays: bool = False) -> AbstractAsyncContextManager[int]:
    """Listen on a port. Each client gets `sent`, and then `repeated` until it disconnects.

    Afterwards the connection is closed, unless `stays` is true.
    """

    async def greets(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        while repeated:
            writer.write(repeated)
            await writer.drain()
        if stays:
            await asyncio.Event().wait()

    return greeting(greets)
