"""Logs parts of the marketplace's answers that the bot doesn't understand, without flooding the log."""

from __future__ import annotations

from collections import Counter

import structlog

_log = structlog.get_logger("gpubot.market")
_MAX_WORDS = 200


class Anomalies:
    """Logs each unknown status word once, and all entries that were dropped from one list in one line."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def unknown_status(self, where: str, word: str) -> None:
        """Log a status word that is not documented."""
        if (where, word) in self._seen or len(self._seen) >= _MAX_WORDS:
            return
        self._seen.add((where, word))
        _log.warning("market.unknown_status", where=where, word=word)

    def dropped(self, where: str, reasons: Counter[str]) -> None:
        """Log how many entries of a list were dropped, by reason."""
        if reasons:
            _log.warning("market.entries_dropped", where=where, reasons=dict(reasons))

    def used_documented_names(self, where: str) -> None:
        """Log that the documented names are used instead of an answer that is missing or unusable."""
        _log.warning("market.documented_names_used", where=where)
