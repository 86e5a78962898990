"""Tests that a run lists the tests that were skipped because a program is missing, and how to install it."""

from __future__ import annotations

import pytest

from tests import programs
from tests.programs import NEEDS, ROOT, program, skipped_lines


def test_a_test_without_its_program_is_skipped_with_installation_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At its end, the run lists the missing programs, and the command that installs them."""
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
        "bash busybox chromium dash git jq openssh-client openssh-server pgbouncer promtool shellcheck systemd "
        "util-linux",
    ]


def test_tests_that_need_root_are_listed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: f"/usr/bin/{name}")
    assert list(skipped_lines([f"{NEEDS}{ROOT}", "an own reason"])) == [
        "1 test was skipped: an own reason.",
        "1 test was skipped: not root.",
        "To run those that need root: run as root, and in a container with --privileged.",
    ]


def test_a_run_without_skipped_tests_prints_nothing() -> None:
    assert list(skipped_lines([])) == []
