"""Budget balances, and the charges and reservations that they are made of.

A balance is the sum of the charges and reservations of a person, a project or the team in one month.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import BigInteger, Row, and_, bindparam, delete, exists, func, insert, or_, select, tuple_, update

from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.budget import Balance, Charge, ChargedMachine, Month, Reservation, Scope, ScopeKind, scopes_of
from bot.model.money import Micros
from store.mapping import Rows, Values, insert_into, param, select_by, to_model, values
from store.tables import attempts, balances, charges, filed_months, ledger, rentals, reservations, resources

_b, _c, _h = balances.c, charges.c, reservations.c


_ALL = select(balances).where(_b.month >= bindparam("since"))
_OF_SCOPES = select_by(_b.month).where(tuple_(_b.kind, _b.name).in_(bindparam("scopes", expanding=True)))
"""Selects the balances of a month for the given scopes (people, projects or the team).

A query for all balances of the month would be slow, because every person has one.
"""
_TEAM = select(balances).where(_b.kind == ScopeKind.TEAM).order_by(_b.month)
_RESERVED = (
    select(_h.month, _h.owner, _h.project, func.sum(_h.amount).label("amount"))
    .where(_h.month >= bindparam("since"))
    .group_by(_h.month, _h.owner, _h.project)
)
_CHARGED = (
    select(_c.month, _c.owner, _c.project, func.sum(_c.amount).label("amount"), func.sum(_c.late).label("late"))
    .where(_c.month >= bindparam("since"))
    .group_by(_c.month, _c.owner, _c.project)
)
_THIS = and_(_b.month == bindparam("in_month"), _b.kind == bindparam("of"), _b.name == bindparam("named"))
_NOTE_ALERT = update(balances).where(_THIS).values(alerted=bindparam("percent"))
_PLAN_ALERT = update(balances).where(_THIS).values(alert_due_at=bindparam("due_at"), alert_to=bindparam("reader"))
_ALERTS_DUE = select(balances).where(_b.alert_due_at <= bindparam("at")).order_by(_b.month, _b.kind, _b.name)
_RESERVATIONS = select_by(_h.rental_id, _h.month, _h.owner)
_ADD_RESERVATIONS, _ADD_CHARGES = insert(reservations), insert(charges)
_DROP_RESERVATIONS = delete(reservations).where(_h.rental_id == bindparam("key"))
_CHARGED_WITH = (
    select(func.coalesce(func.sum(_c.amount), 0))
    .select_from(rentals.join(charges))
    .where(rentals.c.token_id == bindparam("key"), _c.owner == bindparam("person"))
)
_RESERVED_WITH = (
    select(_h.rental_id, _h.month, _h.amount)
    .select_from(rentals.join(reservations))
    .where(rentals.c.token_id == bindparam("key"), rentals.c.live, _h.owner == bindparam("person"))
)
_OLDEST_FIRST = (_c.started_at, _c.resource_id, _c.n)
_CHARGES_OF = select_by(_c.rental_id, *_OLDEST_FIRST)
_UNCHARGED = (
    select(ledger.c.rental_id)
    .distinct()
    .where(~exists().where(_c.resource_id == ledger.c.resource_id, _c.n == ledger.c.n))
    .order_by(ledger.c.rental_id)
)
_CHARGES_IN = select_by(_c.month, *_OLDEST_FIRST)
_CHARGES_OF_PERSON = _CHARGES_IN.where(_c.owner == bindparam("person"))
_FILED = select(filed_months.c.month, filed_months.c.filed_at)
_FILED_FILE = select_by(filed_months.c.month).with_only_columns(filed_months.c.file)
_UNFILED = (
    select(_c.month).where(_c.month.not_in(select(filed_months.c.month))).group_by(_c.month).order_by(_c.month)
)

_a, _r = attempts.c, resources.c
_RESOURCES = resources.join(attempts)
_BEFORE = param(_a.intended_at, "at")
_BILLING_BEFORE = select(
    or_(
        exists()
        .select_from(_RESOURCES)
        .where(_r.terminated_at.is_(None), func.coalesce(_r.valid_from, _a.intended_at) < _BEFORE),
        exists()
        .select_from(attempts.join(rentals))
        .where(
            rentals.c.live,
            _a.state.not_in([AttemptState.FAILED, AttemptState.TERMINATED]),
            _a.intended_at < _BEFORE,
        ),
    )
)
"""Checks for machines whose costs can still grow.

These are resources that are alive, and purchases without a known resource, which may have bought a machine. If a
purchase has no known resource, it is checked only while its rental isn't over. Later, the machine is checked as
soon as its resource appears.
"""
_MACHINES = select(
    *(_r.resource_id, _a.offer, _a.vendor, _a.gpu, _a.resource_name),
    *(rentals.c.card_channel, rentals.c.vendor_region, rentals.c.terms),
)
_CHARGED_MACHINES = (
    _MACHINES.select_from(
        charges.join(_RESOURCES, _r.resource_id == _c.resource_id).join(rentals, rentals.c.id == _r.rental_id)
    )
    .where(_c.month == bindparam("in_month"))
    .distinct()
)
_ALIVE_MACHINES = _MACHINES.select_from(_RESOURCES.join(rentals)).where(_r.terminated_at.is_(None))


@cache
def _add(dialect: str) -> Any:
    """Build the statement that adds amounts to a balance and returns the new balance.

    The statement creates the balance if it isn't stored yet.
    """
    new = insert_into(balances, dialect)
    sums = {name: _b[name] + new.excluded[name] for name in ("reserved", "spent", "late")}
    limit = bindparam("limit", type_=BigInteger)
    fits = or_(limit.is_(None), sums["reserved"] + sums["spent"] <= limit)
    return new.on_conflict_do_update(index_elements=list(balances.primary_key), set_=sums, where=fits).returning(
        balances
    )


def _balance(row: Row[Any]) -> Balance:
    return to_model(Balance, {**row._mapping, "scope": Scope(kind=row.kind, name=row.name)})


def _key(scope: Scope, month: Month) -> Values:
    return {"in_month": month, "of": scope.kind, "named": scope.name}


class Budgets(Rows):
    async def balances(self, month: Month, scopes: Collection[Scope]) -> list[Balance]:
        """Return the month's balance of each scope (a person, a project or the team), in the order of `scopes`.

        A balance that isn't stored is zero.
        """
        given = {"key": month, "scopes": [(scope.kind, scope.name) for scope in scopes]}
        rows = await self._conn.execute(_OF_SCOPES, given)
        found = {balance.scope: balance for balance in map(_balance, rows)}
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
    ) -> Balance | None:
        """Add amounts, which may be negative, to a balance, and return the new balance.

        If `limit` is given and the sum of reserved and spent money would exceed it, nothing is added and None is
        returned.
        """
        if limit is not None and reserved + spent > limit:
            return None  # checked here because the statement checks the limit only when it updates an existing row
        row = {"month": month, "kind": scope.kind, "name": scope.name, "alerted": 0}
        amounts = {"reserved": reserved, "spent": spent, "late": late}
        statement = _add(self._conn.dialect.name)
        found = (await self._conn.execute(statement, {**row, **amounts, "limit": limit})).first()
        return None if found is None else _balance(found)

    async def note_alert(self, scope: Scope, month: Month, percent: int) -> None:
        """Record that an alert was sent because `percent` percent of a budget had been spent or reserved.

        The caller must not pass a lower percentage than the recorded one.
        """
        await self._conn.execute(_NOTE_ALERT, {**_key(scope, month), "percent": percent})

    async def plan_alert(self, scope: Scope, month: Month, due_at: datetime | None, reader: str | None) -> None:
        """Schedule the time at which a pending budget alert is checked again, and store who would receive it.

        Args:
            scope: The person, project or team whose budget it is.
            month: The month of the budget.
            due_at: The time of the check. None if no alert is pending any more.
            reader: The person who receives the alert in addition to the approvers.
        """
        await self._conn.execute(_PLAN_ALERT, {**_key(scope, month), "due_at": due_at, "reader": reader})

    async def alerts_due(self, at: datetime) -> list[Balance]:
        """Return the balances with a pending alert that is due to be checked again.

        They are sorted by month and scope (a person, a project or the team). Every transaction writes balances in
        this order, which prevents deadlocks.
        """
        return [_balance(row) for row in await self._conn.execute(_ALERTS_DUE, {"at": at})]

    async def reservations(self, rental_id: str) -> list[Reservation]:
        """Return the reservations of a rental, sorted by month and owner."""
        return await self._all(Reservation, _RESERVATIONS, key=rental_id)

    async def replace_reservations(self, before: Sequence[Reservation], after: Sequence[Reservation]) -> None:
        """Replace all reservations of a rental. The balances are not changed."""
        if before:
            await self._conn.execute(_DROP_RESERVATIONS, {"key": before[0].rental_id})
        if after:
            await self._conn.execute(_ADD_RESERVATIONS, [values(one) for one in after])

    async def add_charges(self, added: Collection[Charge]) -> None:
        if added:
            await self._conn.execute(_ADD_CHARGES, [values(one) for one in added])

    async def uncharged(self) -> list[str]:
        """Return the IDs of rentals with a ledger row that hasn't been charged. This reads the whole ledger."""
        return list((await self._conn.execute(_UNCHARGED)).scalars())

    async def charges_of(self, rental_id: str) -> list[Charge]:
        """Return the charges of a rental, oldest first."""
        return await self._all(Charge, _CHARGES_OF, key=rental_id)

    async def charged_with(self, token_id: str, owner: str) -> Micros:
        """Return the sum of the charges that `owner` got for all rentals of a token, over all months."""
        return int(await self._conn.scalar(_CHARGED_WITH, {"key": token_id, "person": owner}) or 0)

    async def reserved_with(self, token_id: str, owner: str) -> dict[str, dict[Month, Micros]]:
        """Return the reservations of `owner` for the current rentals of a token, by rental ID and month."""
        found: defaultdict[str, dict[Month, Micros]] = defaultdict(dict)
        for row in await self._conn.execute(_RESERVED_WITH, {"key": token_id, "person": owner}):
            found[row.rental_id][row.month] = row.amount
        return found

    async def charges_in(self, month: Month, owner: str | None = None) -> list[Charge]:
        """Return the charges of a month, oldest first, for the monthly report and for the CSV file for finance.

        If `owner` is given, only this person's charges are returned.
        """
        statement = _CHARGES_IN if owner is None else _CHARGES_OF_PERSON
        return await self._all(Charge, statement, key=month, person=owner)

    async def filed(self) -> dict[Month, datetime]:
        """Return the time at which each month's final file of charges was created, by month.

        The file is a CSV file for finance. Nothing is charged to these months any more.
        """
        return {row.month: row.filed_at for row in await self._conn.execute(_FILED)}

    async def unfiled(self) -> list[Month]:
        """Return the months that have charges but no final file yet, oldest first."""
        return list(await self._conn.scalars(_UNFILED))

    async def file(self, month: Month, at: datetime, file: str) -> None:
        """Store the final CSV file of a month's charges. The file is never changed afterwards."""
        await self._conn.execute(insert(filed_months), {"month": month, "filed_at": at, "file": file})

    async def filed_file(self, month: Month) -> str | None:
        """Return the final CSV file of a month's charges, or None if there is none yet."""
        return cast(str | None, await self._conn.scalar(_FILED_FILE, {"key": month}))

    async def billing_before(self, at: datetime) -> bool:
        """Return whether costs that arose before `at` can still be missing from the ledger."""
        return bool(await self._conn.scalar(_BILLING_BEFORE, {"at": at}))

    async def machines(self, month: Month) -> dict[str, ChargedMachine]:
        """Return the machines with charges in a month, and all machines that still cost money, by resource ID."""
        rows = [*await self._conn.execute(_CHARGED_MACHINES, {"in_month": month})]
        rows += await self._conn.execute(_ALIVE_MACHINES)
        return {
            row.resource_id: ChargedMachine(
                vendor=row.vendor,
                region=(row.offer.vendor_region if row.offer is not None else row.vendor_region) or "",
                gpu=row.gpu,
                contract=row.terms.contract if row.offer is None else row.offer.contract,
                name=row.resource_name or "",
                channel=row.card_channel,
            )
            for row in rows
        }

    async def all_balances(self, since: Month = "") -> list[Balance]:
        """Return the balances that aren't zero, for the month `since` and all later months.

        Without `since`, the balances of all months are returned.
        """
        rows = await self._conn.execute(_ALL, {"since": since})
        return [_balance(row) for row in rows if row.reserved or row.spent]

    async def of_team(self) -> list[Balance]:
        """Return the team's balance of every month, oldest first."""
        return [_balance(row) for row in await self._conn.execute(_TEAM)]

    async def sums(self, since: Month = "") -> list[Balance]:
        """Calculate the expected balances from the reservations and charges.

        If `since` is given, only the month `since` and all later months are included. The results contain amounts
        only, no alerts. Comparing them with the stored balances shows whether a stored balance is wrong.
        """
        found: dict[tuple[Month, Scope], Balance] = {}

        def add(row: Any, **more: Any) -> None:
            for scope in scopes_of(row.owner, row.project):
                had = found.get((row.month, scope), Balance(scope=scope, month=row.month))
                sums = {name: getattr(had, name) + int(value) for name, value in more.items()}
                found[row.month, scope] = changed(had, **sums)

        for held in await self._conn.execute(_RESERVED, {"since": since}):
            add(held, reserved=held.amount)
        for charged in await self._conn.execute(_CHARGED, {"since": since}):
            add(charged, spent=charged.amount, late=charged.late)
        return list(found.values())

    async def clear(self) -> None:
        """Prepare for recounting all budgets: remove reservations and charges, and set every balance to zero.

        The charges of a month are kept if the final CSV file for finance already exists for that month.
        """
        await self._conn.execute(delete(reservations))
        await self._conn.execute(update(balances).values(reserved=0, spent=0, late=0))
        await self._conn.execute(delete(charges).where(_c.month.not_in(select(filed_months.c.month))))
