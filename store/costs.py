"""Costs across many rentals.

Rentals are read in batches, and other tasks run between the batches, so that the event loop isn't blocked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pydantic_core import from_json
from sqlalchemy import Text, bindparam, false, func, or_, select, type_coerce

from bot.model.machine_use import UsageStatus
from bot.model.records import Accruing, Billing, Charged, ChargedRate, EndedCost, LiveCost, Running
from bot.model.state import State
from store.mapping import IDS, Rows
from store.tables import OWNER_CHANGED, attempts, charges, events, ledger, rentals, resources

Pause: TypeAlias = Callable[[], Awaitable[None]]
"""A function that lets other tasks of the event loop run before it returns."""
BATCH = 100
"""The number of rentals that are read at once."""
_c, _r, _a, _l = rentals.c, resources.c, attempts.c, ledger.c

# These conditions search the JSON text of a column without parsing it. This is reliable, because pydantic writes
# JSON without spaces, and because a Slack ID contains only letters and digits, which JSON never escapes.
IS_IDLE = type_coerce(_c.use, Text).contains(f'"verdict":"{UsageStatus.IDLE}"')
IS_TEAMMATE = type_coerce(_c.teammates, Text).contains(bindparam("quoted", type_=Text))

_LIVE = select(_c.id).where(_c.live).order_by(_c.created_at, _c.id)
_LIVE_OF_PERSON = _LIVE.where(or_(_c.owner == bindparam("person"), IS_TEAMMATE))
_OWNERS = select(_c.owner).where(_c.live).distinct()
_COSTS = (
    select(_c.id, _c.owner, _c.state, _c.rate, _c.created_at).where(_c.id.in_(IDS)).order_by(_c.created_at, _c.id)
)
_BILLED = select(_l.rental_id, _l.resource_id, _l.ended_at, _l.amount, _l.estimated).where(_l.rental_id.in_(IDS))
_BILLING = (*(_r.rate, _r.valid_from, _r.valid_to, _a.rate.label("offer_rate"), _a.intended_at),)
"""The columns for the fields of a `Billing`, in the same order. The last field, `billed_to`, is calculated."""
_ATTEMPTED = resources.join(attempts)
_ALIVE = (
    select(_r.rental_id, _r.resource_id, *_BILLING)
    .select_from(_ATTEMPTED)
    .where(_r.terminated_at.is_(None), _r.rental_id.in_(IDS))
)
_undecided, _idle = (
    or_(_c.state == State.AWAITING_APPROVAL, _c.extension.is_not(None)),
    func.coalesce(IS_IDLE, false()),
)
_RUNNING = (
    select(_c.state, _c.rate, _idle.label("idle"), _undecided.label("undecided"), func.count().label("number"))
    .where(_c.live)
    .group_by(_c.state, _c.rate, _idle, _undecided)
)
_CHARGED_RATES = select(_c.owner, _c.project, _c.rate).where(
    _c.live, _c.state.in_([State.PROVISIONING, State.READY]), _c.rate.is_not(None)
)
_ACCRUING = select(_r.rental_id).where(_r.terminated_at.is_(None)).distinct()
_ACCRUING_OF = (
    select(_r.rental_id)
    .select_from(resources.join(rentals, _c.id == _r.rental_id))
    .where(_r.terminated_at.is_(None), _c.owner == bindparam("person"))
    .union(
        select(_r.rental_id)
        .select_from(resources.join(events, events.c.rental_id == _r.rental_id))
        .where(_r.terminated_at.is_(None), OWNER_CHANGED)
    )
)
_ROWS = select(func.count()).where(_l.resource_id == _r.resource_id).scalar_subquery()
_BILLED_TO = select(func.max(_l.ended_at)).where(_l.resource_id == _r.resource_id).scalar_subquery()
_ACCRUALS = (
    select(
        *(_c.id, _c.owner, _c.project, type_coerce(_c.request, Text).label("request")),
        *(_c.attempts, _c.lease_ready_at, _c.ending_since, _c.over_at),
        *(_r.resource_id, _r.attempt, *_BILLING, _BILLED_TO.label("billed_to")),
        *(_r.delete_accepted_at, _ROWS.label("rows")),
    )
    .select_from(_ATTEMPTED.join(rentals))
    .where(_r.terminated_at.is_(None), _r.rental_id.in_(IDS))
    .order_by(_r.rental_id, _r.attempt, _r.first_seen, _r.resource_id)
)
_ENDED = (
    select(
        *(rentals.c.id, rentals.c.request, rentals.c.gpu, rentals.c.over_at),
        *(charges.c.owner, charges.c.amount, charges.c.estimated),
    )
    .select_from(rentals.join(charges))
    .where(rentals.c.over_at >= bindparam("since"))
)


class Costs(Rows):
    """The methods of `Rentals` that compute the cost of many rentals at once."""

    _pause: Pause

    async def owners(self) -> set[str]:
        """Return the owners of all rentals that aren't over."""
        return set(await self._conn.scalars(_OWNERS))

    async def running(self) -> list[Running]:
        """Count the rentals that aren't over, grouped by the fields of `Running`.

        Counting in SQL avoids reading every rental.
        """
        # The rates are decimal numbers that are stored as text, so SQL can't add them. Count the rentals with each
        # rate instead, and let the caller multiply and add.
        rows = await self._conn.execute(_RUNNING)
        return [Running(row.state, row.rate, bool(row.idle), bool(row.undecided), row.number) for row in rows]

    async def charged_rates(self) -> list[ChargedRate]:
        """Return the price of each running machine, with its owner and the project to which it is charged.

        Machines that are being destroyed are left out.
        """
        return [ChargedRate(*row) for row in await self._conn.execute(_CHARGED_RATES)]

    async def live_costs(self, person: str | None = None) -> list[LiveCost]:
        """Return the rentals that aren't over, oldest first, with their cost.

        If `person` is given, only two groups of rentals are returned: the rentals that this person owns, and those
        that are shared with them. The rentals are read in batches, and other tasks run in between.
        """
        if person is None:
            ids = list(await self._conn.scalars(_LIVE))
        else:
            ids = list(await self._conn.scalars(_LIVE_OF_PERSON, {"person": person, "quoted": f'"{person}"'}))
        costs: list[LiveCost] = []
        for some in _batches(ids):
            costs += await self._live_costs(some)
            await self._pause()
        return costs

    async def _live_costs(self, ids: Sequence[str]) -> list[LiveCost]:
        given = {"ids": ids}
        billed, billed_to = defaultdict(list), dict[str, datetime]()
        for row in await self._conn.execute(_BILLED, given):
            billed[row.rental_id].append(row)
            billed_to[row.resource_id] = max(row.ended_at, billed_to.get(row.resource_id, row.ended_at))
        alive = defaultdict[str, list[Billing]](list)
        for rental_id, resource_id, *billing in await self._conn.execute(_ALIVE, given):
            alive[rental_id].append(Billing(*(*billing, billed_to.get(resource_id))))
        return [
            LiveCost(
                rental_id=rental_id,
                owner=owner,
                state=state,
                rate=rate,
                created_at=created_at,
                billed=sum(row.amount for row in billed[rental_id]),
                estimated=any(row.estimated for row in billed[rental_id]),
                alive=tuple(alive[rental_id]),
            )
            for rental_id, owner, state, rate, created_at in await self._conn.execute(_COSTS, given)
        ]

    async def accruing(self, person: str | None = None) -> AsyncIterator[list[Accruing]]:
        """Yield the resources that haven't been terminated, in batches. Other tasks can run between the batches.

        If `person` is given, only two groups of rentals are read: the rentals that this person owns, and all
        rentals whose owner has ever changed. The second group can include rentals that this person never owned.
        """
        statement = _ACCRUING if person is None else _ACCRUING_OF
        for some in _batches(list(await self._conn.scalars(statement, {"person": person}))):
            yield [_accruing(*row) for row in await self._conn.execute(_ACCRUALS, {"ids": some})]
            await self._pause()

    async def ended_costs(self, since: datetime) -> list[EndedCost]:
        """Return the rentals that were billed and have ended at `since` or later, most recently ended first."""
        rows = defaultdict(list)
        owners: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in await self._conn.execute(_ENDED, {"since": since}):
            rows[row.id].append(row)
            owners[row.id][row.owner] += row.amount
        ended = [
            EndedCost(
                rental_id=rental_id,
                request=billed[0].request,
                gpu=billed[0].gpu,
                ended_at=billed[0].over_at,
                billed=owners[rental_id],
                estimated=any(row.estimated for row in billed),
            )
            for rental_id, billed in rows.items()
        ]
        return sorted(ended, key=lambda one: (one.ended_at, one.rental_id), reverse=True)


def _accruing(*columns: Any) -> Accruing:
    (rental_id, owner, project, request, *of_rental), (resource_id, attempt, *billing) = columns[:8], columns[8:-2]
    delete_accepted_at, rows = columns[-2:]
    gpus = from_json(request)["count"]  # building a model of each request would take longer than everything else
    charged = Charged(rental_id, owner, project, gpus, *of_rental)
    return Accruing(charged, resource_id, attempt, Billing(*billing), delete_accepted_at, rows)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + BATCH] for first in range(0, len(ids), BATCH))
