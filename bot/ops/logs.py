"""Log output: one structlog line for each fact, with IDs instead of content.

A message that a library logs becomes such a line too, but its text is left out. Python's own reports of exceptions
and warnings are replaced, because their messages may contain a token, a key or text that people typed.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

from bot.config.settings import LogFormat
from bot.model.event import EventKind
from bot.model.money import in_dollars
from bot.model.records import Change
from bot.tracebacks import as_text, parts_of, place

QUIET = ("slack_bolt", "slack_sdk", "aiohttp", "httpx", "asyncssh", "alembic", "apscheduler", "sqlalchemy")
"""Libraries whose log messages below the level ERROR are dropped, because they may contain content."""


_STORY = {EventKind.ACCEPTED: "bought", EventKind.BLOCKED: "waiting"}
"""The names of the log lines for some kinds of events. The lines for all other kinds are named after the kind."""


class LibraryHandler(logging.Handler):
    """Logs the fact that a library has logged a message, and the place in the library's code.

    The message itself is omitted, because it may contain a secret or text that people typed.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR and record.name.partition(".")[0] in QUIET:
            return  # set_up_logs sets this level too, but Bolt's loggers override it
        error = record.exc_info[1] if record.exc_info else None
        # When a database connection breaks, SQLAlchemy's pool fails to close the connection and logs an error. Log
        # only a warning: the code that used the connection reports the outage itself.
        broken = record.name.startswith("sqlalchemy.pool") and isinstance(error, OSError)
        structlog.get_logger().log(
            logging.WARNING if broken else record.levelno,
            "library",
            library=record.name,
            where=f"{record.module}:{record.lineno}",
            error=None if error is None else type(error).__name__,
            exc_info=error,
        )


class _LossyStream:
    """A stream that drops output that can't be written.

    Work must not fail just because its log lines can't be written, for example because the disk is full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def log_change(change: Change) -> None:
    """Log each event of a rental's change, with the vendor, the price and the actor.

    Text from people or vendors is never logged.
    """
    rental = change.after
    for event in change.events:
        facts: dict[str, Any] = {"vendor": rental.vendor, "rate": rental.rate}
        facts |= {name: fact for name, fact in event.facts if fact is not None}
        name = facts["end"] if event.kind is EventKind.ENDED else event.kind
        line = {
            "owner": rental.owner,
            "by": event.actor,
            "vendor": facts["vendor"],
            "price": None if facts["rate"] is None else f"${facts['rate']:f}/h",
            "why": facts["why"].name.lower() if "why" in facts else None,
            "until": facts["until"].isoformat() if "until" in facts else None,
            "cost": f"${in_dollars(facts['amount']):f}" if "amount" in facts else None,
            "resource": facts.get("resource_id"),
        }
        known = {key: value for key, value in line.items() if value is not None}
        structlog.get_logger("gpubot").info(
            f"rental.{_STORY.get(event.kind, name.name.lower())}", rental=rental.id, **known
        )


def keep_quiet() -> None:
    """Log nothing except exceptions that end the process, so that log lines don't disturb a command's output."""
    _configure(LogFormat.CONSOLE, logging.CRITICAL)
    logging.getLogger().handlers = [logging.NullHandler()]


def set_up_logs(how: LogFormat) -> None:
    """Write all log lines to standard error, either as text for people or as JSON."""
    _configure(how, logging.INFO)
    root = logging.getLogger()
    root.handlers = [LibraryHandler()]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def log_uncaught(error: BaseException) -> None:
    """Log an exception that ends the process, setting up logging first if necessary."""
    if not structlog.is_configured():
        _configure(LogFormat.CONSOLE, logging.INFO)
    structlog.get_logger().critical("uncaught", exc_info=error)


def _configure(how: LogFormat, level: int) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_content,
    ]
    if how is LogFormat.JSON:
        shared.append(structlog.processors.JSONRenderer())
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the default one shows variables
        )
        shared += [_for_people, console]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _LossyStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warned


def _without_content(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace exceptions in a log line with their classes and places in the code, omitting their messages."""
    error = line.pop("exc_info", None)
    line.pop("stack_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    for name, value in line.items():
        if isinstance(value, BaseException):
            line[name] = type(value).__name__
    if isinstance(error, BaseException):
        line["raised"] = parts_of(error)
    return line


def _for_people(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if "raised" in line:
        line["exception"] = as_text(line.pop("raised"))  # ConsoleRenderer writes this key below the line
    return line


# --- functions that replace Python's own reports of uncaught errors and warnings


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log_uncaught(error)


def _uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        structlog.get_logger().error("uncaught", exc_info=ended.exc_value)


def _unraisable(ignored: sys.UnraisableHookArgs) -> None:
    if ignored.exc_value is not None:
        structlog.get_logger().error("uncaught", exc_info=ignored.exc_value)


def _warned(  # noqa: PLR0917 - the signature that warnings.showwarning has
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line  # the message may contain a secret (docs/decisions/errors.md)
    structlog.get_logger().warning("python.warning", error=category.__name__, where=place(filename, lineno))
