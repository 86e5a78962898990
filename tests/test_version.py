"""`gpubot --version` says which version runs, and of which commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.ops import running_version
from tests.programs import program

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program to its end with status 0. Return what it printed."""
    done = subprocess.run(  # noqa: S603 - fixed commands
        words, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_package_that_pip_installs_from_a_tag_starts_and_names_the_commit_of_the_tag(tmp_path: Path) -> None:
    git = program("git")
    run(git, "clone", "--quiet", "--no-checkout", ROOT, "clone", cwd=tmp_path)
    clone, target = tmp_path / "clone", tmp_path / "installed"
    commit = run(git, "rev-parse", "HEAD", cwd=clone)
    run(git, "tag", "v9.9.9", cwd=clone)
    git_config = {
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    run(git, "commit", "--quiet", "--message", "remove all files", cwd=clone, **git_config)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # Unlike options, they also hold for the setuptools that pip installs to build the package.
    options = {"PIP_NO_DEPS": "1", "PIP_COMPILE": "0"}
    run(*pip, "--target", target, f"git+{clone.as_uri()}@v9.9.9", cwd=tmp_path, **options)
    gpubot = (sys.executable, target / "bin" / "gpubot")
    said = run(*gpubot, "--version", cwd=tmp_path, PYTHONPATH=str(target))
    assert said == f"gpubot {version('gpubot')} (commit {commit})"
    # Whatever the bot and its migrations need is part of the package.
    database = f"sqlite:///{tmp_path}/gpubot.sqlite"
    code = (
        "import asyncio, bot.app, bot.config.manifest as manifest, store.db as db; manifest.socket_manifest(); "
        f"print(db.__file__); asyncio.run(db.migrate({database!r}))"
    )
    used = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(target))
    assert Path(used).is_relative_to(target)


@pytest.mark.parametrize(
    ("origin", "commit"),
    [
        ({"url": "https://git.example/gpubot", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}, "abc123"),
        ({"url": "file:///no/such/checkout", "dir_info": {"editable": True}}, "unknown"),
        ({"url": ROOT.as_uri(), "dir_info": {}}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_commit_is_the_one_that_pip_noted_or_unknown(
    monkeypatch: pytest.MonkeyPatch, origin: object, commit: str
) -> None:
    noted = None if origin is None else json.dumps(origin)
    package = SimpleNamespace(version="1.2.3", read_text=lambda _: noted)
    monkeypatch.setattr(running_version, "distribution", lambda _: package)
    assert running_version.running_version() == f"gpubot 1.2.3 (commit {commit})"


def test_of_a_checkout_git_is_asked_for_the_commit_and_for_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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
