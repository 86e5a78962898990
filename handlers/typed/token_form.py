"""Parses the form for an API token, or reports for each input that can't be read what to type.

Whether the rules allow the terms is decided elsewhere (bot/policy/team/token_terms.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bot.errors import WrongTerm
from bot.model.budget import UNASSIGNED
from bot.model.money import Micros, micros
from bot.model.offer import Catalog
from bot.model.text import listed, one_line
from bot.model.token import Access, BeyondTerms, TokenTerms, WhenLost
from bot.policy.team.token_terms import clean_name, end_of_day
from handlers.ids import Field
from handlers.typed.amounts import DURATION, NUMBER, parse_duration
from handlers.typed.form import InvalidForm
from handlers.typed.typed_text import normalize
from handlers.typed.vocabulary import vocabulary_of

NO_PROJECT = "-"
NO_HEARTBEAT = "none"
"""The value of the option for programs that send no heartbeats."""

_AMOUNT = re.compile(
    rf"(?:us\$|usd|\$)? ?({NUMBER})(?: ?(?:\$|usd|dollars?))?(?: ?(?:/|per )h(?:our)?)?", re.ASCII
)
_WITH_COMMAS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INPUTS: Mapping[str, Field] = {
    "name": Field.TOKEN_NAME,
    "project": Field.PROJECT,
    "access": Field.ACCESS,
    "models": Field.MODELS,
    "per_hour": Field.PER_HOUR,
    "total": Field.TOTAL,
    "at_once": Field.AT_ONCE,
    "per_day": Field.PER_DAY,
    "longest": Field.LONGEST,
    "until": Field.LAST_DAY,
    "beyond": Field.BEYOND,
    "lost": Field.LOST,
}
"""The form's input for each field of `TokenTerms`, and for the token's name."""


class TokenForm(NamedTuple):
    """The content of the form."""

    name: str
    terms: TokenTerms


def at_its_input(wrong: WrongTerm) -> InvalidForm:
    """Return the error for a term that the rules don't allow. It appears below the term's input."""
    return InvalidForm({_INPUTS.get(wrong.field, Field.TOKEN_NAME): wrong.words})


def model_value(name: str) -> str:
    """Return the value of the option for a GPU. Values of a menu with several choices can't contain spaces."""
    return name.replace(" ", "_")


def last_day(until: datetime, zone: ZoneInfo) -> date:
    """Return the last day of a token whose terms end at `until`."""
    return (until - timedelta(seconds=1)).astimezone(zone).date()


def read_token_form(
    inputs: Mapping[str, str], catalog: Catalog, zone: ZoneInfo, before: TokenTerms | None = None
) -> TokenForm:
    """Convert the content of the form to the token's name and terms.

    If the token can only look, the inputs about rentals are ignored.

    Args:
        inputs: The values of the form's inputs.
        catalog: The GPUs that can be named.
        zone: The owner's time zone. The token ends at the end of its last day in this zone.
        before: The terms that the form showed at first, if it changes a token. GPUs that are among these terms are
            accepted even if they have left the catalog.

    Raises InvalidForm if an input can't be read.
    """
    errors: dict[Field, str] = {}
    day, project = inputs.get(Field.LAST_DAY, ""), inputs.get(Field.PROJECT, NO_PROJECT)
    terms: dict[str, Any] = {
        "until": _end_of_day(day, zone, errors),
        "project": UNASSIGNED if project == NO_PROJECT else project,
    }
    match inputs.get(Field.ACCESS):
        case Access.LOOK:
            terms |= {"access": Access.LOOK}
        case Access.RENT:
            known = before.models if before is not None else ()
            terms |= {"access": Access.RENT, **_limits(inputs, catalog, known, errors)}
        case _:
            errors[Field.ACCESS] = _CHOOSE
    if errors:
        raise InvalidForm(errors)
    return TokenForm(clean_name(inputs.get(Field.TOKEN_NAME, "")), TokenTerms(**terms))


_CHOOSE = "Choose one of these."


def _limits(
    inputs: Mapping[str, str], catalog: Catalog, known: Iterable[str], errors: dict[Field, str]
) -> dict[str, Any]:
    """Return the terms that only a token that can rent has."""
    beyond, lost = inputs.get(Field.BEYOND, ""), inputs.get(Field.LOST, "")
    if beyond not in set(BeyondTerms):
        errors[Field.BEYOND] = _CHOOSE
    if lost not in {NO_HEARTBEAT, *WhenLost}:
        errors[Field.LOST] = _CHOOSE
    return {
        "models": _models(inputs.get(Field.MODELS, ""), catalog, known, errors),
        "per_hour": _dollars(inputs, Field.PER_HOUR, "5 or 2.50", errors),
        "total": _total(inputs, errors),
        "at_once": _count(inputs, Field.AT_ONCE, errors),
        "per_day": _count(inputs, Field.PER_DAY, errors),
        "longest": _longest(inputs, errors),
        "beyond": BeyondTerms.REFUSE if Field.BEYOND in errors else BeyondTerms(beyond),
        "lost": WhenLost(lost) if lost in set(WhenLost) else None,
    }


def _models(written: str, catalog: Catalog, known: Iterable[str], errors: dict[Field, str]) -> tuple[str, ...]:
    """Return the GPUs that were chosen from the menu.

    They were typed instead if the bot didn't have the catalog when it opened the form.
    """
    variants = [name for names in catalog.gpus.values() for name in names]
    values = {model_value(name): name for name in (*catalog.gpus, *variants, *known)}
    if written and all(word in values for word in written.split()):
        return tuple(dict.fromkeys(values[word] for word in written.split()))
    gpus = vocabulary_of(catalog).gpus
    found, unknown = [], []
    for text in re.split(r"[,;]|\b(?:and|or)\b", written.replace("_", " ").lower()):
        typed = normalize(text)
        gpu = gpus.match(typed, 0)
        if gpu is not None and gpu[0] == len(typed):
            found.append(gpu[1])
        elif typed:
            unknown.append(one_line(typed, 40))
    if unknown:
        errors[Field.MODELS] = (
            f"I don't know {listed(unknown[:3], 'or')}. GPUs: {', '.join([*catalog.gpus][:10])}."
        )
    return tuple(dict.fromkeys(found))


def _dollars(inputs: Mapping[str, str], field: Field, such_as: str, errors: dict[Field, str]) -> Decimal:
    typed = normalize(inputs.get(field, "")).lower()
    number = _AMOUNT.fullmatch(_WITH_COMMAS.sub(lambda found: found[0].replace(",", ""), typed))
    if number is None:
        errors[field] = f"Type an amount in dollars, such as {such_as}."
        return Decimal(0)
    return Decimal(number[1])


def _total(inputs: Mapping[str, str], errors: dict[Field, str]) -> Micros:
    return micros(_dollars(inputs, Field.TOTAL, "200 or 49.50", errors))


def _count(inputs: Mapping[str, str], field: Field, errors: dict[Field, str]) -> int:
    typed = normalize(inputs.get(field, ""))
    if not _COUNT.fullmatch(typed):
        errors[field] = "Type a whole number, such as 2."
        return 1
    return int(typed)


def _longest(inputs: Mapping[str, str], errors: dict[Field, str]) -> timedelta:
    typed = normalize(inputs.get(Field.LONGEST, "")).lower()
    if not re.fullmatch(DURATION, typed):
        errors[Field.LONGEST] = "Type a time such as 90m, 4h or 2d."
        return timedelta(0)
    return parse_duration(typed)


def _end_of_day(text: str, zone: ZoneInfo, errors: dict[Field, str]) -> datetime:
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
        end = None if day is None else end_of_day(day, zone)
    except (ValueError, OverflowError):
        end = None
    if end is None:
        errors[Field.LAST_DAY] = "Choose a day."
        return datetime.max.replace(tzinfo=zone)
    return end
