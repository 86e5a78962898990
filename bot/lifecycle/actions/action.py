"""An action: one thing that people can do, from what it reads to what it writes.

An action is a frozen dataclass: `Action` makes one of each of its classes. Its fields are the value that its
caller names, such as a rental and by how much it is extended, and its `id` is its place in the table of actions
(bot/lifecycle/actions/__init__.py). A button, a dialog, a typed command, a mention and the operator's socket are
ways to call it, and the lifecycle knows none of them.

Each action is carried out in three parts:

`load`  reads, in one transaction, everything by which it is decided. It raises an error of bot/errors.py if there
        is nothing to decide about: the person may not see or do that, or it is over.
`plan`  does no I/O. It returns what the action would do and cost, or raises the reason why the rules, limits and
        budgets don't allow it. `confirms` tells whether the person confirms this plan in a dialog first.
`do`    writes it, in a transaction in which the action was loaded and planned again.

So what a dialog shows and what is then done are two results of the same plan. `to_confirm` plans for the dialog,
and `carry_out` plans again and does it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

from bot.errors import GpubotError, OverBudget
from bot.lifecycle.actions.queries import details_for
from bot.lifecycle.deps import Deps, transact
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.policy.team.rules import Rules
from store.db import Tx

Loaded = TypeVar("Loaded")
Plan = TypeVar("Plan")
Done = TypeVar("Done")


@dataclass(frozen=True)
class By:
    """The person who acts, the time, and the rules that apply."""

    person: Person
    rules: Rules
    now: datetime


@dataclass_transform(frozen_default=True)
class Action(ABC, Generic[Loaded, Plan, Done]):
    """One thing that people can do."""

    id: ClassVar[str] = ""
    """Empty for what only its subclasses have in common."""
    notes_seen: ClassVar[bool] = True
    """Whether the action is a sign of life, so that the person's ready rentals count as needed now."""

    def __init_subclass__(cls, *, id: str = "", notes_seen: bool | None = None) -> None:
        """Make a frozen dataclass of each action."""
        super().__init_subclass__()
        cls.id = id
        if notes_seen is not None:
            cls.notes_seen = notes_seen
        dataclass(frozen=True)(cls)

    @abstractmethod
    async def load(self, tx: Tx, deps: Deps, person: Person) -> Loaded:
        """Return everything by which the action is decided. Raise GpubotError if there is nothing to decide."""

    @abstractmethod
    def plan(self, loaded: Loaded, by: By) -> Plan:
        """Return what the action would do. Raise GpubotError if the rules don't allow it. No I/O."""

    def confirms(self, plan: Plan) -> bool:
        """Return whether the person confirms this plan in a dialog before it is done."""
        return False

    def shown(self, plan: Plan) -> Rental | None:
        """Return the rental whose details the dialog shows."""
        return None

    @abstractmethod
    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Plan) -> Done | GpubotError:
        """Write what was planned, and return what was done.

        An error that is returned is raised once the transaction is committed, for a refusal that leaves something
        behind. An error that is raised rolls the transaction back.
        """


class Direct(Action[Loaded, Loaded, Done]):
    """An action whose plan is what was loaded: no limit and no budget is judged before it is confirmed."""

    def plan(self, loaded: Loaded, by: By) -> Loaded:
        return loaded


@dataclass(frozen=True)
class Confirmation(Generic[Plan]):
    """A plan that a person confirms in a dialog."""

    plan: Plan
    details: RentalDetails | None
    """The rental that the dialog shows, as the person may see it, if the action names one."""

    @property
    def rental(self) -> RentalDetails:
        if self.details is None:
            raise ValueError("this action shows no rental")
        return self.details


async def planned(tx: Tx, deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Plan:
    """Return what an action would do, in the caller's transaction. Raise what its `load` and `plan` raise."""
    loaded = await action.load(tx, deps, person)
    return action.plan(loaded, By(person, deps.rules, deps.clock.now()))


async def preview(deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Confirmation[Plan]:
    """Return what an action would do. Raise what its `load` and `plan` raise."""
    async with deps.store.read() as tx:
        return await _shown(tx, deps, person, action, await planned(tx, deps, person, action))


async def to_confirm(deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Confirmation[Plan] | None:
    """Return what the person confirms in a dialog before an action is done. Return None if the plan needs no
    confirmation. Raise what its `load` and `plan` raise.
    """
    try:
        async with deps.store.read() as tx:
            plan = await planned(tx, deps, person, action)
            return await _shown(tx, deps, person, action, plan) if action.confirms(plan) else None
    except OverBudget:
        deps.on_over_budget()
        raise


async def _shown(
    tx: Tx, deps: Deps, person: Person, action: Action[Loaded, Plan, Done], plan: Plan
) -> Confirmation[Plan]:
    rental = action.shown(plan)
    return Confirmation(plan, None if rental is None else await details_for(tx, deps, person, rental))


async def carry_out(deps: Deps, person: Person, action: Action[Any, Any, Done]) -> Done:
    """Do an action, and return what was done. Raise what its `load`, `plan` and `do` raise, and StoreBusy if the
    database doesn't take it.
    """

    async def decision(tx: Tx) -> Done | GpubotError:
        return await do_in(tx, deps, person, action)

    done = await transact(deps, decision)
    if isinstance(done, GpubotError):
        raise done
    return done


async def do_in(tx: Tx, deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Done | GpubotError:
    """Do an action in the caller's transaction, which has the spending lock. Return what `do` returns. If this
    raises, nothing was written.
    """
    done = await action.do(tx, deps, person, await planned(tx, deps, person, action))
    if action.notes_seen:
        await tx.people.note_seen(person.id, deps.clock.now())
    return done
