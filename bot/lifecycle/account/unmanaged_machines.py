"""Compares the unmanaged machines on the account with the unmanaged machines that are already in the store.

A machine is unmanaged if it belongs to no rental in the store. Machines that were created from one offer are one
purchase. The admins are asked about each purchase.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from bot.errors import MarketAway
from bot.lifecycle.account.admin_questions import ask, new_question, save
from bot.lifecycle.account.reconcile import LOOK_UP_AGAIN
from bot.lifecycle.deps import Deps, StepDeps, transact
from bot.lifecycle.outside import ResourceView
from bot.lifecycle.restored.machines import bought_after_backup, hold_requests
from bot.model.admin_question import AdminQuestion, Purchase, Purchases, UnmanagedMachine
from bot.model.base import changed
from bot.policy.buying.resource_names import names_of
from bot.policy.buying.unmanaged_machines import (
    ASKED_ALONE,
    Guesses,
    asked_twice,
    by_purchase,
    in_batches,
    purchases_of,
)
from store.db import Tx

ASKED_AT_ONCE = 20
"""The maximum number of queries to vendors that run at the same time. Each query is about one machine."""


def unmanaged_machine(view: ResourceView, now: datetime) -> UnmanagedMachine:
    """Return an unmanaged machine as the account shows it at `now`."""
    return UnmanagedMachine(
        resource_id=view.resource_id,
        status=view.status,
        runs=view.runs,
        name=view.name,
        gpu=view.gpu,
        count=view.count or 1,
        vendor=view.vendor,
        rate=view.rate,
        # Replace a start time that is in the future with the current time. Otherwise, a 404 for this machine would
        # never be read as a sign that the machine is terminated.
        since=min(view.valid_from or view.created_at or now, now),
        valid_from=view.valid_from,
        host=view.host,
        port=view.port,
        offer_ids=view.offer_ids,
    )


async def note_unmanaged(deps: StepDeps, views: Sequence[ResourceView], rental_of: Mapping[str, str]) -> None:
    """Store the account's unmanaged machines, and ask the admins about the new ones.

    If a machine is missing from the account's list, the vendor is asked, because the list may be out of date. The
    machine is considered terminated if the vendor says "deleted", or if the vendor fails to find it twice.

    Args:
        views: The unmanaged machines, as the account lists them.
        rental_of: The rental IDs of the resources that belong to a rental, by resource ID.
    """
    now = deps.clock.now()
    listed = {view.resource_id: unmanaged_machine(view, now) for view in views}
    async with deps.store.read() as tx:
        before = await tx.questions.purchases()
    if not listed and not before:
        return
    left_out = {
        machine.resource_id
        for one in before
        for machine in one.purchase.machines
        if machine.terminated_at is None and machine.resource_id not in listed.keys() | rental_of.keys()
    }
    answers = await _ask_vendors(deps, sorted(left_out))
    seen = {machine.resource_id for one in before for machine in one.purchase.machines}
    named_owners = {name.owner for name in names_of(one for one in listed.values() if one.resource_id not in seen)}
    await deps.directory.refresh([owner for owner in named_owners if owner is not None])

    joined, new, later = await _compare(deps, listed, before)
    repeated = asked_twice(before)

    async def update(tx: Tx, batch: Sequence[AdminQuestion]) -> None:
        for known in batch:
            question = await tx.questions.get(known.id)
            if question is None or question.over_at is not None:
                continue
            had = {machine.resource_id: machine for machine in question.purchase.machines}
            machines = (
                *(_read(machine, listed, answers, now) for machine in had.values()),
                # Another process may have added some of these machines to the question since this process read it.
                # Don't add them twice.
                *(machine for machine in joined[known.id] if machine.resource_id not in had),
            )
            rental_id = next((rental_of[m.resource_id] for m in machines if m.resource_id in rental_of), None)
            same_as = await _staying(tx, repeated.get(known.id)) if rental_id is None else None
            terminated = all(machine.terminated_at is not None for machine in machines)
            after = changed(
                question,
                about=changed(question.purchase, machines=machines, same_as=same_as),
                rental_id=rental_id,
                over_at=now if rental_id is not None or same_as is not None or terminated else None,
            )
            if after != question:
                await save(tx, deps, question, after)

    for batch in in_batches(before):
        await transact(deps, update, batch)
    await _add(deps, later, together=True, later=True)
    await _add(deps, new, together=len(new) > ASKED_ALONE)


async def _staying(tx: Tx, question_id: str | None) -> str | None:
    """Return the ID of a question if the question is still open, and None otherwise.

    The question is read again, because another process may have closed it as a duplicate.
    """
    question = None if question_id is None else await tx.questions.get(question_id)
    return None if question is None or question.over_at is not None else question.id


async def _compare(
    deps: StepDeps, listed: Mapping[str, UnmanagedMachine], before: Sequence[AdminQuestion]
) -> tuple[Mapping[str, Sequence[UnmanagedMachine]], list[AdminQuestion], list[AdminQuestion]]:
    """Find out which questions to ask the admins about newly found machines.

    Returns:
        A tuple of three values. The first one contains the new machines that belong to existing questions, by
        question ID. The second one contains the new questions about other machines. The third one contains the
        new questions about machines that were bought after the backup from which the database was restored.
    """
    async with deps.store.read() as tx:
        # Machines may have been assigned to a rental since the list of machines was read from Compute Clear. Leave
        # them out.
        known = await tx.rentals.resources_by_id(list(listed))
        stored_ids = known.keys() | {machine.resource_id for one in before for machine in one.purchase.machines}
        new = {resource_id: machine for resource_id, machine in listed.items() if resource_id not in stored_ids}
        joined: defaultdict[str, list[UnmanagedMachine]] = defaultdict(list)
        for resource_id, question in purchases_of(new.values(), before).items():
            joined[question.id].append(new.pop(resource_id))
        guesses = Guesses(await tx.people.known() if new else [], deps.rules)
        asked: tuple[list[AdminQuestion], list[AdminQuestion]] = [], []
        for machines in by_purchase(new.values()):
            about = Purchase(machines=machines, guess=guesses.owner(machines))
            asked[await bought_after_backup(tx, machines)].append(new_question(deps, about))
    return joined, *asked


async def _add(deps: Deps, questions: Sequence[AdminQuestion], *, together: bool, later: bool = False) -> None:
    """Store new purchases, and ask the admins about them.

    A purchase is left out if one of its machines has become part of a rental, or if another process has already
    asked about one of its machines. The next sweep handles the purchase's remaining machines. The sweep is the
    regular comparison of Compute Clear's list of machines with the store.

    Args:
        together: True to ask about all purchases in one message. False to send a message for each purchase.
        later: True if the machines were bought after the backup from which the database was restored.
    """
    count = sum(len(one.purchase.machines) for one in questions)

    async def decision(
        tx: Tx, batch: Sequence[AdminQuestion], whole: AdminQuestion | None
    ) -> AdminQuestion | None:
        found = {m.resource_id for one in batch for m in one.purchase.machines}
        stored = await tx.questions.purchases()
        asked = {m.resource_id: one for one in stored for m in one.purchase.machines if m.resource_id in found}
        known = asked.keys() | (await tx.rentals.resources_by_id(list(found))).keys()
        left = [one for one in batch if not any(m.resource_id in known for m in one.purchase.machines)]
        if whole is None and together:
            # Another process may already be asking the admins about some of these machines. If so, add the other
            # machines to that question instead of asking a second one.
            begun = next((one.part_of for one in asked.values() if one.part_of is not None), None)
            whole = None if begun is None else await tx.questions.get(begun)
        if together:
            return await ask_together(tx, deps, left, count=count, later=later, whole=whole) if left else whole
        for question in left:
            await ask(tx, deps, question, new=True)
        return None

    whole: AdminQuestion | None = None
    for batch in in_batches(questions):
        whole = await transact(deps, decision, batch, whole)


async def ask_together(
    tx: Tx,
    deps: Deps,
    questions: Sequence[AdminQuestion],
    *,
    count: int,
    later: bool,
    whole: AdminQuestion | None = None,
) -> AdminQuestion:
    """Store new purchases, and ask each admin about all of them in one message.

    Returns the question that the message asks. Many purchases are stored in several transactions. Each of these
    transactions calls this function, which adds the purchases to the message.

    Args:
        count: The total number of machines in all these transactions.
        later: Whether the machines were bought after the backup from which the database was restored. If so,
            buying is paused.
        whole: The question that an earlier transaction has stored. None in the first transaction.
    """
    if whole is None:
        about = Purchases(count=count, bought_after_backup=later, empty=later and not await tx.rentals.any_ever())
        whole = changed(new_question(deps, about), pauses_buying=later)
        await ask(tx, deps, whole, new=True)
    else:
        await tx.messages.show_question(whole.id)
    for question in questions:
        await tx.questions.add(changed(question, part_of=whole.id))
    if later:
        await hold_requests(tx, deps, questions)
    return whole


async def _ask_vendors(deps: StepDeps, resource_ids: Sequence[str]) -> dict[str, ResourceView | None]:
    """Query the vendors about these machines, and return their responses.

    Machines without a response are left out. Several machines are queried at the same time (ASKED_AT_ONCE). If
    they were queried one by one, a vendor that doesn't respond could delay the comparison of the account with the
    store for hours.
    """
    answers: dict[str, ResourceView | None] = {}

    async def ask_vendor(resource_id: str) -> None:
        with suppress(MarketAway):
            answers[resource_id] = await deps.market.resource(resource_id, fresh=True)

    for first in range(0, len(resource_ids), ASKED_AT_ONCE):
        await asyncio.gather(*map(ask_vendor, resource_ids[first : first + ASKED_AT_ONCE]))
    return answers


def _read(
    machine: UnmanagedMachine,
    listed: Mapping[str, UnmanagedMachine],
    answers: Mapping[str, ResourceView | None],
    now: datetime,
) -> UnmanagedMachine:
    newest = listed.get(machine.resource_id)
    if newest is not None:
        # If the API doesn't report when a machine started, `since` is the time at which the bot first saw the
        # machine. A later reading must not replace this time.
        return changed(newest, since=min(newest.since, machine.since))
    if machine.resource_id not in answers:
        return machine
    view, since = answers[machine.resource_id], machine.missing_since
    if view is not None and not view.deleted:
        return changed(machine, missing_since=None)
    if view is None and (since is None or now - since < LOOK_UP_AGAIN):
        return changed(machine, missing_since=since or now)
    return changed(machine, runs=False, terminated_at=since or now)
