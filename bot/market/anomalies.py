"""What the marketplace says that we don't understand, written to the log without flooding it."""

from __future__ import annotations

from collections import Counter

import structlog

_log = structlog.get_logger("gpubot.market")
_REMEMBERED = 200


class Anomalies:
    """Logs an unknown word once, and what was dropped from a list in one line."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def unknown_word(self, where: str, word: str) -> None:
        """A status word that no document names."""
        if (where, word) in self._seen or len(self._seen) >= _REMEMBERED:
            return
        self._seen.add((where, word))
        _log.warning("market.unknown_word", where=where, word=word)

    def dropped(self, where: str, reasons: Counter[str]) -> None:
        """Entries of a list that make no sense, by reason."""
        if reasons:
            _log.warning("market.entries_dropped", where=where, reasons=dict(reasons))

    def replaced(self, where: str) -> None:
        """An answer that made no sense; the documented one is used."""
        _log.warning("market.documented_instead", where=where)
