"""Every way in which a vendor can misbehave, from the point of view of an API client."""

from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from tests.sandbox.compute_world import ComputeWorld


async def alive(world: ComputeWorld) -> list[dict[str, Any]]:
    """Return the machines that are billed, according to the control API."""
    account = await world.look("account")
    return [resource for resource in account["resources"] if resource["alive"]]


async def test_a_sold_out_vendor_fails_the_set_number_of_purchases_at_no_cost(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="sold_out", times=1)
    answer = await world.procure("hyperstack")
    assert (answer["status"], answer["resource_ids"]) == ("failed", None)
    assert answer["error"] == "Insufficient capacity in nor-1"
    status = await world.status(answer["offer_id"])
    assert (status["status"], status["procurement_status"]) == ("failed", "failed")
    assert await world.resources(answer["offer_id"]) == []
    assert (await world.look("account")) == {"offers_bought": [], "resources": []}
    assert (await world.post_procure(answer["offer_id"])).status_code == 409
    assert (await world.procure("hyperstack"))["status"] == "procured"


async def test_a_failed_purchase_can_leave_a_machine_that_is_billed(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="fails_with_resource")
    answer = await world.procure("hyperstack")
    assert (answer["status"], answer["resource_ids"]) == ("failed", None)
    assert await world.stage(answer["offer_id"]) == "failed"
    (resource,) = await world.resources(answer["offer_id"])
    assert resource["status"] == "provisioning"
    world.clock.jump(3600)
    assert (await world.resource(resource["resource_id"]))["status"] == "running"
    assert (await world.look("bill"))["total_micros"] == 2_150_000
    assert [bought["answered"] for bought in (await world.look("account"))["offers_bought"]] == ["failed"]


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_machine_can_appear_a_minute_after_a_failed_purchase(world: ComputeWorld, quiet: bool) -> None:
    await world.control("vendors/hyperstack", behaviour="late_resource", quiet=quiet)
    answer = await world.procure("hyperstack")
    offer_id = answer["offer_id"]
    assert answer["status"] == "failed"
    world.clock.jump(59.999999)
    assert await world.resources(offer_id) == []
    assert await world.stage(offer_id) == ("failed" if quiet else "provisioning_in_progress")
    world.clock.jump(0.000001)
    (resource,) = await world.resources(offer_id)
    assert (resource["status"], resource["valid_from"]) == ("provisioning", "2026-11-24T12:01:00.000000Z")
    world.clock.jump(300)
    assert await world.stage(offer_id) == ("failed" if quiet else "ready")
    assert (await world.resource(resource["resource_id"]))["status"] == "running"
    assert len(await alive(world)) == 1


async def test_a_partial_procurement_runs_only_two_of_four_machines(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="partial")
    answer = await world.procure("hyperstack", "H100", 8)
    world.clock.jump(3600)
    status = await world.status(answer["offer_id"])
    assert status["procurement_status"] == "provisioning_in_progress"
    assert status["progress"] == "2/4 instances running"
    assert [instance["status"] for instance in status["instances"]] == ["running"] * 2 + ["provisioning"] * 2
    assert (await world.look("bill"))["total_micros"] == 18_400_000
    for resource_id in answer["resource_ids"]:
        assert (await world.delete(resource_id)).status_code == 200
    world.clock.jump(30)
    assert await alive(world) == []


async def test_a_vendor_can_use_the_status_names_of_the_api_reference(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="reference_words")
    offer_id = (await world.procure("hyperstack"))["offer_id"]
    seen = []
    for seconds in (0, 30, 300):
        world.clock.jump(seconds)
        seen.append(await world.stage(offer_id))
    assert seen == ["pending", "provisioning", "ready"]


async def test_a_slow_vendors_machine_is_billed_but_never_ready(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="slow", words="Waiting for <!channel>")
    answer = await world.procure("hyperstack")
    world.clock.jump(36_000)
    status = await world.status(answer["offer_id"])
    assert (status["procurement_status"], status["progress"]) == (
        "provisioning_in_progress",
        "Waiting for <!channel>",
    )
    assert (await world.look("bill"))["total_micros"] == 21_500_000
    await world.delete(answer["resource_ids"][0])
    world.clock.jump(30)
    status = await world.status(answer["offer_id"])
    assert (await world.resource(answer["resource_ids"][0]))["status"] == "deleted"
    assert status["procurement_status"] == "failed"


async def test_an_accepted_purchase_can_fail_later_and_its_machine_is_deleted(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="fails_later", seconds=45, words="no power")
    answer = await world.procure("hyperstack")
    assert answer["status"] == "procured"
    world.clock.jump(44)
    assert await world.stage(answer["offer_id"]) == "provisioning_in_progress"
    world.clock.jump(1)
    status = await world.status(answer["offer_id"])
    assert (status["procurement_status"], status["failure_reason"]) == ("failed", "no power")
    resource = await world.resource(answer["resource_ids"][0])
    assert (resource["status"], resource["valid_to"]) == ("deleted", "2026-11-24T12:00:45.000000Z")
    assert (await world.delete(answer["resource_ids"][0])).status_code == 409
    world.clock.jump(3600)
    assert (await world.look("bill"))["total_micros"] == 26_875


async def test_deletions_can_fail_with_500_for_a_time_from_the_first_attempt(world: ComputeWorld) -> None:
    resource_id = (await world.ready_machine())["resource_id"]
    await world.control("vendors/hyperstack", behaviour="delete_500", seconds=120, times=1)
    world.clock.jump(1000)
    assert (await world.delete(resource_id)).status_code == 500
    world.clock.jump(119)
    assert (await world.delete(resource_id)).status_code == 500
    assert (await world.resource(resource_id))["status"] == "running"
    world.clock.jump(1)
    assert (await world.delete(resource_id)).status_code == 200
    world.clock.jump(30)
    assert (await world.resource(resource_id))["status"] == "deleted"


async def test_a_vendor_set_back_to_normal_deletes_again(world: ComputeWorld) -> None:
    resource_id = (await world.ready_machine())["resource_id"]
    await world.control("vendors/hyperstack", behaviour="delete_500", seconds=None)
    for _ in range(2):
        assert (await world.delete(resource_id)).status_code == 500
        world.clock.jump(86_400)
    await world.control("vendors/hyperstack", behaviour="normal")
    assert (await world.delete(resource_id)).status_code == 200


async def test_a_machine_is_billed_until_its_slow_deletion_is_finished(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="not_deleting", seconds=600)
    resource_id = (await world.ready_machine())["resource_id"]
    assert (await world.delete(resource_id)).status_code == 200
    world.clock.jump(599)
    assert (await world.delete(resource_id)).status_code == 200, "again is as good as once"
    assert (await world.resource(resource_id))["status"] == "deleting"
    world.clock.jump(1)
    gone = await world.resource(resource_id)
    assert (gone["status"], gone["valid_to"]) == ("deleted", "2026-11-24T12:15:00.000000Z")


async def test_an_endless_deletion_ends_when_the_vendor_is_set_back_to_normal(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="not_deleting", seconds=None)
    resource_id = (await world.ready_machine())["resource_id"]
    await world.delete(resource_id)
    world.clock.jump(86_400)
    assert (await world.resource(resource_id))["status"] == "deleting"
    await world.control("vendors/hyperstack", behaviour="normal")
    world.clock.jump(30)
    assert (await world.resource(resource_id))["status"] == "deleted"


async def test_offers_without_prices_come_last(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="no_price", times=1)
    offers = await world.offers("{region: EU, compute: {gpu_type: H100, contract_type: ondemand}}")
    last = offers[-1]
    assert last["vendor"] == "hyperstack"
    prices = ("gpu_price_per_hour", "storage_price_per_hour", "total_price_per_hour")
    assert [last[price] for price in prices] == [None, None, None]
    assert (await world.offer("hyperstack"))["total_price_per_hour"] == 2.15


async def test_a_vendor_without_capacity_has_no_offers(world: ComputeWorld) -> None:
    """If no vendor has capacity, the search finds nothing at all."""
    query = "{region: EU, compute: {gpu_type: H100, contract_type: ondemand}}"
    await world.control("vendors/hyperstack", behaviour="nothing_free", times=1)
    assert "hyperstack" not in {offer["vendor"] for offer in await world.offers(query)}
    assert "hyperstack" in {offer["vendor"] for offer in await world.offers(query)}
    await world.control("vendors/*", behaviour="nothing_free")
    assert await world.offers(query) == []


@pytest.mark.parametrize("how", ["deleted", "missing"])
async def test_a_vendor_can_reclaim_a_machine(world: ComputeWorld, how: str) -> None:
    resource_id = (await world.ready_machine())["resource_id"]
    await world.control(f"resources/{resource_id}/vanish", how=how)
    answer = await world.http.get(f"/resources/{resource_id}")
    if how == "deleted":
        assert (answer.json()["status"], answer.json()["valid_to"]) == (
            "deleted",
            "2026-11-24T12:05:00.000000Z",
        )
        assert (await world.delete(resource_id)).status_code == 409
    else:
        assert answer.status_code == 404
        assert await world.resources() == []
        assert (await world.delete(resource_id)).status_code == 404
    bill = (await world.look("bill"))["total_micros"]
    world.clock.jump(3600)
    assert (await world.look("bill"))["total_micros"] == bill == 179_167
    assert await alive(world) == []


async def test_an_unmanaged_machine_is_on_the_account_and_the_bill(world: ComputeWorld) -> None:
    made = await world.control("resources", name="train-3", gpu_type="H100", rate=2.10)
    (resource,) = await world.resources()
    assert (resource["resource_id"], resource["name"]) == (made["resource_id"], "train-3")
    assert (resource["status"], resource["pricing_total_hourly"]) == ("running", 2.1)
    world.clock.jump(3600)
    assert (await world.look("bill"))["total_micros"] == 2_100_000
    assert (await world.look("account"))["offers_bought"] == []


async def test_unmanaged_machines_of_one_purchase_share_an_offer_in_their_history(
    world: ComputeWorld,
) -> None:
    known = await world.ready_machine()
    offer, since = str(uuid4()), "2026-11-24T09:00:00.000000Z"
    about: dict[str, Any] = {"gpu_type": "H100", "gpus": 8, "rate": "18.40", "vendor": "nebius", "offer_id": offer}
    for n in (1, 2):
        await world.control("resources", name=f"train-{n}", since=since, runs_after=10_800 + 600 * n, **about)
    one, two = await world.resources(offer)
    assert await world.resources() == [one, two, known], "the oldest first"
    assert [one["offer_history"][0]["offer_id"], two["offer_history"][0]["offer_id"]] == [offer, offer]
    assert (one["vendor"], one["spec"]["gpu_count"], one["valid_from"]) == ("nebius", 8, since)
    assert [one["status"], two["status"]] == ["provisioning", "provisioning"]
    world.clock.jump(300)
    assert [machine["status"] for machine in await world.resources(offer)] == ["running", "provisioning"]
    lines = (await world.look("bill"))["lines"]
    assert [line["from"] for line in lines if line["name"] == "train-1"] == [since]


async def test_every_endpoint_refuses_a_revoked_token_until_it_is_valid_again(world: ComputeWorld) -> None:
    await world.control("token", valid=False)
    paths = ["available_gpus", "available_vendors", "available_regions", "available_contracts", "resources"]
    assert [(await world.http.get(path)).status_code for path in paths] == [401] * 5
    assert (await world.post_procure("no uuid")).status_code == 401, "the token comes before the body"
    await world.control("token", valid=True)
    assert [(await world.http.get(path)).status_code for path in paths] == [200] * 5


async def test_all_vendors_can_be_changed_at_once_and_shown(world: ComputeWorld) -> None:
    await world.control("vendors/*", behaviour="sold_out", times=2)
    await world.procure("nebius")
    states = await world.look("vendors")
    assert len(states) == 10
    assert states["nebius"] == {"behaviour": "sold_out", "left": 1}
    await world.procure("nebius")
    assert (await world.look("vendors"))["nebius"] == {"behaviour": "normal", "left": None}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("vendors/acme", {"behaviour": "normal"}, 404),
        ("vendors/nebius", {"behaviour": "grumpy"}, 422),
        ("vendors/nebius", {}, 422),
        ("resources", {"name": "x", "gpu_type": "H1000", "rate": 1}, 422),
        ("resources", {"name": "x", "gpu_type": "H100", "rate": -1}, 422),
        ("resources", {"name": "x", "gpu_type": "H100", "rate": 1, "since": "2026-11-24T12:00:01Z"}, 422),
        ("resources", {"name": "x", "gpu_type": "H100", "rate": 1, "offer_id": "x"}, 422),
        ("resources/nothing/vanish", {}, 404),
        ("token", {"valid": "no"}, 422),
        ("tokens", {"valid": True}, 404),
        ("account", {}, 405),
    ],
)
async def test_an_invalid_control_call_is_refused_with_a_message(
    world: ComputeWorld, path: str, body: dict[str, Any], status: int
) -> None:
    answer = await world.http.post(f"/_control/{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_a_stale_cache_lags_behind_and_force_refresh_bypasses_it(world: ComputeWorld) -> None:
    """Only resources are cached; the status of an offer never is."""
    running = await world.ready_machine()
    name = running["resource_id"]

    async def read(**query: Any) -> tuple[str, str]:
        resource = (await world.http.get(f"/resources/{name}", params=query)).json()
        return resource["status"], resource["last_synced_at"]

    await world.control("vendors/hyperstack", behaviour="stale_cache")
    await world.delete(name)
    assert await read() == ("running", "2026-11-24T12:04:00.000000Z")
    assert await read(force_refresh="true") == ("deleting", "2026-11-24T12:05:00.000000Z")
    world.clock.jump(59)
    assert (await world.resources())[0]["status"] == "running"
    assert (await read(force_refresh="true"))[0] == "deleted"
    world.clock.jump(1)
    assert (await world.resources())[0]["status"] == "deleting"
    fresh = (await world.procure())["offer_id"]
    assert (await world.resources(fresh), len((await world.status(fresh))["instances"])) == ([], 1)
    world.clock.jump(60)
    [new] = await world.resources(fresh)
    await world.control(f"resources/{new['resource_id']}/vanish", how="missing")
    assert (await world.http.get(f"/resources/{new['resource_id']}")).status_code == 200
    forced = await world.http.get(f"/resources/{new['resource_id']}", params={"force_refresh": "true"})
    assert forced.status_code == 404
    world.clock.jump(60)
    assert (await world.http.get(f"/resources/{new['resource_id']}")).status_code == 404


SCRIPT = "#!/bin/sh\necho hello\n"


async def test_an_offer_refused_with_a_startup_script_can_be_bought_without_it(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="refuses_cloud_init", times=1)
    assert (await world.procure("hyperstack"))["status"] == "procured"
    offer = (await world.offer("hyperstack"))["offer_id"]
    refused = await world.post_procure(offer, cloud_init=SCRIPT)
    assert refused.status_code == 422
    assert [entry["loc"] for entry in refused.json()["detail"]] == [["body", "cloud_init"]]
    assert await world.resources(offer) == []
    assert (await world.post_procure(offer)).json()["status"] == "procured"
    assert (await world.procure("hyperstack", cloud_init=SCRIPT))["status"] == "procured", "it refused once"


async def test_if_a_vendor_ignores_the_startup_script_only_the_procured_key_works(
    world: ComputeWorld,
) -> None:
    await world.control("vendors/hyperstack", behaviour="ignores_cloud_init")
    colleague = asyncssh.generate_private_key("ssh-ed25519")
    script = f"#!/bin/sh\n# {colleague.export_public_key().decode().strip()}\n"
    port = (await world.ready_machine(cloud_init=script))["access"]["ssh_port"]

    def login(key: asyncssh.SSHKey) -> Any:
        return asyncssh.connect(
            "127.0.0.1", port, username="root", client_keys=[key], known_hosts=None, config=None
        )

    with pytest.raises(asyncssh.PermissionDenied):
        await login(colleague)
    async with login(world.key) as ssh:
        assert (await ssh.run("uptime")).exit_status == 0


async def test_copies_of_a_machine_are_billed_like_the_original_but_never_run(world: ComputeWorld) -> None:
    machine = await world.ready_machine()
    path = f"resources/{machine['resource_id']}/copies"
    await world.control(path, count=1)
    await world.control(path, count=2)
    _, *copies = await world.resources()
    assert [copy["resource_id"][-8:] for copy in copies] == ["00000001", "00000002"]
    assert {copy["status"] for copy in copies} == {"provisioning"}
    (offer_id,) = {copy["offer_id"] for copy in (await world.look("account"))["resources"][1:2]}
    assert [copy["resource_id"] for copy in await world.resources(offer_id)] == [copies[0]["resource_id"]]
    assert await world.stage(offer_id) == "provisioning_in_progress"
    lines = (await world.look("bill"))["lines"]
    assert len(lines) == 3
    assert len({line["micros"] for line in lines}) == 1
    assert (await world.delete(copies[0]["resource_id"])).status_code == 200
    missing = await world.http.post("/_control/resources/none/copies", json={"count": 1})
    assert missing.status_code == 404
