"""Log lines: structlog, one line a fact, ids instead of content. What libraries log goes the same way."""

from __future__ import annotations

import logging
import sys

import structlog

from bot.settings import LogFormat

QUIET = ("slack_bolt", "slack_sdk", "aiohttp", "httpx", "asyncssh", "alembic", "apscheduler", "sqlalchemy")
"""Libraries that log payloads or queries: only what went wrong passes, and never its arguments."""


class _Library(logging.Handler):
    """A library's record as one line of ours: its template, not what was put into it, as that may be content."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        said = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        log.log(record.levelno, "library", said=said.splitlines()[0][:80] if said else "", error=kind)


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Library()]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
