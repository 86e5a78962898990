"""Errors as programs read them: problems of RFC 9457 (application/problem+json).

The `type` of a problem never changes, so programs can rely on it. Its `detail` is for the person or the model that
reads it: it gives the reason and the next step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from aiohttp import web
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from bot.errors import (
    BeyondTerms,
    BuyingBlocked,
    GpubotError,
    InvalidToken,
    KeyInUse,
    MarketAway,
    Mistake,
    Outage,
    OverBudget,
    Refused,
    TooLate,
    UnknownLogin,
    UnknownRental,
)
from bot.model.api import Problem
from bot.model.text import one_line
from bot.policy.buying.programs import ONLY_LOOKS, words_for_program

CONTENT_TYPE = "application/problem+json"
MOST_MISTAKES = 3
"""The maximum number of mistakes in a request that a problem names."""
LONGEST_DETAIL = 2000
RETRY_AFTER = 5
"""The number of seconds after which to repeat a request that failed because of an outage."""
_SHOWN_NAME = 40


class Kind(NamedTuple):
    """A kind of problem."""

    type: str
    title: str
    status: int


UNREADABLE = Kind("/problems/unreadable", "The request can't be read", 400)
INVALID_TOKEN = Kind("/problems/invalid-token", "The token isn't valid", 401)
NOT_ALLOWED = Kind("/problems/not-allowed", "The token isn't allowed to do this", 403)
UNKNOWN = Kind("/problems/unknown", "Nothing was found here", 404)
WRONG_METHOD = Kind("/problems/wrong-method", "The method isn't supported here", 405)
REFUSED = Kind("/problems/refused", "The team's rules refuse this", 409)
BEYOND_TERMS = Kind("/problems/beyond-terms", "The token's terms don't allow this", 409)
OVER_BUDGET = Kind("/problems/over-budget", "A budget has too little money left", 409)
PAUSED = Kind("/problems/paused", "Nothing is rented at the moment", 409)
TOO_LATE = Kind("/problems/too-late", "It is too late for this", 409)
TOO_LARGE = Kind("/problems/too-large", "The body is too large", 413)
WRONG_CONTENT = Kind("/problems/wrong-content", "The body isn't JSON", 415)
MISTAKE = Kind("/problems/mistake", "The request has a mistake", 422)
KEY_IN_USE = Kind("/problems/key-in-use", "The key belongs to another request", 422)
TOO_FAST = Kind("/problems/too-many-requests", "Too many requests", 429)
BUG = Kind("/problems/bug", "Something went wrong here", 500)
OUTAGE = Kind("/problems/outage", "This doesn't work at the moment", 503)

_SAME_FOR_ALL = {
    INVALID_TOKEN: "This token isn't valid. Ask the person who gave it to you for a new one.",
    NOT_ALLOWED: ONLY_LOOKS,
}
"""The details of the problems that must not reveal anything about tokens."""


class ApiProblem(Exception):
    """Ends the handling of a request with a problem."""

    def __init__(self, kind: Kind, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self, instance: str | None = None) -> web.Response:
        kind = self.kind
        problem = Problem(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=_SAME_FOR_ALL.get(kind) or one_line(self.detail, LONGEST_DETAIL),
            instance=instance,
        )
        headers = {**self.headers, **({"WWW-Authenticate": "Bearer"} if kind is INVALID_TOKEN else {})}
        return web.Response(
            status=kind.status,
            body=problem.model_dump_json(exclude_none=True).encode(),
            content_type=CONTENT_TYPE,
            headers=headers,
        )


def problem_of(error: GpubotError, now: datetime, owner: str) -> ApiProblem:
    """Return an error of the bot as a problem. `owner` is the name of the token's owner."""
    headers: dict[str, str] = {}
    if isinstance(error, Outage):
        seconds = error.retry_after if isinstance(error, MarketAway) and error.retry_after else RETRY_AFTER
        headers["Retry-After"] = str(math.ceil(seconds))
    elif isinstance(error, Refused) and error.again_at is not None and error.again_at > now:
        headers["Retry-After"] = str(math.ceil((error.again_at - now).total_seconds()))
    return ApiProblem(_kind(error), words_for_program(error, now, owner), headers=headers)


def _kind(error: GpubotError) -> Kind:
    match error:
        case InvalidToken():
            return INVALID_TOKEN
        case UnknownRental() | UnknownLogin():
            return UNKNOWN
        case KeyInUse():
            return KEY_IN_USE
        case BeyondTerms():
            return BEYOND_TERMS
        case OverBudget():
            return OVER_BUDGET
        case BuyingBlocked():
            return PAUSED
        case Refused():
            return REFUSED
        case TooLate():
            return TOO_LATE
        case Mistake():
            return MISTAKE
    return OUTAGE


# --- requests that can't be read


def mistakes_in(error: ValidationError, model: type[BaseModel], *, what: str = "field") -> ApiProblem:
    """Return the problem that names the mistakes which pydantic found in a body or in the parameters of a query.

    The problem never repeats a value, because a value can contain anything, such as a private key. `what` is the
    word for a field in the sentences, such as `parameter`.
    """
    found = error.errors(include_input=False, include_url=False)
    if any(one["type"] == "json_invalid" for one in found):
        return ApiProblem(UNREADABLE, "The body isn't valid JSON.")
    lines = list(dict.fromkeys(_mistake(one, model, what) for one in found))
    more = len(lines) - MOST_MISTAKES
    rest = [f"There are {more} more mistakes."] if more > 1 else lines[MOST_MISTAKES:]
    return ApiProblem(MISTAKE, " ".join([*lines[:MOST_MISTAKES], *rest]))


def unknown_name(name: str, known: Iterable[str], what: str) -> str:
    """Return a sentence about an unknown name, with the most similar known one."""
    shown = one_line(name, _SHOWN_NAME)
    similar = process.extractOne(shown, list(known), score_cutoff=60)
    return f'There is no {what} "{shown}".' + (f' Did you mean "{similar[0]}"?' if similar else "")


def _mistake(found: Any, model: type[BaseModel], what: str) -> str:
    kind, context = found["type"], found.get("ctx") or {}
    location = [str(part) for part in found["loc"]]
    name = location[0] if location else ""
    if kind == "extra_forbidden":
        return unknown_name(name, model.model_fields, what)
    if not name:
        if kind == "value_error":
            return str(context["error"])
        return "The body must be a JSON object, such as {}."
    if kind == "missing":
        return f'The {what} "{name}" is missing.'
    return f'"{name}": {next(_expected(kind, context))}.'


def _expected(kind: str, context: Mapping[str, Any]) -> Iterator[str]:
    """Yield a phrase that says what the value of a field must be."""
    if kind == "value_error":
        yield str(context["error"])
    words = {
        "string": "write a text",
        "int": "write a whole number",
        "bool": "write true or false",
        "decimal": "write an amount in dollars with at most 4 decimals, such as 20 or 2.50",
        "time_delta": "write a duration such as 4h, 90m or 1h30m",
        "datetime": "write a time with its zone, such as 2026-12-01T14:00:00Z",
    }
    match kind:
        case "string_pattern_mismatch":
            yield f"write text that matches {context['pattern']}"
        case "string_too_long":
            yield f"write at most {context['max_length']} characters"
        case "greater_than_equal":
            yield f"the value must be at least {context['ge']}"
        case "less_than_equal":
            yield f"the value must be at most {context['le']}"
        case "string_unicode":
            yield "write text in UTF-8"
    yield next((text for begin, text in words.items() if kind.startswith(begin)), "this value isn't possible")
