"""Attempts (purchases), the resources that they bought, and the ledger rows of these resources.

These rows record what has really happened, so the rows are written even if the rental has changed in the meantime.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, or_, select, tuple_, update

from bot.errors import OfferTaken
from bot.model.attempt import (
    ENDED_BY_VENDOR,
    AdoptedMachine,
    Attempt,
    AttemptState,
    LedgerRow,
    Resource,
    SuccessRate,
)
from bot.model.base import changed
from bot.model.records import AliveResource, Change, StoredFacts
from bot.model.rental import Rental
from store.mapping import IDS, Rows, Values, insert_new, listed, param, select_by, to_model, upsert, values
from store.tables import attempts, ledger, resources

_LATEST = 20
"""The maximum number of machines in the median time to ready. The most recent ones are used."""
_FEWEST = 3
"""The minimum number of machines for a median. With fewer, none is reported."""

_LAST_PURCHASES = 10
"""The maximum number of purchases in a success rate. The most recent ones are used."""

_a, _r, _l = attempts.c, resources.c, ledger.c
_ATTEMPTS = select_by(_a.rental_id, _a.n)
_LOCKED_ATTEMPTS = _ATTEMPTS.with_for_update()
_BY_OFFER = select_by(_a.offer_id)
_BY_NAME = select_by(_a.resource_name)
_RESOURCES = select_by(_r.rental_id, _r.attempt, _r.first_seen, _r.resource_id)
_RESOURCES_BY_ID = select(resources).where(_r.resource_id.in_(IDS))
_LOCKED_RESOURCES = _RESOURCES_BY_ID.order_by(_r.resource_id).with_for_update()
_TERMINATED = select(_r.resource_id).where(_r.resource_id.in_(IDS), _r.terminated_at.is_not(None))
_moment = param(_r.read_at, "moment")
_NOTE_READ = (
    update(resources)
    .where(_r.resource_id == bindparam("key"), _r.read_at < _moment, _r.terminated_at.is_(None))
    .values(read_at=_moment)
)
_FACTS_OF = (
    select(attempts, resources, ledger)
    .select_from(attempts.outerjoin(resources).outerjoin(ledger))
    .where(_a.rental_id.in_(IDS))
    .order_by(_a.rental_id, _a.n, _r.first_seen, _r.resource_id)
)
"""Selects all facts about several rentals in one query.

The result has one row for each ledger row, with its resource and purchase. A resource without a ledger row, and a
purchase without a resource, also has one row. The missing columns are null there.
"""
_ATTEMPT_NAMES, _RESOURCE_NAMES, _LEDGER_NAMES = (
    [column.key for column in table.c] for table in (attempts, resources, ledger)
)
_LEDGER = select_by(_l.rental_id, _l.started_at, _l.resource_id, _l.n)
_ALIVE = (
    select(_r.resource_id, _r.rental_id, _r.rate)
    .where(_r.terminated_at.is_(None))
    .order_by(_r.rental_id, _r.attempt, _r.resource_id)
)
_TIMES_TO_READY = (
    select(_a.intended_at, _a.ready_at)
    .where(_a.vendor == bindparam("vendor"), _a.gpu == bindparam("gpu"), _a.ready_at.is_not(None))
    .order_by(_a.ready_at.desc())
    .limit(_LATEST)
)
_newest_first = func.row_number().over(partition_by=(_a.vendor, _a.gpu), order_by=_a.intended_at.desc())
_purchases = (
    select(_a.vendor, _a.gpu, _a.ready_at, _a.gpu_fault_at, _newest_first.label("place"))
    .where(
        _a.vendor.in_(bindparam("vendors", expanding=True)),
        _a.gpu.in_(bindparam("gpus", expanding=True)),
        or_(_a.ready_at.is_not(None), _a.why.in_(sorted(ENDED_BY_VENDOR))),
    )
    .subquery()
)
_p = _purchases.c
_SUCCESS_RATES = (
    select(
        _p.vendor,
        _p.gpu,
        func.count(_p.ready_at).label("were_ready"),
        func.count(_p.gpu_fault_at).label("faulty"),
        func.count().label("of"),
    )
    .where(_p.place <= _LAST_PURCHASES)
    .group_by(_p.vendor, _p.gpu)
)
_UPDATE_ATTEMPT = update(attempts).where(_a.rental_id == bindparam("key"), _a.n == bindparam("attempt_n"))
_GPU_FAULT = _UPDATE_ATTEMPT.where(_a.ready_at.is_not(None), _a.gpu_fault_at.is_(None)).values(
    gpu_fault_at=param(_a.gpu_fault_at, "found_at")
)
_HAS_LIVE = select_by(_a.rental_id).where(_a.live).with_only_columns(_a.n)


def _attempt_values(attempt: Attempt, *, live: bool) -> Values:
    return {
        **values(attempt, without=frozenset({"adopted"})),
        "offer_id": attempt.offer.offer_id if attempt.offer else None,
        "vendor": attempt.vendor,
        "gpu": attempt.gpu,
        "rate": attempt.rate,
        "live": live,
    }


def _attempt_of(row: Row[Any] | Values) -> Attempt:
    fields = row if isinstance(row, dict) else row._mapping
    adopted = to_model(AdoptedMachine, fields) if fields["offer"] is None else None
    return to_model(Attempt, fields, adopted=adopted)


class Attempts(Rows):
    """The methods of `Rentals` for purchases (attempts), resources and the ledger."""

    # --- writing

    async def write_facts(self, change: Change, *, with_intents: bool) -> None:
        """Store the attempts (purchases), resources and ledger rows of a change.

        Args:
            with_intents: Whether to insert attempts that aren't stored yet. A new attempt only says that the bot
                intends to buy. It must not be stored if the bot made this decision on the basis of outdated data.

        Raises:
            OfferTaken: The change contains a new attempt to buy an offer, but an earlier attempt has already used
                this offer.
        """
        if change.attempts:
            await self._write_attempts(change.attempts, change.after.id, with_intents=with_intents)
        await self._write_resources(change.resources)
        for row in change.ledger:
            await insert_new(self._conn, ledger, values(row))

    async def write_ready_time(self, rental: Rental) -> None:
        """Store the time at which the machine became ready, for `median_time_to_ready`.

        The time is stored with the newest purchase of the rental.
        """
        newest = {"key": rental.id, "attempt_n": rental.attempts, "ready_at": rental.running_lease.ready_at}
        await self._conn.execute(_UPDATE_ATTEMPT, newest)

    async def write_gpu_fault(self, rental: Rental, now: datetime) -> None:
        """Record, for `success_rates`, that a GPU of a ready machine is faulty.

        If more faults are found later, only the first one is recorded. The time of the first fault is stored with
        the newest purchase of the rental.
        """
        newest = {"key": rental.id, "attempt_n": rental.attempts, "found_at": now}
        await self._conn.execute(_GPU_FAULT, newest)

    async def _write_attempts(self, reported: Sequence[Attempt], rental_id: str, *, with_intents: bool) -> None:
        stored = await self._conn.execute(_LOCKED_ATTEMPTS, {"key": rental_id})
        rows = {row.n: row for row in stored}
        # Write the attempts that exist already before adding new ones. A unique index of the database allows only
        # one live attempt for each rental. The previous attempt must therefore be stored as ended before the next
        # one is added.
        for attempt in reported:
            if attempt.n in rows:
                await self._update_attempt(rows[attempt.n], attempt)
        for attempt in reported:
            if attempt.n not in rows and with_intents:
                await self._insert_attempt(attempt)

    async def _update_attempt(self, row: Any, reported: Attempt) -> None:
        merged = merge_attempt(_attempt_of(row), reported)
        live = merged.live
        if live and not row.live:
            # A machine of this attempt has appeared after the attempt was closed, so the attempt would be live
            # again. In the meantime, the rental may have got another live attempt. A unique index of the database
            # allows only one, so this attempt isn't stored as live in that case.
            live = await self._conn.scalar(_HAS_LIVE, {"key": reported.rental_id}) is None
        row_values = {**_attempt_values(merged, live=live), "key": reported.rental_id, "attempt_n": reported.n}
        await self._conn.execute(_UPDATE_ATTEMPT, row_values)

    async def _insert_attempt(self, attempt: Attempt) -> None:
        fields = _attempt_values(attempt, live=attempt.live)
        if not await insert_new(self._conn, attempts, fields, conflict_on="offer_id"):
            raise OfferTaken(attempt.called_offer.offer_id)

    async def note_read(self, read_again: Collection[Resource]) -> None:
        """Store the new `read_at` time of resources that Compute Clear has reported unchanged.

        If another report has marked a resource as terminated in the meantime, the more recent of the two reports
        is kept. A resource that is stored as terminated can therefore become alive again. The version of the
        rental stays the same, so the rental's messages aren't updated.
        """
        if not read_again:
            return
        terminated = set(
            await self._conn.scalars(_TERMINATED, {"ids": listed([one.resource_id for one in read_again])})
        )
        await self._write_resources([one for one in read_again if one.resource_id in terminated])
        moments = {one.resource_id: one.read_at for one in read_again if one.resource_id not in terminated}
        if moments:
            rows = [{"key": key, "moment": moment} for key, moment in sorted(moments.items())]
            await self._conn.execute(_NOTE_READ, rows)

    async def _write_resources(self, reported: Collection[Resource]) -> None:
        if not reported:
            return
        rows = await self._conn.execute(_LOCKED_RESOURCES, {"ids": listed([one.resource_id for one in reported])})
        stored = {row.resource_id: to_model(Resource, row) for row in rows}
        merged = [
            one if one.resource_id not in stored else merge_resource(stored[one.resource_id], one)
            for one in reported
        ]
        await upsert(self._conn, resources, *map(values, merged))

    # --- reading

    async def attempts(self, rental_id: str) -> list[Attempt]:
        return [_attempt_of(row) for row in await self._conn.execute(_ATTEMPTS, {"key": rental_id})]

    async def resources(self, rental_id: str) -> list[Resource]:
        return await self._all(Resource, _RESOURCES, key=rental_id)

    async def facts_of(self, rental_ids: Collection[str]) -> dict[str, StoredFacts]:
        """Return the purchases, resources and ledger rows of several rentals, by rental ID."""
        found = {rental_id: StoredFacts([], [], []) for rental_id in rental_ids}
        for row in await self._conn.execute(_FACTS_OF, {"ids": listed(rental_ids)}):
            columns = iter(row)
            attempt, resource, billed = (
                dict(zip(names, columns, strict=False))
                for names in (_ATTEMPT_NAMES, _RESOURCE_NAMES, _LEDGER_NAMES)
            )
            facts = found[attempt["rental_id"]]
            if not facts.attempts or facts.attempts[-1].n != attempt["n"]:
                facts.attempts.append(_attempt_of(attempt))
            known = resource["resource_id"]
            if known is not None and (not facts.resources or facts.resources[-1].resource_id != known):
                facts.resources.append(to_model(Resource, resource))
            if billed["n"] is not None:
                facts.ledger.append(to_model(LedgerRow, billed))
        for facts in found.values():
            facts.ledger.sort(key=lambda one: (one.started_at, one.resource_id, one.n))
        return found

    async def resources_by_id(self, resource_ids: Sequence[str]) -> dict[str, Resource]:
        rows = await self._conn.execute(_RESOURCES_BY_ID, {"ids": list(resource_ids)})
        return {row.resource_id: to_model(Resource, row) for row in rows}

    async def attempts_of(self, resources: Sequence[Resource]) -> dict[str, Attempt]:
        """Return the purchase that bought each resource, by resource ID."""
        pairs = {(resource.rental_id, resource.attempt) for resource in resources}
        query = select(attempts).where(tuple_(_a.rental_id, _a.n).in_(pairs))
        by_key = {(row.rental_id, row.n): _attempt_of(row) for row in await self._conn.execute(query)}
        return {resource.resource_id: by_key[resource.rental_id, resource.attempt] for resource in resources}

    async def attempt_by_offer(self, offer_id: str) -> Attempt | None:
        return await self._first_attempt(_BY_OFFER, offer_id)

    async def attempt_by_name(self, resource_name: str) -> Attempt | None:
        return await self._first_attempt(_BY_NAME, resource_name)

    async def _first_attempt(self, statement: Select[Any], key: str) -> Attempt | None:
        row = (await self._conn.execute(statement, {"key": key})).first()
        return None if row is None else _attempt_of(row)

    async def alive_resources(self) -> list[AliveResource]:
        return [AliveResource(*row) for row in await self._conn.execute(_ALIVE)]

    async def ledger(self, rental_id: str) -> list[LedgerRow]:
        return await self._all(LedgerRow, _LEDGER, key=rental_id)

    async def whole_ledger(self) -> list[LedgerRow]:
        """Return all ledger rows, oldest first."""
        query = select(ledger).order_by(_l.started_at, _l.resource_id, _l.n)
        return await self._all(LedgerRow, query)

    async def median_time_to_ready(self, vendor: str, gpu: str) -> float | None:
        """Return the median time in seconds that a vendor's recent machines with this GPU took to become ready.

        None if fewer than three machines have become ready.
        """
        rows = await self._conn.execute(_TIMES_TO_READY, {"vendor": vendor, "gpu": gpu})
        seconds = [(row.ready_at - row.intended_at).total_seconds() for row in rows]
        return median(seconds) if len(seconds) >= _FEWEST else None

    async def success_rates(self, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], SuccessRate]:
        """Return the share of purchases that became a working machine, for each pair of a vendor and a GPU.

        A machine works if it became ready, and `write_gpu_fault` has recorded no fault of its GPUs. For each pair,
        only the last ten purchases are included.

        Args:
            places: Pairs of vendor and GPU to look up.

        Returns:
            The success rates by vendor and GPU. Pairs without any purchase are left out. Pairs that aren't in
            `places` can be included.
        """
        if not places:
            return {}
        wanted = {"vendors": sorted({vendor for vendor, _ in places}), "gpus": sorted({gpu for _, gpu in places})}
        rows = await self._conn.execute(_SUCCESS_RATES, wanted)
        return {
            (row.vendor, row.gpu): SuccessRate(ready=row.were_ready - row.faulty, of=row.of, faulty=row.faulty)
            for row in rows
        }


# --- merging the attempts and resources that a step reports with the stored ones. The step may have worked with an
# outdated version. Merging adds what is new in the report, but keeps what others have stored in the meantime:
# Compute Clear's answer, an end, or a deletion that was requested or accepted

_PROGRESS = {AttemptState.INTENDED: 0, AttemptState.UNKNOWN: 1}
_ANSWERED = 2
"""The progress of all other states, in which Compute Clear has answered the call."""


def merge_attempt(stored: Attempt, reported: Attempt) -> Attempt:
    """Return the reported purchase, but with the stored values that are newer."""
    older = _PROGRESS.get(reported.state, _ANSWERED) < _PROGRESS.get(stored.state, _ANSWERED)
    return changed(
        reported,
        **({"state": stored.state, "why": stored.why, "detail": stored.detail} if older else {}),
        answered_at=reported.answered_at or stored.answered_at,
        accepted=reported.accepted or stored.accepted,
        orphaned=reported.orphaned or stored.orphaned,
        marked_by=reported.marked_by or stored.marked_by,
        delete_accepted_at=stored.delete_accepted_at or reported.delete_accepted_at,
    )


def merge_resource(stored: Resource, reported: Resource) -> Resource:
    """Return the reported resource. Fields that are missing from the report get their stored values.

    The API can report a field once and leave it out of later answers.
    """
    # A resource that is stored as terminated stays terminated, unless the API reports it as alive in a more recent
    # answer. An older answer proves nothing.
    terminated_at = (
        reported.terminated_at
        if reported.read_at > stored.read_at
        else stored.terminated_at or reported.terminated_at
    )
    came_back = stored.terminated_at is not None and terminated_at is None
    return changed(
        reported,
        status=stored.status if stored.read_at > reported.read_at else reported.status,
        first_seen=min(stored.first_seen, reported.first_seen),
        read_at=max(stored.read_at, reported.read_at),
        rate=stored.rate if reported.rate is None else reported.rate,
        valid_from=reported.valid_from or stored.valid_from,
        valid_to=reported.valid_to if came_back else reported.valid_to or stored.valid_to,
        host=reported.host or stored.host,
        port=reported.port or stored.port,
        delete_accepted_at=stored.delete_accepted_at or reported.delete_accepted_at,
        terminated_at=terminated_at,
    )
