"""A limited connection reads small pieces, and only up to a maximum in total."""

from __future__ import annotations

import asyncio

from typing_extensions import override

from bot.probe.connecting import AT_ONCE, Connector, LimitedConnection
from tests.probe.servers import listening


class Reader(asyncio.Protocol):
    """Records the activity of the event loop, and the size of each piece that arrives."""

    def __init__(self) -> None:
        self.beat = 0
        self.pieces: list[tuple[int, int]] = []
        self.lost = asyncio.Event()

    @override
    def data_received(self, data: bytes) -> None:
        self.pieces.append((self.beat, len(data)))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    async def count_beats(self) -> None:
        while not self.lost.is_set():
            self.beat += 1
            await asyncio.sleep(0)


async def read(sent: bytes, most: int) -> Reader:
    async with listening(sent) as port:
        with await Connector().connected("127.0.0.1", port) as sock:
            _, reader = await LimitedConnection(sock, most).create_connection(Reader, "127.0.0.1", port)
            await reader.count_beats()
            return reader


async def test_other_work_runs_between_pieces_of_at_most_4_kib() -> None:
    reader = await read(b"x" * 100_000, 100_000)
    assert sum(size for _, size in reader.pieces) == 100_000
    assert max(size for _, size in reader.pieces) <= AT_ONCE == 4096
    assert len({beat for beat, _ in reader.pieces}) == len(reader.pieces)


async def test_the_connection_is_closed_when_too_much_data_arrives() -> None:
    reader = await read(b"x" * 100_000, 10_000)
    assert 10_000 - AT_ONCE < sum(size for _, size in reader.pieces) <= 10_000
