"""The version of this gpubot, and the commit that it was built from."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

GIT_TIMEOUT = 10.0
"""The maximum time in seconds (wall clock) to wait for git."""


def running_version() -> str:
    """Return the version and the commit, such as `gpubot 0.6.0 (commit 4229796c..)`.

    pip records the source from which a package was installed
    (https://packaging.python.org/specifications/direct-url/). If it was a git repository, as with
    deploy/Dockerfile and docs/deploy-systemd.md, the record contains the commit. If it was a local checkout in
    editable mode, git is asked for the commit. Otherwise the commit is unknown.
    """
    installed = distribution("gpubot")
    origin: dict[str, Any] = json.loads(installed.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id")
    if commit is None and origin.get("dir_info", {}).get("editable"):
        commit = _of_checkout(Path(unquote(urlsplit(origin["url"]).path)))
    return f"gpubot {installed.version} (commit {commit or 'unknown'})"


def _of_checkout(folder: Path) -> str | None:
    """Return the commit that is checked out, followed by `, with changes` if any files differ from it.

    None if git can't be run, or if the folder isn't a repository.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    return None if commit is None else commit + (", with changes" if _git(folder, "status", "--porcelain") else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands
            ["git", "-C", str(folder), *words],  # noqa: S607 - PATH finds git
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
