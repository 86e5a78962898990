"""The known formats of answers, and the models that are parsed from them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.market import fields, wire
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
def test_an_offers_price_is_the_total_or_the_sum_of_its_parts(prices: dict[str, object], rate: str | None) -> None:
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
def test_an_offer_expires_at_its_time_or_30_minutes_after_its_creation(
    times: dict[str, object], expires: str
) -> None:
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
def test_an_unusable_offer_is_left_out(changes: dict[str, object]) -> None:
    assert read_offer(**changes) is None


def test_unusable_offers_are_logged_and_the_others_are_kept() -> None:
    with capture_logs() as lines:
        found = read_offers({**ONE, "gpu_price_per_hour": 4}, {**ONE, "offer_id": "o2"}, 17)
    assert [offer.offer_id for offer in found] == ["o1"]
    [line] = lines
    assert line["event"] == "market.entries_dropped"
    assert line["reasons"] == {"no usable price": 1, "no object": 1}


def test_of_two_offers_with_the_same_id_the_first_is_kept() -> None:
    found = read_offers({**ONE, "total_price_per_hour": 4}, {**ONE, "total_price_per_hour": 1})
    assert [offer.rate for offer in found] == [4]


def test_fields_that_an_offer_lacks_get_defaults() -> None:
    offer = read_offer(
        region=None, contract_type=None, memory_in_gb=-1, vcpu_count=Decimal("28.0"), boot_disk_in_gb=0
    )
    assert offer is not None
    assert (offer.family, offer.region, offer.contract) == ("H100", "Other", "ondemand")
    assert (offer.memory_gb, offer.vcpus, offer.disk_gb) == (None, 28, None)


def test_a_vendors_text_becomes_one_short_printable_line() -> None:
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
def test_each_status_maps_to_one_stage_of_the_procurement(
    status: object, stage: object, is_now: str | None
) -> None:
    found = wire.progress(
        {"offer_id": "o1", "status": status, "procurement_status": stage}, "o1", wire.Anomalies()
    )
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
def test_all_instances_run_only_if_each_of_them_does(instances: object, running: bool) -> None:
    body = {"procurement_status": "ready", "instances": instances, "progress": "2/4 instances running"}
    found = wire.progress(body, "o1", wire.Anomalies())
    assert found.all_running is running
    assert found.progress == "2/4 instances running"


def test_each_resource_of_a_status_is_returned_once() -> None:
    body = {
        "procurement_status": "pending",
        "instances": [{"resource_id": "r1"}, {"resource_id": None}, {"resource_id": "../r"}, "r9"],
        "resources": [{"resource_id": "r1"}, {"resource_id": "r2"}, {}],
    }
    assert wire.progress(body, "o1", wire.Anomalies()).resource_ids == ("r1", "r2")
    no_list = {"procurement_status": "pending", "resources": 3}
    assert wire.progress(no_list, "o1", wire.Anomalies()).resource_ids == ()


@pytest.mark.parametrize("word", ["running", "pending", "deleting", "Deleted"])
def test_a_known_status_of_an_instance_is_not_logged(word: str) -> None:
    with capture_logs() as lines:
        wire.progress({"procurement_status": "ready", "instances": [{"status": word}]}, "o1", wire.Anomalies())
    assert lines == []


def test_an_unknown_status_is_logged_once() -> None:
    anomalies = wire.Anomalies()
    with capture_logs() as lines:
        for _ in range(3):
            wire.progress({"procurement_status": "warming"}, "o1", anomalies)
            wire.procured({"status": "warming"}, "o1", anomalies)
    assert [(line["event"], line["where"]) for line in lines] == [
        ("market.unknown_status", "offer_status.procurement_status"),
        ("market.unknown_status", "procure_offer.status"),
    ]


@pytest.mark.parametrize(
    "body",
    [["US", "EU"], [{"name": "US"}, {"name": "EU", "id": 1}], {"regions": ["US", "EU"]},
     {"data": [{"name": "US"}, "EU", {}, 3, None]}],
)  # fmt: skip
def test_names_are_read_from_lists_of_strings_or_objects(body: object) -> None:
    assert wire.names(body) == ("US", "EU")


@pytest.mark.parametrize("body", [None, 3, "US", {}, [], {"a": ["US"], "b": 1}, [1], {"a": {"b": []}}])
def test_names_of_any_other_shape_are_refused(body: object) -> None:
    with pytest.raises(wire.UnusableAnswer):
        wire.names(body)


@pytest.mark.parametrize("body", [[], {"resources": []}, {"items": []}])
def test_resources_are_read_from_a_bare_list_and_under_both_keys(body: object) -> None:
    assert wire.resources(body, wire.Anomalies()) == ()


@pytest.mark.parametrize("body", [None, {}, {"resources": None}, "x", {"detail": "no"}])
def test_resources_of_any_other_shape_are_refused(body: object) -> None:
    with pytest.raises(wire.UnusableAnswer):
        wire.resources(body, wire.Anomalies())


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
def test_only_ip_addresses_and_host_names_are_accepted_as_addresses(
    access: object, found: tuple[str | None, int | None]
) -> None:
    assert fields.ssh_address(access) == found


def test_a_resource_is_read_even_if_some_fields_are_unusable() -> None:
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
        wire.Anomalies(),
    )
    assert (found.status, found.name, found.gpu) == ("unknown", "train-3 <!channel>", "H100")
    assert (found.offer_ids, found.rate, found.deleted) == (("o1",), Decimal(0), False)


@pytest.mark.parametrize("content", [b"", b"{", b"NaNa", b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"'])
def test_content_that_is_not_json_is_refused(content: bytes) -> None:
    with pytest.raises(fields.NotJson):
        fields.decode(content)


@pytest.mark.parametrize(
    "written",
    ["NaN", "Infinity", "-Infinity", "1" * 5000, "1e999999999", "-1e-999999999", "0e999999999", "1e" + "9" * 30],
)
def test_a_number_out_of_range_makes_only_its_own_value_unreadable(written: str) -> None:
    assert fields.decode(f'{{"a": [{written}, 1]}}'.encode()) == {"a": [fields.UNREADABLE, 1]}
    assert fields.number(fields.UNREADABLE) is None


def test_a_key_with_two_different_values_is_unreadable() -> None:
    content = b'{"status": "failed", "status": "procured", "n": 1, "n": 1, "ids": [], "ids": [1], "one": 2}'
    assert fields.decode(content) == {"status": fields.UNREADABLE, "n": 1, "ids": fields.UNREADABLE, "one": 2}


def test_decimal_numbers_are_read_exactly() -> None:
    assert fields.decode(b"[2.10, 1e-9]") == [Decimal("2.10"), Decimal("1e-9")]


@given(
    cap=st.decimals(min_value="0.01", max_value=1000, places=4),
    vendor=st.none() | st.text(min_size=1),
    count=st.integers(1, 64),
)
def test_the_query_has_the_exact_values_of_the_request(cap: Decimal, vendor: str | None, count: int) -> None:
    request = Request(
        gpu="RTX 4090",
        count=count,
        contract=Contract.SPOT,
        vendor=vendor,
        max_gpu_rate=cap,
        lease=timedelta(hours=1),
    )
    body = wire.offer_query(request)
    read = yaml.load(body, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only strings
    assert Decimal(read["compute"]["max_price_per_gpu_hour"]) == cap
    loaded = yaml.safe_load(body)
    assert loaded["compute"]["gpu_count"] == count
    assert isinstance(loaded["compute"]["max_price_per_gpu_hour"], int | float)
    assert loaded.get("vendor") == vendor
