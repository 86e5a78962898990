"""The team's rules file (`GPUBOT_POLICY`), and what holds without it."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from bot.errors import Mistake
from bot.model.base import Frozen
from bot.model.text import one_line

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _span(value: Any) -> Any:
    """`90s`, `15m`, `4h`, `2d`, also joined as in `1h30m`."""
    if not isinstance(value, str):
        if isinstance(value, timedelta):
            return value
        raise ValueError("write it with a unit, such as 15m or 4h")
    parts = re.findall(r"(\d+)([smhd])", value)
    if not parts or "".join(a + b for a, b in parts) != value.replace(" ", ""):
        raise ValueError(f"{value!r} is no duration; write it such as 15m, 4h or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def _exact(value: Any) -> Any:
    """YAML gives floats; their shortest text is what was written in the file."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _share(value: Any) -> Any:
    """`15%`, or a plain 0.15."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return Decimal(value.strip()[:-1]) / 100
        except InvalidOperation:
            raise ValueError(f"{value!r} is no percentage; write it such as 15%") from None
    return _exact(value)


Span = Annotated[timedelta, BeforeValidator(_span), Field(gt=timedelta(0))]
Dollars = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[Decimal, BeforeValidator(_share), Field(ge=0, le=10, allow_inf_nan=False)]
USER_ID, GROUP_ID, CHANNEL_ID = r"^[UW][A-Z0-9]+$", r"^S[A-Z0-9]+$", r"^[CG][A-Z0-9]+$"
UserId = Annotated[str, Field(pattern=USER_ID)]
GroupId = Annotated[str, Field(pattern=GROUP_ID)]
ChannelId = Annotated[str, Field(pattern=CHANNEL_ID)]


class Approvers(Frozen):
    people: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()


class Use(Frozen):
    channels: tuple[ChannelId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    guests: bool = False


class AutoApprove(Frozen):
    """Up to both, nobody is asked. USD per hour, and USD in total."""

    per_hour: Dollars = Decimal("10.00")
    total: Dollars = Decimal("100.00")


class Limits(Frozen):
    """Refused beyond, whoever approves."""

    per_rental_gpus: int = Field(default=8, ge=1)
    per_person_rentals: int = Field(default=4, ge=1)
    team_per_hour: Dollars = Decimal("100.00")


class Approval(Frozen):
    expires: Span = timedelta(hours=8)


class Procure(Frozen):
    attempts: int = Field(default=10, ge=1, le=100)
    dearer: Share = Decimal("0.15")
    """How much dearer than clicked the next offer may be."""
    provision_timeout: Span = timedelta(minutes=15)


class Lease(Frozen):
    default: Span = timedelta(hours=4)
    max: Span = timedelta(hours=72)
    notices: tuple[Span, ...] = (timedelta(hours=2), timedelta(minutes=30))
    """How long before its end the owner is told, longest first."""
    grace: Span = timedelta(minutes=15)

    @field_validator("notices")
    @classmethod
    def _longest_first(cls, value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        return tuple(sorted(set(value), reverse=True))

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Lease:
        if self.default > self.max:
            raise ValueError("default is longer than max; who names no hours could rent nothing")
        return self


class CheckIn(Frozen):
    after: Span = timedelta(hours=2)


class ReadyAnnouncement(StrEnum):
    """How the team hears that a machine is ready."""

    THREAD_BROADCAST = "thread_broadcast"
    THREAD = "thread"


class Announce(Frozen):
    ready: ReadyAnnouncement = ReadyAnnouncement.THREAD_BROADCAST
    address_in_channel: bool = False


class Rules(Frozen):
    """The whole file. Every key has a default."""

    timezone: str = "UTC"
    admins: tuple[UserId, ...] = ()
    """With those of GPUBOT_ADMINS."""
    approvers: Approvers = Approvers()
    approvals_channel: ChannelId | None = None
    use: Use = Use()
    auto_approve: AutoApprove = AutoApprove()
    limits: Limits = Limits()
    self_approval: bool = False
    approval: Approval = Approval()
    procure: Procure = Procure()
    lease: Lease = Lease()
    check_in: CheckIn = CheckIn()
    announce: Announce = Announce()
    home_channel: ChannelId = "C0"
    """GPUBOT_CHANNEL; not a key of the file."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no time zone; write it such as Europe/Berlin") from error
        return value

    @property
    def groups(self) -> frozenset[str]:
        """The user groups whose members must be known."""
        return frozenset(self.approvers.groups + self.use.groups)

    @property
    def approvals_to(self) -> str:
        """The channel that approvals are asked in."""
        return self.approvals_channel or self.home_channel


def read_rules(path: Path | None, *, home_channel: str, admins: tuple[str, ...]) -> Rules:
    """The rules of a YAML file, or the defaults without one.

    Raises Mistake with one line for each key that is wrong.
    """
    content: Any = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise Mistake(f"GPUBOT_POLICY: I can't read {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Mistake(f"GPUBOT_POLICY: {path} is no valid YAML{_where(error)}.") from error
    if not isinstance(content, dict):
        raise Mistake(f"GPUBOT_POLICY: {path} must hold keys, such as `self_approval: false`.")
    if "home_channel" in content:
        raise Mistake("GPUBOT_POLICY: home_channel is set by GPUBOT_CHANNEL, not in the file.")
    try:
        rules = Rules.model_validate({**content, "home_channel": home_channel})
    except ValidationError as error:
        raise Mistake("\n".join(map(_line, error.errors()))) from error
    return rules.model_copy(update={"admins": tuple(dict.fromkeys(admins + rules.admins))})


def _where(error: Exception) -> str:
    """`: line 3, column 7`, where the parser says it."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f": see line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _line(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"])
    return f"GPUBOT_POLICY: {key}: {_wrong(error)}."


def _wrong(error: ErrorDetails) -> str:
    """What is wrong with a value and how to write it, without pydantic's own words where they are jargon."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        what, such_as = _IDS[limits["pattern"]]
        return f"{one_line(str(error['input']), 40)!r} is no id of a {what}; write it such as {such_as}"
    if kind in _LIMITS:
        least = limits[_LIMITS[kind][1]]
        return f"it must be {_LIMITS[kind][0]} {least if isinstance(least, int | float | Decimal) else 0}"
    if kind == "enum":
        return f"write {limits['expected']}"
    return _WRONG.get(kind) or error["msg"].removeprefix("Value error, ")


_IDS = {
    USER_ID: ("Slack user", "U0123ABCD"),
    GROUP_ID: ("Slack user group", "S0123ABCD"),
    CHANNEL_ID: ("Slack channel", "C0123ABCD"),
}
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}
_NUMBER, _YES = "write a number", "write true or false"
_WRONG = {
    "extra_forbidden": "there is no such key",
    "model_type": "it has keys of its own; the README shows them",
    "tuple_type": "write a list, such as [A, B]",
    "string_type": "write one word",
    "bool_parsing": _YES,
    "bool_type": _YES,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "finite_number": _NUMBER,
    "int_parsing": _NUMBER,
    "int_type": _NUMBER,
    "int_from_float": "write a whole number",
}
"""By pydantic's names for errors (docs.pydantic.dev/latest/errors/validation_errors)."""
