"""Questions to the admins.

An update succeeds only if nobody else has changed the question since it was read (compare-and-set on its version).
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.model.admin_question import AdminQuestion, Purchase
from bot.model.state import State
from store.mapping import Rows, insert_new, select_by, values
from store.messages import Messages
from store.tables import admin_questions, rentals

_c = admin_questions.c
_GET = select_by(_c.id)
_ENDING = exists().where(rentals.c.id == _c.rental_id, or_(~rentals.c.live, rentals.c.state == State.DESTROYING))
_NOT_OVER = select(admin_questions).where(_c.over_at.is_(None), ~_ENDING).order_by(_c.found_at, _c.id)
_PARTS = select_by(_c.part_of, _c.id)
_HAS_OPEN_PART = select(exists().where(_c.part_of == bindparam("key"), _c.decided.is_(None), _c.over_at.is_(None)))
_OF_RENTAL = select_by(_c.rental_id, _c.found_at)
_PAUSING = select(admin_questions).where(_c.pauses_buying)
_UPDATE = update(admin_questions).where(_c.id == bindparam("key"), _c.version == bindparam("was_version"))


class AdminQuestions(Rows):
    def __init__(self, conn: AsyncConnection, messages: Messages) -> None:
        super().__init__(conn)
        self._messages = messages

    async def get(self, question_id: str) -> AdminQuestion | None:
        return await self._first(AdminQuestion, _GET, key=question_id)

    async def not_over(self) -> list[AdminQuestion]:
        """Return the questions that are still shown to the admins, oldest first.

        All undecided questions are shown. If a question is about a machine without a rental, it is shown as long
        as the machine exists, even if the admins have decided to leave the machine alone. If a rental is over or
        ending, questions about it are left out.
        """
        return await self._all(AdminQuestion, _NOT_OVER)

    async def purchases(self) -> list[AdminQuestion]:
        """Return the questions from `not_over` that are about machines without a rental.

        Each of these questions is about all machines of one purchase.
        """
        return [question for question in await self.not_over() if isinstance(question.about, Purchase)]

    async def parts(self, question_id: str) -> list[AdminQuestion]:
        """Return the other questions that are shown in this question's messages, sorted by ID."""
        return await self._all(AdminQuestion, _PARTS, key=question_id)

    async def has_open_part(self, question_id: str) -> bool:
        return cast(bool, await self._conn.scalar(_HAS_OPEN_PART, {"key": question_id}))

    async def of_rental(self, rental_id: str) -> list[AdminQuestion]:
        """Return the questions about a rental, oldest first.

        An admin may have turned a machine without a rental into this rental, by giving the machine an owner. The
        questions about that machine are then included.
        """
        return await self._all(AdminQuestion, _OF_RENTAL, key=rental_id)

    async def pausing(self) -> list[AdminQuestion]:
        return await self._all(AdminQuestion, _PAUSING)

    async def add(self, question: AdminQuestion) -> None:
        """Store a new question. Raises Stale if its ID is already in use."""
        if not await insert_new(self._conn, admin_questions, values(question)):
            raise Stale

    async def save(self, before: AdminQuestion, after: AdminQuestion) -> None:
        """Store a changed question as the next version, and schedule an edit of its messages.

        Raises Stale if the question has changed since `before` was read.
        """
        row = values(after, without=frozenset({"id", "version"})) | {"version": before.version + 1}
        updated = await self._conn.execute(_UPDATE, {**row, "key": before.id, "was_version": before.version})
        if updated.rowcount != 1:
            raise Stale
        for question_id in filter(None, (after.id, before.part_of)):
            await self._messages.show_question(question_id)
