"""Defines an action: one thing that people can do, with everything that it reads and writes.

An action is a frozen dataclass: `Action` turns each of its subclasses into one. Its fields are the values that
its caller provides, such as a rental and the time by which to extend it. Its `id` is its key in the table of
actions (bot/lifecycle/actions/__init__.py). Buttons, dialogs, typed commands, mentions and the operator's socket
all run actions. An action doesn't know which of them runs it.

Each action is carried out in three parts:

- `load` reads everything that the decision depends on, in one transaction. It raises an error of bot/errors.py if
  there is nothing to decide, because the person isn't allowed to see or do this, or because the matter is closed.
- `plan` does no I/O. It returns the effect and the cost of the action, or raises the reason why rules, limits or
  budgets don't allow it. `confirms` then says whether the person has to confirm this plan in a dialog.
- `do` writes the result, in a transaction in which the action has been loaded and planned again.

The plan that a dialog shows and the plan that is carried out are thus computed by the same code: `to_confirm`
plans for the dialog, and `carry_out` plans again and then writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
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
    """The key in the table of actions. Empty for base classes that aren't actions themselves."""
    notes_seen: ClassVar[bool] = True
    """True if the action shows that the person still needs their ready machines."""

    def __init_subclass__(cls, *, id: str = "", notes_seen: bool | None = None) -> None:
        """Turn each subclass into a frozen dataclass."""
        super().__init_subclass__()
        cls.id = id
        if notes_seen is not None:
            cls.notes_seen = notes_seen
        dataclass(frozen=True)(cls)

    @abstractmethod
    async def load(self, tx: Tx, deps: Deps, person: Person) -> Loaded:
        """Return everything that the decision depends on. Raises GpubotError if there is nothing to decide."""

    @abstractmethod
    def plan(self, loaded: Loaded, by: By) -> Plan:
        """Return the effect and the cost of the action. No I/O. Raises GpubotError if the rules don't allow it."""

    def confirms(self, plan: Plan) -> bool:
        """Return whether the person has to confirm this plan in a dialog before it is carried out."""
        return False

    def shown(self, plan: Plan) -> Rental | None:
        """Return the rental whose details the dialog shows. None if the dialog shows no rental."""
        return None

    @abstractmethod
    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Plan) -> Done | GpubotError:
        """Carry out the plan, and return the result.

        If an error is raised, the transaction is rolled back. If an error is returned instead, the transaction is
        committed, and the error is raised afterwards. For example, a person without an SSH key can't rent, but the
        offer that they clicked is stored.
        """


class Direct(Action[Loaded, Loaded, Done]):
    """An action that needs no check against limits or budgets.

    Its `plan` returns the result of `load` unchanged.
    """

    def plan(self, loaded: Loaded, by: By) -> Loaded:
        return loaded


@dataclass(frozen=True)
class Confirmation(Generic[Plan]):
    """A plan that a person has to confirm in a dialog."""

    plan: Plan
    details: RentalDetails | None
    """The rental that the dialog shows, reduced to what the person is allowed to see.

    None if the action concerns no rental.
    """

    @property
    def rental(self) -> RentalDetails:
        if self.details is None:
            raise ValueError("this action shows no rental")
        return self.details


async def planned(tx: Tx, deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Plan:
    """Load and plan an action in the caller's transaction, and return the plan.

    Raises the errors of the action's `load` and `plan`.
    """
    loaded = await action.load(tx, deps, person)
    return action.plan(loaded, By(person, deps.rules, deps.clock.now()))


async def preview(deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Confirmation[Plan]:
    """Return the plan of an action, for a confirmation dialog.

    Raises the errors of the action's `load` and `plan`.
    """
    async with deps.store.read() as tx:
        return await _shown(tx, deps, person, action, await planned(tx, deps, person, action))


async def to_confirm(deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Confirmation[Plan] | None:
    """Return the plan that the person has to confirm in a dialog, or None if it needs no confirmation.

    Raises the errors of the action's `load` and `plan`.
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


async def carry_out(
    deps: Deps,
    person: Person,
    action: Action[Any, Any, Done],
    *,
    also: Callable[[Tx, Done | GpubotError], Awaitable[None]] | None = None,
) -> Done:
    """Carry out an action, and return its result.

    `also` is called at the end of the transaction, with the result of the action's `do`. It can store an answer
    that must not get lost.

    Raises the errors of the action's `load`, `plan` and `do`, and StoreBusy if the database doesn't accept the
    changes.
    """

    async def decision(tx: Tx) -> Done | GpubotError:
        done = await do_in(tx, deps, person, action)
        if also is not None:
            await also(tx, done)
        return done

    done = await transact(deps, decision)
    if isinstance(done, GpubotError):
        raise done
    return done


async def do_in(tx: Tx, deps: Deps, person: Person, action: Action[Loaded, Plan, Done]) -> Done | GpubotError:
    """Carry out an action in the caller's transaction, and return the result of its `do`.

    The transaction must already have the spending lock. If this raises an error, nothing was written.
    """
    done = await action.do(tx, deps, person, await planned(tx, deps, person, action))
    if action.notes_seen:
        await tx.people.note_seen(person.id, deps.clock.now())
    return done
