"""Keeps what the admins read of unknown machines up to date with the account. The sweep calls it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TypeAlias

from bot.errors import MarketAway
from bot.lifecycle.account import add_together, ask_each_admin
from bot.lifecycle.adoption import cost_so_far
from bot.lifecycle.deps import ID_LENGTH, Deps, StepDeps, transact
from bot.lifecycle.older_database import ask_together, bought_later, close_request
from bot.lifecycle.ports.outside import ResourceView
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.steps.reconcile import LOOK_UP_AGAIN
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.message import MessageKind
from bot.model.unknown import UnknownMachine, UnknownPurchase
from bot.policy.resource_names import names_of
from bot.policy.unknown_machines import ASKED_ALONE, Guesses, by_purchase, in_batches, purchases_of

_QUESTIONS = (MessageKind.OLDER_DATABASE, MessageKind.UNKNOWN_TOGETHER)
"""The messages about several purchases."""
ASKED_AT_ONCE = 20
"""How many machines the vendors are asked for at the same time."""


def unknown_machine(view: ResourceView, now: datetime) -> UnknownMachine:
    """Return a machine that no attempt has, as the account shows it `now`."""
    return UnknownMachine(
        resource_id=view.resource_id,
        status=view.status,
        runs=view.runs,
        name=view.name,
        gpu=view.gpu,
        count=view.count or 1,
        vendor=view.vendor,
        rate=view.rate,
        # With a start in the future, the machine of an attempt would never count as gone after a 404.
        since=min(view.valid_from or view.created_at or now, now),
        valid_from=view.valid_from,
        host=view.host,
        port=view.port,
        offer_ids=view.offer_ids,
    )


async def note_unknown(deps: StepDeps, views: Sequence[ResourceView], rental_of: Mapping[str, str]) -> None:
    """Store the machines of the account that no attempt has, and ask the admins about those that are new.

    `views` are these machines. `rental_of` has the id of the rental for each resource that has one.

    The list may be old. So a machine that it lacks counts as gone only if the vendor says "deleted", or does not
    find it twice. Otherwise the admins would be asked again, after one wrong answer, about a machine that is not
    ours to manage.
    """
    now = deps.clock.now()
    listed = {view.resource_id: unknown_machine(view, now) for view in views}
    async with deps.store.read() as tx:
        before = await tx.unknown.not_over()
    if not listed and not before:
        return
    left_out = {
        machine.resource_id
        for purchase in before
        for machine in purchase.machines
        if machine.gone_at is None and machine.resource_id not in listed.keys() | rental_of.keys()
    }
    answers = await _ask_vendors(deps, sorted(left_out))
    seen = {machine.resource_id for purchase in before for machine in purchase.machines}
    named_owners = {name.owner for name in names_of(one for one in listed.values() if one.resource_id not in seen)}
    await deps.directory.refresh([owner for owner in named_owners if owner is not None])

    found = await _compare(deps, list(listed.values()), now)
    for batch in in_batches(found.known):
        read = {
            one.id: partial(_read, listed=listed, answers=answers, joined=found.joined[one.id], now=now)
            for one in batch
        }
        await transact(deps, partial(_update_all, deps=deps, read=read, rental_of=rental_of))
    count = sum(len(one.machines) for one in found.later)
    await _add_all(
        deps, found.later, lambda tx, part, first: ask_together(tx, deps, part, first_id=first, count=count)
    )
    if len(found.new) <= ASKED_ALONE:
        await _add_all(deps, found.new, lambda tx, part, _: _ask_alone(tx, deps, part))
    else:
        many = sum(len(one.machines) for one in found.new)
        await _add_all(
            deps, found.new, lambda tx, part, first: _ask_together(tx, deps, part, first_id=first, count=many)
        )
    if not deps.swept():  # the rules are read at a start
        await _ask_new_admins(deps)


@dataclass(frozen=True)
class Compared:
    """The unknown machines of the account, compared with those that the store knows."""

    known: list[UnknownPurchase]
    """Those that the store knows, as it does."""
    joined: defaultdict[str, list[UnknownMachine]]
    """New machines of these purchases, by the purchase's id."""
    new: list[UnknownPurchase]
    later: list[UnknownPurchase]
    """New ones that were bought after the database was saved."""


async def _compare(deps: StepDeps, listed: Sequence[UnknownMachine], now: datetime) -> Compared:
    async with deps.store.read() as tx:
        purchases = await tx.unknown.not_over()
        # Some may have got an owner since the account was read.
        known = await tx.rentals.resources_by_id([one.resource_id for one in listed])
        held = known.keys() | {machine.resource_id for one in purchases for machine in one.machines}
        new = {one.resource_id: one for one in listed if one.resource_id not in held}
        compared = Compared(purchases, defaultdict(list), [], [])
        for resource_id, purchase in purchases_of(new.values(), purchases).items():
            compared.joined[purchase.id].append(new.pop(resource_id))
        guesses = Guesses(await tx.people.known() if new else [], deps.rules)
        for machines in by_purchase(new.values()):
            guess = guesses.owner(machines)
            new_id = deps.new_id(ID_LENGTH)
            one = UnknownPurchase(id=new_id, machines=machines, found_at=now, asked_at=now, guess=guess)
            (compared.later if await bought_later(tx, machines) else compared.new).append(one)
    return compared


async def _update_all(
    tx: Tx,
    *,
    deps: Deps,
    read: Mapping[str, Callable[[UnknownPurchase], tuple[UnknownMachine, ...]]],
    rental_of: Mapping[str, str],
) -> None:
    """Store what changed about these purchases, unless they are over by now."""
    for purchase_id, machines_now in read.items():
        purchase = await tx.unknown.get(purchase_id)
        if purchase is not None and purchase.over_at is None:
            await _update(tx, deps, purchase, machines_now(purchase), rental_of)


Ask: TypeAlias = Callable[[Tx, Sequence[UnknownPurchase], str | None], Awaitable[str | None]]
"""Stores new purchases and asks the admins about them. Takes and returns the id of the first purchase of their
question, if they have one in common."""


async def _add_all(deps: Deps, purchases: Sequence[UnknownPurchase], ask: Ask) -> None:
    """Store new purchases, and ask the admins about them. Leave out what got an owner since the account was read:
    the next sweep finds the rest of its purchase."""
    first_id: str | None = None
    for batch in in_batches(purchases):

        async def decision(
            tx: Tx, batch: Sequence[UnknownPurchase] = batch, first_id: str | None = first_id
        ) -> str | None:
            known = await tx.rentals.resources_by_id([m.resource_id for one in batch for m in one.machines])
            left = [one for one in batch if not any(m.resource_id in known for m in one.machines)]
            return await ask(tx, left, first_id) if left else first_id

        first_id = await transact(deps, decision)


async def _ask_alone(tx: Tx, deps: Deps, purchases: Sequence[UnknownPurchase]) -> None:
    for purchase in purchases:
        await tx.unknown.add(purchase)
        await ask_admins(tx, deps, purchase)


async def _ask_together(
    tx: Tx, deps: Deps, purchases: Sequence[UnknownPurchase], *, first_id: str | None, count: int
) -> str:
    facts = Facts(count=count)
    event = Event(rental_id=None, kind=EventKind.UNKNOWN_MACHINE, at=deps.clock.now(), facts=facts)
    return await add_together(tx, deps, purchases, MessageKind.UNKNOWN_TOGETHER, event, first_id=first_id)


class Answer(Enum):
    """What the vendor says about a machine that the list of the account lacks."""

    RUNS_ON = "runs_on"
    MISSING = "missing"
    DELETED = "deleted"
    NONE = "none"


async def _ask_vendors(deps: StepDeps, resource_ids: Sequence[str]) -> dict[str, Answer]:
    """Ask the vendors for these machines, ASKED_AT_ONCE at a time: a vendor that lets each call time out must not
    delay the sweep for hours, since nothing is bought before the first one is done."""
    answers: dict[str, Answer] = {}
    for first in range(0, len(resource_ids), ASKED_AT_ONCE):
        batch = resource_ids[first : first + ASKED_AT_ONCE]
        answers |= zip(batch, await asyncio.gather(*(_ask_vendor(deps, one) for one in batch)), strict=True)
    return answers


async def _ask_vendor(deps: StepDeps, resource_id: str) -> Answer:
    try:
        view = await deps.market.resource(resource_id, fresh=True)
    except MarketAway:
        return Answer.NONE
    if view is None:
        return Answer.MISSING
    return Answer.DELETED if view.deleted else Answer.RUNS_ON


def _read(
    purchase: UnknownPurchase,
    *,
    listed: Mapping[str, UnknownMachine],
    answers: Mapping[str, Answer],
    joined: Sequence[UnknownMachine],
    now: datetime,
) -> tuple[UnknownMachine, ...]:
    """Return the machines of a purchase as the account shows them now."""
    read = []
    for machine in purchase.machines:
        newest = listed.get(machine.resource_id)
        if newest is not None:
            # Without a start from the API, `since` is when we saw it first.
            read.append(changed(newest, since=min(newest.since, machine.since)))
        else:
            read.append(_after_answer(machine, answers.get(machine.resource_id, Answer.NONE), now))
    return (*read, *joined)


def _after_answer(machine: UnknownMachine, answer: Answer, now: datetime) -> UnknownMachine:
    if answer is Answer.NONE:
        return machine
    if answer is Answer.RUNS_ON:
        return changed(machine, missing_since=None)
    since = machine.missing_since
    if answer is Answer.MISSING and (since is None or now - since < LOOK_UP_AGAIN):
        return changed(machine, missing_since=since or now)
    return changed(machine, runs=False, gone_at=since or now)


async def _update(
    tx: Tx,
    deps: Deps,
    purchase: UnknownPurchase,
    machines: tuple[UnknownMachine, ...],
    rental_of: Mapping[str, str],
) -> None:
    """Store what changed about a purchase, and ask the admins again if that is due."""
    now = deps.clock.now()
    rental_id = next((rental_of[one.resource_id] for one in machines if one.resource_id in rental_of), None)
    over = rental_id is not None or all(machine.gone_at is not None for machine in machines)
    after = changed(purchase, machines=machines, rental_id=rental_id, over_at=now if over else None)
    if after.open and after.ask_again_at is not None and after.ask_again_at <= now:
        after = changed(after, asked_at=now, ask_again_at=None, put_off_by=None)
        await ask_admins(tx, deps, after)
    if after != purchase:
        await tx.unknown.save(purchase, changed(after, version=purchase.version + 1))
    if over:
        await close_request(tx, deps, after)


async def ask_admins(tx: Tx, deps: Deps, purchase: UnknownPurchase) -> None:
    """Ask each admin, by a new direct message, what becomes of unknown machines."""
    now, first = deps.clock.now(), purchase.machines[0]
    bill = cost_so_far(purchase.machines, now)
    facts = Facts(
        resource_id=first.resource_id,
        name=first.name,
        gpu=first.gpu,
        count=len(purchase.machines),
        vendor=first.vendor,
        rate=first.rate,
        since=first.since,
        amount=bill.amount,
        estimated=bill.estimated,
    )
    event_id = await tx.events.add(Event(rental_id=None, kind=EventKind.UNKNOWN_MACHINE, at=now, facts=facts))
    await ask_each_admin(tx, deps, MessageKind.UNKNOWN, event_id, purchase.id)


async def _ask_new_admins(deps: Deps) -> None:
    """Ask those who became admins since. Otherwise perhaps nobody who may decide has the buttons."""
    async with deps.store.read() as tx:
        asked = [purchase for purchase in await tx.unknown.not_over() if purchase.open]
    for batch in in_batches(asked):

        async def decision(tx: Tx, batch: Sequence[UnknownPurchase] = batch) -> None:
            for purchase in batch:
                about = purchase.asked_with or purchase.id
                for kind in _QUESTIONS if purchase.asked_with is not None else (MessageKind.UNKNOWN,):
                    event_id = await tx.messages.newest_question(about, kind)
                    if event_id is not None:
                        await ask_each_admin(tx, deps, kind, event_id, about)

        await transact(deps, decision)
