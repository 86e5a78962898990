"""The order of a whole run, and what holds for all of its property tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.programs import skipped_lines

settings.register_profile("gpubot", deadline=None)  # no test asserts a duration
settings.load_profile("gpubot")

LONG = ("journeys/test_week", "demo/test_story", "soak/test_use", "bench/test_bench", "journeys/test_named_end")
"""The files with the tests that take longest. They run first, so that no worker has one of them left when all
others have finished."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(f"tests/{name}.py" in item.nodeid for name in LONG))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say at the very end which programs the skipped tests need, and how to install them."""
    yield
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports]
    for line in skipped_lines(reasons):
        terminalreporter.write_line(line)
