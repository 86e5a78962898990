"""Updates the budgets whenever a rental changes, in the transaction of the change.

A reservation is the amount that a rental can still cost in a month. Once the cost is in the ledger, the
reservation becomes a charge. A scope is a person, a project or the team. The balance of a scope for a month is the
sum of its reservations and its charges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.errors import Stale
from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.billing import ledger_row, spent_at_most, still_billing, unwritten_row
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import changed
from bot.model.budget import Balance, Charge, Demand, Month, Reservation, Scope, ScopeKind, scopes_of
from bot.model.event import Event, EventKind
from bot.model.facts import BudgetAlertFacts
from bot.model.money import Micros, cost_at_most
from bot.model.person import OPERATOR
from bot.model.quote import WaitlistEntry
from bot.model.records import Charged
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.buying.budgets import Room, budget_of, demands, new_alert
from bot.policy.buying.charges import Stretch, cut, owners_of, stretches
from bot.policy.buying.months import month_end, month_start, months_between
from bot.policy.buying.spending import BLOCKED_AT_MOST, UNRESOLVED_COUNTS_FOR
from bot.policy.buying.waiting import first_look
from bot.policy.team.rules import Rules
from store.db import Tx

NOT_APPROVED = frozenset({State.DENIED, State.EXPIRED, State.WITHDRAWN})
"""The final states of rentals whose request was never approved."""
ALERTS_JOB = "budget alerts"
"""The name of the job that checks scheduled alerts."""
RESERVED_FOR = timedelta(minutes=5)
"""The delay of a budget alert that was triggered by reservations, and not by charges alone."""


@dataclass(frozen=True)
class RentalFacts:
    """A rental with all data that its cost is computed from."""

    rental: Rental
    attempts: Sequence[Attempt] = ()
    resources: Sequence[Resource] = ()
    ledger: Sequence[LedgerRow] = ()
    replacement_waits: bool = False
    """True if another rental is replacing this one, isn't over, and doesn't wait for a decision."""
    owner_changes: Sequence[Event] = ()
    """The events that transferred the rental to another owner, oldest first."""

    @property
    def settled(self) -> Micros:
        """The sum of the rental's ledger."""
        return sum(row.amount for row in self.ledger)


# --- reservations


def latest_ready(since: datetime, rules: Rules) -> datetime:
    """Return the latest time at which a machine can become ready if its purchase starts at `since`."""
    return since + rules.procure.attempts * rules.procure.provision_timeout + BLOCKED_AT_MOST


def reach_of_rent(request: Request, now: datetime, rules: Rules) -> tuple[datetime, datetime]:
    """Return the period in which a machine for this request can be billed if it is bought now."""
    return now, latest_ready(now, rules) + request.longest + request.kept + rules.lease.grace


def reach_of_waitlist_entry(
    request: Request, waitlist_entry: WaitlistEntry, now: datetime, rules: Rules
) -> tuple[datetime, datetime]:
    """Return the period in which the machine of a waitlist entry can be billed."""
    first = first_look(request, rules)
    if first is not None and request.last_end is not None:
        return max(first, now), max(request.last_end, now) + request.kept + rules.lease.grace
    ends_at = latest_ready(max(waitlist_entry.until, now), rules) + request.longest
    return now, ends_at + request.kept + rules.lease.grace


def held(facts: RentalFacts, now: datetime, rules: Rules) -> dict[Month, Micros]:
    """Return the amount that a rental reserves in its budgets, for each month.

    The amount depends on the state of the rental:

    - Not ready yet: its approved total minus its costs in the ledger. This whole amount is reserved in each month
      in which the rental can be billed.
    - Ready: the most that it can cost in each month.
    - Waiting for a decision, or ended without an approval: the most that purchases already made can still cost.
    - Over: nothing.
    """
    rental = facts.rental
    total = max(rental.terms.total - facts.settled, 0)
    began = min((attempt.intended_at for attempt in facts.attempts if not attempt.closed), default=now)
    if rental.state.over:
        return {}
    if rental.state is State.AWAITING_APPROVAL or (
        rental.ending is not None and rental.ending.outcome in NOT_APPROVED
    ):
        billed = spent_at_most(facts.ledger, facts.resources, facts.attempts, now) - facts.settled
        return _whole(billed, began, now + UNRESOLVED_COUNTS_FOR, rules)
    if rental.lease is not None:
        return _of_machine(facts, total, now, rules)
    if rental.state is State.DESTROYING:
        return _whole(total, began, now + rules.lease.grace, rules)
    if rental.state is State.QUEUED and rental.waitlist_entry is not None:
        return _whole(total, *reach_of_waitlist_entry(rental.request, rental.waitlist_entry, now, rules), rules)
    ends_at = latest_ready(rental.procuring_since or now, rules) + rental.request.longest
    ends_at = max(ends_at, rental.request.last_end or ends_at) + rental.terms.kept
    return _whole(total, began, ends_at + rules.lease.grace, rules)


def moves_money(before: Rental, after: Rental) -> bool:
    """Return whether this change of a rental can change the rental's reservations.

    Only the rental's own fields are compared, and not its attempts or its ledger.
    """
    return _money_of(before) != _money_of(after)


def _money_of(rental: Rental) -> tuple[object, ...]:
    """Return the fields of a rental that determine how much it reserves, and in which budgets."""
    request, lease, ending = rental.request, rental.lease, rental.ending
    return (
        rental.state,
        (rental.owner, rental.project),
        (rental.terms.total, rental.terms.max_rate, rental.terms.kept, rental.rate, rental.attempts),
        (request.longest, request.last_end, request.kept, request.starts_at, rental.procuring_since),
        rental.waitlist_entry.until if rental.waitlist_entry is not None else None,
        (lease.last_end, lease.kept_until) if lease is not None else None,
        (ending.outcome, ending.since) if ending is not None else None,
        rental.replaced_by,
    )


def _whole(amount: Micros, since: datetime, until: datetime, rules: Rules) -> dict[Month, Micros]:
    return dict.fromkeys(months_between(since, until, rules.billing_zone), amount) if amount > 0 else {}


def _of_machine(facts: RentalFacts, total: Micros, now: datetime, rules: Rules) -> dict[Month, Micros]:
    """Return the most that can still be billed in each month for a rental whose machine has become ready.

    This includes the cost of earlier purchases that can still be billed.
    """
    rental, zone, lease = facts.rental, rules.billing_zone, facts.rental.running_lease
    ends_at = lease.paid_until
    if facts.replacement_waits:
        ends_at = min(ends_at, latest_ready(now, rules))
    if rental.ending is not None:
        ends_at = rental.ending.since or now
    ends_at += rules.lease.grace
    amounts: dict[Month, Micros] = defaultdict(int)
    last = [one.resource_id for one in facts.resources if one.attempt == rental.attempts]
    billing = still_billing(facts.ledger, facts.resources, facts.attempts, now)
    begins = [part.started_at for resource_id, part in billing.items() if resource_id in last]
    rate = rental.rate_at_most
    if begins:
        for month in months_between(min(begins), ends_at, zone):
            start, end = max(min(begins), month_start(month, zone)), min(ends_at, month_end(month, zone))
            amounts[month] += cost_at_most(rate, max(end - start, timedelta(0)))
    for attempt in facts.attempts:
        if attempt.n != rental.attempts and not attempt.closed:
            own = [one for one in facts.resources if one.attempt == attempt.n]
            rows = [row for row in facts.ledger if row.resource_id in {one.resource_id for one in own}]
            billed = spent_at_most(rows, own, [attempt], now) - sum(row.amount for row in rows)
            for month in months_between(attempt.intended_at, now + UNRESOLVED_COUNTS_FOR, zone):
                amounts[month] += billed
    return {month: min(amount, total) for month, amount in amounts.items() if min(amount, total) > 0}


# --- charges


def charges(
    facts: RentalFacts,
    rows: Iterable[LedgerRow],
    events: Sequence[Event],
    rules: Rules,
    *,
    filed: Collection[Month] = (),
    kept: Collection[Charge] = (),
) -> list[Charge]:
    """Return the charges for some ledger rows of a rental, oldest first.

    A charge is the part of a ledger row that falls into one month and belongs to one owner.

    Args:
        events: All events of the rental, or at least the changes of its use and its owner.
        filed: The closed months. Nothing can be charged to them any more.
        kept: The existing charges. They are left out of the result.
    """
    charged = Charged.of(facts.rental)
    known = {resource.resource_id: resource for resource in facts.resources}
    found: list[Charge] = []
    for row in rows:
        resource = known.get(row.resource_id)
        found += _of_row(
            row,
            charged,
            events,
            rules,
            attempt=resource.attempt if resource is not None else None,
            asked_at=resource.delete_accepted_at if resource is not None else None,
            filed=filed,
            kept=[one for one in kept if (one.resource_id, one.n) == (row.resource_id, row.n)],
        )
    return found


def _of_row(
    row: LedgerRow,
    charged: Charged,
    events: Sequence[Event],
    rules: Rules,
    *,
    attempt: int | None,
    asked_at: datetime | None,
    filed: Collection[Month],
    kept: Collection[Charge] = (),
) -> tuple[Charge, ...]:
    """Return the charges of one ledger row.

    Args:
        attempt: The number of the attempt that the row's resource belongs to.
        asked_at: The time at which the deletion of the resource was accepted.
    """
    known: tuple[Stretch, ...] = ()
    if charged.ready_at is not None and attempt == charged.attempts:
        until = charged.ending_since or charged.over_at or row.ended_at
        known = stretches(events, ready_at=charged.ready_at, until=until)
    return cut(
        row,
        charged,
        owners=owners_of(charged.owner, events),
        known=known,
        deleted_at=min(filter(None, (asked_at, charged.ending_since)), default=None),
        zone=rules.billing_zone,
        filed=filed,
        kept=kept,
    )


async def live_charges(tx: Tx, rules: Rules, now: datetime, *, owner: str | None = None) -> list[Charge]:
    """Return charges for the cost of running resources until `now`.

    The part of the cost that is in the ledger already is left out. If `owner` is given, only the charges of this
    person are returned. Other asyncio tasks can run while the resources are read.
    """
    filed = await tx.budgets.filed()
    found: list[Charge] = []
    async for some in tx.rentals.accruing(owner):
        rental_ids = {one.charged.rental_id for one in some}
        events = await tx.events.of_many(rental_ids, (EventKind.USE_CHANGED, EventKind.OWNER_CHANGED))
        for one in some:
            found += _of_row(
                unwritten_row(one, now),
                one.charged,
                events[one.charged.rental_id],
                rules,
                attempt=one.attempt,
                asked_at=one.delete_accepted_at,
                filed=filed,
            )
    return found if owner is None else [charge for charge in found if charge.owner == owner]


def _unwritten_rows(facts: RentalFacts, now: datetime) -> list[LedgerRow]:
    """Return ledger rows for a rental's running resources, as if the resources were terminated `now`."""
    by_number = {attempt.n: attempt for attempt in facts.attempts}
    return [
        ledger_row(
            changed(one, terminated_at=now, valid_to=one.valid_to or now),
            by_number[one.attempt],
            facts.rental.owner,
            facts.ledger,
        )
        for one in facts.resources
        if one.terminated_at is None
    ]


# --- updating reservations (amounts set aside for running rentals) and charges (final costs)


class Difference(NamedTuple):
    """The amounts that a change adds to a balance, in micro-dollars."""

    reserved: Micros = 0
    spent: Micros = 0
    late: Micros = 0


def differences(
    before: Iterable[Reservation], after: Iterable[Reservation], new: Iterable[Charge]
) -> list[tuple[Month, Scope, Difference]]:
    """Return the changes of balances that new reservations and charges cause.

    They are sorted by month and scope. All transactions write balances in this same order.
    """
    sums: dict[tuple[Month, Scope], Difference] = defaultdict(Difference)

    def add(month: Month, owner: str, project: str, **more: Micros) -> None:
        for scope in scopes_of(owner, project):
            had = sums[month, scope]
            sums[month, scope] = had._replace(**{name: getattr(had, name) + value for name, value in more.items()})

    for one in before:
        add(one.month, one.owner, one.project, reserved=-one.amount)
    for one in after:
        add(one.month, one.owner, one.project, reserved=one.amount)
    for charge in new:
        add(charge.month, charge.owner, charge.project, spent=charge.amount, late=charge.late)
    order = sorted(sums.items(), key=lambda item: (item[0][0], item[0][1].kind, item[0][1].name))
    return [(month, scope, more) for (month, scope), more in order if any(more)]


async def settle(
    tx: Tx, deps: Deps, rental: Rental, *, by: str | None = None, new_rental: bool = False, within: bool = False
) -> None:
    """Charge the new ledger rows of a rental, and update its reservations and the balances.

    The caller must hold the spending lock, and must have stored the rental in its current state. If the rental is
    a replacement, the replaced rental is updated as well when the replacement waits for a decision, begins to be
    bought, or is over.

    Args:
        by: The person who changed the rental. They also get the budget alerts that the change triggers.
        new_rental: True if the rental is new and so has no reservations yet.
        within: True if the rental must stay within its budgets. If a budget has too little headroom, Stale is
            raised, because the caller based its decision on an older balance.
    """
    facts, rules = await _facts_of(tx, rental), deps.rules
    new: list[Charge] = []
    if facts.ledger:
        charged = {(one.resource_id, one.n) for one in await tx.budgets.charges_of(rental.id)}
        rows = [row for row in facts.ledger if (row.resource_id, row.n) not in charged]
        if rows:
            new = charges(facts, rows, await tx.events.of(rental.id), rules, filed=await tx.budgets.filed())
            await tx.budgets.add_charges(new)
    before = [] if new_rental else await tx.budgets.reservations(rental.id)
    after = reservations(facts, deps.clock.now(), rules)
    if before != after:
        await tx.budgets.replace_reservations(before, after)
    for month, scope, more in differences(before, after, new):
        limit = budget_of(scope, rules) if within and more.reserved + more.spent > 0 else None
        balance = await tx.budgets.add(scope, month, **more._asdict(), limit=limit)
        if balance is None:
            raise Stale
        await _alert(tx, deps, balance, more, by)
    turns = rental.state.over or rental.state in {State.AWAITING_APPROVAL, State.PROCURING}
    replaced = await tx.rentals.get(rental.replaces) if turns and rental.replaces is not None else None
    if replaced is not None:
        await settle(tx, deps, replaced, by=by)


async def settle_stored(tx: Tx, deps: Deps, rental_id: str) -> None:
    """Load a rental from the store, and update its charges and reservations. See `settle`."""
    rental = await tx.rentals.get(rental_id)
    if rental is not None:
        await settle(tx, deps, rental)


def reservations(facts: RentalFacts, now: datetime, rules: Rules) -> list[Reservation]:
    """Return the reservations of a rental, by month and owner.

    If the rental was transferred, the time before the transfer is paid from the earlier owner's budget. The cost
    of that time stays reserved in that budget until it is in the ledger. The rest is reserved for the current
    owner.
    """
    rental = facts.rental
    left = held(facts, now, rules)
    amounts: dict[tuple[Month, str], Micros] = defaultdict(int)
    if left and facts.owner_changes:
        for charge in charges(facts, _unwritten_rows(facts, now), facts.owner_changes, rules):
            if charge.owner != rental.owner:
                amount = min(charge.amount, left.get(charge.month, 0))
                amounts[charge.month, charge.owner] += amount
                left[charge.month] = left.get(charge.month, 0) - amount
    for month, amount in left.items():
        amounts[month, rental.owner] += amount
    return [
        Reservation(rental_id=rental.id, month=month, owner=owner, project=rental.project, amount=amount)
        for (month, owner), amount in sorted(amounts.items())
        if amount > 0
    ]


async def _facts_of(tx: Tx, rental: Rental) -> RentalFacts:
    waits = False
    if rental.replaced_by is not None:
        other = await tx.rentals.get(rental.replaced_by)
        # `replaced_by` may contain the ID of a rental that isn't stored yet. In that case, `other` is None.
        waits = other is None or not (other.state.over or other.state is State.AWAITING_APPROVAL)
    if not rental.attempts:
        return RentalFacts(rental)
    facts = (await tx.rentals.facts_of([rental.id]))[rental.id]
    changes: Sequence[Event] = ()
    # Until the machine is ready, its whole cost is reserved for its present owner, so earlier changes of the owner
    # don't matter.
    if rental.lease is not None:
        changes = (await tx.events.of_many([rental.id], (EventKind.OWNER_CHANGED,))).get(rental.id, ())
    return RentalFacts(rental, *facts, replacement_waits=waits, owner_changes=changes)


async def _alert(tx: Tx, deps: Deps, balance: Balance, more: Difference, by: str | None) -> None:
    """Send or schedule the budget alert that is triggered by adding `more` to a balance.

    If the charges alone reach the alert's threshold, the alert is sent immediately. If the threshold is reached
    only together with reservations, the alert is sent after RESERVED_FOR. The reason for the delay is that the
    reservation of a new machine is higher than its final cost. If the balance falls below the threshold again,
    the scheduled alert is dropped.

    An alert about a project's or the team's budget is also sent to `by`, the person who changed the rental. An
    alert about a person's own budget is sent to that person instead, because `by` is not always allowed to see
    it. If `by` is the operator, nobody gets a copy, because the operator has no Slack account.
    """
    reader = balance.scope.name if by is not None and balance.scope.kind is ScopeKind.PERSON else by
    reader = None if reader == OPERATOR.id else reader
    rules = deps.rules
    percent = new_alert(changed(balance, reserved=0), rules)
    if percent is not None:
        balance = await _send_alert(tx, deps, balance, percent, reader)
    percent = new_alert(balance, rules)
    before = changed(balance, reserved=balance.reserved - more.reserved, spent=balance.spent - more.spent)
    if percent is None:
        if balance.alert_due_at is not None:
            await tx.budgets.plan_alert(balance.scope, balance.month, None, None)
    elif balance.alert_due_at is None or percent > (new_alert(before, rules) or 0):
        due_at = deps.clock.now() + RESERVED_FOR
        await tx.budgets.plan_alert(balance.scope, balance.month, due_at, reader)
        await tx.jobs.bring_forward(ALERTS_JOB, due_at)


async def send_planned_alerts(tx: Tx, deps: Deps) -> None:
    """Send the due alerts whose thresholds are still reached, and drop the other due alerts.

    The caller must hold the spending lock.
    """
    for balance in await tx.budgets.alerts_due(deps.clock.now()):
        percent = new_alert(balance, deps.rules)
        if percent is not None:
            await _send_alert(tx, deps, balance, percent, balance.alert_to)
        await tx.budgets.plan_alert(balance.scope, balance.month, None, None)


async def _send_alert(tx: Tx, deps: Deps, balance: Balance, percent: int, reader: str | None) -> Balance:
    """Notify the approvers' channel and the `reader` that a balance has reached the threshold of an alert.

    Returns the balance, with the alert recorded.
    """
    await tx.budgets.note_alert(balance.scope, balance.month, percent)
    balance = changed(balance, alerted=percent)
    facts = BudgetAlertFacts(
        balance=changed(balance, alert_due_at=None, alert_to=None),
        total=budget_of(balance.scope, deps.rules) or 0,
        people=(reader,) if reader is not None else (),
    )
    await send_of_account(tx, deps, EventKind.BUDGET_ALERT, facts)
    return balance


# --- checking requests against budgets


async def room_for(
    tx: Tx,
    rules: Rules,
    *,
    owner: str,
    project: str,
    reach: tuple[datetime, datetime],
    rental: Rental | None = None,
) -> Room:
    """Return the amounts that budgets have left for a request.

    Args:
        reach: The period in which the machine can be billed.
        rental: The pending rental that the request would change. The request can use the amount that is reserved
            for this rental. None for a new rental.
    """
    months = months_between(*reach, rules.billing_zone)
    mine: dict[Month, Micros] = {}
    settled = 0
    if rental is not None:
        for one in await tx.budgets.reservations(rental.id):
            mine[one.month] = mine.get(one.month, 0) + one.amount
        settled = (await _facts_of(tx, rental)).settled
    return Room(balances=await _balances(tx, owner, project, months), months=months, settled=settled, held=mine)


async def passed_by(
    tx: Tx, rules: Rules, after: Rental, now: datetime, *, whole: bool = False
) -> tuple[Demand, ...]:
    """Return the budgets that a rental would exceed if it changed to `after`.

    Usually, only the amount that the change adds to the reservation is checked. With `whole`, the rental's
    complete reservation is checked again, because a budget may have been lowered since the reservation.
    """
    return tuple(demand for demand in await demands_of(tx, rules, after, now, whole=whole) if demand.passes)


async def demands_of(
    tx: Tx, rules: Rules, after: Rental, now: datetime, *, whole: bool = False
) -> tuple[Demand, ...]:
    """Return the amounts that a rental would need in each budget if it changed to `after`.

    The budget with the least headroom comes first. For `whole`, see `passed_by`.
    """
    facts = await _facts_of(tx, after)
    more = held(facts, now, rules)
    reserved: dict[Month, Micros] = defaultdict(int)
    for one in await tx.budgets.reservations(after.id):
        reserved[one.month] += one.amount
    for month, amount in (await _released_by(tx, after, now, rules)).items():
        reserved[month] += amount
    balances = await _balances(tx, after.owner, after.project, {**more, **reserved})
    if whole:
        return demands(
            more, [changed(one, reserved=one.reserved - reserved[one.month]) for one in balances], rules
        )
    return demands(
        {month: more.get(month, 0) - reserved[month] for month in {**more, **reserved}}, balances, rules
    )


async def _released_by(tx: Tx, after: Rental, now: datetime, rules: Rules) -> dict[Month, Micros]:
    """Return the reservations that the replaced machine no longer needs once its replacement is being bought.

    Empty if the rental replaces no running machine, or if it still waits for a decision.
    """
    replaced = await tx.rentals.get(after.replaces) if after.replaces is not None else None
    if replaced is None or replaced.state is not State.READY or after.state is State.AWAITING_APPROVAL:
        return {}
    left = held(replace(await _facts_of(tx, replaced), replacement_waits=True), now, rules)
    return {
        one.month: max(one.amount - left.get(one.month, 0), 0)
        for one in await tx.budgets.reservations(replaced.id)
        if one.owner == replaced.owner
    }


async def demands_on_new_owner(
    tx: Tx, rules: Rules, after: Rental, event: Event, now: datetime
) -> tuple[Demand, ...]:
    """Return the amounts that a rental would need in a new owner's budget in each month.

    The month with the least headroom comes first. Empty if the rules set no budgets for people.

    Args:
        after: The rental with the new owner.
        event: The OWNER_CHANGED event that would make this person the owner.
    """
    facts = await _facts_of(tx, after)
    facts = replace(facts, owner_changes=(*facts.owner_changes, event))
    more = {one.month: one.amount for one in reservations(facts, now, rules) if one.owner == after.owner}
    for one in await tx.budgets.reservations(after.id):
        if one.owner == after.owner:
            more[one.month] = more.get(one.month, 0) - one.amount
    person = Scope(kind=ScopeKind.PERSON, name=after.owner)
    return demands(more, [one for month in more for one in await tx.budgets.balances(month, [person])], rules)


def if_approved(rental: Rental, now: datetime) -> Rental:
    """Return the rental as it would be if its pending request were approved now. Used with `demands_of`."""
    if rental.extension is None:
        return transitions.approve(rental, now, approver=None)
    return lease_changes.approve_extension(rental, rental.extension, approver="", now=now)


async def _balances(tx: Tx, owner: str, project: str, months: Iterable[Month]) -> tuple[Balance, ...]:
    scopes = scopes_of(owner, project)
    return tuple([balance for month in months for balance in await tx.budgets.balances(month, scopes)])


# --- recalculating


async def count_again(tx: Tx, rules: Rules, now: datetime) -> None:
    """Recalculate all budgets from the rentals and the ledger.

    This includes the reservations and balances of every month, and the charges of all months that aren't closed.
    No alerts are sent. Alerts that were sent before aren't repeated later.

    Reads the whole database, so it is only used for a new database schema and for a new `billing.timezone`. Other
    tasks can run in the meantime.
    """
    filed = await tx.budgets.filed()
    await tx.budgets.clear()
    async for rental_id in tx.rentals.all_ids():
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            continue
        facts = await _facts_of(tx, rental)
        if facts.ledger:
            kept = await tx.budgets.charges_of(rental_id)
            await tx.budgets.add_charges(
                charges(facts, facts.ledger, await tx.events.of(rental_id), rules, filed=filed, kept=kept)
            )
        await tx.budgets.replace_reservations((), reservations(facts, now, rules))
    for balance in await tx.budgets.sums():
        await tx.budgets.add(
            balance.scope, balance.month, reserved=balance.reserved, spent=balance.spent, late=balance.late
        )


async def correct(tx: Tx, since: Month = "") -> int:
    """Correct each balance that isn't the sum of the reservations and charges of its scope and month.

    Only months starting with `since` are checked; by default, all are. Returns the number of wrong balances. Each
    wrong balance is due to a bug.
    """
    stored = {(one.month, one.scope): one for one in await tx.budgets.all_balances(since)}
    right = {(one.month, one.scope): one for one in await tx.budgets.sums(since)}
    wrong = 0
    for month, scope in sorted(stored.keys() | right.keys(), key=str):
        none = Balance(scope=scope, month=month)
        is_now, should = stored.get((month, scope), none), right.get((month, scope), none)
        more = {name: getattr(should, name) - getattr(is_now, name) for name in ("reserved", "spent", "late")}
        if any(more.values()):
            wrong += 1
            await tx.budgets.add(scope, month, **more)
    return wrong
