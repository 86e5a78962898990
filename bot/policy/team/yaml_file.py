"""Reads the part of YAML that a policy file needs, so that no value can be misread.

YAML 1.1, which PyYAML implements, reads `1:30` as 90, `010` as 8, `yes` as true and a date as a date, and keeps
the last of two equal keys. Here the types are those of the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2,
section 10.3) without its rarer numbers: null, true and false, decimal numbers. Everything else is text. Anchors,
tags and merge keys are refused. Numbers are int or Decimal, never float.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeAlias

import yaml

from bot.errors import Mistake
from bot.model.text import one_line

Value: TypeAlias = "bool | int | Decimal | str | list[Value] | dict[str, Value] | None"

DEEPEST = 20
"""Levels of nesting. Policies have four."""
LONGEST_NUMBER = 20
"""Characters of a number. Python refuses to read integers of more than 4,300 digits."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]")
_NAMED: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def load(text: str) -> Value:
    """Return the value of a YAML document, None if it is empty.

    Raise Mistake if it is not YAML or uses something that can be misread. The words continue a sentence that
    begins with the file's name: `has a tag (!) in line 3`.
    """
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f": see line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Mistake(f"is no valid YAML{place}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Mistake(f"is no valid YAML: line {line} has a sign that YAML doesn't allow") from error


class _Open:
    """A list or mapping that is still being read."""

    def __init__(self, into: list[Value] | dict[str, Value]) -> None:
        self.into = into
        self.key: str | None = None
        """The key of the value that comes next."""
        self.lines: dict[str, int] = {}
        """The line of each key."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.into, dict) and self.key is None


class _Builder:
    """Builds values from the parser's events. PyYAML's own composer fails here in two ways: it recurses at each
    level, so deep nesting exhausts the stack, and it resolves aliases, so a few lines can become gigabytes."""

    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._result: Value = None
        self._documents = 0

    def build(self, text: str) -> Value:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            self._take(event)
        return self._result

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Mistake(f"starts a second document in line {line}; keep one")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
            if self._stack:
                self._stack[-1].key = None
        elif isinstance(event, yaml.NodeEvent):
            self._node(event, line)

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            raise Mistake(
                f"has an anchor or alias (& or *) in line {line}. Write the value out, or quote the text"
            )
        if getattr(event, "tag", None) is not None:
            raise Mistake(f"has a tag (!) in line {line}. Leave it out, or quote the text")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
            return
        if len(self._stack) >= DEEPEST:
            raise Mistake(f"is nested too deep in line {line}")
        if self._stack and self._stack[-1].wants_key:
            raise Mistake(f"has a list or mapping as a key in line {line}; a key is a word")
        opened: list[Value] | dict[str, Value] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._put(opened)
        self._stack.append(_Open(opened))

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._stack and self._stack[-1].wants_key:
            self._key(event, line)
        else:
            self._put(event.value if event.style else _plain(event.value, line))

    def _key(self, event: yaml.ScalarEvent, line: int) -> None:
        current, key = self._stack[-1], str(event.value)
        if key == "<<" and not event.style:
            raise Mistake(f"has a merge key (<<) in line {line}. Write the keys out")
        if key in current.lines:
            name = ".".join([*(level.key for level in self._stack if level.key is not None), key])
            raise Mistake(
                f"has {one_line(name, 80)} twice, in line {current.lines[key]} and in line {line}; keep one"
            )
        current.key, current.lines[key] = key, line

    def _put(self, value: Value) -> None:
        if not self._stack:
            self._result = value
            return
        current = self._stack[-1]
        if isinstance(current.into, list):
            current.into.append(value)
        elif current.key is not None:
            current.into[current.key] = value
            if not isinstance(value, dict | list):
                current.key = None


def _plain(text: str, line: int) -> Value:
    """Return the value of a scalar without quotes."""
    if text in _NAMED:
        return _NAMED[text]
    if _LEADING_ZERO.match(text) and text.lstrip("+-").replace("_", "").isdecimal():
        shown = one_line(text, 20)
        raise Mistake(
            f"has {shown} in line {line}, which can be read as two numbers. Leave out the first 0, or quote it"
        )
    if not _NUMBER.fullmatch(text):
        return text
    if len(text) > LONGEST_NUMBER:
        raise Mistake(f"has a number of {len(text)} digits in line {line}, which is too long")
    return Decimal(text) if "." in text else int(text)
