"""Tests that `gpubot --version` prints the version and its commit. CI also runs tests/ci/installed_package.py."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.ops import running_version
from tests.programs import program

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program until it exits with status 0, and return its output."""
    done = subprocess.run(  # noqa: S603 - fixed commands
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("origin", "commit"),
    [
        ({"url": "https://git.example/gpubot", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}, "abc123"),
        ({"url": "file:///no/such/checkout", "dir_info": {"editable": True}}, "unknown"),
        ({"url": ROOT.as_uri(), "dir_info": {}}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_commit_is_the_one_that_pip_recorded_or_unknown(
    monkeypatch: pytest.MonkeyPatch, origin: object, commit: str
) -> None:
    noted = None if origin is None else json.dumps(origin)
    package = SimpleNamespace(version="1.2.3", read_text=lambda _: noted)
    monkeypatch.setattr(running_version, "distribution", lambda _: package)
    assert running_version.running_version() == f"gpubot 1.2.3 (commit {commit})"


def test_in_a_checkout_git_reports_the_commit_and_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git = program("git")
    checkout = tmp_path / "a checkout"
    run(git, "clone", "--quiet", "--sparse", ROOT, checkout, cwd=tmp_path)
    commit = run(git, "rev-parse", "HEAD", cwd=checkout)
    noted = json.dumps({"url": checkout.as_uri(), "dir_info": {"editable": True}})
    package = SimpleNamespace(version="1.2.3", read_text=lambda _: noted)
    monkeypatch.setattr(running_version, "distribution", lambda _: package)
    assert running_version.running_version() == f"gpubot 1.2.3 (commit {commit})"
    (checkout / "README.md").write_text("changed")
    assert running_version.running_version() == f"gpubot 1.2.3 (commit {commit}, with changes)"
