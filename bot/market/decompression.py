"""Reads the body of an answer, plain or gzipped, up to a maximum size."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

_CHUNK = 64 * 1024
"""How many bytes are decompressed at once. A few kilobytes of gzip can hold megabytes."""


class _Decompressor(Protocol):
    """The type that `zlib.decompressobj` returns. The standard library has no public name for it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Unreadable(ValueError):
    """The body is too large, cut off, or has an encoding that was not asked for. The text says which."""


async def body(chunks: AsyncIterator[bytes], encodings: Sequence[str], max_size: int) -> bytes:
    """Return the decompressed body of raw `chunks`.

    `encodings` are the words of Content-Encoding. Raise Unreadable unless there are none, or one gzip. Also raise
    it as soon as the body is larger than `max_size` bytes, before or after decompression.
    """
    words = [word.strip().lower() for word in encodings if word.strip().lower() not in {"", "identity"}]
    if words not in ([], ["gzip"]):
        raise Unreadable("an encoding that I did not ask for")
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if words else None
    content = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > max_size:
            raise Unreadable("too large")
        if gzip is None:
            content += chunk
        else:
            _decompress(gzip, chunk, content, max_size)
    if gzip is not None and received and not gzip.eof:
        raise Unreadable("a gzip that is cut")
    return bytes(content)


def _decompress(gzip: _Decompressor, chunk: bytes, content: bytearray, max_size: int) -> None:
    """Append the decompressed bytes of `chunk` to `content`."""
    while chunk:
        if gzip.eof:
            raise Unreadable("more than one gzip")
        try:
            output = gzip.decompress(chunk, _CHUNK)
            while output:  # zlib can withhold output when all of its input is consumed
                content += output
                if len(content) > max_size:
                    raise Unreadable("too large")
                output = gzip.decompress(gzip.unconsumed_tail, _CHUNK)
        except zlib.error as error:
            raise Unreadable("no gzip") from error
        chunk = gzip.unused_data
