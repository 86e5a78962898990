"""Counts the payloads from Slack that are being handled, so that the process can finish them before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager


class Gate:
    def __init__(self) -> None:
        self.in_flight = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._started: set[asyncio.Task[None]] = set()

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Count one payload as being handled until the end of the `with` block.

        A process that is shutting down waits for the end of the block.
        """
        self.in_flight += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._empty.set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Start a task for work that continues after a payload has been acknowledged.

        Until this work ends, the payload is still counted as being handled. The work must not raise.
        """
        counted = ExitStack()
        # Count the payload now and not inside the task. The gate would otherwise be considered idle until the task
        # begins to run.
        counted.enter_context(self.handling())

        def ended(task: asyncio.Task[None]) -> None:
            self._started.discard(task)
            counted.close()

        task = asyncio.create_task(work)
        self._started.add(task)
        task.add_done_callback(ended)

    async def idle(self) -> None:
        await self._empty.wait()

    async def drain(self, seconds: float) -> bool:
        """Wait until no payload is being handled, for at most `seconds` of wall-clock time.

        Returns False if payloads are still being handled after this time. Payloads that arrive in the meantime are
        handled as usual, because Slack doesn't send them to any other process.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.idle()
        except TimeoutError:
            return False
        return True
