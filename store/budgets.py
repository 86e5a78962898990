"""Charges, reservations and balances: a balance is the sum of what its scope was charged and holds in a month."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BigInteger, BindParameter, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.budget import Balance, Charge, Month, Reservation, Scope
from bot.model.money import Micros
from store.mapping import Values, insert_new, param, select_by, to_models, upsert, values
from store.tables import balances, charges, filed_months, reservations

_b, _c = balances.c, charges.c


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


_OF_MONTH = select_by(_b.month, _b.kind, _b.name)
_THIS = and_(
    _b.month == param(_b.month, "in_month"), _b.kind == param(_b.kind, "of"), _b.name == param(_b.name, "named")
)
_ADD = (
    update(balances)
    .where(
        _THIS,
        or_(
            _number("limit").is_(None),
            _b.reserved + _b.spent + _number("more_reserved") + _number("more_spent") <= _number("limit"),
        ),
    )
    .values(
        reserved=_b.reserved + _number("more_reserved"),
        spent=_b.spent + _number("more_spent"),
        late=_b.late + _number("more_late"),
    )
)
_NOTE_ALERT = update(balances).where(_THIS).values(alerted=_number("percent"))
_RESERVATIONS = select_by(reservations.c.rental_id, reservations.c.month)
_DROP_RESERVATIONS = delete(reservations).where(reservations.c.rental_id == param(reservations.c.rental_id, "key"))
_OLDEST_FIRST = (_c.started_at, _c.resource_id, _c.n)
_CHARGES_OF = select_by(_c.rental_id, *_OLDEST_FIRST)
_CHARGES_IN = select_by(_c.month, *_OLDEST_FIRST)


def _key(scope: Scope, month: Month) -> Values:
    return {"in_month": month, "of": scope.kind, "named": scope.name}


class Budgets:
    """bot.lifecycle.ports.store.Budgets."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def balances(self, month: Month, scopes: Collection[Scope] | None = None) -> list[Balance]:
        found = {
            (scope := Scope(kind=row.kind, name=row.name)): Balance(
                scope=scope,
                month=row.month,
                reserved=row.reserved,
                spent=row.spent,
                late=row.late,
                alerted=row.alerted,
            )
            for row in await self._conn.execute(_OF_MONTH, {"key": month})
        }
        if scopes is None:
            return list(found.values())
        return [found.get(scope) or Balance(scope=scope, month=month) for scope in scopes]

    async def add(
        self,
        scope: Scope,
        month: Month,
        *,
        reserved: Micros = 0,
        spent: Micros = 0,
        late: Micros = 0,
        limit: Micros | None = None,
    ) -> bool:
        new = {"month": month, "kind": scope.kind, "name": scope.name, "alerted": 0}
        await insert_new(self._conn, balances, {**new, **dict.fromkeys(("reserved", "spent", "late"), 0)})
        given = {"more_reserved": reserved, "more_spent": spent, "more_late": late, "limit": limit}
        return (await self._conn.execute(_ADD, {**_key(scope, month), **given})).rowcount == 1

    async def note_alert(self, scope: Scope, month: Month, percent: int) -> None:
        await self._conn.execute(_NOTE_ALERT, {**_key(scope, month), "percent": percent})

    async def reservations(self, rental_id: str) -> list[Reservation]:
        return to_models(Reservation, await self._conn.execute(_RESERVATIONS, {"key": rental_id}))

    async def set_reservations(self, rental_id: str, held: Collection[Reservation]) -> None:
        await self._conn.execute(_DROP_RESERVATIONS, {"key": rental_id})
        if held:
            await self._conn.execute(insert(reservations), [values(one) for one in held])

    async def add_charges(self, added: Collection[Charge]) -> None:
        if added:
            await self._conn.execute(insert(charges), [values(one) for one in added])

    async def charges_of(self, rental_id: str) -> list[Charge]:
        return to_models(Charge, await self._conn.execute(_CHARGES_OF, {"key": rental_id}))

    async def charges_in(self, month: Month) -> list[Charge]:
        return to_models(Charge, await self._conn.execute(_CHARGES_IN, {"key": month}))

    async def filed(self) -> dict[Month, datetime]:
        return {row.month: row.filed_at for row in await self._conn.execute(select(filed_months))}

    async def file(self, month: Month, at: datetime) -> None:
        await upsert(self._conn, filed_months, {"month": month, "filed_at": at})

    async def clear(self) -> None:
        await self._conn.execute(delete(reservations))
        await self._conn.execute(delete(balances))
        await self._conn.execute(delete(charges).where(_c.month.not_in(select(filed_months.c.month))))
