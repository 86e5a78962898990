"""Parses Compute Clear's answers into gpubot's models, and builds the query for offers. No I/O except logging.

The parsing is as tolerant as the API requires (docs/compute-clear.md, "Calls in general"): unknown fields are
ignored, an unknown status means "still in progress", and list entries that can't be used are left out.
UnusableAnswer is raised only if the outermost structure of an answer is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import structlog
import yaml

from bot.lifecycle.outside import OfferProgress, Procured, ResourceView
from bot.market import fields
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.gpu import Families, name_key
from bot.model.offer import OFFER_LIFE, Offer
from bot.model.request import OfferQuery

REGIONS = ("US", "EU", "APAC", "Other")
CONTRACTS = ("ondemand", "spot")
_PROVISIONING = frozenset(
    {"provisioning_started", "provisioning_in_progress", "pending", "provisioning", "procured", "in_progress"}
)
_NOT_PROCURED = frozenset({"available", "expired"})
_RUNNING = frozenset({"running", "ready", "active"})
_DELETING = frozenset({"deleting", "deleted"})
_MAX_GPUS = 100_000
MAX_OFFERS = 5_000
MAX_NAMES = 1_000
"""The maximum number of names in each of these lists: GPU families, vendors, regions and contracts."""
MAX_GPU_NAMES = 5_000
"""The maximum number of GPU names in all families together. Additional names are ignored."""
MAX_RESOURCES = 100_000
"""The maximum length of a list of resources: all resources on the account, or those of one offer.

Deleted resources stay on the list, so it grows for years. A longer list is rejected as a whole, because every
entry can be a machine that costs money.
"""

T = TypeVar("T")
_log = structlog.get_logger("gpubot.market")
_MAX_WORDS = 200
"""The maximum number of unknown statuses that are logged."""


class Anomalies:
    """Logs whatever the bot doesn't understand in the market's answers.

    Each unknown status is logged once. Entries that are dropped from a list are logged together in one line.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def unknown_status(self, where: str, word: str) -> None:
        """Log a status that isn't documented."""
        if (where, word) in self._seen or len(self._seen) >= _MAX_WORDS:
            return
        self._seen.add((where, word))
        _log.warning("market.unknown_status", where=where, word=word)

    def dropped(self, where: str, reasons: Counter[str]) -> None:
        """Log the number of entries that were dropped from a list, by reason."""
        if reasons:
            _log.warning("market.entries_dropped", where=where, reasons=dict(reasons))


class UnusableAnswer(Exception):
    """The answer isn't what the call should return."""


class _UnusableEntry(Exception):
    """An entry of a list can't be used.

    The error's text is one of a few fixed phrases, so that entries with the same problem can be counted.
    """


def _read_entries(
    where: str, entries: list[object], read: Callable[[dict[str, object]], T | None], anomalies: Anomalies
) -> tuple[T, ...]:
    """Parse each entry of a list with `read`.

    Entries for which `read` returns None or raises _UnusableEntry are left out. Each _UnusableEntry is also
    logged.
    """
    results: list[T] = []
    reasons: Counter[str] = Counter()
    for entry in entries:
        try:
            if not isinstance(entry, dict):
                raise _UnusableEntry("no object")
            result = read(entry)
        except _UnusableEntry as unusable:
            reasons[str(unusable)] += 1
        else:
            if result is not None:
                results.append(result)
    anomalies.dropped(where, reasons)
    return tuple(results)


def _list_in(body: object, *names: str) -> list[object]:
    """Return the list in an answer. The answer is either the list itself, or an object with the list in a field.

    `names` are the possible names of the field, in order of preference. Raises UnusableAnswer if there is no list.
    """
    if isinstance(body, list):
        return body
    for name in names:
        found = fields.field(body, name)
        if isinstance(found, list):
            return found
    raise UnusableAnswer(f"no list of {names[0]}")


def _check_length(found: list[T]) -> list[T]:
    """Return a list of resources unchanged. Raises UnusableAnswer if it is longer than any real list.

    The list can't simply be truncated, because each of its resources can be a machine that costs money.
    """
    if len(found) > MAX_RESOURCES:
        raise UnusableAnswer("a list without an end")
    return found


def _check_id(expected: str, found: object) -> None:
    """Raise UnusableAnswer if the ID in the answer differs from the requested ID."""
    answered = fields.ident(found)
    if answered is not None and answered.casefold() != expected.casefold():
        raise UnusableAnswer("an answer about something else")


# --- discovery


def gpus(body: object) -> dict[str, tuple[str, ...]]:
    """Return the canonical GPU names of each family, by family. Raises UnusableAnswer if there are no families."""
    if isinstance(body, dict) and len(body) == 1:
        inner = next(iter(body.values()))
        body = inner if isinstance(inner, dict) else body
    if not isinstance(body, dict):
        raise UnusableAnswer("no GPU families")
    found: dict[str, tuple[str, ...]] = {}
    remaining = MAX_GPU_NAMES
    for name, variants in islice(body.items(), MAX_NAMES):
        family = fields.text(name, 60)
        if family is not None and isinstance(variants, list):
            texts = [fields.text(variant) for variant in variants[:remaining]]
            remaining -= len(texts)
            found[family] = tuple(dict.fromkeys(name for name in texts if name is not None))
    if not found:
        raise UnusableAnswer("no GPU families")
    return found


def names(body: object) -> tuple[str, ...]:
    """Return the names in an answer from a discovery endpoint.

    The answer is a list of strings, a list of objects with a `name`, or an object whose only field is a list of
    either kind. Raises UnusableAnswer for any other answer, or if there are no names.
    """
    if isinstance(body, dict) and len(body) == 1:
        body = next(iter(body.values()))
    if not isinstance(body, list):
        raise UnusableAnswer("no list of names")
    texts = (
        fields.text(fields.field(entry, "name") if isinstance(entry, dict) else entry, 60)
        for entry in body[:MAX_NAMES]
    )
    found = tuple(dict.fromkeys(name for name in texts if name is not None))
    if not found:
        raise UnusableAnswer("no names")
    return found


def region_name(name: str) -> str:
    """Return the documented spelling of a region group, or any other name unchanged."""
    return next((known for known in REGIONS if known.casefold() == name.casefold()), name)


_SOLD_OUT = ("sold out", "stock", "capacity", "availab")
_ABOUT_THE_ACCOUNT = ("credit", "quota", "balance", "fund", "payment", "billing", "limit")
"""Words in an error message which show that the account is the reason, for example its credit.

Compute Clear doesn't document these words.
"""


def contract_name(name: str) -> str:
    """Return the documented spelling of a contract, such as `ondemand` for `on-demand`.

    Any other name is returned in lower case.
    """
    key = name_key(name)
    return key if key in CONTRACTS else name.casefold()


# --- offers


def offers(
    body: object, families: Mapping[str, tuple[str, ...]], now: datetime, anomalies: Anomalies
) -> tuple[Offer, ...]:
    """Return the offers of an answer. Duplicates, clusters and offers without a usable price are left out.

    Args:
        body: The decoded answer.
        families: The GPU families of the catalogue.
        now: The time to use if an offer has no `created_at`.
        anomalies: Logs the entries that were dropped.
    """
    known_families = Families(families)

    def read(entry: dict[str, object]) -> Offer | None:
        return None if fields.word(entry.get("type")) == "cluster" else _offer(entry, known_families, now)

    listed = _list_in(body, "offers", "items")
    if len(listed) > MAX_OFFERS:
        anomalies.dropped("offers", Counter({"too many": len(listed) - MAX_OFFERS}))
    found = _read_entries("offers", listed[:MAX_OFFERS], read, anomalies)
    return tuple({offer.offer_id: offer for offer in reversed(found)}.values())[::-1]


def _offer(entry: dict[str, object], families: Families, now: datetime) -> Offer:
    if fields.UNREADABLE in entry.values():
        raise _UnusableEntry("a number out of range, or a key twice")
    offer_id = fields.ident(entry.get("offer_id"))
    gpu = fields.text(entry.get("gpu_type"))
    count = fields.whole(entry.get("gpu_count"), 1, _MAX_GPUS)
    vendor = fields.text(entry.get("vendor"), 60)
    if offer_id is None or gpu is None or count is None or vendor is None:
        raise _UnusableEntry("no id, GPU, count or vendor")
    rate = _price(entry)
    if rate is None:
        raise _UnusableEntry("no usable price")
    return Offer(
        offer_id=offer_id,
        gpu=gpu,
        family=families.family_of(gpu, fields.text(entry.get("gpu_family"), 60)),
        count=count,
        vendor=vendor,
        # If the API reports no region, use "Other". In the API's documentation, this is the region of all places
        # that belong to no other region.
        region=region_name(fields.text(entry.get("region"), 60) or "Other"),
        vendor_region=fields.text(entry.get("vendor_region"), 60),
        # A vendor that reports no contract type sells machines that run until they are deleted. These are
        # on-demand machines.
        contract=contract_name(fields.text(entry.get("contract_type"), 60) or "ondemand"),
        rate=rate,
        vcpus=fields.whole(entry.get("vcpu_count"), 1, 1_000_000),
        memory_gb=fields.amount(entry.get("memory_in_gb")) or None,
        disk_gb=fields.amount(entry.get("boot_disk_in_gb")) or None,
        expires_at=fields.instant(entry.get("expires_at"))
        or (fields.instant(entry.get("created_at")) or now) + OFFER_LIFE,
        read_at=now,
    )


def _price(entry: dict[str, object]) -> Decimal | None:
    """Return the price of the whole offer in USD per hour, or None if it has no usable price.

    docs/compute-clear.md, "Get offers", describes the fields.
    """
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
    """Parse an answer of procure_offer with status 200.

    Raises UnusableAnswer if the body has another form, or is about another offer. A machine may have been bought
    even then.
    """
    status = fields.word(fields.field(body, "status"))
    if status is None:
        raise UnusableAnswer("no status")
    _check_id(offer_id, fields.field(body, "offer_id"))
    if status not in {"failed", "ready"} and status not in _PROVISIONING:
        anomalies.unknown_status("procure_offer.status", status)
    listed = fields.field(body, "resource_ids")
    ids = (fields.ident(entry) for entry in _check_length(listed)) if isinstance(listed, list) else ()
    detail = fields.text(fields.field(body, "error"), 300) or ""
    failure = Why.ANSWERED_FAILED if _gives_other_reason(detail) else Why.SOLD_OUT
    return Procured(
        why=failure if status == "failed" else None,
        resource_ids=tuple(dict.fromkeys(found for found in ids if found is not None)),
        detail=detail,
    )


def _gives_other_reason(detail: str) -> bool:
    """Return whether the market's message says that a purchase failed although the offer wasn't sold out."""
    words = detail.casefold()
    if any(word in words for word in _ABOUT_THE_ACCOUNT):
        return True
    return bool(words) and not any(word in words for word in _SOLD_OUT)


def problem(body: object) -> str:
    """Return the `detail` field of an error response on one line, or an empty text if there is none."""
    detail = fields.field(body, "detail")
    if isinstance(detail, list):
        texts = [fields.text(fields.field(entry, "msg"), 100) for entry in detail[:5]]
        return "; ".join(text for text in texts if text is not None)
    return fields.text(detail, 300) or ""


def progress(body: object, offer_id: str, anomalies: Anomalies) -> OfferProgress:
    """Parse the progress of an offer's procurement.

    The stage is taken from `procurement_status`. If that field is missing, the stage is taken from `status`. If
    one of the two fields says that the procurement has begun, it has begun, whatever the other field says.
    """
    status = fields.word(fields.field(body, "status"))
    stage = fields.word(fields.field(body, "procurement_status")) or status
    if stage is None:
        raise UnusableAnswer("no status")
    _check_id(offer_id, fields.field(body, "offer_id"))
    untouched = stage in _NOT_PROCURED and (status is None or status in _NOT_PROCURED)
    ready, failed = stage == "ready", stage == "failed"
    if not (ready or failed or stage in _NOT_PROCURED or stage in _PROVISIONING):
        anomalies.unknown_status("offer_status.procurement_status", stage)
    instances = _check_length(fields.entries(fields.field(body, "instances")))
    resources = _check_length(fields.entries(fields.field(body, "resources")))
    named = (fields.ident(entry.get("resource_id")) for entry in instances + resources)
    return OfferProgress(
        ready=ready,
        failed=failed,
        in_progress=not (ready or failed or untouched),
        progress=fields.text(fields.field(body, "progress"), 100) or "",
        detail=fields.text(fields.field(body, "failure_reason"), 300) or "",
        all_running=bool(instances) and all(_runs(instance, anomalies) for instance in instances),
        resource_ids=tuple(dict.fromkeys(found for found in named if found is not None)),
    )


def _runs(instance: dict[str, object], anomalies: Anomalies) -> bool:
    """Return whether an instance is running. If the status is missing, an instance with an address is running."""
    status = fields.word(instance.get("status"))
    if status is None:
        return fields.host(instance.get("external_ip")) is not None
    if status not in _RUNNING | _PROVISIONING | _DELETING:
        anomalies.unknown_status("instance.status", status)
    return status in _RUNNING


# --- resources


def resources(body: object, anomalies: Anomalies, *, of_offer: str | None = None) -> tuple[ResourceView, ...]:
    """Return the account's resources, or those of one offer.

    If the resources of one offer were requested, those that belong only to other offers are left out. The API may
    have ignored the filter, and the bot could otherwise delete the machine of another rental.

    Raises UnusableAnswer if the list of the whole account is incomplete.
    """
    found = _check_length(_list_in(body, "resources", "items"))
    if of_offer is None and _is_part(body, len(found)):
        raise UnusableAnswer("a part of the list")

    def read(entry: dict[str, object]) -> ResourceView:
        view = _resource(entry)
        if view is None:
            raise _UnusableEntry("no id")
        ours = of_offer is None or not view.offer_ids or of_offer.casefold() in map(str.casefold, view.offer_ids)
        if not ours:
            raise _UnusableEntry("of another offer")
        return view

    views = _read_entries("resources", found, read, anomalies)
    return tuple({view.resource_id: view for view in reversed(views)}.values())[::-1]


def _is_part(body: object, count: int) -> bool:
    """Return whether the answer says that its list is incomplete.

    The API documents no paging, so there is no way to read the missing entries.
    """
    total = fields.whole(fields.field(body, "total_count"), 0, 10**9)
    more = fields.field(body, "has_more") is True or any(
        bool(fields.field(body, name)) for name in ("next", "next_page", "next_cursor")
    )
    return more or (total is not None and total > count)


def deletion(body: object) -> bool:
    """Return True if the market's answer to an accepted deletion is an object. Otherwise, raise UnusableAnswer."""
    if not isinstance(body, dict):
        raise UnusableAnswer("no object")
    return True


def resource(body: object, resource_id: str) -> ResourceView:
    """Parse one resource. Raises UnusableAnswer if the answer isn't a resource, or is about a different one."""
    _check_id(resource_id, fields.field(body, "resource_id"))
    view = _resource(body) if isinstance(body, dict) else None
    if view is None:
        raise UnusableAnswer("no resource")
    return changed(view, resource_id=resource_id)


def _resource(entry: dict[str, object]) -> ResourceView | None:
    resource_id = fields.ident(entry.get("resource_id"))
    if resource_id is None:
        return None
    host, port = fields.ssh_address(entry.get("access"))
    spec = entry.get("spec")
    gpu = (fields.text(fields.field(spec, name)) for name in ("gpu_type", "gpu_family", "gpu_name", "gpu"))
    history = (fields.ident(past.get("offer_id")) for past in fields.entries(entry.get("offer_history")))
    rate = fields.amount(entry.get("pricing_total_hourly"))
    valid_from = fields.instant(entry.get("valid_from"))
    status = fields.word(entry.get("status")) or "unknown"
    return ResourceView(
        resource_id=resource_id,
        status=status,
        runs=status in _RUNNING,
        name=fields.text(entry.get("name"), 200),
        gpu=next((name for name in gpu if name is not None), None),
        count=fields.whole(fields.field(spec, "gpu_count"), 1, _MAX_GPUS),
        vendor=fields.text(entry.get("vendor"), 60),
        offer_ids=tuple(dict.fromkeys(found for found in history if found is not None)),
        created_at=fields.instant(entry.get("created_at")),
        rate=rate if rate == 0 else fields.rate(rate),
        valid_from=valid_from,
        valid_to=fields.end_of(valid_from, entry.get("valid_to")),
        host=host,
        port=port,
    )


def resource_ids(body: object, offer_id: str) -> dict[str, str]:
    """Return the status of each resource of an offer, by resource ID.

    The bot needs these IDs to delete the resources. The other fields of a resource aren't parsed, because an
    invalid value in one of them must not prevent the deletion. Entries without a usable ID are left out, and so
    are entries that only belong to other offers.
    """
    listed = body if isinstance(body, list) else fields.field(body, "resources") or fields.field(body, "items")
    statuses = {}
    for entry in fields.entries(listed):
        resource_id = fields.ident(entry.get("resource_id"))
        history = (fields.ident(past.get("offer_id")) for past in fields.entries(entry.get("offer_history")))
        offers = {known.casefold() for known in history if known is not None}
        if resource_id is not None and (not offers or offer_id.casefold() in offers):
            statuses[resource_id] = fields.word(entry.get("status")) or "unknown"
    return statuses


# --- the query for offers


def offer_query(query: OfferQuery) -> bytes:
    """Build the YAML body of get_offers. Prices aren't rounded."""
    compute: dict[str, object] = {
        "gpu_type": query.gpu,
        "gpu_count": query.count,
        "contract_type": query.contract.value,
    }
    if query.max_gpu_rate is not None:
        compute["max_price_per_gpu_hour"] = query.max_gpu_rate
    body: dict[str, object] = {"compute": compute}
    if query.region is not None:
        body["region"] = query.region
    if query.vendor is not None:
        body["vendor"] = query.vendor
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False).encode()


class _Dumper(yaml.SafeDumper):
    """A SafeDumper that also writes Decimals, as plain numbers."""


def _plain_number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    digits = format(value, "f")
    kind = "float" if "." in digits else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)


_Dumper.add_representer(Decimal, _plain_number)
