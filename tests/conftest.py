"""The order of the tests in a whole run, and the settings of all property tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest
import structlog
from hypothesis import Phase, settings

from tests.forking import fork_programs
from tests.programs import skipped_lines

# If CI is set, this profile extends Hypothesis's own profile "ci": each run draws the same examples, and a failure
# prints a @reproduce_failure line. The examples still differ if only some of the tests run, or if the program has
# changed, because Hypothesis also draws constants from the program's modules that are loaded (_get_local_constants
# in its providers.py).
settings.register_profile(
    "gpubot",
    deadline=None,  # no test asserts a duration
    phases=[
        phase for phase in Phase if phase is not Phase.explain
    ],  # before Python 3.12, this phase traces every line
)
settings.load_profile("gpubot")

# If a shell starts the tests in the background, it makes them, and the programs that they start, ignore Ctrl-C.
# With nohup, they ignore hang-ups, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

fork_programs()

# httpcore imports sniffio several times for each request. It isn't installed, and pytest makes failing imports
# slow.
sys.modules["sniffio"] = None  # type: ignore[assignment]  # makes the import fail immediately

# By default, structlog logs the variables of each frame of a traceback, which takes longer than most tests.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

gc.disable()  # until the tests are collected, because nearly all objects that loading them creates are kept

LONG = ("tests/journeys/", "tests/demo/", "tests/soak/", "tests/bench/")
"""The folders of the tests that take longest, because they start processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each worker its share of the long tests, with short ones between them.

    Long tests mostly wait, while short ones need a core, so they run well next to each other. pytest-xdist gives
    each worker a contiguous part of the list; a worker that has finished steals tests from the end of another's
    part.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    share = -(-len(items) // workers)
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        own = long[worker::workers]
        ordered += _mixed(own, short[: share - len(own)])
        del short[: share - len(own)]
    items[:] = ordered + short


def _mixed(long: list[pytest.Item], short: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with the long ones spread over the first half of the short ones.

    This way, no long test is left when the other workers have finished. Tests of one file stay together, because
    they may share a fixture.
    """
    mixed, left = [], list(reversed(long))
    for n, item in enumerate(short):
        if n == 0 or item.path != short[n - 1].path:
            while left and (len(long) - len(left)) * len(short) <= 2 * n * len(long):
                mixed.append(left.pop())
        mixed.append(item)
    return mixed + left


def pytest_collection_finish() -> None:
    """Exclude everything that was created while the tests were loaded from garbage collection.

    Each collection then takes an eighth less time. Collections are also made rare, which saves a test with a whole
    world a tenth of its time. But the middle generation is collected after every five collections of the youngest
    one: if it grew larger, a single collection would stop a test for seconds on a busy machine.
    """
    gc.freeze()
    gc.set_threshold(20_000, 5, 200)
    gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Print, at the very end, which programs the skipped tests need, and how to install them."""
    yield
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports]
    for line in skipped_lines(reasons):
        terminalreporter.write_line(line)
