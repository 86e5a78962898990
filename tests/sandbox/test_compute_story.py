"""The main use of the API: search, procure, wait, log in, delete, and be billed for exactly this time."""

from datetime import timedelta

import asyncssh

from tests.sandbox.compute_world import NOON, ComputeWorld


async def test_a_machine_is_offered_procured_used_deleted_and_billed(world: ComputeWorld) -> None:
    offers = await world.offers("compute: {gpu_type: H100, contract_type: ondemand}\nregion: EU\n")
    best = offers[0]
    assert (best["vendor"], best["vendor_region"], best["total_price_per_hour"]) == (
        "hyperstack",
        "nor-1",
        2.15,
    )
    offer_id = best["offer_id"]
    assert (await world.status(offer_id))["status"] == "available"

    procured = (await world.post_procure(offer_id, "gpubot-k7mq2-1")).json()
    assert procured["status"] == "procured"
    (resource_id,) = procured["resource_ids"]

    assert await world.stage(offer_id) == "provisioning_started"
    world.clock.jump(30)
    status = await world.status(offer_id)
    assert status["procurement_status"] == "provisioning_in_progress"
    assert (status["progress"], status["instances"][0]["external_ip"]) == ("Booting the image", None)

    world.clock.jump(125)
    status = await world.status(offer_id)
    assert status["procurement_status"] == "ready"
    resource = await world.resource(resource_id)
    port = resource["access"]["ssh_port"]
    assert status["instances"][0]["ssh_command"] == f"ssh root@127.0.0.1 -p {port}"
    assert (resource["status"], resource["name"]) == ("running", "gpubot-k7mq2-1")
    assert (resource["valid_from"], resource["valid_to"]) == ("2026-11-24T12:00:00.000000Z", None)
    async with asyncssh.connect(
        "127.0.0.1", port, username="root", client_keys=[world.key], known_hosts=None, config=None
    ) as ssh:
        seen = await ssh.run("nvidia-smi")
    assert "NVIDIA H100 80GB HBM3" in str(seen.stdout)

    world.clock.jump_to(NOON + timedelta(hours=6))
    assert (await world.delete(resource_id)).json()["status"] == "deleting"
    assert (await world.resource(resource_id))["status"] == "deleting"
    world.clock.jump(30)
    gone = await world.resource(resource_id)
    assert (gone["status"], gone["valid_to"]) == ("deleted", "2026-11-24T18:00:30.000000Z")
    assert (await world.delete(resource_id)).status_code == 409

    bill = await world.look("bill")
    assert bill["total_micros"] == 12_917_917  # 2.15 x (6 h + 30 s) = 12.917916666..
    assert bill["lines"] == [
        {
            "resource_id": resource_id,
            "name": "gpubot-k7mq2-1",
            "from": "2026-11-24T12:00:00.000000Z",
            "to": "2026-11-24T18:00:30.000000Z",
            "rate": 2.15,
            "micros": 12_917_917,
        }
    ]
    account = await world.look("account")
    assert [bought["offer_id"] for bought in account["offers_bought"]] == [offer_id]
    assert [resource["alive"] for resource in account["resources"]] == [False]
