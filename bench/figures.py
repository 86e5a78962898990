"""The measured figures, and their output as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles

from bot.model.base import Frozen


class Figure(Frozen):
    """A measured figure, with its baseline if there is one."""

    name: str
    value: float | None
    """The value. None if the measurement is invalid, with the reason in `note`."""
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    note: str = ""
    """A remark, such as the reason why the figure is invalid."""

    def line(self) -> str:
        """Format the figure as one line of text."""
        value = "invalid" if self.value is None else _text(self.value)
        line = _line(self.name, value, self.unit, _text(self.baseline), _text(self.ratio))
        return f"{line}  {self.note}".rstrip()


def _line(name: str, value: str, unit: str, baseline: str, ratio: str) -> str:
    return f"{name:<24} {value:>10} {unit:<4} {baseline:>10} {ratio:>8}"


HEADER = _line("name", "value", "unit", "baseline", "ratio")


def figure(name: str, value: float, unit: str, baseline: float | None = None, note: str = "") -> Figure:
    """Create a figure, rounded to three decimals, with its ratio to the baseline."""
    ratio = round(value / baseline, 3) if baseline else None
    return Figure(
        name=name,
        value=round(value, 3),
        unit=unit,
        baseline=None if baseline is None else round(baseline, 3),
        ratio=ratio,
        note=note,
    )


def checked(made: Figure, doubt: str) -> Figure:
    """Return the figure, or an invalid figure without numbers if there is a `doubt`.

    `doubt` is the reason why the measurement is invalid, for example because the machine was busy. Empty if it is
    valid.
    """
    return Figure(name=made.name, value=None, unit=made.unit, note=doubt) if doubt else made


def p99(samples: Sequence[float]) -> float:
    """Return the 99th percentile. At least two samples are needed."""
    return quantiles(samples, n=100, method="inclusive")[98]


def write(figures: Iterable[Figure], path: Path) -> None:
    """Write the figures as a JSON list of objects."""
    path.write_text(json.dumps([each.model_dump() for each in figures], indent=2) + "\n", encoding="utf-8")


def _text(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"
