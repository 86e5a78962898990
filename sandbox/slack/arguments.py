"""Reads the arguments of Web API calls from JSON, forms or the query, and defines the errors of calls."""

import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.slack.schema import Json

MAX_DEPTH = 60
"""The maximum depth of nesting, which is far more than any block needs."""


class ApiError(Exception):
    """An error response `{"ok": false, "error": code}`, possibly with further fields."""

    def __init__(self, code: str, reasons: list[str] | None = None, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.body: Json = {"ok": False, "error": code, **more}
        if reasons:
            self.body["errors"] = reasons
            self.body["response_metadata"] = {"messages": [f"[ERROR] {reason}" for reason in reasons]}


class RateLimited(Exception):
    """The call is refused with HTTP 429. `seconds` is the value of Retry-After."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call: JSON values, or strings if they were sent in a form or the query."""

    values: Json

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str | None:
        """Return a string or number argument as text. Return None if it is absent or of another type."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        return str(value)

    def needed(self, name: str) -> str:
        """Return a required argument as text. Raise ApiError `invalid_arguments` if it is missing or empty."""
        value = self.text(name)
        if not value:
            raise ApiError("invalid_arguments", [f"missing required field: {name} [json-pointer:/{name}]"])
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean argument, False if it is absent."""
        return str(self.values.get(name, "")).lower() in ("1", "true", "yes")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return an integer argument, `default` if it is absent.

        Raises ApiError `invalid_arguments` if it isn't an integer or is out of range, or `invalid_limit` if the
        argument `limit` is out of range.
        """
        value = self.text(name)
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            raise ApiError("invalid_arguments", [f"must be an integer [json-pointer:/{name}]"]) from None
        if not least <= number <= most:
            raise ApiError("invalid_limit" if name == "limit" else "invalid_arguments")
        return number

    def parsed(self, name: str, broken: str) -> Any:
        """Return an argument that is a JSON value, parsing it if it was sent as a string.

        Raises an ApiError with the code `broken` if the string isn't JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return read_json(value)
        except ValueError:
            raise ApiError(broken) from None


def read_json(text: str | bytes) -> Any:
    """Parse JSON. Raise ValueError if it is invalid, nested too deeply, or contains NaN or an infinite number."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _depth(value) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("an infinite number")
    return number


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


async def read_arguments(request: web.Request) -> Arguments:
    """Read the arguments in the query and in the body, which is JSON, a form or empty.

    Raises ApiError `invalid_json`, `json_not_object` or `invalid_form_data` if the body is invalid, and
    `invalid_post_type` if the body has another content type. This includes multipart bodies, since Slack accepts
    them only for files.
    """
    values: Json = dict(request.query)
    raw = await request.read()
    if not raw.strip():
        return Arguments(values)
    if request.content_type == "application/json":
        try:
            body = read_json(raw)
        except ValueError:
            raise ApiError("invalid_json") from None
        if not isinstance(body, dict):
            raise ApiError("json_not_object")
        return Arguments({**values, **body})
    if request.content_type == "application/x-www-form-urlencoded":
        try:
            return Arguments({**values, **dict(parse_qsl(raw.decode(), keep_blank_values=True))})
        except ValueError:
            raise ApiError("invalid_form_data") from None
    raise ApiError("invalid_post_type")
