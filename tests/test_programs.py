"""A run says at its end which tests were skipped for want of a program, and how to get it."""

from __future__ import annotations

import pytest

from tests import programs
from tests.programs import NEEDS, ROOT, program, skipped_lines


def test_a_test_whose_program_is_missing_is_skipped_and_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    reasons = []
    for name in ("ssh", "shellcheck", "ssh"):
        with pytest.raises(pytest.skip.Exception) as skipped:
            program(name)
        reasons.append(str(skipped.value.msg))
    assert list(skipped_lines(reasons)) == [
        "1 test was skipped: no shellcheck.",
        "2 tests were skipped: no ssh.",
        "To install what is missing: "
        "apt-get install "
        "bash busybox chromium dash git openssh-client openssh-server pgbouncer promtool shellcheck systemd "
        "util-linux",
    ]


def test_tests_that_need_root_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: f"/usr/bin/{name}")
    assert list(skipped_lines([f"{NEEDS}{ROOT}", "an own reason"])) == [
        "1 test was skipped: an own reason.",
        "1 test was skipped: not root.",
        "To run those that need root: run as root, and in a container with --privileged.",
    ]


def test_a_run_without_skipped_tests_says_nothing() -> None:
    assert list(skipped_lines([])) == []
