"""Tests that the file of a random month follows the FOCUS 1.2 specification.

https://focus.finops.org/focus-specification
"""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.budget import Charge, ChargedMachine
from bot.model.money import cost
from bot.policy.buying.focus import BillingMonth, FileRow, file_name, focus_file, part_of
from bot.policy.buying.months import month_end, month_start

ZONES = ["UTC", "Europe/Berlin", "America/Chicago", "Pacific/Auckland"]
FORMULAS = [
    "=1+1",
    "+49",
    "-",
    "@SUM(A1)",
    "＝1+1",
    "＋49",
    "－",
    "＠SUM(A1)",
    "Ana;=cmd|' /C calc'!A0",
    ";=1",
    " ;\t＝1",
]
WORDS = st.text(max_size=12) | st.sampled_from([*FORMULAS, "\ttab", "\r", "a\r\nb", 'a "b", c', "Zoë"])
NAMES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
HOUR = timedelta(hours=1)

# --- rules of the specification

COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
MANDATORY = {
    *COSTS,
    *("BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart"),
    *("ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart"),
    *("InvoiceIssuerName", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName"),
    *("ServiceCategory", "ServiceName"),
}
NULLABLE = {
    *("BillingAccountName", "ChargeClass", "InvoiceId", "RegionId", "RegionName", "ResourceName"),
    "x_CostCenter",
}
"""The columns in the file that may be null. For usage, the specification forbids nulls in all others."""
DECIMALS = {*COSTS, "PricingQuantity", "ConsumedQuantity", "x_IdleCost", "x_UnknownCost"}
TIMES = {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"Compute", "AI and Machine Learning", "Storage", "Networking", "Other"},
    "ServiceSubcategory": {"Virtual Machines", "Containers", "Serverless Compute", "Other (Compute)"},
    "BillingCurrency": {"USD"},
    "x_Estimated": {"true", "false"},
}
TOGETHER = [
    ("RegionId", "RegionName"),
    ("SubAccountId", "SubAccountName"),
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("ResourceId", "ResourceType"),
]
"""Pairs of columns of which both are null, or neither is."""


def check_by_specification(row: dict[str, str]) -> None:
    """Check a row: types and formats, nulls, allowed values, and relations between columns."""
    for name, cell in row.items():
        if cell == "":
            assert name in NULLABLE, f"{name} is null"
            continue
        if name in DECIMALS:  # Only digits and a point: no exponent, no plus sign, no unit.
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell), (name, cell)
        elif name in TIMES:
            assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", cell), (name, cell)
        elif name == "Tags":
            tags = json.loads(cell)
            assert isinstance(tags, dict)
            assert all(value is None or isinstance(value, str | int | float) for value in tags.values())
        else:
            assert not re.match(r"[=+@＝＋－＠\x00-\x1f\x7f-\x9f-]", cell), (name, cell)
        assert not re.search(r"[;\t\r\n\v\f]", cell), (name, cell)
        assert cell in ALLOWED.get(name, {cell}), (name, cell)
    for one, other in TOGETHER:
        assert (row[one] == "") == (row[other] == ""), (one, other)
    assert len({row[name] for name in COSTS}) == 1
    assert row["BillingPeriodStart"] < row["BillingPeriodEnd"]
    assert row["ChargePeriodStart"] <= row["ChargePeriodEnd"]


def read(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file, newline=""), strict=True))


def moment(cell: str) -> datetime:
    return datetime.strptime(cell, "%Y-%m-%dT%H:%M:%S%z")


# --- a random month


@st.composite
def billing_months(draw: st.DrawFn) -> BillingMonth:
    number = draw(st.integers(0, 59))
    return BillingMonth(
        month=f"{2026 + number // 12}-{number % 12 + 1:02}",
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        account=draw(st.sampled_from(["compute-clear", "=4711", "Acme, Inc."])),
    )


@st.composite
def file_rows(draw: st.DrawFn, billing: BillingMonth, n: int) -> FileRow:
    length = (billing.end - billing.start) // timedelta(microseconds=1)
    start, end = sorted([draw(st.integers(0, length)), draw(st.integers(0, length))])
    started, ended = (billing.start + timedelta(microseconds=one) for one in (start, end))
    correction = draw(st.booleans())
    if correction:  # The charge was billed in an earlier month.
        started, ended = started - timedelta(days=60), ended - timedelta(days=60)
    rate = draw(st.decimals("0", "999", places=4))
    amount = cost(rate, ended - started)
    idle = draw(st.integers(0, amount))
    charge = Charge(
        resource_id=f"r{n}",
        n=1,
        started_at=started,
        ended_at=ended,
        rental_id=draw(NAMES),
        month=billing.month,
        owner=draw(st.sampled_from(["U0ANA", "U0BEN"])),
        project=draw(st.sampled_from(["vision", "unassigned"])),
        gpus=draw(st.integers(1, 64)),
        rate=rate,
        amount=amount,
        idle=idle,
        unknown=amount - idle,
        estimated=draw(st.booleans()),
        correction=correction,
    )
    machine = ChargedMachine(
        vendor=draw(st.sampled_from(["hyperstack", ""])),
        region=draw(st.sampled_from(["nor-1", ""])),
        gpu="nvidia-h100-sxm5-80gb",
        contract=draw(st.sampled_from(["ondemand", "spot"])),
        name=draw(WORDS),
        channel=draw(st.sampled_from(["C0TRAIN", "U0ANA"])),
    )
    return FileRow(
        charge=charge,
        machine=machine,
        requester=draw(WORDS.filter(bool)),
        cost_center=draw(WORDS),
        running=draw(st.booleans()),
    )


@st.composite
def months(draw: st.DrawFn) -> tuple[BillingMonth, list[FileRow]]:
    billing = draw(billing_months())
    return billing, [draw(file_rows(billing, n)) for n in range(draw(st.integers(0, 6)))]


@given(given_month=months())
def test_the_file_of_a_month_follows_the_specification(given_month: tuple[BillingMonth, list[FileRow]]) -> None:
    billing, rows = given_month
    file = focus_file(rows, billing)
    names = next(csv.reader(io.StringIO(file, newline="")))
    assert set(names) >= MANDATORY
    assert len(set(names)) == len(names)
    ours = [name.startswith("x_") for name in names]
    assert ours == sorted(ours), "custom columns come last"
    for row in read(file):
        check_by_specification(row)


@given(given_month=months())
def test_the_file_of_a_month_contains_all_charges(given_month: tuple[BillingMonth, list[FileRow]]) -> None:
    billing, rows = given_month
    written = read(focus_file(rows, billing))
    for name, charged in (
        ("BilledCost", [row.charge.amount for row in rows]),
        ("x_IdleCost", [row.charge.idle for row in rows]),
        ("x_UnknownCost", [row.charge.unknown for row in rows]),
    ):
        assert [Decimal(row[name]) * 1_000_000 for row in written] == charged
    start, end = month_start(billing.month, billing.zone), month_end(billing.month, billing.zone)
    second = timedelta(seconds=1)
    for row, given_row in zip(written, rows, strict=True):
        charge = given_row.charge
        assert (moment(row["BillingPeriodStart"]), moment(row["BillingPeriodEnd"])) == (start, end)
        from_, until = moment(row["ChargePeriodStart"]), moment(row["ChargePeriodEnd"])
        assert from_ <= charge.started_at < from_ + second
        assert until <= charge.ended_at < until + second
        assert charge.correction or start <= from_ <= until <= end
        assert row["ChargeClass"] == ("Correction" if charge.correction else "")
        assert abs(Decimal(row["PricingQuantity"]) * 3600 - Decimal((until - from_).total_seconds())) < 2
        assert row["x_Estimated"] == ("true" if charge.estimated or given_row.running else "false")


@given(given_month=months())
def test_a_reduced_file_equals_a_file_made_from_fewer_rows(
    given_month: tuple[BillingMonth, list[FileRow]],
) -> None:
    billing, rows = given_month
    file = focus_file(rows, billing)
    assert part_of(file) == file
    vision = [row for row in rows if row.charge.project == "vision"]
    assert part_of(file, project="vision") == focus_file(vision, billing)
    ana = [row for row in vision if row.charge.owner == "U0ANA"]
    assert part_of(file, project="vision", owner="U0ANA") == focus_file(ana, billing)


# --- examples

NOVEMBER = BillingMonth(month="2026-11", zone=ZoneInfo("Europe/Berlin"), account="compute-clear")
CHARGE = Charge(
    resource_id="3c90c3cc",
    n=1,
    started_at=datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
    ended_at=datetime(2026, 11, 2, 11, tzinfo=UTC),
    rental_id="k7mq2",
    month="2026-11",
    owner="U0ANA",
    project="vision",
    gpus=8,
    rate=Decimal("18.40"),
    amount=27_600_000,
    used=20_000_000,
    idle=7_600_000,
)
MACHINE = ChargedMachine(
    vendor="hyperstack",
    region="nor-1",
    gpu="nvidia-h100-sxm5-80gb",
    contract="ondemand",
    name="gpubot-k7mq2-1",
    channel="C0TRAIN",
)
ROW = FileRow(charge=CHARGE, machine=MACHINE, requester="Ana", cost_center="4711", running=False)


def test_the_columns_of_a_typical_row() -> None:
    (row,) = read(focus_file([ROW], NOVEMBER))
    assert row["ChargeDescription"] == "8x H100 SXM 80 GB, k7mq2, Hyperstack nor-1"
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z")
    assert (row["BilledCost"], row["PricingQuantity"]) == ("27.600000", "1.500000000")
    assert row["SkuId"] == "nvidia-h100-sxm5-80gb:8"
    assert row["InvoiceId"] == ""
    assert json.loads(row["Tags"]) == {"requester": "U0ANA", "cost_center": "4711", "channel": "C0TRAIN"}
    ours = {name: cell for name, cell in row.items() if name.startswith("x_")}
    assert ours == {
        "x_CostCenter": "4711",
        "x_Project": "vision",
        "x_Requester": "Ana",
        "x_RentalId": "k7mq2",
        "x_IdleCost": "7.600000",
        "x_UnknownCost": "0.000000",
        "x_Estimated": "false",
    }


def test_a_machine_that_is_still_running_is_marked() -> None:
    running = FileRow(charge=CHARGE, machine=MACHINE, requester="Ana", cost_center="", running=True)
    (row,) = read(focus_file([running], NOVEMBER))
    assert row["ChargeDescription"].endswith(", still running")
    assert row["x_Estimated"] == "true"
    assert row["x_CostCenter"] == ""


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        *(
            (name, f"'{name}")
            for name in ("=cmd|' /C calc'!A0", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x", "\x00")
        ),
        ("Ana;=cmd|' /C calc'!A0", "Ana =cmd|' /C calc'!A0"),
        ("Ana\t=1\r\nBen", "Ana =1 Ben"),
        (";=1", "'=1"),
        ("\r＝1", "'＝1"),
    ],
)
def test_a_persons_name_is_never_run_as_a_formula(name: str, cell: str) -> None:
    """The name is safe wherever the spreadsheet splits cells or lines."""
    row = FileRow(charge=CHARGE, machine=MACHINE, requester=name, cost_center=name, running=False)
    file = focus_file([row], NOVEMBER)
    (written,) = read(file)
    assert written["x_Requester"] == written["x_CostCenter"] == cell
    assert ";" not in file


def test_a_person_whose_name_has_only_separators_appears_by_id() -> None:
    """Otherwise nobody could tell whose row it is."""
    row = FileRow(charge=CHARGE, machine=MACHINE, requester=";\t", cost_center=";", running=False)
    (written,) = read(focus_file([row], NOVEMBER))
    assert (written["x_Requester"], written["x_CostCenter"]) == ("U0ANA", "")


def test_tiny_and_zero_amounts_are_written_in_plain_digits() -> None:
    free = changed(CHARGE, amount=1, used=1, idle=0, ended_at=CHARGE.started_at + timedelta(microseconds=1))
    (row,) = read(focus_file([FileRow(free, MACHINE, "Ana", "", running=False)], NOVEMBER))
    assert (row["BilledCost"], row["x_IdleCost"], row["PricingQuantity"]) == (
        "0.000001",
        "0.000000",
        "0.000000000",
    )


def test_the_name_of_a_file_describes_its_contents() -> None:
    assert file_name("2026-11", complete=True) == "gpubot-2026-11.csv"
    assert file_name("2026-11", complete=False) == "gpubot-2026-11-so-far.csv"
    assert file_name("2026-11", complete=False, part="vision") == "gpubot-2026-11-vision-so-far.csv"
