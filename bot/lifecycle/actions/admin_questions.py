"""Actions of admins concerning unmanaged machines, and rentals whose owner has left the workspace.

An admin can also transfer a rental to another owner without having been asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from bot.errors import AlreadyDecided, BuyingBlock, Decision, Mistake, NextStep, QuestionLost, Refused, TooLate
from bot.lifecycle.account.admin_questions import ask, decide, save
from bot.lifecycle.account.adoption import adopt_machines, check_admin, check_new_owner, cost_so_far
from bot.lifecycle.actions.action import Direct, Done, carry_out
from bot.lifecycle.actions.queries import details_for_direct_message
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, known_rental
from bot.lifecycle.money.buying_blocks import is_blocked_by
from bot.lifecycle.steps.ready_machine import load_machine, question_facts
from bot.model.admin_question import AdminDecision, AdminQuestion, OwnerLeft, Purchase
from bot.model.attempt import Why
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind
from bot.model.facts import AgainFacts, OwnerChangedFacts
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AdminQuestionView
from bot.policy.buying.resource_names import named_owner
from bot.policy.buying.unmanaged_machines import in_batches, is_name_typed, name_to_type
from bot.policy.team.roles import may_use
from bot.policy.use.ready import idle_now
from store.db import Tx

ASK_AGAIN_AFTER = timedelta(days=1)
DESTROYED_WITHIN = timedelta(hours=1)
"""The length of the lease that unmanaged machines get when an admin destroys them immediately.

If the deletion fails, the machines are deleted again after the end of this lease.
"""
READOPTED_FOR = timedelta(hours=24)
"""The length of the lease of re-adopted machines, starting when the admin clicks the button.

A re-adopted machine was bought through gpubot after the backup from which the database was restored. An admin has
made it a rental again.
"""
ALL_DECIDED = (
    "Admins have decided about each of these machines, or it has a message of its own. Nothing was changed."
)
NONE_READOPTED = (
    "None of these machines can be restored: they aren't running, or their names have no owner who may use me. "
    "Nothing was changed. Decide about them one by one."
)


async def view_for_message(tx: Tx, deps: Deps, reader: Person, question_id: str) -> AdminQuestionView | None:
    """Return a question for display in a message to `reader`.

    None if the reader isn't an admin, or if the question isn't in the store.
    """
    question = await tx.questions.get(question_id) if reader.id in deps.rules.admins else None
    return None if question is None else await _view_of(tx, deps, reader, question)


async def _view_of(tx: Tx, deps: Deps, reader: Person, question: AdminQuestion) -> AdminQuestionView:
    about, rental = question.about, None
    if isinstance(about, OwnerLeft):
        rental = await tx.rentals.get(question.rental_id or "")
    parts = tuple(await tx.questions.parts(question.id))
    rentals = await tx.rentals.get_many([one.rental_id for one in parts if one.rental_id is not None])
    purchases = {one.id: one.about for one in (question, *parts) if isinstance(one.about, Purchase)}
    people = [
        *(one.put_off_by for one in (question, *parts)),
        *(one.decided.by for one in (question, *parts) if one.decided is not None),
        *(person for one in purchases.values() for person in (one.guess, named_owner(one.machines))),
        *(one.owner for one in (*rentals.values(), *([rental] if rental else []))),
        about.owner if isinstance(about, OwnerLeft) else None,
    ]
    return AdminQuestionView(
        question=question,
        parts=parts,
        readoptable=frozenset([one.id for one in parts if await _is_readoptable(tx, deps, one)]),
        readopted_for=min(READOPTED_FOR, deps.rules.lease.max),
        spent={one: cost_so_far(purchase.machines, deps.clock.now()) for one, purchase in purchases.items()},
        rentals=rentals,
        names=await tx.people.names([person for person in people if person is not None]),
        paused=await is_blocked_by(tx, BuyingBlock.BOUGHT_AFTER_BACKUP),
        details=None if rental is None else await details_for_direct_message(tx, deps, reader, rental),
    )


async def preview(
    deps: Deps, admin: Person, question_id: str, version: int, *, new_owner: bool = False
) -> AdminQuestionView:
    """Return a question for display in the dialog in which an admin answers it.

    Args:
        version: The version of the question that the admin has seen.
        new_owner: Whether the admin will choose a new owner in the dialog.

    Raises:
        Refused: The person isn't an admin.
        TooLate: Somebody has already answered, the question has changed since that version, or no new owner can
            be chosen now.
    """
    async with deps.store.read() as tx:
        question = await _open(tx, deps, admin, question_id, version, new_owner=new_owner)
        return await _view_of(tx, deps, admin, question)


async def _open(
    tx: Tx, deps: Deps, admin: Person, question_id: str, version: int, *, new_owner: bool = False
) -> AdminQuestion:
    """Return a question that is waiting for a decision. Raises the same errors as `preview`."""
    check_admin(admin, deps)
    question = await tx.questions.get(question_id)
    if question is None:
        raise QuestionLost
    if isinstance(question.about, OwnerLeft):
        await load_to_change(tx, deps, admin, question.rental_id or "")
    if (decided := question.decided) is not None:
        raise AlreadyDecided(
            question.rental_id,
            Decision[decided.decision.name],
            name=(await tx.people.names([decided.by])).get(decided.by),
            own=decided.by == admin.id,
            ago=deps.clock.now() - decided.at,
        )
    if question.over_at is not None and question.rental_id is not None:
        raise TooLate(
            f"This machine is already part of the rental {question.rental_id}. Nothing was changed.",
            question.rental_id,
        )
    if isinstance(question.about, Purchase) and question.about.same_as is not None:
        raise TooLate("I asked about this machine twice. Nothing was changed. Use my other message.")
    if question.over_at is not None:
        raise TooLate("This machine has ended. Nothing was changed.")
    if question.version != version:
        raise TooLate("My message changed just now, so your click did nothing. Read it again.")
    if new_owner and isinstance(question.about, Purchase) and not question.about.runs:
        raise TooLate("This machine isn't running, so it can't get an owner now. Nothing was changed.")
    return question


class OnQuestion(Direct[AdminQuestion, Done], notes_seen=False):
    """An admin's decision about a question. Raises the same errors as `preview`."""

    new_owner: ClassVar[bool] = False

    question_id: str
    version: int

    async def load(self, tx: Tx, deps: Deps, person: Person) -> AdminQuestion:
        return await _open(tx, deps, person, self.question_id, self.version, new_owner=self.new_owner)


class GiveOwner(OnQuestion[Rental], id="give_owner"):
    """Make `owner` the owner of a rental or of running machines, and return the rental.

    For machines, `span` is the length of their lease, starting now. Raises the same errors as `preview`,
    `adopt_machines` and `change_owner`.
    """

    owner: Person
    span: timedelta | None = None

    new_owner: ClassVar[bool] = True

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: AdminQuestion) -> Rental:
        question, owner, span = plan, self.owner, self.span
        if isinstance(question.about, OwnerLeft):
            return await change_owner(tx, deps, person, question.rental_id or "", owner)
        if span is None:
            raise Mistake("Choose for how long.")
        ends_at = deps.clock.now() + span
        rental = await adopt_machines(tx, deps, person, question.purchase.alive, owner=owner, ends_at=ends_at)
        await decide(tx, deps, question, person.id, AdminDecision.GAVE_OWNER, rental_id=rental.id)
        return rental


class DestroyUnmanaged(OnQuestion[Rental], id="destroy_unknown"):
    """Destroy unmanaged machines immediately, and return the rental that was created for them.

    The machines first become a rental that belongs to the admin, so that the bot retries their deletion and their
    cost is in the ledger.

    Raises the same errors as `preview`, and Mistake if the admin didn't type the name that `name_to_type` returns.
    """

    typed: str

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: AdminQuestion) -> Rental:
        question = plan
        if not is_name_typed(question.purchase, self.typed):
            raise Mistake(f"That isn't the machine's name. To destroy it, type {name_to_type(question.purchase)}")
        now = deps.clock.now()
        ends_at = now + min(DESTROYED_WITHIN, deps.rules.lease.max)
        rental = await adopt_machines(tx, deps, person, question.purchase.alive, owner=person, ends_at=ends_at)
        snapshot = await load_snapshot(tx, rental)
        after, event = snapshot.finished(State.DESTROYED, now, why=Why.ASKED, by=person.id)
        await apply(tx, deps, Change(rental, after, (event,)))
        await decide(tx, deps, question, person.id, AdminDecision.DESTROYED, rental_id=rental.id)
        return after


class NotOurs(OnQuestion[None], id="not_ours"):
    """Record that the bot doesn't manage these machines, so that nobody is asked about them again.

    Raises the same errors as `preview`.
    """

    reason: str

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: AdminQuestion) -> None:
        await decide(tx, deps, plan, person.id, AdminDecision.NOT_OURS, reason=self.reason)


class AskAgain(OnQuestion[None], id="ask_about_again", notes_seen=True):
    """Ask the admins again in a day. They can still decide before then. Raises the same errors as `preview`."""

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: AdminQuestion) -> None:
        question = plan
        now = deps.clock.now()
        until = now + ASK_AGAIN_AFTER
        if question.rental_id is not None:
            facts, kind = AgainFacts(until=until), EventKind.OWNER_LEFT_LATER
            event = Event(rental_id=question.rental_id, kind=kind, at=now, actor=person.id, facts=facts)
            await tx.events.add(event)
        await save(tx, deps, question, changed(question, ask_again_at=until, put_off_by=person.id))


# --- questions about several purchases


async def owners_to_look_up(deps: Deps, admin: Person, question_id: str) -> list[str]:
    """Return the Slack IDs of the owners of machines that are waiting for an admin's decision.

    The owners are taken from the names of the machines. Raises Refused if the person isn't an admin.
    """
    check_admin(admin, deps)
    async with deps.store.read() as tx:
        parts = [one for one in await tx.questions.parts(question_id) if one.open]
    return [owner for owner in {named_owner(one.purchase.machines) for one in parts} if owner is not None]


class OnParts(Direct[list[AdminQuestion], Done]):
    """An action on a question about several purchases. The question has one part for each purchase.

    The action concerns only the parts that haven't been decided. Raises Refused if the person isn't an admin, and
    TooLate if all parts have been decided.
    """

    question_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> list[AdminQuestion]:
        check_admin(person, deps)
        parts = [one for one in await tx.questions.parts(self.question_id) if one.open]
        if not parts:
            lost = await tx.questions.get(self.question_id) is None
            raise QuestionLost if lost else TooLate(ALL_DECIDED)
        return parts


class ReadoptAll(OnParts[list[Rental]], id="put_all_back", notes_seen=False):
    """Re-adopt as many machines of a question as possible, and return their rentals.

    Re-adopting a machine creates a rental for it and for its old owner. This is possible if the machine is
    running, and if its name contains an owner who is allowed to use the bot. All other machines stay as they are.

    Each rental gets its old ID, unless another rental has this ID. The rental lasts for READOPTED_FOR, but never
    longer than the rules allow.

    Raises:
        Refused: The person isn't an admin, or no machine can be re-adopted.
        TooLate: The question has been answered for all machines.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: list[AdminQuestion]) -> list[Rental]:
        ends_at = deps.clock.now() + min(READOPTED_FOR, deps.rules.lease.max)
        rentals = []
        for part in plan:
            owner = await _named_owner(tx, part.purchase)
            if owner is None or not may_use(owner, deps.rules):
                continue
            rental = await adopt_machines(
                tx, deps, person, part.purchase.alive, owner=owner, ends_at=ends_at, readopt=True
            )
            await decide(tx, deps, part, person.id, AdminDecision.GAVE_OWNER, rental_id=rental.id)
            rentals.append(rental)
        if not rentals:
            raise Refused(NONE_READOPTED)
        return rentals


class OneByOne(OnParts[int], id="one_by_one"):
    """Ask the admins about the next few purchases, with a separate message for each purchase.

    A question can be about many purchases. The undecided ones are divided into batches. This action sends the
    messages about the first batch, and returns the number of remaining batches. `one_by_one` repeats this action
    until no batch remains.

    Raises the same errors as `OnParts`.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: list[AdminQuestion]) -> int:
        batches = in_batches(plan)
        for part in batches[0]:
            await ask(tx, deps, part)
        return len(batches) - 1


async def one_by_one(deps: Deps, admin: Person, question_id: str) -> None:
    """Ask the admins about each undecided purchase in a separate message, in several short transactions.

    Raises the same errors as `OneByOne`.
    """
    while await carry_out(deps, admin, OneByOne(question_id)):
        pass


async def _named_owner(tx: Tx, purchase: Purchase) -> Person | None:
    """Return the owner whose Slack ID is in the names of a purchase's machines.

    None if no machine is running, if the names contain no owner, or if the owner isn't in the store.
    """
    owner = named_owner(purchase.alive) if purchase.runs else None
    return None if owner is None else await tx.people.get(owner, EVER)


async def _is_readoptable(tx: Tx, deps: Deps, part: AdminQuestion) -> bool:
    """Return whether the machines of a purchase can become a rental of the owner in their names.

    An owner who isn't in the store is assumed to be allowed to use the bot.
    """
    if not part.open or not part.purchase.runs or named_owner(part.purchase.alive) is None:
        return False
    owner = await _named_owner(tx, part.purchase)
    return owner is None or may_use(owner, deps.rules)


# --- changing the owner


async def change_owner(tx: Tx, deps: Deps, admin: Person, rental_id: str, owner: Person) -> Rental:
    """Make a person the owner of a rental that isn't ending, and return the rental.

    The change is written in the caller's transaction. The rental's budget reservations move to the new owner, and
    each owner is charged for their own time. Limits don't apply, because nothing new is bought.

    Raises:
        Refused: The person isn't an admin.
        Mistake: The ID is unknown, or `owner` isn't allowed to use the bot or already owns the rental.
        TooLate: The rental is over or being destroyed, or has got another owner since the admins were asked.
    """
    rental, question = await load_to_change(tx, deps, admin, rental_id)
    check_new_owner(owner, deps)
    if rental.owner == owner.id:
        raise Mistake(f"{owner.name} already owns {rental.id}. Nothing was changed.")
    now = deps.clock.now()
    people = (rental.owner, owner.id)
    facts, idle = OwnerChangedFacts(people=people), None
    if rental.state is State.READY:
        snapshot = await load_snapshot(tx, rental)
        idle = idle_now(await load_machine(tx, deps, snapshot, now), deps.rules, now)
        # The new owner gets a message about the change. If the machine is idle, this message also asks whether the
        # machine is still needed. Otherwise, a separate message with this question would follow immediately.
        if idle is not None:
            facts = OwnerChangedFacts(people=people, **dict(question_facts(snapshot, idle, now)))
    after = transitions.change_owner(rental, owner.id, now, asked_about=idle)
    event = Event(rental_id=rental.id, kind=EventKind.OWNER_CHANGED, at=now, actor=admin.id, facts=facts)
    await apply(tx, deps, Change(rental, after, (event,)))
    if question is not None:
        await decide(tx, deps, question, admin.id, AdminDecision.GAVE_OWNER, rental_id=rental.id)
    await tx.people.note_seen(admin.id, now)
    return after


async def load_to_change(tx: Tx, deps: Deps, admin: Person, rental_id: str) -> tuple[Rental, AdminQuestion | None]:
    """Return a rental that an admin can transfer, and the question to the admins about it.

    The question is None if the admins weren't asked. Raises the same errors as `change_owner`.
    """
    check_admin(admin, deps)
    rental = await known_rental(tx, rental_id, NextStep.LIST_ALL)
    if rental.state.over or rental.state is State.DESTROYING:
        how = "has already ended" if rental.state.over else "is already being destroyed"
        raise TooLate(f"{rental.id} {how}. Nothing was changed.", rental.id)
    asked = [one for one in await tx.questions.of_rental(rental.id) if isinstance(one.about, OwnerLeft)]
    if asked and not asked[-1].open:
        owner = (await tx.people.names([rental.owner])).get(rental.owner, rental.owner)
        raise TooLate(f"{rental.id} already belongs to {owner}. Nothing was changed.", rental.id)
    return rental, asked[-1] if asked else None
