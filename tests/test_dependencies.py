"""Tests of the private parts that the code uses of other packages.

Each part must be checked at the start, and its package must have an upper bound.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from types import ModuleType

import aiohttp
import aiosqlite
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from bot.errors import Unusable
from bot.ops import library_internals

ROOT = Path(__file__).parents[1]
DOCUMENTED = {"_asdict", "_mapping", "_replace"}
"""Attributes that are public in spite of their names: those of SQLAlchemy's rows and of named tuples."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = {need.name: need for need in map(Requirement, PROJECT["dependencies"])}
PINNED = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())


def test_the_installed_packages_have_the_private_parts() -> None:
    library_internals.check_dependencies()


def test_every_private_part_that_the_code_uses_is_checked_at_the_start() -> None:
    known = {part.rpartition(".")[2] for parts in library_internals.PRIVATE.values() for part in parts}
    used = set()
    for folder in ("agent", "bot", "handlers", "store", "demo"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
                    if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                        continue
                    used.add(node.attr)
    assert used - DOCUMENTED <= known


@pytest.mark.parametrize("package", library_internals.PRIVATE)
def test_packages_with_private_parts_in_use_have_an_upper_bound(package: str) -> None:
    assert any(limit.operator == "<" for limit in REQUIRED[package].specifier)


@pytest.mark.parametrize(
    "need", [*REQUIRED.values(), *map(Requirement, PROJECT["optional-dependencies"]["dev"])], ids=str
)
def test_each_pinned_version_is_within_the_bounds(need: Requirement) -> None:
    pinned = {name.lower().replace("_", "-"): version for name, version in PINNED.items()}
    assert Version(pinned[need.name.lower()]) in need.specifier


def test_the_error_about_missing_parts_has_a_line_for_each_package() -> None:
    class ClientSession:
        async def _request(self) -> None:
            """Do nothing. The real method reads `_retry_connection`."""

    class Connection:
        def __init__(self, connector: object, iter_chunk_size: int) -> None:
            """Create none of the attributes that the code needs."""

    http, sqlite = ModuleType("aiohttp"), ModuleType("aiosqlite")
    vars(http)["ClientSession"] = ClientSession
    vars(sqlite)["Connection"] = Connection
    with pytest.raises(Unusable) as refused:
        library_internals.check_dependencies(http, sqlite)
    fix = "which I need. Install the versions that constraints.txt names: make setup."
    assert refused.value.words.splitlines() == [
        f"aiohttp {aiohttp.__version__} lacks ClientSession._retry_connection, {fix}",
        f"aiosqlite {aiosqlite.__version__} lacks Connection._thread, {fix}",
    ]
