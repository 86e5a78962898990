"""The base of all values of buttons and modals, and the values that name no rental."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Self

from bot.errors import Mistake
from bot.model.base import Frozen

_DIGEST = r"[A-Za-z0-9+/]{43}"
"""A SHA-256 digest in Base64, without the padding, as in a fingerprint."""
_GITHUB = r"(?P<name>[A-Za-z0-9-]{1,39})"
_QUESTION = r"(?P<question_id>[a-z0-9]{2,16})"
_VERSION = r"(?P<version>[1-9][0-9]{0,8})"
UNREADABLE = "That button makes no sense to me. I changed nothing."


class Value(Frozen):
    """The value of a button or modal. `decode` refuses everything that `encode` doesn't write."""

    TYPE_NAME: ClassVar[str]
    """The name of the type in a modal's metadata."""
    SHAPE: ClassVar[str]
    """A pattern for the text, with a group for each field."""

    def encode(self) -> str:
        """Return the value as text. Raise Mistake if a field has characters that the text can't hold."""
        text = self._text()
        if not re.fullmatch(self.SHAPE, text):
            raise Mistake(UNREADABLE)
        return text

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the value that `encode` wrote as this text. Raise Mistake for any other text."""
        found = re.fullmatch(cls.SHAPE, text, flags=re.ASCII)
        if found is None:
            raise Mistake(UNREADABLE)
        return cls.model_validate(found.groupdict())

    def _text(self) -> str:
        return ":".join(str(part) for part in self.model_dump().values())


class KeyValue(Value):
    """`SHA256:OOKX...`: one of the clicker's own SSH keys, by its fingerprint."""

    TYPE_NAME: ClassVar[str] = "key"
    SHAPE: ClassVar[str] = rf"(?P<fingerprint>SHA256:{_DIGEST})"

    fingerprint: str


class GithubNameValue(Value):
    """`ana-dev`: a user name of GitHub."""

    TYPE_NAME: ClassVar[str] = "github_name"
    SHAPE: ClassVar[str] = _GITHUB

    name: str


class GithubKeysValue(Value):
    """`ana-dev:OOKX...,47DE...`: a user name of GitHub and the digests of up to 20 keys that the reader saw."""

    TYPE_NAME: ClassVar[str] = "github_keys"
    SHAPE: ClassVar[str] = rf"{_GITHUB}:(?P<digests>{_DIGEST}(?:,{_DIGEST}){{0,19}})"

    name: str
    digests: str

    @classmethod
    def of(cls, name: str, fingerprints: Sequence[str]) -> Self:
        """Return the value for a user's keys with these fingerprints."""
        return cls(name=name, digests=",".join(one.removeprefix("SHA256:") for one in fingerprints))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Return the fingerprints of the keys."""
        return tuple(f"SHA256:{digest}" for digest in self.digests.split(","))


class LineValue(Value):
    """`H100 EU under $2.50/GPU/h`: a request as Slack sends what people type after `/gpu get`. The click reads it
    again, for the person who clicks."""

    TYPE_NAME: ClassVar[str] = "line"
    SHAPE: ClassVar[str] = r"(?P<text>[^\x00-\x1f\x7f]{1,1900})"

    text: str


class QuestionValue(Value):
    """`u7mq2:3`: a question to the admins, and the version of it that the reader saw."""

    TYPE_NAME: ClassVar[str] = "question"
    SHAPE: ClassVar[str] = f"{_QUESTION}:{_VERSION}"

    question_id: str
    version: int
