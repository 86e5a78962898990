"""Checks for JSON values, which can be combined to describe the values that Slack accepts.

A check gets a value and its path, and adds a line to `problems` for each rule that the value violates. The lines
have the format of Slack's `response_metadata.messages`: the problem, followed by the path as a JSON pointer.
"""

from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Check = Callable[[Any, str, list[str]], None]


def add_problem(problems: list[str], what: str, where: str) -> None:
    """Add a line to `problems`."""
    problems.append(f"{what} [json-pointer:{where}]")


def string(most: int, least: int = 1) -> Check:
    """Return a check for a string with `least` to `most` characters."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, str):
            add_problem(problems, "must be a string", where)
        elif len(value) < least:
            add_problem(problems, f"must be more than {least - 1} characters", where)
        elif len(value) > most:
            add_problem(problems, f"must be less than {most + 1} characters", where)

    return check


def boolean(value: Any, where: str, problems: list[str]) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        add_problem(problems, "must be a boolean", where)


def integer(least: int, most: int) -> Check:
    """Return a check for an integer from `least` to `most`."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            add_problem(problems, "must be an integer", where)
        elif not least <= value <= most:
            add_problem(problems, f"must be from {least} to {most}", where)

    return check


def number(value: Any, where: str, problems: list[str]) -> None:
    """Accept any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        add_problem(problems, "must be a number", where)


def one_of(*allowed: str) -> Check:
    """Return a check that accepts only these strings."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if value not in allowed:
            add_problem(problems, f"must be one of: {', '.join(allowed)}", where)

    return check


def anything(value: Any, where: str, problems: list[str]) -> None:
    """Accept any value."""


def array(item: Check, most: int, least: int = 1) -> Check:
    """Return a check for an array with `least` to `most` items, each of which is checked too."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, list):
            add_problem(problems, "must be an array", where)
            return
        if len(value) < least:
            add_problem(problems, f"must have at least {least} items", where)
        if len(value) > most:
            add_problem(problems, f"no more than {most} items allowed", where)
        for number, entry in enumerate(value[: most + 1]):
            item(entry, f"{where}/{number}", problems)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """Return a check for an object that has only these keys. Like Slack, it refuses unknown keys."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, dict):
            add_problem(problems, "must be an object", where)
            return
        for key in required:
            if key not in value:
                add_problem(problems, f"missing required field: {key}", where)
        for key, entry in value.items():
            rule = required.get(key) or optional.get(key)
            if rule is None:
                add_problem(problems, f"invalid additional property: {key}", where)
            elif entry is not None or key in required:
                rule(entry, f"{where}/{key}", problems)

    return check


def by_type(kinds: Mapping[str, Check], what: str) -> Check:
    """Return a check for an object whose `type` selects the check to apply."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        rule = kinds.get(kind) if isinstance(kind, str) else None
        if rule is None:
            add_problem(problems, f"unsupported type: {kind if isinstance(kind, str) else what}", where)
        else:
            rule(value, where, problems)

    return check


def both(*checks: Check) -> Check:
    """Combine several checks into one that applies all of them."""

    def check(value: Any, where: str, problems: list[str]) -> None:
        for each in checks:
            each(value, where, problems)

    return check
