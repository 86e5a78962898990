"""The body of an answer as it was meant: plain or in one gzip, never larger than a bound."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

_AT_ONCE = 64 * 1024
"""Bytes inflated in one go. A few kilobytes of gzip can hold megabytes."""


class _Inflater(Protocol):
    """What `zlib.decompressobj` returns; the standard library has no public name for it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Unreadable(ValueError):
    """The body is too large, cut, or encoded in a way that was not asked for; says which."""


async def body(pieces: AsyncIterator[bytes], encodings: Sequence[str], most: int) -> bytes:
    """Return the body that arrives in `pieces`, which are as they came over the wire.

    `encodings` are the words of Content-Encoding. Raise Unreadable for anything but none or one gzip, and as soon
    as more than `most` bytes have come, before or after inflating.
    """
    words = [word.strip().lower() for word in encodings if word.strip().lower() not in {"", "identity"}]
    if words not in ([], ["gzip"]):
        raise Unreadable("an encoding that I did not ask for")
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if words else None
    content = bytearray()
    came = 0
    async for piece in pieces:
        came += len(piece)
        if came > most:
            raise Unreadable("too large")
        if gzip is None:
            content += piece
        else:
            _inflate(gzip, piece, content, most)
    if gzip is not None and came and not gzip.eof:
        raise Unreadable("a gzip that is cut")
    return bytes(content)


def _inflate(gzip: _Inflater, piece: bytes, content: bytearray, most: int) -> None:
    """Appends what `piece` holds."""
    while piece:
        if gzip.eof:
            raise Unreadable("more than one gzip")
        try:
            inflated = gzip.decompress(piece, _AT_ONCE)
            while inflated:  # zlib can hold output back when all of its input is consumed
                content += inflated
                if len(content) > most:
                    raise Unreadable("too large")
                inflated = gzip.decompress(gzip.unconsumed_tail, _AT_ONCE)
        except zlib.error as error:
            raise Unreadable("no gzip") from error
        piece = gzip.unused_data
