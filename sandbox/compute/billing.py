"""Calculates the account's bill: hourly rate x exact duration, rounded once for each resource."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sandbox.compute.machines import Machine

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR = 3_600_000_000
_MICROS_PER_DOLLAR = 1_000_000


def micros(rate: Decimal, start: datetime, end: datetime) -> int:
    """Return the cost in micro-dollars of `rate` USD per hour from `start` to `end`, rounded half to even."""
    hours = Fraction((end - start) // _MICROSECOND, _MICROSECONDS_PER_HOUR)
    return round(Fraction(rate) * hours * _MICROS_PER_DOLLAR)


@dataclass(frozen=True)
class Line:
    """The cost of one resource so far. `end` is None while the resource is still billed."""

    resource_id: str
    name: str
    start: datetime
    end: datetime | None
    rate: Decimal
    micros: int

    def as_json(self) -> dict[str, Any]:
        """Return the line as the control API shows it."""
        return {
            "resource_id": self.resource_id,
            "name": self.name,
            "from": self.start,
            "to": self.end,
            "rate": self.rate,
            "micros": self.micros,
        }


def bill(machines: Iterable[Machine], now: datetime) -> list[Line]:
    """Return a line for every resource that exists or existed by `now`.

    A resource is billed from procurement until it is terminated. It is still billed after its deletion was
    accepted.
    """
    lines: list[Line] = []
    for machine in machines:
        if machine.appears_at > now:
            continue
        end = machine.terminated_at if machine.is_terminated(now) else None
        amount = micros(machine.rate, machine.appears_at, now if end is None else end)
        lines.append(Line(machine.resource_id, machine.name, machine.appears_at, end, machine.rate, amount))
    return lines
