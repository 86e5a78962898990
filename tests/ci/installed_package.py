"""Tests the package as pip installs it from a tag. CI runs this file by its name."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from tests.programs import program
from tests.test_version import ROOT, run


def test_a_package_installed_from_a_tag_starts_and_names_its_commit(tmp_path: Path) -> None:
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
    # Environment variables, unlike options, also apply to the setuptools that pip installs to build the package.
    options = {"PIP_NO_DEPS": "1", "PIP_COMPILE": "0"}
    run(*pip, "--target", target, f"git+{clone.as_uri()}@v9.9.9", cwd=tmp_path, **options)
    gpubot = (sys.executable, target / "bin" / "gpubot")
    said = run(*gpubot, "--version", cwd=tmp_path, PYTHONPATH=str(target))
    assert said == f"gpubot {version('gpubot')} (commit {commit})"
    skill = (ROOT / "docs" / "skill" / "SKILL.md").read_text(encoding="utf-8")
    assert run(*gpubot, "agent", "skill", cwd=tmp_path, PYTHONPATH=str(target)) == skill.strip()
    # Everything that the bot and its migrations need must be part of the package.
    database = f"sqlite:///{tmp_path}/gpubot.sqlite"
    code = (
        "import asyncio, bot.app, bot.config.manifest as manifest, store.db as db; manifest.socket_manifest(); "
        f"print(db.__file__); asyncio.run(db.migrate({database!r}))"
    )
    used = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(target))
    assert Path(used).is_relative_to(target)
