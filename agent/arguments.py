"""The types of the arguments and options of `gpubot agent`: how they are read, and their help."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

RENTAL = "GPUBOT_RENTAL"
"""The environment variable with the ID of a rental, for commands that name neither an ID nor a key."""


def _duration(text: str) -> timedelta:
    from bot.model.api import read_duration

    try:
        found = read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None
    if not isinstance(found, timedelta) or found <= timedelta(0):
        raise typer.BadParameter("write a duration such as 4h, 90m or 1h30m.")
    return found


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 < amount < 10**8 or amount != round(amount, 2):
        raise typer.BadParameter("write an amount in dollars, such as 20 or 7.50.")
    return amount.quantize(Decimal("0.01"))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter("write a time such as 2026-12-01T18:00, or 2026-12-01T17:00Z.") from None


def _key(text: str) -> str:
    from bot.model.api import KEY_PATTERN, LONGEST_KEY

    if not re.fullmatch(KEY_PATTERN, text):
        raise typer.BadParameter(f"write at most {LONGEST_KEY} letters, digits and other ASCII characters.")
    return text


def _program_name(text: str) -> str:
    from bot.model.api import LONGEST_NAME, PROGRAM_NAME

    if len(text) > LONGEST_NAME or re.fullmatch(PROGRAM_NAME, text) is None:
        raise typer.BadParameter(
            f"write at most {LONGEST_NAME} letters and digits, such as claude. Spaces and . _ - are allowed, too."
        )
    return text


Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", parser=_key, help="The key with which the machine was requested."),
]
RentalId = Annotated[
    str | None,
    typer.Argument(metavar="ID", help=f"The rental's ID, such as m3xt8. Or use --key, or set {RENTAL}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as one line of JSON.")]
Words = Annotated[
    list[str], typer.Argument(metavar="WORDS", help="The request, as after /gpu get, such as: 2xH100 EU spot")
]
Lease = Annotated[
    timedelta | None,
    typer.Option("--for", metavar="TIME", parser=_duration, help="The length of the lease, such as 4h or 90m."),
]
NewLease = Annotated[
    timedelta | None,
    typer.Option("--for", metavar="TIME", parser=_duration, help="The new length of the whole lease, such as 6h."),
]
NewEnd = Annotated[
    datetime | None,
    typer.Option(
        "--until", metavar="TIME", parser=_moment, help="The new end of the lease, such as 2026-12-01T18:00."
    ),
]
NewKey = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        parser=_key,
        help="A name for the request, such as the ID of a CI run. With the same key, this command finds the "
        "same rental again, and never rents a second machine. Without a key, one is made and printed.",
    ),
]
Most = Annotated[
    Decimal | None,
    typer.Option("--max", metavar="DOLLARS", parser=_dollars, help="The most that the machine may cost in all."),
]
WaitFor = Annotated[
    timedelta | None,
    typer.Option(
        "--wait-for", metavar="TIME", parser=_duration, help="If no offer fits, keep searching for this long."
    ),
]
ProgramName = Annotated[
    str,
    typer.Option(
        "--name", metavar="NAME", parser=_program_name, help="The name of your program, which the person sees."
    ),
]
