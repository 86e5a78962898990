"""Tests of errors that people read, and of errors that only control the flow."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.errors import Conflict, GpubotError, OfferTaken, Stale


@pytest.mark.parametrize("conflict", [Stale(), OfferTaken("o1")])
def test_errors_that_control_the_flow_are_not_shown_to_people(conflict: Conflict) -> None:
    assert not isinstance(conflict, GpubotError)


@pytest.mark.parametrize("module", ["bot.policy", "bot.lifecycle", "bot.model", "bot.errors"])
def test_errors_below_the_handlers_contain_no_commands_or_mentions(module: str) -> None:
    root = Path(__file__).parents[1] / module.replace(".", "/")
    files = [root.with_suffix(".py")] if root.with_suffix(".py").exists() else sorted(root.rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                assert not re.search(r"/gpu|<[#@]", ast.unparse(node)), (file, node.lineno)
