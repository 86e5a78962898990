"""A month's charges as a file that accounting programs import: CSV by the FOCUS 1.2 specification.

Rules: https://focus.finops.org/focus-specification. The file has all of its mandatory columns, then those of its
other columns that we can fill, then our own, whose names begin with `x_`. A null is an empty cell. Unit prices are
left out: the specification wants quantity times price to be the cost, which rounding to micro-dollars breaks.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from bot.model.budget import Charge, ChargedMachine, Month, MonthPart
from bot.model.gpu import display_name
from bot.model.money import Micros, in_dollars
from bot.model.offer import vendor_name
from bot.model.request import Contract
from bot.policy.buying.months import month_end, month_start

ISSUER = "Compute Clear"
_FORMULA = tuple("=+-@＝＋－＠")
"""A spreadsheet runs a cell that begins with one of these as a formula, in some languages also with the full-width
ones (owasp.org/www-community/attacks/CSV_Injection)."""
_SEPARATORS = re.compile("[;\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
"""Where a spreadsheet may begin another cell: in many countries it splits at semicolons, also inside of quotes."""
_MICROSECONDS_PER_HOUR = timedelta(hours=1) // timedelta(microseconds=1)


@dataclass(frozen=True)
class FileRow:
    """A charge with what its row in the file says about it."""

    charge: Charge
    machine: ChargedMachine
    requester: str
    """The display name of its owner."""
    cost_center: str
    """Empty if its project has none."""
    running: bool
    """Whether the machine still bills, so that the charge is counted up to now."""


@dataclass(frozen=True)
class BillingMonth:
    """The month of a file, and the account that its invoice is addressed to."""

    month: Month
    zone: ZoneInfo
    account: str

    @cached_property
    def start(self) -> datetime:
        """Return its first moment, in UTC."""
        return month_start(self.month, self.zone)

    @cached_property
    def end(self) -> datetime:
        """Return the first moment after it, in UTC."""
        return month_end(self.month, self.zone)


def focus_file(rows: Iterable[FileRow], billing: BillingMonth) -> str:
    """Return the file with a row for each charge, in the order of `rows`, below a row with the columns' names."""
    return _csv(COLUMNS, ([cell(row, billing) for cell in COLUMNS.values()] for row in rows))


def part_of(file: str, *, project: str | None = None, owner: str | None = None) -> str:
    """Return a file of `focus_file` with only the rows of a project or an owner (a Slack id). None: of all."""
    reader = csv.reader(io.StringIO(file, newline=""))
    names = next(reader)
    in_project, tags = names.index("SubAccountId"), names.index("Tags")
    rows = (
        row
        for row in reader
        if project in {None, row[in_project]} and owner in {None, json.loads(row[tags])["requester"]}
    )
    return _csv(names, rows)


def _csv(names: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    writer.writerows(rows)
    return written.getvalue()


def file_name(month: Month, *, complete: bool, part: str = "") -> str:
    """Return the name of a month's file, such as `gpubot-2026-11.csv`. `part` names what it is cut to. The file of
    a month that is not complete is named `gpubot-2026-11-so-far.csv`.
    """
    return "-".join(filter(None, ("gpubot", month, part, "" if complete else "so-far"))) + ".csv"


@dataclass(frozen=True)
class MonthFile:
    """A file of charges. Writing it takes long if it has many rows, so that is left to `written`."""

    part: MonthPart
    owner: str | None
    """The Slack id of the person whose charges alone it has. None: it has those of everybody."""
    billing: BillingMonth
    rows: tuple[FileRow, ...]
    complete: str | None
    """The month's complete file for everybody, from which this is cut. None: the month isn't complete."""
    unmanaged_count: int = 0
    """How many machines that no rental has run now."""

    @property
    def name(self) -> str:
        return file_name(self.part.month, complete=self.complete is not None, part=self.part.project or "")

    @property
    def amount(self) -> Micros:
        return sum(row.charge.amount for row in self.rows)

    @property
    def estimated(self) -> Micros:
        """Return the part that is an estimate, because the API left something out."""
        return sum(row.charge.amount for row in self.rows if row.charge.estimated)

    @property
    def rental_count(self) -> int:
        return len({row.charge.rental_id for row in self.rows})

    @property
    def running_count(self) -> int:
        """Return how many of its machines still bill."""
        return sum(row.running for row in self.rows)

    def written(self) -> str:
        if self.complete is None:
            return focus_file(self.rows, self.billing)
        return part_of(self.complete, project=self.part.project, owner=self.owner)


# --- cells


def _plain(text: str) -> str:
    """Return a text with a space instead of what could begin another cell."""
    return _SEPARATORS.sub(" ", text).strip()


def _text(text: str) -> str:
    """Return a text as a cell. A text that a spreadsheet could run as a formula gets an apostrophe in front."""
    text = _plain(text)
    risky = text.startswith(_FORMULA) or (text and unicodedata.category(text[0]) == "Cc")
    return f"'{text}" if risky else text


def _hours(charge: Charge) -> str:
    """Return the hours of a charge, rounded to a billionth. The specification allows no exponent."""
    length = (charge.ended_at - charge.started_at) // timedelta(microseconds=1)
    return f"{Decimal(length) / _MICROSECONDS_PER_HOUR:.9f}"


def _time(at: datetime) -> str:
    """Return a time in UTC in whole seconds: the specification's format has no place for a fraction."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _description(row: FileRow) -> str:
    machine = row.machine
    place = " ".join(filter(None, (vendor_name(machine.vendor), machine.region)))
    parts = [f"{row.charge.gpus}x {display_name(machine.gpu)}", row.charge.rental_id, place]
    return ", ".join(filter(None, [*parts, "still running" if row.running else ""]))


def _tags(row: FileRow) -> str:
    cost_center = _plain(row.cost_center) or None
    return json.dumps({"requester": row.charge.owner, "cost_center": cost_center, "channel": row.machine.channel})


def _dollars(amount: Micros) -> str:
    return f"{in_dollars(amount):f}"


COLUMNS: Mapping[str, Callable[[FileRow, BillingMonth], str]] = {
    # Those that are mandatory.
    "BilledCost": lambda row, _: _dollars(row.charge.amount),
    "BillingAccountId": lambda _, billing: _text(billing.account),
    "BillingAccountName": lambda *_: "",
    "BillingCurrency": lambda *_: "USD",
    "BillingPeriodEnd": lambda _, billing: _time(billing.end),
    "BillingPeriodStart": lambda _, billing: _time(billing.start),
    "ChargeCategory": lambda *_: "Usage",
    "ChargeClass": lambda row, _: "Correction" if row.charge.correction else "",
    "ChargeDescription": lambda row, _: _text(_description(row)),
    "ChargePeriodEnd": lambda row, _: _time(row.charge.ended_at),
    "ChargePeriodStart": lambda row, _: _time(row.charge.started_at),
    "ContractedCost": lambda row, _: _dollars(row.charge.amount),
    "EffectiveCost": lambda row, _: _dollars(row.charge.amount),
    "InvoiceIssuerName": lambda *_: ISSUER,
    "ListCost": lambda row, _: _dollars(row.charge.amount),
    "PricingQuantity": lambda row, _: _hours(row.charge),
    "PricingUnit": lambda *_: "Hours",
    "ProviderName": lambda *_: ISSUER,
    # The API may not state the vendor of an adopted machine, and the column takes no null.
    "PublisherName": lambda row, _: _text(vendor_name(row.machine.vendor) or ISSUER),
    "ServiceCategory": lambda *_: "Compute",
    "ServiceName": lambda *_: "GPU rental",
    # Others of the specification.
    "ChargeFrequency": lambda *_: "Usage-Based",
    "ConsumedQuantity": lambda row, _: _hours(row.charge),
    "ConsumedUnit": lambda *_: "Hours",
    # Nobody tells the bot which invoice a charge is on. The column is there so that finance can fill it in.
    "InvoiceId": lambda *_: "",
    "PricingCategory": lambda row, _: "Dynamic" if row.machine.contract == Contract.SPOT else "Standard",
    "RegionId": lambda row, _: _text(row.machine.region),
    "RegionName": lambda row, _: _text(row.machine.region),
    "ResourceId": lambda row, _: _text(row.charge.resource_id),
    "ResourceName": lambda row, _: _text(row.machine.name),
    "ResourceType": lambda *_: "Virtual Machine",
    "ServiceSubcategory": lambda *_: "Virtual Machines",
    "SkuId": lambda row, _: _text(f"{row.machine.gpu}:{row.charge.gpus}"),
    "SubAccountId": lambda row, _: _text(row.charge.project),
    "SubAccountName": lambda row, _: _text(row.charge.project),
    "Tags": lambda row, _: _tags(row),
    # Ours.
    "x_CostCenter": lambda row, _: _text(row.cost_center),
    "x_Project": lambda row, _: _text(row.charge.project),
    "x_Requester": lambda row, _: _text(row.requester) or row.charge.owner,
    "x_RentalId": lambda row, _: _text(row.charge.rental_id),
    "x_IdleCost": lambda row, _: _dollars(row.charge.idle),
    "x_UnknownCost": lambda row, _: _dollars(row.charge.unknown),
    "x_Estimated": lambda row, _: "true" if row.charge.estimated or row.running else "false",
}
"""The cell of a row in each column."""
