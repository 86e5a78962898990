"""The marketplace's shapes to ours. Pure, and tolerant as its reference asks: unknown fields are ignored, unknown
status words mean "still in progress", an entry that makes no sense is left out.

Only an answer whose outermost shape is wrong raises, and then always Senseless.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import yaml

from bot.lifecycle.ports import OfferProgress, Procured, ResourceView
from bot.market import address, fields
from bot.market.anomalies import Anomalies
from bot.model.base import changed
from bot.model.gpu import Families, name_key
from bot.model.offer import OFFER_LIFE, Offer
from bot.model.request import Request

REGIONS = ("US", "EU", "APAC", "Other")
CONTRACTS = ("ondemand", "spot")
_PROVISIONING = frozenset(
    {"provisioning_started", "provisioning_in_progress", "pending", "provisioning", "procured", "in_progress"}
)
_UNTOUCHED = frozenset({"available", "expired"})
_RUNS = frozenset({"running", "ready", "active"})
_LEAVES = frozenset({"deleting", "deleted"})
_MOST_GPUS = 100_000
MOST_OFFERS = 5_000
MOST_NAMES = 1_000
"""Of families, vendors, regions and contracts."""
MOST_GPU_NAMES = 5_000
"""Of all families together. What goes beyond one of these numbers is not read."""
MOST_RESOURCES = 10_000
"""On the account, or made for one offer. A longer list is refused as a whole: each entry may bill."""

T = TypeVar("T")


class Senseless(Exception):
    """The answer is not what was asked for."""


class _Drop(Exception):
    """This entry of a list makes no sense; says why in a few fixed words."""


def _each(
    where: str, found: list[object], read: Callable[[dict[str, object]], T | None], anomalies: Anomalies
) -> tuple[T, ...]:
    """What `read` makes of each entry, without those that it gives None or raises _Drop for."""
    kept: list[T] = []
    reasons: Counter[str] = Counter()
    for entry in found:
        try:
            if not isinstance(entry, dict):
                raise _Drop("no object")
            made = read(entry)
        except _Drop as drop:
            reasons[str(drop)] += 1
        else:
            if made is not None:
                kept.append(made)
    anomalies.dropped(where, reasons)
    return tuple(kept)


def _listed(body: object, *names: str) -> list[object]:
    """A bare list, or the list under one of `names`."""
    if isinstance(body, list):
        return body
    for name in names:
        found = fields.field(body, name)
        if isinstance(found, list):
            return found
    raise Senseless(f"no list of {names[0]}")


def _few(found: list[T]) -> list[T]:
    """A list of what may bill. Raises Senseless if it is longer than anything real: none of it may be missed."""
    if len(found) > MOST_RESOURCES:
        raise Senseless("a list without an end")
    return found


def _same_id(expected: str, found: object) -> None:
    """Raises Senseless where an answer is about something else than what was asked."""
    said = fields.ident(found)
    if said is not None and said.casefold() != expected.casefold():
        raise Senseless("an answer about something else")


# --- discovery


def gpus(body: object) -> dict[str, tuple[str, ...]]:
    """Family to canonical names. Raises Senseless where there is none."""
    if isinstance(body, dict) and len(body) == 1:
        inner = next(iter(body.values()))
        body = inner if isinstance(inner, dict) else body
    if not isinstance(body, dict):
        raise Senseless("no GPU families")
    found: dict[str, tuple[str, ...]] = {}
    left = MOST_GPU_NAMES
    for name, variants in islice(body.items(), MOST_NAMES):
        family = fields.text(name, 60)
        if family is not None and isinstance(variants, list):
            said = [fields.text(variant) for variant in variants[:left]]
            left -= len(said)
            found[family] = tuple(dict.fromkeys(name for name in said if name is not None))
    if not found:
        raise Senseless("no GPU families")
    return found


def names(body: object) -> tuple[str, ...]:
    """A list of strings, a list of objects with a `name`, or an object with one key that holds such a list.

    Raises Senseless where it is none of these or names nothing.
    """
    if isinstance(body, dict) and len(body) == 1:
        body = next(iter(body.values()))
    if not isinstance(body, list):
        raise Senseless("no list of names")
    said = (
        fields.text(fields.field(entry, "name") if isinstance(entry, dict) else entry, 60)
        for entry in body[:MOST_NAMES]
    )
    found = tuple(dict.fromkeys(name for name in said if name is not None))
    if not found:
        raise Senseless("no names")
    return found


def region_name(said: str) -> str:
    """A region group as the documents write it; another name stays as it is."""
    return next((known for known in REGIONS if known.casefold() == said.casefold()), said)


def contract_name(said: str) -> str:
    """A contract as the documents write it: `ondemand`, also for `on-demand`; another name stays, lower-cased."""
    key = name_key(said)
    return key if key in CONTRACTS else said.casefold()


# --- offers


def query(request: Request) -> bytes:
    """The YAML body of get_offers. Exact numbers stay exact."""
    compute: dict[str, object] = {
        "gpu_type": request.gpu,
        "gpu_count": request.count,
        "contract_type": request.contract.value,
    }
    if request.max_gpu_rate is not None:
        compute["max_price_per_gpu_hour"] = request.max_gpu_rate
    body: dict[str, object] = {"compute": compute}
    if request.region is not None:
        body["region"] = request.region
    if request.vendor is not None:
        body["vendor"] = request.vendor
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False).encode()


class _Dumper(yaml.SafeDumper):
    """Safe, and writes Decimals as plain numbers."""


def _plain_number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    written = format(value, "f")
    kind = "float" if "." in written else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", written)


_Dumper.add_representer(Decimal, _plain_number)


def offers(
    body: object, families: Mapping[str, tuple[str, ...]], now: datetime, anomalies: Anomalies
) -> tuple[Offer, ...]:
    """The machines on offer; clusters and what has no usable price are left out.

    `families` is the catalogue's; `now` stands in where an offer doesn't say when it was made.
    """

    known = Families(families)

    def read(entry: dict[str, object]) -> Offer | None:
        return None if fields.word(entry.get("type")) == "cluster" else _offer(entry, known, now)

    listed = _listed(body, "offers", "items")
    if len(listed) > MOST_OFFERS:
        anomalies.dropped("offers", Counter({"too many": len(listed) - MOST_OFFERS}))
    found = _each("offers", listed[:MOST_OFFERS], read, anomalies)
    return tuple({offer.offer_id: offer for offer in reversed(found)}.values())[::-1]


def _offer(entry: dict[str, object], families: Families, now: datetime) -> Offer:
    if fields.UNREADABLE in entry.values():
        raise _Drop("a number out of range, or a key twice")
    offer_id = fields.ident(entry.get("offer_id"))
    gpu = fields.text(entry.get("gpu_type"))
    count = fields.whole(entry.get("gpu_count"), 1, _MOST_GPUS)
    vendor = fields.text(entry.get("vendor"), 60)
    if offer_id is None or gpu is None or count is None or vendor is None:
        raise _Drop("no id, GPU, count or vendor")
    rate = _price(entry)
    if rate is None:
        raise _Drop("no usable price")
    return Offer(
        offer_id=offer_id,
        gpu=gpu,
        family=families.family_of(gpu, fields.text(entry.get("gpu_family"), 60)),
        count=count,
        vendor=vendor,
        # Other is the documents' own group for what is in none of the others.
        region=region_name(fields.text(entry.get("region"), 60) or "Other"),
        vendor_region=fields.text(entry.get("vendor_region"), 60),
        # Vendors without contract types sell until one stops it, which is what on demand means.
        contract=contract_name(fields.text(entry.get("contract_type"), 60) or "ondemand"),
        rate=rate,
        vcpus=fields.whole(entry.get("vcpu_count"), 1, 1_000_000),
        memory_gb=fields.amount(entry.get("memory_in_gb")) or None,
        disk_gb=fields.amount(entry.get("boot_disk_in_gb")) or None,
        expires_at=fields.instant(entry.get("expires_at"))
        or (fields.instant(entry.get("created_at")) or now) + OFFER_LIFE,
    )


def _price(entry: dict[str, object]) -> Decimal | None:
    """USD per hour for the whole offer, by the rule of the Offer schema; None where it is not a price."""
    if entry.get("total_price_per_hour") is not None:
        return fields.rate(fields.number(entry["total_price_per_hour"]))
    gpu_part = fields.amount(entry.get("gpu_price_per_hour"))
    if gpu_part is None:
        return None
    if entry.get("storage_price_per_hour") is None:
        return fields.rate(gpu_part)
    storage = fields.amount(entry["storage_price_per_hour"])
    return None if storage is None else fields.rate(gpu_part + storage)


# --- procurement


def procured(body: object, offer_id: str, anomalies: Anomalies) -> Procured:
    """The answer of procure_offer with status 200.

    Raises Senseless where it is none, or is about another offer: then nobody knows.
    """
    status = fields.word(fields.field(body, "status"))
    if status is None:
        raise Senseless("no status")
    _same_id(offer_id, fields.field(body, "offer_id"))
    if status not in {"failed", "ready"} and status not in _PROVISIONING:
        anomalies.unknown_word("procure_offer.status", status)
    said = fields.field(body, "resource_ids")
    ids = (fields.ident(entry) for entry in _few(said)) if isinstance(said, list) else ()
    return Procured(
        accepted=status != "failed",
        resource_ids=tuple(dict.fromkeys(found for found in ids if found is not None)),
        detail=fields.text(fields.field(body, "error"), 300) or "",
    )


def problem(body: object) -> str:
    """The detail of an error answer, on one line; empty where there is none."""
    detail = fields.field(body, "detail")
    if isinstance(detail, list):
        said = [fields.text(fields.field(entry, "msg"), 100) for entry in detail[:5]]
        return "; ".join(found for found in said if found is not None)
    return fields.text(detail, 300) or ""


def progress(body: object, offer_id: str, anomalies: Anomalies) -> OfferProgress:
    """How far an offer's procurement is.

    `procurement_status` decides; `status` where it is missing. An offer counts as untouched only where neither
    speaks of a procurement.
    """
    status = fields.word(fields.field(body, "status"))
    stage = fields.word(fields.field(body, "procurement_status")) or status
    if stage is None:
        raise Senseless("no status")
    _same_id(offer_id, fields.field(body, "offer_id"))
    untouched = stage in _UNTOUCHED and (status is None or status in _UNTOUCHED)
    ready, failed = stage == "ready", stage == "failed"
    if not (ready or failed or stage in _UNTOUCHED or stage in _PROVISIONING):
        anomalies.unknown_word("offer_status.procurement_status", stage)
    instances = _few(fields.entries(fields.field(body, "instances")))
    resources = _few(fields.entries(fields.field(body, "resources")))
    named = (fields.ident(entry.get("resource_id")) for entry in instances + resources)
    return OfferProgress(
        found=True,
        ready=ready,
        failed=failed,
        untouched=untouched,
        in_progress=not (ready or failed or untouched),
        progress=fields.text(fields.field(body, "progress"), 100) or "",
        detail=fields.text(fields.field(body, "failure_reason"), 300) or "",
        all_running=bool(instances) and all(_runs(instance, anomalies) for instance in instances),
        instances=len(instances),
        resource_ids=tuple(dict.fromkeys(found for found in named if found is not None)),
    )


def _runs(instance: dict[str, object], anomalies: Anomalies) -> bool:
    """Whether an instance runs. Where it has no status, an address is the sign."""
    status = fields.word(instance.get("status"))
    if status is None:
        return address.host(instance.get("external_ip")) is not None
    if status not in _RUNS | _PROVISIONING | _LEAVES:
        anomalies.unknown_word("instance.status", status)
    return status in _RUNS


# --- resources


def resources(body: object, anomalies: Anomalies, *, of_offer: str | None = None) -> tuple[ResourceView, ...]:
    """The account's resources, or those of one offer.

    Of one offer, what names only other offers is left out: where the filter was ignored, somebody else's machine
    must not be taken for ours. Raises Senseless where the whole account was asked for and the answer is a part.
    """
    found = _few(_listed(body, "resources", "items"))
    if of_offer is None and _is_part(body, len(found)):
        raise Senseless("a part of the list")

    def read(entry: dict[str, object]) -> ResourceView:
        view = _resource(entry)
        if view is None:
            raise _Drop("no id")
        ours = of_offer is None or not view.offer_ids or of_offer.casefold() in map(str.casefold, view.offer_ids)
        if not ours:
            raise _Drop("of another offer")
        return view

    views = _each("resources", found, read, anomalies)
    return tuple({view.resource_id: view for view in reversed(views)}.values())[::-1]


def _is_part(body: object, count: int) -> bool:
    """Whether a list says that there is more of it. No paging is documented, so there is no way to ask for it."""
    total = fields.whole(fields.field(body, "total_count"), 0, 10**9)
    more = fields.field(body, "has_more") is True or any(
        bool(fields.field(body, name)) for name in ("next", "next_page", "next_cursor")
    )
    return more or (total is not None and total > count)


def deletion(body: object) -> bool:
    """That a deletion was accepted. Raises Senseless where the answer to a delete is no object."""
    if not isinstance(body, dict):
        raise Senseless("no object")
    return True


def resource(body: object, resource_id: str) -> ResourceView:
    """One resource. Raises Senseless where the answer is none, or another one."""
    _same_id(resource_id, fields.field(body, "resource_id"))
    view = _resource(body) if isinstance(body, dict) else None
    if view is None:
        raise Senseless("no resource")
    return changed(view, resource_id=resource_id)


def _resource(entry: dict[str, object]) -> ResourceView | None:
    resource_id = fields.ident(entry.get("resource_id"))
    if resource_id is None:
        return None
    host, port = address.of_access(entry.get("access"))
    spec = entry.get("spec")
    gpu = (fields.text(fields.field(spec, name)) for name in ("gpu_type", "gpu_family", "gpu_name", "gpu"))
    history = (fields.ident(past.get("offer_id")) for past in fields.entries(entry.get("offer_history")))
    rate = fields.amount(entry.get("pricing_total_hourly"))
    valid_from = fields.instant(entry.get("valid_from"))
    return ResourceView(
        resource_id=resource_id,
        status=fields.word(entry.get("status")) or "unknown",
        name=fields.text(entry.get("name"), 200),
        gpu=next((name for name in gpu if name is not None), None),
        vendor=fields.text(entry.get("vendor"), 60),
        offer_ids=tuple(dict.fromkeys(found for found in history if found is not None)),
        created_at=fields.instant(entry.get("created_at")),
        rate=rate if rate == 0 else fields.rate(rate),
        valid_from=valid_from,
        valid_to=fields.end_of(valid_from, entry.get("valid_to")),
        host=host,
        port=port,
    )
