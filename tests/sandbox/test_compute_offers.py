"""Searching and procuring offers, and the requests that are refused."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.sandbox.compute_world import ComputeWorld

YAML = {"Content-Type": "application/yaml"}


async def test_discovery_returns_the_names_from_the_guide(world: ComputeWorld) -> None:
    gpus = (await world.http.get("/available_gpus")).json()
    assert list(gpus) == ["H100", "H200", "A100", "L40S", "L4", "RTX 4090", "B200"]
    assert gpus["H100"] == ["nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"]
    vendors = (await world.http.get("/available_vendors")).json()
    assert len(vendors) == 10
    assert {"nebius", "hyperstack", "scaleway"} < set(vendors)
    assert (await world.http.get("/available_regions")).json() == ["US", "EU", "APAC", "Other"]
    assert (await world.http.get("/available_contracts")).json() == ["ondemand", "spot"]


async def test_each_search_returns_new_offers_that_match_the_cheapest_first(world: ComputeWorld) -> None:
    query = "compute: {gpu_type: H100, gpu_count: 1, contract_type: ondemand}\nregion: EU"
    first, second = await world.offers(query), await world.offers(query)
    shown = [(offer["vendor"], offer["vendor_region"]) for offer in first]
    assert shown[:3] == [("hyperstack", "nor-1"), ("nebius", "eu-north1"), ("scaleway", "fr-par-2")]
    assert len(first) == 8
    assert {(o["gpu_family"], o["region"], o["contract_type"], o["gpu_count"]) for o in first} == {
        ("H100", "EU", "ondemand", 1)
    }
    costs = [
        offer["total_price_per_hour"] or offer["gpu_price_per_hour"] + (offer["storage_price_per_hour"] or 0)
        for offer in first
    ]
    assert costs == sorted(costs)
    assert {UUID(offer["offer_id"]).version for offer in first} == {4}
    assert not {offer["offer_id"] for offer in first} & {offer["offer_id"] for offer in second}
    assert (first[0]["created_at"], first[0]["expires_at"]) == (
        "2026-11-24T12:00:00.000000Z",
        "2026-11-24T12:30:00.000000Z",
    )


async def test_prices_are_sent_as_exact_decimals(world: ComputeWorld) -> None:
    answer = await world.http.post(
        "/get_offers", content="compute: {gpu_type: H100, gpu_count: 8}\nregion: EU", headers=YAML
    )
    offers = json.loads(answer.text, parse_float=Decimal)["offers"]
    by_vendor = {(o["vendor"], o["type"]): o for o in offers if o["contract_type"] == "ondemand"}
    assert str(by_vendor["hyperstack", "vm"]["total_price_per_hour"]) == "18.40"
    for offer in offers:
        for price in ("gpu_price_per_hour", "storage_price_per_hour", "total_price_per_hour"):
            if offer[price] is not None:
                assert len(str(offer[price]).partition(".")[2]) <= 4, offer
    nebius = by_vendor["nebius", "vm"]
    assert nebius["total_price_per_hour"] == nebius["gpu_price_per_hour"] + nebius["storage_price_per_hour"]
    cluster = by_vendor["crusoe", "cluster"]
    assert (cluster["node_count"], cluster["gpus_per_node"]) == (2, 4)
    assert cluster["total_price_per_hour"] < by_vendor["hyperstack", "vm"]["total_price_per_hour"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("compute: {gpu_type: nvidia-h100-pcie-80gb, gpu_count: 1}\nregion: EU", {"vultr"}),
        ("compute: {gpu_type: H100, max_price_per_gpu_hour: 2.42, contract_type: ondemand}\nregion: EU",
         {"hyperstack", "nebius"}),
        ("compute: {gpu_type: H100, max_price_per_gpu_hour: 2.4199, contract_type: ondemand}\nregion: EU",
         {"hyperstack"}),
        ("{region: EU, compute: {gpu_type: H100, gpu_count: 8, max_price_per_gpu_hour: 2.3}, vendor: nebius}",
         {"nebius"}),
        ("region: EU\ncompute: {gpu_type: H100, gpu_count: 8, max_price_per_gpu_hour: 2.3, "
         "contract_type: ondemand}",
         {"hyperstack", "crusoe", "coreweave"}),
        ("compute: {gpu_type: rtx 4090}\nregion: APAC", {"runpod"}),
        ("compute: {gpu_type: H100}\nregion: EU\nnetwork: {supports_cilium: true}", {"nebius", "vultr", "crusoe"}),
        ("compute: {gpu_type: H100}\nvendor: Nebius", {"nebius"}),
        ("compute: {gpu_type: H100}\nvendor: acme", set()),
        ("compute: {gpu_type: GTX 970}", set()),
        ("compute: {gpu_type: H100, gpu_count: 3}", set()),
    ],
)  # fmt: skip
async def test_a_query_returns_only_the_vendors_that_match(
    world: ComputeWorld, query: str, expected: set[str]
) -> None:
    assert {offer["vendor"] for offer in await world.offers(query)} == expected


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("", ["body"]),
        ("compute: [", ["body"]),
        ("[" * 5000, ["body"]),
        ("- compute", ["body"]),
        ("\x00", ["body"]),
        ("region: EU", ["body", "compute"]),
        ("compute: {}", ["body", "compute", "gpu_type"]),
        ("compute: {gpu_type: 4090}", ["body", "compute", "gpu_type"]),
        ("compute: {gpu_type: H100, gpu_count: 0}", ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, gpu_count: 1.5}", ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, gpu_count: true}", ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, gpu_count: .inf}", ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, gpu_count: 1.0e+999999}", ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, gpu_count: 0x%s}" % ("f" * 5000), ["body", "compute", "gpu_count"]),
        ("compute: {gpu_type: H100, max_price_per_gpu_hour: 0}", ["body", "compute", "max_price_per_gpu_hour"]),
        ("compute: {gpu_type: H100, max_price_per_gpu_hour: .nan}", ["body", "compute", "max_price_per_gpu_hour"]),
        ("compute: {gpu_type: H100, max_price_per_gpu_hour: '3'}", ["body", "compute", "max_price_per_gpu_hour"]),
        ("compute: {gpu_type: H100, contract_type: reserved}", ["body", "compute", "contract_type"]),
        ("compute: {gpu_type: H100}\nregion: eu", ["body", "region"]),
        ("compute: {gpu_type: H100}\nvendor: null", ["body", "vendor"]),
        ("compute: {gpu_type: H100}\nnetwork: {supports_cilium: 'yes'}", ["body", "network", "supports_cilium"]),
        ("compute: !!python/object/apply:os.getcwd []", ["body"]),
    ],
)  # fmt: skip
async def test_an_invalid_query_is_refused_with_the_place_of_the_error(
    world: ComputeWorld, body: str, where: list[str]
) -> None:
    answer = await world.http.post("/get_offers", content=body, headers=YAML)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == where
    assert set(answer.json()["detail"][0]) == {"loc", "msg", "type"}


async def test_a_query_needs_the_content_type_application_yaml(world: ComputeWorld) -> None:
    answer = await world.http.post("/get_offers", json={"compute": {"gpu_type": "H100"}})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["header", "content-type"])


async def test_an_offer_can_be_procured_once_until_it_expires(world: ComputeWorld) -> None:
    offers = [await world.offer() for _ in range(2)]
    world.clock.jump(1799.999999)
    assert (await world.post_procure(offers[0]["offer_id"])).status_code == 200
    assert (await world.post_procure(offers[0]["offer_id"])).status_code == 409
    world.clock.jump(0.000001)
    assert (await world.post_procure(offers[1]["offer_id"])).status_code == 410
    status = await world.status(offers[1]["offer_id"])
    assert (status["status"], status["procurement_status"]) == ("expired", "available")
    assert (await world.post_procure(offers[0]["offer_id"])).status_code == 409, "also when it is old"
    assert (await world.post_procure(str(uuid4()))).status_code == 404
    assert len(await world.resources()) == 1


async def test_an_offer_that_nobody_bought_is_forgotten_six_hours_after_it_expired(world: ComputeWorld) -> None:
    """Otherwise, the memory of a market that runs for weeks would keep growing."""
    left, bought = await world.offer(), await world.offer()
    await world.post_procure(bought["offer_id"])
    world.clock.jump(6 * 3600 + 30 * 60 - 1)
    assert (await world.status(left["offer_id"]))["status"] == "expired"
    assert (await world.post_procure(left["offer_id"])).status_code == 410
    world.clock.jump(1)
    assert (await world.http.get(f"/offers/{left['offer_id']}/status")).status_code == 404
    assert (await world.post_procure(left["offer_id"])).status_code == 404
    assert (await world.status(bought["offer_id"]))["status"] == "procured"
    assert (await world.post_procure(bought["offer_id"])).status_code == 409
    assert len(world.sandbox.market.offers) == 1


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"offer_id": "abc-123"}, "offer_id"),
        ({"offer_id": "0" * 32}, "offer_id"),
        ({"ssh_public_key": ""}, "ssh_public_key"),
        ({"ssh_public_key": "ssh-dss AAAAB3Nz"}, "ssh_public_key"),
        ({"ssh_public_key": "ssh-ed25519 AAAA\nssh-rsa AAAA"}, "ssh_public_key"),
        ({"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "ssh_public_key"),
        ({"cloud_init": "echo hello"}, "cloud_init"),
        ({"cloud_init": "#!/" + "x" * 65536}, "cloud_init"),
        ({"resource_name": 7}, "resource_name"),
        ({"resource_name": None}, "resource_name"),
    ],
)
async def test_an_invalid_procurement_is_refused_and_buys_nothing(
    world: ComputeWorld, wrong: dict[str, Any], where: str
) -> None:
    body = {"offer_id": (await world.offer())["offer_id"], "ssh_public_key": world.public_key, **wrong}
    answer = await world.http.post("/procure_offer", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", where]
    assert await world.resources() == []


async def test_a_procurement_that_is_not_json_is_refused(world: ComputeWorld) -> None:
    assert (await world.http.post("/procure_offer", content="{")).status_code == 422
    broken = await world.http.post("/procure_offer", content="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 422


async def test_an_offer_without_expires_at_expires_after_half_an_hour(world: ComputeWorld) -> None:
    offer = await world.offer("latitude")
    assert offer["expires_at"] is None
    world.clock.jump(30 * 60)
    assert (await world.status(offer["offer_id"]))["status"] == "expired"
    assert (await world.post_procure(offer["offer_id"])).status_code == 410


async def test_vendors_respond_to_a_procurement_in_different_ways(world: ComputeWorld) -> None:
    answers = {}
    for vendor in ("hyperstack", "lambda", "vultr"):
        answer = await world.procure(vendor)
        answers[vendor] = (answer["status"], answer["resource_ids"] is not None)
        assert len(await world.resources(answer["offer_id"])) == 1
    assert answers == {
        "hyperstack": ("procured", True),
        "lambda": ("provisioning_in_progress", True),
        "vultr": ("procured", False),
    }


async def test_every_vendor_is_ready_after_one_to_five_minutes(world: ComputeWorld) -> None:
    for vendor in (await world.http.get("/available_vendors")).json():
        offer_id = (await world.procure(vendor, "H100"))["offer_id"]
        world.clock.jump(59)
        assert await world.stage(offer_id) == "provisioning_in_progress"
        world.clock.jump(241)
        assert await world.stage(offer_id) == "ready"


async def test_a_machine_that_is_deleted_before_it_runs_never_runs(world: ComputeWorld) -> None:
    answer = await world.procure()
    world.clock.jump(150)
    assert (await world.delete(answer["resource_ids"][0])).status_code == 200
    world.clock.jump(10)
    assert await world.stage(answer["offer_id"]) == "provisioning_in_progress"
    world.clock.jump(20)
    status = await world.status(answer["offer_id"])
    assert status["procurement_status"] == "failed"
    assert status["failure_reason"] == "The instance was deleted before it was ready"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/offers/abc/status", 422),
        ("GET", "/resources/abc", 422),
        ("DELETE", "/resources/abc", 422),
        ("GET", "/resources?offer_id=abc", 422),
        ("GET", f"/offers/{UUID(int=1)}/status", 404),
        ("GET", f"/resources/{UUID(int=1)}", 404),
        ("DELETE", f"/resources/{UUID(int=1)}", 404),
        ("DELETE", f"/resources/{UUID(int=1)}?force=perhaps", 422),
        ("GET", f"/resources/{UUID(int=1)}?force_refresh=2", 422),
        ("GET", f"/resources?offer_id={UUID(int=1)}", 200),
        ("PUT", "/resources", 405),
        ("GET", "/nowhere", 404),
    ],
)
async def test_wrong_ids_parameters_and_methods_are_refused(
    world: ComputeWorld, method: str, path: str, status: int
) -> None:
    answer = await world.http.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == ({"resources", "total_count"} if status == 200 else {"detail"})


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"]
)
async def test_a_request_without_the_token_is_refused(world: ComputeWorld, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.format(token=world.sandbox.token)}
    del world.http.headers["Authorization"]
    answer = await world.http.get("/available_gpus", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_fault_is_added_to_an_operation_by_its_name(world: ComputeWorld) -> None:
    await world.control("faults", endpoint="procure_offer", kind="cut_after")
    offer = await world.offer()
    with pytest.raises(Exception, match="disconnect"):
        await world.post_procure(offer["offer_id"])
    assert len(await world.resources(offer["offer_id"])) == 1
    log = (await world.look("traffic?after=0"))["requests"]
    assert [(line["endpoint"], line["status"]) for line in log] == [
        ("get_offers", 200),
        ("procure_offer", 0),
        ("list_resources", 200),
    ]
    unknown = await world.http.post("/_control/faults", json={"endpoint": "buy", "kind": "hang"})
    assert unknown.status_code == 422
