"""Reads the subset of YAML that a policy file needs, so that no value can be misunderstood.

YAML 1.1, which PyYAML implements, reads `1:30` as 90, `010` as 8, `yes` as true and a date as a date. If a key is
repeated, the last value wins silently.

This module uses the types of YAML 1.2's core schema (https://yaml.org/spec/1.2.2, section 10.3): null, true and
false, and numbers. Only decimal numbers are supported. Everything else is text. Anchors, tags and merge keys are
refused. Numbers become int or Decimal, never float.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

import yaml

from bot.errors import WrongPolicy
from bot.model.text import one_line

Value: TypeAlias = "bool | int | Decimal | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = "tuple[str | int, ...]"
"""The position of a value: its keys and list indexes, outermost first. The document as a whole has the path ()."""

DEEPEST = 20
"""The maximum number of nesting levels. Policies have four."""
LONGEST_NUMBER = 20
"""The maximum number of characters in a number. Python refuses to parse integers of more than 4,300 digits."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]")
_NAMED: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


_NOT_YAML = {
    "could not find expected ':'": "a key needs a colon and a space after it",
    "mapping values are not allowed": "there is one colon too many here, or this line is indented too far",
    "expected <block end>": "this is indented differently than the lines around it, or quoted in part",
    "cannot start any token": "a text with this sign must be quoted; indent with spaces, not with tabs",
    "while parsing a flow": "a [ or { that opens here is not closed, or a comma is missing in it",
    "while scanning a quoted scalar": "the quotation mark that opens here is not closed",
    "expected alphabetic or numeric character": "a text that begins with & or * must be quoted",
}
"""Explanations of PyYAML's errors. Each key is a part of PyYAML's error message."""


@dataclass
class Document:
    """The content of a YAML document, with the line numbers of its values."""

    value: Value = None
    """The value of the whole document. None if it is empty."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line number of each key and of each list item, counted from 1."""
    wrong: dict[KeyPath, tuple[int, str]] = field(default_factory=dict)
    """The values that could be misunderstood, with line numbers and error messages. They must not be used."""

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line number of a value, or of the nearest key that contains it. None if no line is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def load(text: str) -> Document:
    """Parse a YAML document.

    Raises:
        WrongPolicy: The document can't be parsed. The error has a single message.
    """
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        raise _no_yaml(error) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _refused(line, "this is no valid YAML: it has a sign that YAML doesn't allow") from error


def _refused(line: int, message: str) -> WrongPolicy:
    return WrongPolicy((f"line {line}: {message}",))


def _no_yaml(error: yaml.MarkedYAMLError) -> WrongPolicy:
    problem, context = error.problem or "", error.context or ""
    mark, hint = error.problem_mark or error.context_mark, ""
    for part, message in _NOT_YAML.items():
        if part in problem or part in context:
            mark = (error.problem_mark if part in problem else error.context_mark) or mark
            hint = f": {message}"
            break
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return _refused(line, f"this is no valid YAML, from column {column} on{hint}")


class _Open:
    """A list or mapping that is still being read."""

    def __init__(self, into: list[Value] | dict[str, Value], path: KeyPath | None) -> None:
        self.into = into
        self.path = path
        """The path of the list or mapping. None if it is left out because its key is a duplicate."""
        self.key: str | None = None
        """The key of the next value. None in a list, or if a key comes next."""
        self.again = False
        """True if that key is a duplicate."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.into, dict) and self.key is None

    @property
    def next_path(self) -> KeyPath | None:
        """The key path of the next value in this list or mapping. None if the value is left out."""
        if self.path is None or self.again:
            return None
        return (*self.path, len(self.into) if isinstance(self.into, list) else self.key or "")


class _Builder:
    """Builds values from PyYAML's parsing events.

    PyYAML's own composer isn't safe here for two reasons. It recurses at each level, so deep nesting exhausts the
    stack. It also resolves aliases, so a few lines can become gigabytes.
    """

    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._document = Document()
        self._documents = 0

    def build(self, text: str) -> Document:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            self._take(event)
        return self._document

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _refused(line, "a second document starts here; keep one")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event, line)

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        current = self._stack[-1] if self._stack else None
        if current is not None and current.wants_key:
            if not isinstance(event, yaml.ScalarEvent):
                raise _refused(line, "the key is no word; if it is a text, quote it")
            self._key(current, event, line)
            self._check_marks(event, line, current.next_path)
            return
        path = current.next_path if current is not None else ()
        if path is not None and isinstance(path[-1] if path else None, int):
            self._document.lines[path] = line
        self._check_marks(event, line, path)
        if isinstance(event, yaml.ScalarEvent):
            self._put(event.value if event.style else self._plain(event.value, line, path))
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._stack) >= DEEPEST:
                raise _refused(line, "this is nested too deep")
            opened: list[Value] | dict[str, Value] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self._put(opened)
            self._stack.append(_Open(opened, path))
        else:
            self._put(None)

    def _check_marks(self, event: yaml.NodeEvent, line: int, path: KeyPath | None) -> None:
        if event.anchor is not None:
            self._note(path, line, "& and * are not understood here: write the value out, or quote the text")
        if getattr(event, "tag", None) is not None:
            self._note(path, line, "a tag (!) is not understood here: leave it out, or quote the text")

    def _key(self, current: _Open, event: yaml.ScalarEvent, line: int) -> None:
        key = str(event.value)
        current.key, current.again = key, key in current.into
        if current.path is None:
            return
        path = (*current.path, key)
        if current.again:
            before = self._document.lines[path]
            self._note(path, line, f"this key is also in line {before}; keep one")
            return
        self._document.lines[path] = line
        if key == "<<" and not event.style:
            self._note(path, line, "a merge key (<<) is not understood here: write the keys out")

    def _note(self, path: KeyPath | None, line: int, message: str) -> None:
        if path is not None:
            self._document.wrong.setdefault(path, (line, message))

    def _put(self, value: Value) -> None:
        if not self._stack:
            self._document.value = value
            return
        current = self._stack[-1]
        if isinstance(current.into, list):
            current.into.append(value)
        elif current.key is not None and not current.again:
            current.into[current.key] = value
        current.key = None

    def _plain(self, text: str, line: int, path: KeyPath | None) -> Value:
        """Return the value of an unquoted scalar."""
        if text in _NAMED:
            return _NAMED[text]
        if _LEADING_ZERO.match(text) and text.lstrip("+-").replace("_", "").isdecimal():
            shown = one_line(text, 20)
            self._note(path, line, f"{shown} can be read as two numbers: leave out the first 0, or quote it")
            return text
        if not _NUMBER.fullmatch(text):
            return text
        if len(text) > LONGEST_NUMBER:
            self._note(path, line, f"a number of {len(text)} digits is too long")
            return text
        return Decimal(text) if "." in text else int(text)
