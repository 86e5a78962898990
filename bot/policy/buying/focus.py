"""Writes a month's charges to a file that accounting programs can import: CSV in the FOCUS 1.2 format.

The specification is at https://focus.finops.org/focus-specification. The file contains all mandatory columns, then
the optional columns for which there is data. gpubot's own columns come last, and their names begin with `x_`. A
null is an empty cell.

Unit prices are deliberately left out: the specification requires that quantity times price equals the cost, which
isn't true after rounding to micro-dollars.
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
"""If a cell begins with one of these characters, a spreadsheet might run the cell as a formula.

The full-width forms of these characters have the same effect in some languages
(owasp.org/www-community/attacks/CSV_Injection).
"""
_SEPARATORS = re.compile("[;\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
"""The characters at which a spreadsheet might split a cell.

In many countries, spreadsheets split cells at semicolons, even inside quotes.
"""
_MICROSECONDS_PER_HOUR = timedelta(hours=1) // timedelta(microseconds=1)


@dataclass(frozen=True)
class FileRow:
    """A charge, with the additional data for its row in the file."""

    charge: Charge
    machine: ChargedMachine
    requester: str
    """The display name of the charge's owner."""
    cost_center: str
    """The cost center of the charge's project. Empty if it has none."""
    running: bool
    """True if the machine still costs money, so that the charge is counted up to now."""


@dataclass(frozen=True)
class BillingMonth:
    """The month that a CSV file covers, and the marketplace account that gets the month's invoice."""

    month: Month
    zone: ZoneInfo
    account: str

    @cached_property
    def start(self) -> datetime:
        """Return the first moment of the month, in UTC."""
        return month_start(self.month, self.zone)

    @cached_property
    def end(self) -> datetime:
        """Return the first moment after the month, in UTC."""
        return month_end(self.month, self.zone)


def focus_file(rows: Iterable[FileRow], billing: BillingMonth) -> str:
    """Return the text of a file with a header and one row per charge, in the order of `rows`."""
    return _csv(COLUMNS, ([cell(row, billing) for cell in COLUMNS.values()] for row in rows))


def part_of(file: str, *, project: str | None = None, owner: str | None = None) -> str:
    """Return a file made by `focus_file`, reduced to the rows of one project or one owner.

    Args:
        project: The project. None for all projects.
        owner: The owner's Slack ID. None for all owners.
    """
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
    """Return the name of a month's file, such as `gpubot-2026-11.csv`.

    If the month isn't complete, the name is `gpubot-2026-11-so-far.csv`.

    Args:
        part: If the file contains only some rows, a name for these rows, such as the project. Empty for all rows.
    """
    return "-".join(filter(None, ("gpubot", month, part, "" if complete else "so-far"))) + ".csv"


@dataclass(frozen=True)
class MonthFile:
    """A file of charges for one month.

    Writing its text takes a long time if there are many rows, so the text is only created by `written`.
    """

    part: MonthPart
    owner: str | None
    """The Slack ID of the only person whose charges the file contains. None if it contains everybody's charges."""
    billing: BillingMonth
    rows: tuple[FileRow, ...]
    complete: str | None
    """The text of the month's complete file, of which this file contains some or all rows.

    None if the month isn't complete.
    """
    unmanaged_count: int = 0
    """The number of unmanaged machines that are running now."""

    @property
    def name(self) -> str:
        return file_name(self.part.month, complete=self.complete is not None, part=self.part.project or "")

    @property
    def amount(self) -> Micros:
        return sum(row.charge.amount for row in self.rows)

    @property
    def estimated(self) -> Micros:
        """Return the part of the amount that the bot estimated.

        The bot estimates a charge if the API left out the start, the end or the price.
        """
        return sum(row.charge.amount for row in self.rows if row.charge.estimated)

    @property
    def rental_count(self) -> int:
        return len({row.charge.rental_id for row in self.rows})

    @property
    def running_count(self) -> int:
        """Return the number of machines that still cost money."""
        return sum(row.running for row in self.rows)

    def written(self) -> str:
        if self.complete is None:
            return focus_file(self.rows, self.billing)
        return part_of(self.complete, project=self.part.project, owner=self.owner)


# --- cells


def _plain(text: str) -> str:
    """Replace separators with spaces, so that a spreadsheet doesn't split the text into several cells."""
    return _SEPARATORS.sub(" ", text).strip()


def _text(text: str) -> str:
    """Return a text as a cell that is safe to open in a spreadsheet.

    If a spreadsheet could run the text as a formula, an apostrophe is put in front of it.
    """
    text = _plain(text)
    risky = text.startswith(_FORMULA) or (text and unicodedata.category(text[0]) == "Cc")
    return f"'{text}" if risky else text


def _hours(charge: Charge) -> str:
    """Return the hours of a charge, rounded to nine decimal places. The FOCUS format allows no exponent."""
    length = (charge.ended_at - charge.started_at) // timedelta(microseconds=1)
    return f"{Decimal(length) / _MICROSECONDS_PER_HOUR:.9f}"


def _time(at: datetime) -> str:
    """Return a time as UTC, in whole seconds, because the specification's format has no fractions of a second."""
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
    # Mandatory columns.
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
    # The specification doesn't allow this column to be empty. If the API doesn't report a vendor, the column
    # contains ISSUER.
    "PublisherName": lambda row, _: _text(vendor_name(row.machine.vendor) or ISSUER),
    "ServiceCategory": lambda *_: "Compute",
    "ServiceName": lambda *_: "GPU rental",
    # Optional columns of the specification.
    "ChargeFrequency": lambda *_: "Usage-Based",
    "ConsumedQuantity": lambda row, _: _hours(row.charge),
    "ConsumedUnit": lambda *_: "Hours",
    # The bot doesn't know the number of the invoice. The column is empty, so that the finance department can fill
    # it in.
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
    # gpubot's own columns.
    "x_CostCenter": lambda row, _: _text(row.cost_center),
    "x_Project": lambda row, _: _text(row.charge.project),
    "x_Requester": lambda row, _: _text(row.requester) or row.charge.owner,
    "x_RentalId": lambda row, _: _text(row.charge.rental_id),
    "x_IdleCost": lambda row, _: _dollars(row.charge.idle),
    "x_UnknownCost": lambda row, _: _dollars(row.charge.unknown),
    "x_Estimated": lambda row, _: "true" if row.charge.estimated or row.running else "false",
}
"""The columns of the file in order, each with the function that returns its cell for a row."""
