"""Builds the API's responses, as openapi.yaml defines them."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.compute.machines import Machine
from sandbox.compute.market import Market, Offer, Procurement
from sandbox.compute.validation import OfferQuery
from sandbox.compute.vendors import Behaviour
from sandbox.serving import HOST

STARTED_FOR = timedelta(seconds=20)
_GUIDE = {"started": "provisioning_started", "progress": "provisioning_in_progress"}
_REFERENCE = {"started": "pending", "progress": "provisioning"}


def offer(offered: Offer) -> dict[str, Any]:
    """Return an offer as the API's Offer object."""
    listing, variant = offered.listing, offered.listing.variant
    nodes = listing.nodes
    disk = 100 * listing.count
    return {
        "offer_id": offered.offer_id,
        "type": "cluster" if listing.is_cluster else "vm",
        "gpu_type": variant.name,
        "gpu_family": variant.family,
        "gpu_count": listing.count,
        "vendor": listing.vendor.name,
        "region": listing.region.group,
        "vendor_region": listing.region.name,
        "contract_type": listing.contract,
        "gpu_price_per_hour": listing.gpu_part if offered.priced else None,
        "storage_price_per_hour": listing.storage if offered.priced else None,
        "total_price_per_hour": listing.total if offered.priced and listing.vendor.shows_total else None,
        "boot_disk_in_gb": disk,
        "vcpu_count": variant.vcpus * listing.count,
        "memory_in_gb": variant.memory_gb * listing.count,
        "storage_details": [{"type": "boot", "size_in_gb": disk}],
        "deployment_type": "cluster" if listing.is_cluster else "vm",
        "node_count": nodes,
        "gpus_per_node": None if nodes is None else listing.count // nodes,
        "infiniband_bandwidth_gbps": None if nodes is None else 3200,
        "cluster_storage_gb": None,
        "created_at": offered.created_at,
        "expires_at": offered.expires_at if listing.vendor.shows_expiry else None,
    }


def offer_list(query: OfferQuery, offers: list[Offer]) -> dict[str, Any]:
    """Return the results of a search as the API's OfferList object."""
    return {
        "offers": [offer(offered) for offered in offers],
        "total_count": len(offers),
        "filters_applied": query.model_dump(exclude_none=True),
    }


def procured(procurement: Procurement) -> dict[str, Any]:
    """Return the outcome of a purchase as the API's ProcureResponse object."""
    vendor = procurement.offer.listing.vendor
    if procurement.answered_failed:
        return {
            "offer_id": procurement.offer.offer_id,
            "status": "failed",
            "procured_at": None,
            "resource_ids": None,
            "error": _failure(procurement),
        }
    return {
        "offer_id": procurement.offer.offer_id,
        "status": vendor.accepted_word,
        "procured_at": procurement.at,
        "resource_ids": [machine.resource_id for machine in procurement.machines] if vendor.shows_ids else None,
        "error": None,
    }


def offer_status(market: Market, offered: Offer, now: datetime) -> dict[str, Any]:
    """Return the status of an offer and its procurement as the API's OfferStatus object."""
    procurement = market.procurements.get(offered.offer_id)
    status: dict[str, Any] = {
        "offer_id": offered.offer_id,
        "status": "expired" if offered.expires_at <= now else "available",
        "procurement_status": "available",
        "progress": None,
        "failure_reason": None,
        "created_at": offered.created_at,
        "procured_at": None,
        "instances": [],
        "resources": [],
    }
    if procurement is None:
        return status
    stage = _stage(procurement, now)
    if stage == "failed":
        return {
            **status,
            "status": "failed",
            "procurement_status": "failed",
            "failure_reason": _failure(procurement),
            "procured_at": None if procurement.answered_failed else procurement.at,
        }
    names = _REFERENCE if procurement.setting.behaviour is Behaviour.REFERENCE_WORDS else _GUIDE
    machines = [machine for machine in procurement.machines if machine.exists(now)]
    return {
        **status,
        "status": "procured",
        "procurement_status": names.get(stage, stage),
        "progress": _progress(procurement, now),
        "procured_at": procurement.at,
        "instances": [instance(machine, now) for machine in machines],
        "resources": [{"resource_id": machine.resource_id, "status": machine.status(now)} for machine in machines],
    }


def _stage(procurement: Procurement, now: datetime) -> str:
    """Return the stage of a procurement: started, progress, ready or failed."""
    behaviour, machines = procurement.setting.behaviour, procurement.machines
    if behaviour in {Behaviour.SOLD_OUT, Behaviour.FAILS_WITH_RESOURCE}:
        return "failed"
    if behaviour is Behaviour.LATE_RESOURCE and procurement.setting.quiet:
        return "failed"
    if procurement.fails_at is not None and procurement.fails_at <= now:
        return "failed"
    if all(machine.has_run(now) for machine in machines):
        return "ready"
    if all(machine.is_terminated(now) for machine in machines):
        return "failed"
    return "started" if now - procurement.at < STARTED_FOR else "progress"


def _progress(procurement: Procurement, now: datetime) -> str:
    """Return a description of the progress, for people."""
    if procurement.setting.words is not None:
        return procurement.setting.words
    machines = procurement.machines
    running = sum(machine.has_run(now) for machine in machines)
    if running or len(machines) > 1:
        return f"{running}/{len(machines)} instances running"
    passed = (now - procurement.at) / procurement.offer.listing.vendor.ready_after
    steps = ((0.15, "Allocating capacity"), (0.6, "Booting the image"), (1.0, "Setting up SSH access"))
    return next((text for share, text in steps if passed < share), "Waiting for the instance to answer")


def _failure(procurement: Procurement) -> str:
    """Return the reason for a failure, for people."""
    if procurement.setting.words is not None:
        return procurement.setting.words
    region = procurement.offer.listing.region.name
    match procurement.setting.behaviour:
        case Behaviour.SOLD_OUT:
            return f"Insufficient capacity in {region}"
        case Behaviour.FAILS_WITH_RESOURCE | Behaviour.LATE_RESOURCE:
            return "The vendor did not confirm the order in time"
        case Behaviour.FAILS_LATER:
            return "The host failed its health check"
        case _:
            return "The instance was deleted before it was ready"


def instance(machine: Machine, now: datetime) -> dict[str, Any]:
    """Return a machine as the API's Instance object, which has an address only while the machine is running."""
    access = _access(machine, now)
    return {
        "instance_id": f"i-{machine.resource_id[:8]}",
        "resource_id": machine.resource_id,
        "external_ip": access["external_ip"],
        "ssh_command": access["ssh_command"],
        "status": machine.status(now),
    }


def _access(machine: Machine, now: datetime) -> dict[str, Any]:
    if machine.host is None or not machine.listens(now):
        return {"external_ip": None, "internal_ip": None, "ssh_command": None, "ssh_port": None}
    port = machine.host.port
    return {
        "external_ip": HOST,
        "internal_ip": None,
        "ssh_command": f"ssh root@{HOST} -p {port}",
        "ssh_port": port,
    }


def resource(machine: Machine, now: datetime) -> dict[str, Any]:
    """Return a machine as the API's Resource object."""
    terminated = machine.is_terminated(now)
    history = None
    if machine.offer_id is not None:
        history = [
            {
                "offer_id": machine.offer_id,
                "offer_type": "vm" if machine.resource_type == "vm" else "cluster",
                "role": "primary",
                "created_at": machine.appears_at,
            }
        ]
    return {
        "resource_id": machine.resource_id,
        "resource_type": machine.resource_type,
        "vendor": machine.vendor,
        "vendor_region": machine.region,
        "status": machine.status(now),
        "status_message": machine.message if terminated else None,
        "name": machine.name,
        "created_at": machine.appears_at,
        "access": _access(machine, now),
        "spec": {
            "gpu_type": machine.variant.name,
            "gpu_count": machine.gpus,
            "vcpu_count": machine.variant.vcpus * machine.gpus,
            "memory_in_gb": machine.variant.memory_gb * machine.gpus,
        },
        "linked_resources": [{"resource_id": sibling} for sibling in machine.siblings],
        "offer_history": history,
        "pricing_total_hourly": machine.rate,
        "valid_from": machine.appears_at,
        "valid_to": machine.terminated_at if terminated else None,
        "last_synced_at": now,
    }


def deleting(machine: Machine) -> dict[str, Any]:
    """Return the response to a deletion as the API's DeleteResponse object."""
    return {
        "resource_id": machine.resource_id,
        "status": "deleting",
        "message": "Deletion started; it is gone when its status is deleted",
    }
