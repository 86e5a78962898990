"""What a check says: a line for a person, and whether something is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Clock
from bot.model.base import Frozen
from bot.policy.rules import Rules
from bot.settings import Settings


class Mark(StrEnum):
    """How a check ended."""

    OK = "ok"
    WRONG = "not ok"
    HINT = "hint"
    """Nothing that keeps the bot from running."""
    LEFT = "left"
    """Not checked, as something that was found wrong comes first."""


class Finding(Frozen):
    """One line. `words` are the fact and, unless all is well, the next step."""

    mark: Mark
    what: str
    words: str

    def line(self) -> str:
        """For a terminal; names from outside can't steer it."""
        said = f"{self.mark:<8}{self.what}: {self.words}"
        return "".join(sign for sign in said if sign.isprintable())


def ok(what: str, words: str) -> Finding:
    return Finding(mark=Mark.OK, what=what, words=words)


def wrong(what: str, words: str) -> Finding:
    return Finding(mark=Mark.WRONG, what=what, words=words)


def hint(what: str, words: str) -> Finding:
    return Finding(mark=Mark.HINT, what=what, words=words)


def left(what: str, words: str) -> Finding:
    return Finding(mark=Mark.LEFT, what=what, words=f"not checked; {words}")


def all_well(findings: Iterable[Finding]) -> bool:
    """Whether `gpubot run` would find what it needs."""
    return all(finding.mark in {Mark.OK, Mark.HINT} for finding in findings)


@dataclass(frozen=True)
class Case:
    """What is examined. A setting in `wrong` has a value that must not be used."""

    settings: Settings
    wrong: Mapping[str, str]
    rules: Rules
    """The defaults where the policy file can't be read."""
    clock: Clock

    def lacks(self, *names: str) -> str:
        """What to say of a check that needs these settings, empty where they are all there."""
        missing = [name for name in names if name in self.wrong]
        return f"{' and '.join(missing)} first." if missing else ""
