"""Log lines: structlog, one line a fact, ids instead of content. What libraries log goes the same way."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from bot.settings import LogFormat

QUIET = ("slack_bolt", "slack_sdk", "aiohttp", "httpx", "asyncssh", "alembic", "apscheduler", "sqlalchemy")
"""Libraries that log what they carry: only what went wrong passes."""


class _Library(logging.Handler):
    """A library's record as a line of ours: where it was said, not what, which may hold content."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR and record.name.partition(".")[0] in QUIET:
            return  # Bolt's loggers set a level of their own
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        where = f"{record.module}:{record.lineno}"
        structlog.get_logger().log(record.levelno, "library", library=record.name, where=where, error=kind)


class _Unfailing:
    """A stream that drops what it can't write: a full disk under the log must not end what is being done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def keep_quiet() -> None:
    """No log lines at all, for commands whose output is for people."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().handlers = [logging.NullHandler()]


def set_up_logs(how: LogFormat) -> None:
    """Sends every log line to standard error, as text for people or as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if how is LogFormat.JSON:
        shared += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        shared.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Library()]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
