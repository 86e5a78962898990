"""The result of a check: a line for a person, and whether something needs to be fixed."""

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
    """Something could be improved, but the bot can run."""
    NOT_CHECKED = "left"
    """Another problem has to be fixed before this can be checked."""


class Finding(Frozen):
    """The result of one check, which is shown on one line."""

    mark: Mark
    what: str
    """The name of the thing that was checked, such as `database`."""
    words: str
    """The result, followed by advice if something has to be fixed."""

    def line(self) -> str:
        """Return the line for a terminal.

        Control characters are removed, because the name of a channel or person may contain some.
        """
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
    """Return whether all checks were made and found no problem. Hints are ignored."""
    return all(finding.mark in {Mark.OK, Mark.HINT} for finding in findings)


@dataclass(frozen=True)
class CheckContext:
    """The settings and rules that all checks use."""

    settings: Settings
    wrong: Mapping[str, str]
    """Messages about missing and wrong settings, by name.

    The values of these settings in `settings` must not be used.
    """
    rules: Rules
    """The rules of the policy file, or the defaults if the file can't be read."""
    clock: Clock

    def blocked_by(self, *names: str) -> str:
        """Return a text such as `SLACK_BOT_TOKEN first.`, which names the settings to fix before a check.

        The text is empty if all of the given settings are right.
        """
        wrong = [name for name in names if name in self.wrong]
        return f"{' and '.join(wrong)} first." if wrong else ""


# --- a failed call to Slack

_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")


def code_of(error: Exception) -> str:
    """Return Slack's error code, such as `channel_not_found`, or the name of the error's class if there is none.

    Any other text from the server is left out, because it is untrusted.
    """
    code = error_code(error)
    return code if _CODE.fullmatch(code) else type(error).__name__


def call_failed(what: str, error: Exception) -> Finding:
    """Return the result of a check whose call to Slack got no usable answer."""
    code = code_of(error)
    if code == "missing_scope":
        return not_checked(what, "the missing scopes first.")
    return wrong(what, f"Slack gave no usable answer ({code}). Try again in a minute.")
