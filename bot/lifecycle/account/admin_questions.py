"""Questions to the admins. Each question is decided once.

If an admin postpones a question, the bot asks it again later. People who become admins later get the open
questions, too.

A new kind of question needs a subject in bot/model/admin_question.py, an event, a case in this module, and a text
in handlers/messages/admin_questions.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from bot.lifecycle.changes.notifications import Scene
from bot.lifecycle.deps import ID_LENGTH, Deps, transact
from bot.lifecycle.restored.machines import close_request
from bot.model.admin_question import AdminDecision, AdminQuestion, Decided, OwnerLeft, Purchase, Purchases, Subject
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import AccountFacts, PersonFacts
from bot.model.message import MessageKind, queued, to_person
from store.db import Tx


def new_question(deps: Deps, about: Subject) -> AdminQuestion:
    """Return a question that has neither been stored nor asked yet."""
    now = deps.clock.now()
    return AdminQuestion(id=deps.new_id(ID_LENGTH), about=about, found_at=now, asked_at=now)


async def ask(tx: Tx, deps: Deps, question: AdminQuestion, *, new: bool = False) -> None:
    """Ask each admin with a new direct message.

    Older messages with this question are updated: they then say that the question has been asked again. `new` is
    True if the question isn't in the store yet.
    """
    now = deps.clock.now()
    event = _asking_event(question, now)
    event_id, admins = await tx.events.add(event), Scene(event, deps.rules).ids(event.effects.question)
    after = changed(
        question, event_id=event_id, asked=admins, asked_at=now, part_of=None, ask_again_at=None, put_off_by=None
    )
    if new:
        await tx.questions.add(after)
    else:
        await save(tx, deps, question, after)
    await _send(tx, deps, after, admins)


def _asking_event(question: AdminQuestion, now: datetime) -> Event:
    about = question.about
    facts: AccountFacts | PersonFacts
    match about:
        case Purchase():
            kind, first = EventKind.UNMANAGED_MACHINE, about.machines[0]
            facts = AccountFacts(
                resource_id=first.resource_id, name=first.name, rate=first.rate, count=len(about.machines)
            )
        case Purchases():
            kind = EventKind.BOUGHT_AFTER_BACKUP if about.bought_after_backup else EventKind.UNMANAGED_MACHINE
            facts = AccountFacts(count=about.count, detail="empty" if about.empty else "")
        case OwnerLeft():
            kind, facts = EventKind.OWNER_LEFT, PersonFacts(people=(about.owner,))
        case _:
            assert_never(about)
    return Event(rental_id=question.rental_id, kind=kind, at=now, facts=facts)


async def _send(tx: Tx, deps: Deps, question: AdminQuestion, admins: Sequence[str]) -> None:
    about = {"rental_id": question.rental_id, "event_id": question.event_id, "question_id": question.id}
    for admin in admins:
        await tx.messages.add(queued(MessageKind.QUESTION, to_person(admin), deps.clock.real(), **about))


async def ask_again(deps: Deps) -> None:
    """Repeat the postponed questions that are due now.

    Open questions are also sent to people who have become admins since the question was asked. Raises StoreBusy if
    the store doesn't accept the changes.
    """
    now, admins = deps.clock.now(), deps.rules.admins
    async with deps.store.read() as tx:
        asked = [one.id for one in await tx.questions.not_over() if one.is_due(now) or one.not_asked(admins)]

    async def decision(tx: Tx, question_id: str) -> None:
        question = await tx.questions.get(question_id)
        if question is not None and question.is_due(now):
            await ask(tx, deps, question)
        elif question is not None and (new_admins := question.not_asked(admins)):
            await save(tx, deps, question, changed(question, asked=(*question.asked, *new_admins)))
            await _send(tx, deps, question, new_admins)

    for question_id in asked:
        await transact(deps, decision, question_id)


async def decide(
    tx: Tx,
    deps: Deps,
    question: AdminQuestion,
    admin_id: str,
    decision: AdminDecision,
    *,
    rental_id: str | None = None,
    reason: str = "",
) -> None:
    """Store an admin's decision.

    `rental_id` is the rental that the question is about. If the question is about unmanaged machines, it is the
    rental to which these machines now belong.
    """
    now = deps.clock.now()
    after = changed(
        question,
        decided=Decided(decision=decision, by=admin_id, at=now, reason=reason),
        ask_again_at=None,
        put_off_by=None,
        rental_id=rental_id,
        over_at=None if rental_id is None else now,
    )
    await save(tx, deps, question, after)
    await tx.people.note_seen(admin_id, now)


async def save(tx: Tx, deps: Deps, before: AdminQuestion, after: AdminQuestion) -> None:
    """Store a changed question, and everything that follows from the change.

    A question about several purchases has one part for each purchase. Closing the last open part closes the whole
    question as well.

    When a question about one purchase is closed, `close_request` handles the requests for which its machines were
    bought.
    """
    await tx.questions.save(before, after)
    if before.open and not after.open and isinstance(after.about, Purchase):
        # A question can be closed because another question is about the same purchase. In this case, the requests
        # that belong to the purchase keep waiting until the admins answer the other question.
        same_as = after.about.same_as
        decides = after if same_as is None else await tx.questions.get(same_as)
        if decides is not None and not decides.open:
            await close_request(tx, deps, decides)
    if before.part_of is None or await tx.questions.has_open_part(before.part_of):
        return
    whole = await tx.questions.get(before.part_of)
    if whole is not None and whole.over_at is None:
        await tx.questions.save(whole, changed(whole, over_at=deps.clock.now()))
