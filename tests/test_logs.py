"""Tests that the log contains classes and places of exceptions, but never variables or the text of a message."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.ops.logs import LibraryHandler
from tests.broken_program import SECRETS

ROOT = Path(__file__).parents[1]


@cache
def run(how: str) -> str:
    """Run the program that fails in every way, once for each `how`, and return its output on standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.broken_program", how],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("how", ["console", "json", "quiet", "none"])
def test_secrets_in_variables_or_exception_messages_are_not_logged(how: str) -> None:
    written = run(how)
    assert [secret for secret in SECRETS if secret in written] == []
    assert "tests/broken_program.py:" in written
    assert "ExceptionGroup" in written


def test_a_line_contains_class_and_place_of_an_exception_and_its_causes() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in run("json").splitlines()]
    shown = [
        ["ExceptionGroup", "__main__.NotWritten", "KeyError", "RuntimeError", "OSError ENOSPC"],
        ["raised", "member", "cause", "member", "context"],
    ]
    reported = [line for line in lines if "raised" in line]
    assert [line["event"] for line in reported] == ["step.failed", "library", "library", *["uncaught"] * 3]
    for line in reported:
        parts = line["raised"]
        assert [[part["error"] for part in parts], [part["how"] for part in parts]] == shown
        assert all(part["where"] for part in parts)
        assert parts[0]["where"][-1].split(" ")[-1] == "breaks"
    (warning,) = [line for line in lines if line["event"] == "python.warning"]
    assert warning["error"] == "RuntimeWarning"
    assert warning["where"].startswith("tests/broken_program.py:")


@pytest.mark.parametrize(("error", "level"), [(BrokenPipeError(), "warning"), (RuntimeError(), "error")])
def test_a_database_connection_that_breaks_while_closing_is_not_an_error(error: Exception, level: str) -> None:
    record = logging.makeLogRecord({"name": "sqlalchemy.pool.impl.Pool", "levelno": logging.ERROR})
    record.exc_info = (type(error), error, None)
    with capture_logs() as lines:
        LibraryHandler().emit(record)
    assert [line["log_level"] for line in lines] == [level]
