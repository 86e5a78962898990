"""Which version of gpubot this is, and of which commit."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

GIT_TIMEOUT = 10.0
"""Real seconds."""


def running_version() -> str:
    """Return the version and the commit, such as `gpubot 0.6.0 (commit 4229796c..)`.

    pip notes where it installed a package from (https://packaging.python.org/specifications/direct-url/): the
    commit if it took the package from a git repository, as deploy/Dockerfile and docs/deploy-systemd.md do; the
    folder of a checkout, of which git is asked. Otherwise the commit is unknown.
    """
    installed = distribution("gpubot")
    origin: dict[str, Any] = json.loads(installed.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id")
    if commit is None and origin.get("dir_info", {}).get("editable"):
        commit = _of_checkout(Path(unquote(urlsplit(origin["url"]).path)))
    return f"gpubot {installed.version} (commit {commit or 'unknown'})"


def _of_checkout(folder: Path) -> str | None:
    """Return the commit that is checked out, and whether files differ from it. Return None if git can't say."""
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
