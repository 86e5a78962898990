"""The result of a check: a line for a person, and whether there is something to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Clock
from bot.config.settings import Settings
from bot.model.base import Frozen
from bot.policy.team.rules import Rules
from handlers.slack_api.web_api import error_code


class Mark(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WRONG = "not ok"
    HINT = "hint"
    """Something could be better, but the bot can run."""
    NOT_CHECKED = "left"
    """Something else that is wrong has to be corrected first."""


class Finding(Frozen):
    """One line about `what`. `words` are the fact and, unless all is well, what to do."""

    mark: Mark
    what: str
    words: str

    def line(self) -> str:
        """Return the line for a terminal. Control characters, which a name from outside may have, are removed."""
        line = f"{self.mark:<8}{self.what}: {self.words}"
        return "".join(character for character in line if character.isprintable())


def ok(what: str, words: str) -> Finding:
    return Finding(mark=Mark.OK, what=what, words=words)


def wrong(what: str, words: str) -> Finding:
    return Finding(mark=Mark.WRONG, what=what, words=words)


def hint(what: str, words: str) -> Finding:
    return Finding(mark=Mark.HINT, what=what, words=words)


def not_checked(what: str, words: str) -> Finding:
    return Finding(mark=Mark.NOT_CHECKED, what=what, words=f"not checked; {words}")


def all_well(findings: Iterable[Finding]) -> bool:
    """Return whether `gpubot run` has what it needs."""
    return all(finding.mark in {Mark.OK, Mark.HINT} for finding in findings)


@dataclass(frozen=True)
class CheckContext:
    """The input of every check."""

    settings: Settings
    wrong: Mapping[str, str]
    """The names of missing or wrong settings, with why. Their values in `settings` must not be used."""
    rules: Rules
    """The defaults if the policy file can't be read."""
    clock: Clock

    def blocked_by(self, *names: str) -> str:
        """Return which of these settings have to be corrected first. Return an empty text if none has."""
        wrong = [name for name in names if name in self.wrong]
        return f"{' and '.join(wrong)} first." if wrong else ""


# --- a failed call to Slack

_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")


def code_of(error: Exception) -> str:
    """Return Slack's error code, or the class of the error. Never show text that a server wrote."""
    code = error_code(error)
    return code if _CODE.fullmatch(code) else type(error).__name__


def call_failed(what: str, error: Exception) -> Finding:
    """Return the finding for a call to Slack that gave no usable answer."""
    code = code_of(error)
    if code == "missing_scope":
        return not_checked(what, "the missing scopes first.")
    return wrong(what, f"Slack gave no usable answer ({code}). Try again in a minute.")
