"""Small checks that describe JSON and, put together, say where a value breaks Slack's rules.

A check looks at one value and adds a line to `problems` for each rule that it breaks, in the manner of Slack's own
`response_metadata.messages`: what is wrong, then where, as a JSON pointer.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Check = Callable[[Any, str, list[str]], None]


def tell(problems: list[str], what: str, where: str) -> None:
    problems.append(f"{what} [json-pointer:{where}]")


def string(most: int, least: int = 1) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, str):
            tell(problems, "must be a string", where)
        elif len(value) < least:
            tell(problems, f"must be more than {least - 1} characters", where)
        elif len(value) > most:
            tell(problems, f"must be less than {most + 1} characters", where)

    return check


def matching(pattern: str, what: str) -> Check:
    """A string that is entirely of this pattern."""
    compiled = re.compile(pattern)

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            tell(problems, f"must be {what}", where)

    return check


def boolean(value: Any, where: str, problems: list[str]) -> None:
    if not isinstance(value, bool):
        tell(problems, "must be a boolean", where)


def integer(least: int, most: int) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            tell(problems, "must be an integer", where)
        elif not least <= value <= most:
            tell(problems, f"must be from {least} to {most}", where)

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        if value not in allowed:
            tell(problems, f"must be one of: {', '.join(allowed)}", where)

    return check


def anything(value: Any, where: str, problems: list[str]) -> None:
    """Accepts whatever comes: for parts that nobody here looks at."""


def array(item: Check, most: int, least: int = 1) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, list):
            tell(problems, "must be an array", where)
            return
        if len(value) < least:
            tell(problems, f"must have at least {least} items", where)
        if len(value) > most:
            tell(problems, f"no more than {most} items allowed", where)
        for number, entry in enumerate(value[: most + 1]):
            item(entry, f"{where}/{number}", problems)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """An object with these keys and no others; Slack refuses unknown keys too."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, dict):
            tell(problems, "must be an object", where)
            return
        for key in required:
            if key not in value:
                tell(problems, f"missing required field: {key}", where)
        for key, entry in value.items():
            rule = required.get(key) or optional.get(key)
            if rule is None:
                tell(problems, f"invalid additional property: {key}", where)
            elif entry is not None or key in required:
                rule(entry, f"{where}/{key}", problems)

    return check


def by_type(kinds: Mapping[str, Check], what: str) -> Check:
    """An object whose `type` names the check that holds for it."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        rule = kinds.get(kind) if isinstance(kind, str) else None
        if rule is None:
            tell(problems, f"unsupported type: {kind if isinstance(kind, str) else what}", where)
        else:
            rule(value, where, problems)

    return check


def both(*checks: Check) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        for each in checks:
            each(value, where, problems)

    return check
