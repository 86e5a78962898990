"""Receives and reads the bodies and queries of programs' requests.

The parser of `/gpu get` reads `words`. The other fields are read in the same way as the inputs of the form in
Slack.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any, TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from bot.api.problems import (
    MISTAKE,
    TOO_LARGE,
    UNREADABLE,
    WRONG_CONTENT,
    ApiProblem,
    mistakes_in,
    unknown_name,
)
from bot.errors import Mistake, PrivateKey, SentSecret
from bot.model import api
from bot.model.api import (
    KEY_PATTERN,
    LONGEST_KEY,
    ApiModel,
    Dollars,
    Duration,
    Moment,
    ProgramState,
    RentalRequest,
)
from bot.model.base import changed
from bot.model.money import micros, whole_cents
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import one_line, say_span
from bot.policy.access.keys import looks_private
from bot.policy.access.token_secret import contains_secret
from bot.policy.team.rules import Rules
from handlers.ids import Field as Input
from handlers.phrases.ends import end_text
from handlers.typed.draft import ParseContext
from handlers.typed.form import ANY, BY_CHANNEL, NO_SETUP, InvalidForm, read_form
from handlers.typed.requests import parse_request
from handlers.typed.typed_text import MAX_NOTE_LENGTH, MENTION

M = TypeVar("M", bound=ApiModel)

LONGEST_WAIT = 25
"""The maximum time in seconds for which an answer can be delayed.

It is shorter than the usual limits of proxies, such as 60 s for nginx (`proxy_read_timeout`).
"""

RENTAL_ID = re.compile(r"[a-z0-9]{1,20}")

_UTC = "UTC"
_FIELDS = {
    Input.GPU: "gpu",
    Input.COUNT: "count",
    Input.CONTRACT: "spot",
    Input.REGION: "region",
    Input.VENDOR: "vendor",
    Input.SETUP: "setup",
    Input.CAP: "max_total",
    Input.NOTE: "note",
}
_INSTEAD_OF_WORDS = ("gpu", "count", "region", "vendor", "spot", "lease", "until")


def _number(text: Any) -> Any:
    if isinstance(text, str):
        if not re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII):
            raise ValueError("write a whole number")
        return int(text)
    return text


def _flag(text: Any) -> Any:
    if isinstance(text, str):
        if text not in {"true", "false"}:
            raise ValueError("write true or false")
        return text == "true"
    return text


def _state(text: Any) -> Any:
    if isinstance(text, str):
        try:
            return ProgramState(text)
        except ValueError:
            raise ValueError(f"write one of {', '.join(ProgramState)}") from None
    return text


State = Annotated[ProgramState, BeforeValidator(_state)]
Number = Annotated[int, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]


class NoQuery(ApiModel):
    """The query of a request that has no parameters."""


class ShowQuery(ApiModel):
    wait: Number = Field(default=0, ge=0, le=LONGEST_WAIT)
    """The number of seconds to wait for a change. The answer comes earlier if something changes."""
    state: State | None = None
    """The state that the program knows. If the rental is in another state, the answer comes at once."""


class ListQuery(ApiModel):
    key: str | None = Field(default=None, max_length=LONGEST_KEY, pattern=KEY_PATTERN)
    """Only the rental with this idempotency key."""


class ReleaseQuery(ApiModel):
    now: Flag = False
    """True to end the machine at once, without `/root/on-ending.sh`."""


class QuoteQuery(ApiModel):
    """A request for offers. Its parameters have the same meaning as those of a rental."""

    words: str | None = Field(default=None, max_length=500)
    gpu: str | None = Field(default=None, max_length=60)
    count: Number = Field(default=1, ge=1, le=10_000)
    region: str | None = Field(default=None, max_length=20)
    vendor: str | None = Field(default=None, max_length=60)
    spot: Flag = False
    lease: Duration | None = None
    until: Moment | None = None
    max_total: Dollars | None = None
    setup: str | None = Field(default=None, max_length=60)


def read_query(query: MultiMapping[str], model: type[M]) -> M:
    """Return the parameters of a query. Raises ApiProblem for unknown, repeated or wrong parameters."""
    repeated = next((name for name in query if len(query.getall(name)) > 1), None)
    if repeated is not None:
        if repeated not in model.model_fields:
            raise ApiProblem(MISTAKE, unknown_name(repeated, model.model_fields, "parameter"))
        raise ApiProblem(MISTAKE, f'The parameter "{repeated}" is given more than once.')
    try:
        return model.model_validate(dict(query), strict=True)
    except ValidationError as error:
        raise mistakes_in(error, model, what="parameter") from None


async def receive(request: web.Request, *, most_bytes: int, seconds: float) -> bytes:
    """Return the body of a request.

    Raises ApiProblem if it isn't JSON, has more than `most_bytes` bytes, or doesn't arrive within this number of
    wall-clock seconds.
    """
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise ApiProblem(
            WRONG_CONTENT, "Send the body as JSON, uncompressed, with the header Content-Type: application/json."
        )
    too_large = ApiProblem(TOO_LARGE, f"A body can have {most_bytes // 1024} kB at most.")
    if (request.content_length or 0) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.content.iter_any():
                body += part
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise ApiProblem(UNREADABLE, "The body arrived too slowly. Nothing was done.") from None
    except (OSError, web.RequestPayloadError):
        raise ApiProblem(UNREADABLE, "The body is incomplete. Nothing was done.") from None
    return bytes(body)


def read_body(body: bytes, model: type[M]) -> M:
    """Return a body. Raises ApiProblem if it isn't JSON, or has unknown or wrong fields."""
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise mistakes_in(error, model) from None


def read_key(keys: list[str], *, reuse: bool) -> str | None:
    """Return the idempotency key of a request, or None if the request reuses rentals instead.

    `keys` are the values of all headers with this name. Raises ApiProblem if there isn't exactly one of the two.
    """
    if reuse:
        if keys:
            raise ApiProblem(MISTAKE, 'Send either the header Idempotency-Key or "reuse": true, not both.')
        return None
    if len(keys) != 1:
        raise ApiProblem(
            MISTAKE,
            "Send one header Idempotency-Key, such as the name of your run. With it, you find the machine again, "
            "and a repeated request never rents a second one.",
        )
    if not re.fullmatch(KEY_PATTERN, keys[0]):
        raise ApiProblem(
            MISTAKE, f"Idempotency-Key: write at most {LONGEST_KEY} letters, digits and other ASCII characters."
        )
    return keys[0]


def refuse_secrets(body: RentalRequest, key: str | None) -> None:
    """Refuse a request with a secret in a text that is stored and that people can read in Slack.

    A program could pass on its whole environment in a note, or use its token as the key. Private keys in
    `ssh_public_key` are found when the key is read.

    Raises:
        SentSecret: A text contains the secret of a token.
        PrivateKey: A text contains a private key.
    """
    texts = [text for text in (*body.model_dump().values(), key) if isinstance(text, str)]
    if any(contains_secret(text) for text in texts):
        raise SentSecret.sent_by_program()
    if any(looks_private(text) for text in texts if text != body.ssh_public_key):
        raise PrivateKey.sent_by_program()


def read_request(
    body: RentalRequest | QuoteQuery, catalog: Catalog, rules: Rules, *, now: datetime, zone: str
) -> Request:
    """Return the request for GPUs in a body or a query.

    Args:
        body: The body or the query.
        catalog: The market's catalogue.
        rules: The team's rules.
        now: The time.
        zone: The IANA time zone of the token's owner, for times of day in `words`.

    Raises:
        Mistake: A part of the request is wrong.
    """
    if body.words is None:
        return _from_fields(body, catalog, rules, now)
    named = [
        name for name in _INSTEAD_OF_WORDS if name in body.model_fields_set and getattr(body, name) is not None
    ]
    if named:
        raise Mistake(f'Send either "words" or "{named[0]}", not both.')
    if MENTION.search(body.words):
        raise Mistake("A program can't give other people access to its machine. Leave out the people.")
    read = parse_request(body.words, catalog, ParseContext(rules, now, zone)).request
    return _with_fields(read, body, rules)


def _from_fields(body: RentalRequest | QuoteQuery, catalog: Catalog, rules: Rules, now: datetime) -> Request:
    """Read the fields in the same way as the inputs of the form in Slack."""
    if body.lease is not None and body.until is not None:
        raise Mistake('Send either "lease" or "until", not both.')
    if not body.gpu:
        raise Mistake('Name a GPU: send "gpu", such as "H100", or "words".')
    if body.until is not None:
        lease = f"until {end_text(body.until, _UTC)}"
    else:
        lease = say_span(rules.lease.default if body.lease is None else body.lease)
    total = None if body.max_total is None else body.max_total.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
    inputs: Mapping[str, str] = {
        Input.GPU: body.gpu,
        Input.COUNT: str(body.count),
        Input.CONTRACT: Contract.SPOT if body.spot else Contract.ONDEMAND,
        Input.REGION: body.region or ANY,
        Input.VENDOR: body.vendor or ANY,
        Input.SETUP: body.setup or NO_SETUP,
        Input.PROJECT: BY_CHANNEL,
        Input.LEASE: lease,
        Input.CAP: "" if total is None else f"{total:f} in all",
        Input.NOTE: body.note if isinstance(body, RentalRequest) else "",
    }
    try:
        return read_form(inputs, catalog, rules, now=now, zone=_UTC).request
    except InvalidForm as wrong:
        names = {**_FIELDS, Input.LEASE: "lease" if body.until is None else "until"}
        found = [f'"{names[each]}": {text}' if each in names else text for each, text in wrong.errors.items()]
        raise Mistake(" ".join(found)) from None


def _with_fields(request: Request, body: RentalRequest | QuoteQuery, rules: Rules) -> Request:
    """Add the fields that can be sent together with `words`."""
    if body.max_total is not None:
        if request.max_total is not None or request.max_gpu_rate is not None:
            raise Mistake('Name the highest price once: in "words" or in "max_total".')
        total = whole_cents(micros(body.max_total))
        if not total:
            raise Mistake('"max_total": write an amount of at least 0.01.')
        request = changed(request, max_total=total, cap_said_per_gpu=False)
    if body.setup is not None:
        if request.setup not in {None, body.setup}:
            raise Mistake('Name one setup: in "words" or in "setup".')
        if body.setup not in rules.setup:
            raise Mistake(unknown_name(body.setup, rules.setup, "setup"))
        request = changed(request, setup=body.setup)
    if isinstance(body, RentalRequest) and body.note:
        if request.note:
            raise Mistake('Write one note: in "words" after --, or in "note".')
        request = changed(request, note=one_line(body.note, MAX_NOTE_LENGTH))
    return request


def check_extension(body: api.ExtendRequest) -> None:
    """Refuse an extension that names both or neither of the new end and the whole length. Raises Mistake."""
    if (body.until is None) == (body.lease is None):
        raise Mistake(
            'Send either "until", the new end, or "lease", the whole length since the machine was ready.'
        )
