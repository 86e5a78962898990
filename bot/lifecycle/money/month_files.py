"""Creates the month files for finance, and sends a month's file once the month is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime

import structlog

from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.deps import StepDeps, transact
from bot.lifecycle.money.budgets import live_charges
from bot.lifecycle.money.spend import unmanaged_machine_count
from bot.model.budget import Charge, Month, MonthPart, ScopeKind
from bot.model.event import EventKind, To
from bot.model.facts import MonthFiledFacts
from bot.policy.buying.focus import BillingMonth, FileRow, MonthFile
from bot.policy.buying.months import month_end
from bot.policy.team.roles import is_member
from bot.policy.team.rules import Rules
from store.db import Tx

log = structlog.get_logger()


# --- the content of a file


async def month_file(
    tx: Tx, rules: Rules, now: datetime, part: MonthPart, *, readable_of: str | None = None
) -> MonthFile:
    """Return the month file of a person, a project or the team, with all charges so far.

    Args:
        readable_of: A person's Slack ID if the reader is allowed to see only the charges of this person. None if
            the reader is allowed to see everybody's charges.
    """
    complete = await tx.budgets.filed_file(part.month)
    charged = await tx.budgets.charges_in(part.month)
    running = [] if complete is not None else await live_charges(tx, rules, now)
    owner, project = readable_of, part.project
    if part.scope.kind is ScopeKind.PERSON and readable_of is None:
        owner = part.scope.name

    def is_wanted(charge: Charge) -> bool:
        is_there = charge.month == part.month
        return is_there and owner in {None, charge.owner} and project in {None, charge.project}

    return MonthFile(
        part=part,
        owner=owner,
        billing=BillingMonth(month=part.month, zone=rules.billing_zone, account=rules.billing.account),
        rows=await _rows(tx, rules, part.month, filter(is_wanted, charged), filter(is_wanted, running)),
        complete=complete,
        unmanaged_count=await unmanaged_machine_count(tx),
    )


async def _rows(
    tx: Tx, rules: Rules, month: Month, charged: Iterable[Charge], running: Iterable[Charge]
) -> tuple[FileRow, ...]:
    marked = [*((charge, False) for charge in charged), *((charge, True) for charge in running)]
    machines = await tx.budgets.machines(month)
    names = await tx.people.names({charge.owner for charge, _ in marked})
    projects = rules.projects
    return tuple(
        FileRow(
            charge=charge,
            machine=machines[charge.resource_id],
            requester=names.get(charge.owner, charge.owner),
            cost_center=projects[charge.project].cost_center if charge.project in projects else "",
            running=is_running,
        )
        for charge, is_running in sorted(marked, key=lambda one: (one[0].started_at, one[0].resource_id))
    )


# --- complete months


async def is_complete(tx: Tx, rules: Rules, now: datetime, month: Month) -> bool:
    """Return whether a month is complete: it is over, and everything that was billed in it is in the ledger.

    The total of a complete month can't change any more.
    """
    end = month_end(month, rules.billing_zone)
    return end <= now and not await tx.budgets.billing_before(end)


async def file_months(deps: StepDeps) -> None:
    """Store the file of each month that has become complete, and send it to finance.

    Does nothing until the account has been compared with the store, because the database could lack machines that
    were billed in the month. For the same reason, it does nothing while buying is paused after the restore of a
    backup. Raises StoreBusy.
    """
    if not deps.opened.swept:
        return
    async with deps.store.read() as tx:
        if await tx.questions.pausing():
            return
        months = await tx.budgets.unfiled()
        complete = [month for month in months if await is_complete(tx, deps.rules, deps.clock.now(), month)]
    if not complete:
        return
    finance = await _finance(deps)
    if finance is None:
        log.info("month_files.no_group_answer")
        return
    for month in complete:
        await _file(deps, month, finance)


async def _finance(deps: StepDeps) -> Collection[str] | None:
    """Return the Slack IDs of the people in finance. None if Slack doesn't say who is in a finance group."""
    named = deps.rules.finance
    groups = await asyncio.gather(*map(deps.directory.members, named.groups))
    if None in groups:
        return None
    people = dict.fromkeys([*named.people, *(one for group in groups for one in sorted(group or ()))])
    async with deps.store.read() as tx:
        known = {person.id: person for person in await tx.people.known(people)}
    return [one for one in people if one not in known or is_member(known[one])]


async def _file(deps: StepDeps, month: Month, finance: Collection[str]) -> None:
    async with deps.store.read() as tx:
        file = await month_file(tx, deps.rules, deps.clock.now(), MonthPart(month=month))
    # Create the file in a thread. It can have thousands of rows, and creating it on the event loop would delay
    # acknowledgements to Slack.
    written = await asyncio.to_thread(file.written)

    async def decision(tx: Tx) -> None:
        # This transaction has the database lock that every charge needs. Until the transaction ends, nothing can
        # be charged to the month.
        if not await is_complete(tx, deps.rules, deps.clock.now(), month) or file.complete is not None:
            return
        if await tx.budgets.charges_in(month) != [row.charge for row in file.rows]:
            return  # Something was charged in the meantime. The next run includes it.
        await tx.budgets.file(month, deps.clock.now(), written)
        facts = MonthFiledFacts(month=month, amount=file.amount, count=file.rental_count)
        known = {To.FINANCE: tuple(finance)}
        await send_of_account(tx, deps, EventKind.MONTH_FILED, facts, known=known, charges_of=file.part)

    await transact(deps, decision)
