"""Tests of errors that people read, and of errors that only control the flow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import Conflict, GpubotError, OfferTaken, Stale


@pytest.mark.parametrize("conflict", [Stale(), OfferTaken("o1")])
def test_errors_that_control_the_flow_are_not_shown_to_people(conflict: Conflict) -> None:
    assert not isinstance(conflict, GpubotError)


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the content of each string in a module, except for docstrings and scripts."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docstrings and not text.startswith("#!"):
                yield node.lineno, text


@pytest.mark.parametrize("package", ["bot/policy", "bot/lifecycle", "bot/model"])
def test_texts_below_the_handlers_contain_no_commands_or_mentions(package: str) -> None:
    texts = [
        (file.name, line, text)
        for file in (Path(__file__).parents[1] / package).rglob("*.py")
        for line, text in _texts(file)
    ]
    assert texts
    assert [found for found in texts if re.search(r"/gpu |<[#@]", found[2])] == []
