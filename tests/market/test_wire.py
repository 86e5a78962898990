"""Their shapes to ours: tables for what we know."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.market import fields, ssh_address, wire
from bot.market.anomalies import Anomalies
from bot.market.offer_query import query
from bot.model.request import Contract, Request
from tests.market.reading import ONE, read_offer, read_offers


@pytest.mark.parametrize(
    ("prices", "rate"),
    [
        ({"total_price_per_hour": Decimal("4.40"), "gpu_price_per_hour": 9}, "4.40"),
        ({"gpu_price_per_hour": Decimal("4.30"), "storage_price_per_hour": Decimal("0.10")}, "4.40"),
        ({"gpu_price_per_hour": 4}, "4"),
        ({"gpu_price_per_hour": 4, "storage_price_per_hour": None, "total_price_per_hour": None}, "4"),
        ({"total_price_per_hour": "4.40"}, "4.40"),
        ({}, None),
        ({"storage_price_per_hour": 4}, None),
        ({"total_price_per_hour": 0, "gpu_price_per_hour": 4}, None),
        ({"total_price_per_hour": -1}, None),
        ({"total_price_per_hour": True}, None),
        ({"total_price_per_hour": Decimal("1e-300")}, None),
        ({"total_price_per_hour": Decimal("1e400")}, None),
        ({"total_price_per_hour": Decimal("NaN")}, None),
        ({"total_price_per_hour": 10**400}, None),
        ({"total_price_per_hour": "1e3"}, None),
        ({"gpu_price_per_hour": 4, "storage_price_per_hour": -4}, None),
        ({"gpu_price_per_hour": 4, "storage_price_per_hour": "free"}, None),
    ],
)
def test_the_price_of_an_offer(prices: dict[str, object], rate: str | None) -> None:
    found = [offer.rate for offer in read_offers({**ONE, **prices})]
    assert found == ([] if rate is None else [Decimal(rate)])


@pytest.mark.parametrize(
    ("times", "expires"),
    [
        (
            {"expires_at": "2026-03-02T12:20:00Z", "created_at": "2026-03-02T12:00:00Z"},
            "2026-03-02T12:20:00+00:00",
        ),
        ({"expires_at": None, "created_at": "2026-03-02T11:50:00"}, "2026-03-02T12:20:00+00:00"),
        (
            {"expires_at": None, "created_at": "2026-03-02t13:50:00.123456789+02:00"},
            "2026-03-02T12:20:00.123456+00:00",
        ),
        ({}, "2026-03-02T12:30:00+00:00"),
        ({"expires_at": "never", "created_at": 5}, "2026-03-02T12:30:00+00:00"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "2026-03-02T12:30:00+00:00"),
        ({"expires_at": "0001-01-01T00:00:00Z"}, "2026-03-02T12:30:00+00:00"),
    ],
)
def test_how_long_a_price_stands(times: dict[str, object], expires: str) -> None:
    offer = read_offer(**times)
    assert offer is not None
    assert offer.expires_at.isoformat() == expires


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "cluster"},
        {"type": "Cluster"},
        {"offer_id": None},
        {"offer_id": "../resources"},
        {"offer_id": "a b"},
        {"offer_id": ""},
        {"gpu_type": ""},
        {"gpu_type": ["H100"]},
        {"gpu_count": 0},
        {"gpu_count": Decimal("1.5")},
        {"gpu_count": "many"},
        {"vendor": "\x00\u202e"},
    ],
)
def test_offers_that_make_no_sense_are_left_out(changes: dict[str, object]) -> None:
    assert read_offer(**changes) is None


def test_one_senseless_offer_does_not_take_the_others_with_it_and_is_logged() -> None:
    with capture_logs() as lines:
        found = read_offers({**ONE, "gpu_price_per_hour": 4}, {**ONE, "offer_id": "o2"}, 17)
    assert [offer.offer_id for offer in found] == ["o1"]
    [line] = lines
    assert line["event"] == "market.entries_dropped"
    assert line["reasons"] == {"no usable price": 1, "no object": 1}


def test_the_first_of_two_offers_with_one_id_counts() -> None:
    found = read_offers({**ONE, "total_price_per_hour": 4}, {**ONE, "total_price_per_hour": 1})
    assert [offer.rate for offer in found] == [4]


def test_what_an_offer_does_not_say_is_filled_in_plainly() -> None:
    offer = read_offer(
        region=None, contract_type=None, memory_in_gb=-1, vcpu_count=Decimal("28.0"), boot_disk_in_gb=0
    )
    assert offer is not None
    assert (offer.family, offer.region, offer.contract) == ("H100", "Other", "ondemand")
    assert (offer.memory_gb, offer.vcpus, offer.disk_gb) == (None, 28, None)


def test_text_from_vendors_is_one_clean_short_line() -> None:
    offer = read_offer(
        vendor="neb\nius\x07\ud800", vendor_region="x" * 500, region="eu", contract_type="On-Demand"
    )
    assert offer is not None
    assert offer.vendor == "neb ius"
    assert len(offer.vendor_region or "") == 60
    assert (offer.region, offer.contract) == ("EU", "ondemand")


@pytest.mark.parametrize(
    ("status", "stage", "is_now"),
    [
        ("procured", "provisioning_started", "in_progress"),
        ("procured", "provisioning_in_progress", "in_progress"),
        ("procured", "pending", "in_progress"),
        ("procured", "Provisioning", "in_progress"),
        ("procured", "warming the oven", "in_progress"),
        ("procured", "ready", "ready"),
        ("procured", "READY ", "ready"),
        (None, "ready", "ready"),
        ("procured", "failed", "failed"),
        ("failed", "failed", "failed"),
        ("failed", "provisioning_in_progress", "in_progress"),
        ("available", "available", None),
        ("expired", "available", None),
        (None, "expired", None),
        ("procured", "available", "in_progress"),
        ("available", None, None),
        ("failed", None, "failed"),
        ("available", 17, None),
    ],
)
def test_how_far_a_procurement_is(status: object, stage: object, is_now: str | None) -> None:
    found = wire.progress({"offer_id": "o1", "status": status, "procurement_status": stage}, "o1", Anomalies())
    flags = ("ready", "failed", "in_progress")
    assert [flag for flag in flags if getattr(found, flag)] == ([is_now] if is_now else [])


@pytest.mark.parametrize(
    ("instances", "running"),
    [
        ([{"status": "running"}] * 4, True),
        ([{"status": "running"}] * 2 + [{"status": "pending"}] * 2, False),
        ([{"status": None, "external_ip": "10.0.0.1"}], True),
        ([{"status": None}], False),
        ([{"status": "confused"}], False),
        ([{"status": "running"}, {"status": "deleted"}], False),
        ([], False),
        (None, False),
        ("running", False),
    ],
)
def test_whether_all_instances_run(instances: object, running: bool) -> None:
    body = {"procurement_status": "ready", "instances": instances, "progress": "2/4 instances running"}
    found = wire.progress(body, "o1", Anomalies())
    assert found.all_running is running
    assert found.progress == "2/4 instances running"


def test_a_status_names_resources_once_each() -> None:
    body = {
        "procurement_status": "pending",
        "instances": [{"resource_id": "r1"}, {"resource_id": None}, {"resource_id": "../r"}, "r9"],
        "resources": [{"resource_id": "r1"}, {"resource_id": "r2"}, {}],
    }
    assert wire.progress(body, "o1", Anomalies()).resource_ids == ("r1", "r2")
    assert wire.progress({"procurement_status": "pending", "resources": 3}, "o1", Anomalies()).resource_ids == ()


@pytest.mark.parametrize("word", ["running", "pending", "deleting", "Deleted"])
def test_words_of_an_instance_that_are_known_are_not_logged(word: str) -> None:
    with capture_logs() as lines:
        wire.progress({"procurement_status": "ready", "instances": [{"status": word}]}, "o1", Anomalies())
    assert lines == []


def test_an_unknown_word_is_logged_once() -> None:
    anomalies = Anomalies()
    with capture_logs() as lines:
        for _ in range(3):
            wire.progress({"procurement_status": "warming"}, "o1", anomalies)
            wire.procured({"status": "warming"}, "o1", anomalies)
    assert [(line["event"], line["where"]) for line in lines] == [
        ("market.unknown_word", "offer_status.procurement_status"),
        ("market.unknown_word", "procure_offer.status"),
    ]


@pytest.mark.parametrize(
    "body",
    [["US", "EU"], [{"name": "US"}, {"name": "EU", "id": 1}], {"regions": ["US", "EU"]},
     {"data": [{"name": "US"}, "EU", {}, 3, None]}],
)  # fmt: skip
def test_names_come_in_three_shapes(body: object) -> None:
    assert wire.names(body) == ("US", "EU")


@pytest.mark.parametrize("body", [None, 3, "US", {}, [], {"a": ["US"], "b": 1}, [1], {"a": {"b": []}}])
def test_names_in_any_other_shape_are_refused(body: object) -> None:
    with pytest.raises(wire.UnusableAnswer):
        wire.names(body)


@pytest.mark.parametrize("body", [[], {"resources": []}, {"items": []}])
def test_resources_come_in_three_shapes(body: object) -> None:
    assert wire.resources(body, Anomalies()) == ()


@pytest.mark.parametrize("body", [None, {}, {"resources": None}, "x", {"detail": "no"}])
def test_resources_in_any_other_shape_are_refused(body: object) -> None:
    with pytest.raises(wire.UnusableAnswer):
        wire.resources(body, Anomalies())


@pytest.mark.parametrize(
    ("access", "found"),
    [
        ({"external_ip": "203.0.113.7"}, ("203.0.113.7", 22)),
        ({"external_ip": "203.0.113.7", "ssh_port": 2201}, ("203.0.113.7", 2201)),
        ({"external_ip": "203.0.113.7", "ssh_port": 70000}, ("203.0.113.7", 22)),
        ({"external_ip": "203.0.113.7", "ssh_command": "ssh -p 2201 root@203.0.113.7"}, ("203.0.113.7", 2201)),
        ({"external_ip": "203.0.113.7", "ssh_port": 5, "ssh_command": "ssh -p 2201 root@x"}, ("203.0.113.7", 5)),
        ({"ssh_command": "ssh root@203.0.113.7 -p2201"}, ("203.0.113.7", 2201)),
        ({"ssh_command": "ssh -i ~/.ssh/key ubuntu@gpu-7.example.com"}, ("gpu-7.example.com", 22)),
        ({"ssh_command": "ssh gpu-7.example.com"}, ("gpu-7.example.com", 22)),
        ({"external_ip": "127.0.0.1"}, ("127.0.0.1", 22)),
        ({"external_ip": "localhost"}, ("localhost", 22)),
        ({"external_ip": "2001:DB8:0::1"}, ("2001:db8::1", 22)),
        ({"external_ip": "[::1]"}, ("::1", 22)),
        ({"external_ip": "fe80::1%eth0"}, (None, None)),
        ({"external_ip": "0.0.0.0"}, (None, None)),  # noqa: S104 - refused as an address, not bound
        ({"external_ip": "224.0.0.1"}, (None, None)),
        ({"external_ip": "1.2.3.4; rm -rf /"}, (None, None)),
        ({"external_ip": "-oProxyCommand=id"}, (None, None)),
        ({"external_ip": "$(id).example.com"}, (None, None)),
        ({"external_ip": "1.2.3"}, (None, None)),
        ({"external_ip": "0x7f.1"}, (None, None)),
        ({"external_ip": "host\n.example.com"}, (None, None)),
        ({"external_ip": "\u212aelvin.example.com"}, (None, None)),
        ({"ssh_command": "ssh root@-oProxyCommand=id"}, (None, None)),
        ({"ssh_command": "ssh root@1.2.3.4 reboot"}, (None, None)),
        ({"ssh_command": "ssh root@1.2.3.4;reboot"}, (None, None)),
        ({"ssh_command": "curl http://1.2.3.4"}, (None, None)),
        ({"ssh_command": "ssh"}, (None, None)),
        ({"ssh_port": 22}, (None, None)),
        ({"external_ip": None, "internal_ip": "10.0.0.1"}, (None, None)),
        (None, (None, None)),
        ("1.2.3.4", (None, None)),
    ],
)  # fmt: skip
def test_where_a_machine_is(access: object, found: tuple[str | None, int | None]) -> None:
    assert ssh_address.from_access(access) == found


def test_a_resource_says_what_it_can() -> None:
    [found] = wire.resources(
        [
            {
                "resource_id": "r1",
                "status": 7,
                "name": "train-3\n<!channel>",
                "spec": {"gpu_family": "H100"},
                "offer_history": [{"offer_id": "o1"}, {"offer_id": None}, 3, {"offer_id": "o1"}],
                "pricing_total_hourly": 0,
            }
        ],
        Anomalies(),
    )
    assert (found.status, found.name, found.gpu) == ("unknown", "train-3 <!channel>", "H100")
    assert (found.offer_ids, found.rate, found.deleted) == (("o1",), Decimal(0), False)


@pytest.mark.parametrize("content", [b"", b"{", b"NaNa", b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"'])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is what is promised
        fields.decode(content)


@pytest.mark.parametrize(
    "written",
    ["NaN", "Infinity", "-Infinity", "1" * 5000, "1e999999999", "-1e-999999999", "0e999999999", "1e" + "9" * 30],
)
def test_a_number_out_of_range_is_one_value_that_can_not_be_read(written: str) -> None:
    assert fields.decode(f'{{"a": [{written}, 1]}}'.encode()) == {"a": [fields.UNREADABLE, 1]}
    assert fields.number(fields.UNREADABLE) is None


def test_a_key_that_stands_twice_says_nothing_unless_it_says_the_same() -> None:
    said = b'{"status": "failed", "status": "procured", "n": 1, "n": 1, "ids": [], "ids": [1], "one": 2}'
    assert fields.decode(said) == {"status": fields.UNREADABLE, "n": 1, "ids": fields.UNREADABLE, "one": 2}


def test_numbers_are_read_exactly() -> None:
    assert fields.decode(b"[2.10, 1e-9]") == [Decimal("2.10"), Decimal("1e-9")]


@given(
    cap=st.decimals(min_value="0.01", max_value=1000, places=4),
    vendor=st.none() | st.text(min_size=1),
    count=st.integers(1, 64),
)
def test_the_query_reads_back_as_what_was_asked(cap: Decimal, vendor: str | None, count: int) -> None:
    request = Request(
        gpu="RTX 4090",
        count=count,
        contract=Contract.SPOT,
        vendor=vendor,
        max_gpu_rate=cap,
        lease=timedelta(hours=1),
    )
    body = query(request)
    read = yaml.load(body, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only strings
    assert Decimal(read["compute"]["max_price_per_gpu_hour"]) == cap
    loaded = yaml.safe_load(body)
    assert loaded["compute"]["gpu_count"] == count
    assert isinstance(loaded["compute"]["max_price_per_gpu_hour"], int | float)
    assert loaded.get("vendor") == vendor
