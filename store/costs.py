"""The cost of many rentals. The number of queries does not grow with the number of rentals."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports.records import Billing, EndedCost, LiveCost
from store.mapping import param
from store.tables import attempts, ledger, rentals, resources

_r, _a, _l = resources.c, attempts.c, ledger.c

_LIVE = select(
    *(rentals.c.id, rentals.c.owner, rentals.c.teammates, rentals.c.state, rentals.c.rate, rentals.c.created_at),
    rentals.c.use,
).where(rentals.c.live)
_BILLED = (
    select(_l.rental_id, _l.resource_id, _l.ended_at, _l.amount, _l.estimated)
    .select_from(rentals.join(ledger, _l.rental_id == rentals.c.id))
    .where(rentals.c.live)
)
_ALIVE = (
    select(
        _r.rental_id,
        _r.resource_id,
        _r.rate,
        _r.valid_from,
        _r.valid_to,
        _a.rate.label("offer_rate"),
        _a.intended_at,
    )
    .select_from(resources.join(attempts, and_(_a.rental_id == _r.rental_id, _a.n == _r.attempt)))
    .where(_r.gone_at.is_(None))
)
_ENDED = (
    select(
        *(rentals.c.id, rentals.c.owner, rentals.c.request, rentals.c.gpu, rentals.c.over_at),
        *(_l.amount, _l.estimated),
    )
    .select_from(rentals.join(ledger, _l.rental_id == rentals.c.id))
    .where(rentals.c.over_at >= param(rentals.c.over_at, "since"))
)


async def ended_costs(conn: AsyncConnection, since: datetime) -> list[EndedCost]:
    """Return what each rental that ended at `since` or later was billed, the one that ended last first."""
    rows = defaultdict(list)
    for row in await conn.execute(_ENDED, {"since": since}):
        rows[row.id].append(row)
    ended = [
        EndedCost(
            rental_id=rental_id,
            owner=billed[0].owner,
            request=billed[0].request,
            gpu=billed[0].gpu,
            ended_at=billed[0].over_at,
            billed=sum(row.amount for row in billed),
            estimated=any(row.estimated for row in billed),
        )
        for rental_id, billed in rows.items()
    ]
    return sorted(ended, key=lambda one: (one.ended_at, one.rental_id), reverse=True)


async def live_costs(conn: AsyncConnection) -> list[LiveCost]:
    """Return the cost of each rental that is not over, oldest first."""
    live = (await conn.execute(_LIVE)).all()
    rows, billed_to = defaultdict(list), dict[str, datetime]()
    for row in await conn.execute(_BILLED):
        rows[row.rental_id].append(row)
        billed_to[row.resource_id] = max(row.ended_at, billed_to.get(row.resource_id, row.ended_at))
    alive = defaultdict(list)
    for resource in await conn.execute(_ALIVE):
        fields = {name: getattr(resource, name) for name in Billing._fields if name != "billed_to"}
        alive[resource.rental_id].append(Billing(**fields, billed_to=billed_to.get(resource.resource_id)))
    costs = [
        LiveCost(
            rental_id=rental.id,
            owner=rental.owner,
            teammates=rental.teammates,
            state=rental.state,
            rate=rental.rate,
            created_at=rental.created_at,
            billed=sum(row.amount for row in rows[rental.id]),
            estimated=any(row.estimated for row in rows[rental.id]),
            alive=tuple(alive[rental.id]),
            use=rental.use,
        )
        for rental in live
    ]
    return sorted(costs, key=lambda cost: (cost.created_at, cost.rental_id))
