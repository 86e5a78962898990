"""Reads the team's rules from the policy file, or from the copy of it that the store keeps.

`GPUBOT_POLICY` names the file. The setup scripts listed in that file are read and checked as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rapidfuzz.distance import OSA

from bot.errors import WrongPolicy
from bot.model.base import Frozen, changed
from bot.model.records import PolicyFile
from bot.model.text import one_line
from bot.policy.team import yaml_file
from bot.policy.team.rule_values import (
    APP_ID,
    CHANNEL_ID,
    GROUP_ID,
    PROJECT_NAME,
    USER_ID,
    USER_OR_GROUP_ID,
    shown,
)
from bot.policy.team.rules import Approvers, Rules
from bot.policy.team.yaml_file import KeyPath
from bot.text_file import Unreadable, read_text

LARGEST_SETUP = 6_000
"""The maximum size of a setup script in bytes. It is half a startup script, which also needs space for keys."""
LONGEST_SETUP_NAME = 32
SETUP_NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
"""The pattern of a name that people type after `setup`.

It only allows characters that the parser of requests leaves unchanged.
"""

ScriptReader = Callable[[str], str]
"""A function that returns the text of a script, given its path in the policy file. Raises Unreadable."""


class Policy(Frozen):
    """A policy file and the rules that follow from it."""

    file: PolicyFile
    rules: Rules


@dataclass(frozen=True)
class PolicySource:
    """The source of the rules: a policy file, and the settings that belong to it."""

    path: Path | None
    """The path in GPUBOT_POLICY. None if that isn't set. The default rules then apply."""
    home_channel: str
    """The channel in GPUBOT_CHANNEL."""
    admins: tuple[str, ...]
    """The people in GPUBOT_ADMINS."""

    def read(self) -> Policy:
        """Read the policy file and return its rules. Without a file, return the default rules.

        Raises WrongPolicy with every mistake in the file.
        """
        scripts: dict[str, str] = {}

        def read_script(name: str) -> str:
            scripts[name] = read_text((self.path or Path()).parent / name)
            return scripts[name]

        try:
            text = "" if self.path is None else read_text(self.path)
        except Unreadable as error:
            raise WrongPolicy((f"I can't read {one_line(str(self.path), 200)}: {error}",)) from error
        rules = _rules(text, read_script, self.home_channel, self.admins)
        return Policy(file=PolicyFile(text=text, scripts=scripts), rules=rules)

    def rules_in(self, file: PolicyFile) -> Rules:
        """Return the rules of a file that was read earlier.

        Raises WrongPolicy with every mistake in the file.
        """

        def read_script(name: str) -> str:
            if name not in file.scripts:
                raise Unreadable("it wasn't read together with the file")
            return file.scripts[name]

        return _rules(file.text, read_script, self.home_channel, self.admins)


def _rules(text: str, read_script: ScriptReader, home_channel: str, admins: tuple[str, ...]) -> Rules:
    document = yaml_file.load(text)
    content = {} if document.value is None else document.value
    if not isinstance(content, dict):
        raise WrongPolicy(("line 1: the file must contain keys, such as `self_approval: false`",))
    setup, wrong_setups = read_setups(content.get("setup"), read_script)
    wrong: dict[KeyPath, list[str]] = {path: [message] for path, (_, message) in document.wrong.items()}
    for keys, message in wrong_setups.items():
        wrong.setdefault(keys, [message])
    if "home_channel" in content:
        wrong[("home_channel",)] = ["it is set by GPUBOT_CHANNEL, not in the file"]
    rules = Rules()
    try:
        rules = Rules.model_validate({**content, "setup": setup, "home_channel": home_channel})
        if _asks_nobody(rules.approvers):
            wrong[("approvers", "quiet")] = [
                "all approvers have `quiet` set, so nobody would be asked; name another approver"
            ]
    except ValidationError as error:
        # Some values of the file have already been reported as ambiguous. Report no further errors of these
        # values, or of the lists and mappings that contain them: they may be invalid only because of the ambiguous
        # value.
        reported = {path[:length] for path in wrong for length in range(len(path) + 1)}
        for one in error.errors():
            if (path := _path(one)) not in reported:
                wrong.setdefault(path, []).append(_message_of(one))
    if wrong:
        raise WrongPolicy(_lines(wrong, document))
    return changed(rules, admins=tuple(dict.fromkeys(admins + rules.admins)))


def _asks_nobody(approvers: Approvers) -> bool:
    """Return whether the rules name approvers but all of them are quiet.

    A quiet approver can approve or deny requests but is never asked to. `Approvers` doesn't check this, because
    such rules are allowed later: if all other approvers leave the workspace, only quiet approvers remain.
    """
    return bool(approvers.quiet) and not approvers.groups and not set(approvers.people) - set(approvers.quiet)


def _lines(wrong: Mapping[KeyPath, list[str]], document: yaml_file.Document) -> tuple[str, ...]:
    """Return one line for each mistake, in their order in the file."""
    found: list[tuple[int, str]] = []
    for path, mistakes in wrong.items():
        line = document.wrong[path][0] if path in document.wrong else document.line_of(path)
        # If somebody has written a webhook's URL in place of a key, its path can contain a secret.
        key = one_line(".".join(str(part).partition("://")[0] for part in path), 80)
        place = ", ".join(filter(None, (f"line {line}" if line else "", key)))
        found.extend((line or 0, f"{place}: {message}" if place else message) for message in mistakes)
    return tuple(text for _, text in sorted(found, key=lambda one: one[0]))


# --- what is wrong with a value


def _path(error: ErrorDetails) -> KeyPath:
    """Return the path of an invalid value, or of a key with an invalid name."""
    path = tuple(error["loc"])
    return path[:-1] if path[-1:] == ("[key]",) else path


def _message_of(error: ErrorDetails) -> str:
    """Return a description of what is wrong with a value and how to write it, without pydantic's jargon."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"there is no such key. The most similar one is {_nearest_key(tuple(error['loc']))}"
    if kind == "string_pattern_mismatch" and limits["pattern"] == PROJECT_NAME:
        return f"{shown(str(error['input']))} isn't the name of a project; write 1 to 30 letters, digits, - and _"
    if kind == "string_pattern_mismatch":
        what, such_as = _IDS[limits["pattern"]]
        return f"{shown(str(error['input']))} isn't the ID of a {what}; write it such as {such_as}"
    if kind in _LIMITS:
        word, name = _LIMITS[kind]
        return f"it must be {word} {limits[name]:,}"
    if kind == "enum":
        return f"write {limits['expected']}"
    return _WRONG.get(kind) or error["msg"].removeprefix("Value error, ")


_IDS = {
    USER_ID: ("Slack user", "U0123ABCD"),
    GROUP_ID: ("Slack user group", "S0123ABCD"),
    CHANNEL_ID: ("Slack channel", "C0123ABCD"),
    USER_OR_GROUP_ID: ("Slack user or user group", "U0123ABCD or S0123ABCD"),
    APP_ID: ("Slack app", "A0123ABCD"),
}
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}
_WRONG = {
    "model_type": "it must have keys below it; docs/policy.md shows them",
    "dict_type": "write a name with keys below it; docs/policy.md shows them",
    "mapping_type": "write a name with keys below it; docs/policy.md shows them",
    "tuple_type": "write a list, such as [A, B]",
    "missing": "it is missing; docs/policy.md shows how to write it",
    "string_type": "write one word",
    "string_too_long": "it is too long",
    "decimal_max_places": "write at most 6 digits after the point",
}
"""Descriptions of mistakes, by pydantic's error types (docs.pydantic.dev/latest/errors/validation_errors)."""
_CHOSEN = "*"
"""A placeholder for a place in a list, or for a key that people choose, such as the name of a project."""


def _nearest_key(path: KeyPath) -> str:
    """Return the full path of the known key that is most similar to an unknown key.

    Keys in the same section of the file are compared first. If none of them is similar, the other sections are
    searched for a key with exactly this name.
    """
    around, name = tuple(map(str, path[:-1])), str(path[-1])
    siblings = [keys[-1] for keys in _all_keys() if _is_at(keys[:-1], around)]
    elsewhere = next((keys for keys in _all_keys() if keys[-1] == name and _CHOSEN not in keys), None)
    nearest = max(siblings, key=lambda key: OSA.normalized_similarity(key, name))
    far = OSA.normalized_similarity(nearest, name) < 0.7
    return ".".join(elsewhere if elsewhere is not None and far else (*around, nearest))


def _is_at(keys: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(keys) == len(path) and all(key in {name, _CHOSEN} for key, name in zip(keys, path, strict=True))


@cache
def _all_keys() -> tuple[tuple[str, ...], ...]:
    """Return the paths of all keys that a policy file can have. The least nested keys come first."""
    found: list[tuple[str, ...]] = []
    models: list[tuple[tuple[str, ...], type[BaseModel]]] = [((), Rules)]
    for around, model in models:
        for name, field in model.model_fields.items():
            keys, kind = (*around, field.alias or name), field.annotation
            chosen = (_CHOSEN,) if get_origin(kind) in {Mapping, tuple} else ()
            for one in (kind, *get_args(kind)):
                if isinstance(one, type) and issubclass(one, BaseModel):
                    models.append((keys + chosen, one))
            found.append(keys)
    return tuple(keys for keys in found if keys != ("home_channel",))


# --- the files with the team's setup scripts, such as `setup: {torch: setup/torch.sh}` in the policy file


def read_setups(paths: Any, read: ScriptReader) -> tuple[dict[str, str], dict[tuple[str, ...], str]]:
    """Return the setup scripts of a policy file and the mistakes in them.

    Args:
        paths: The value of the key `setup`: a path for each name, relative to the folder of the policy file.
        read: Returns the text of a script, given the script's path.

    Returns:
        Two dictionaries. The first maps the name of each script to its text. The second maps the keys of each
        wrong value in the policy file to an error message.
    """
    if paths is None:
        return {}, {}
    if not isinstance(paths, dict):
        return {}, {("setup",): "write a path for each name, such as {torch: setup/torch.sh}"}
    texts: dict[str, str] = {}
    wrong: dict[tuple[str, ...], str] = {}
    for name, path in paths.items():
        try:
            texts[name] = _read_setup(name, path, read)
        except ValueError as error:
            wrong["setup", name] = str(error)
    return texts, wrong


def _read_setup(name: str, path: Any, read: ScriptReader) -> str:
    """Return the text of a setup script. Raises ValueError with a description of the mistake."""
    if len(name) > LONGEST_SETUP_NAME or not re.fullmatch(SETUP_NAME, name):
        letters = f"up to {LONGEST_SETUP_NAME} small letters and digits"
        raise ValueError(f"a name has {letters}, and single hyphens between them")
    if not isinstance(path, str):
        raise ValueError("write the path of a shell script, such as setup/torch.sh")
    shown = one_line(path, 100)
    try:
        text = read(path)
    except Unreadable as error:
        raise ValueError(f"I can't read {shown}: {error}") from error
    size = len(text.encode())
    if not text.strip():
        raise ValueError(f"{shown} is empty")
    if size > LARGEST_SETUP:
        raise ValueError(f"{shown} has {size:,} bytes; a setup script has at most {LARGEST_SETUP:,}")
    if "\0" in text:
        raise ValueError(f"{shown} isn't text: it contains a NUL byte")
    if "\r" in text:
        # If the script's first line has a Windows line ending, the kernel looks for a program named "/bin/sh\r",
        # which doesn't exist.
        raise ValueError(f"{shown} has Windows line endings; save it with Unix line endings")
    if not text.startswith("#!/"):
        raise ValueError(f"the first line of {shown} must name its shell: #!/bin/sh")
    return text
