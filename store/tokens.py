"""API tokens.

An update succeeds only if nobody else has changed the token since it was read (compare-and-set on its version).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.model.base import changed
from bot.model.token import Crowd, Token
from store.mapping import IDS, Rows, Values, insert_new, listed, param, select_by, values
from store.messages import Messages
from store.tables import tokens

_c = tokens.c
_GET = select_by(_c.id)
_MANY = select(tokens).where(_c.id.in_(IDS))
_OF_SECRET = select_by(_c.secret_hash)
_LIVE_OF = select_by(_c.owner, _c.created_at, _c.id).where(_c.live)
_LIVE = select(tokens).where(_c.live).order_by(_c.created_at, _c.id)
_OWNERS = select(_c.owner).where(_c.live).distinct()
_DUE = select(tokens).where(_c.due_at <= bindparam("now")).order_by(_c.due_at, _c.id)
_UPDATE = update(tokens).where(_c.id == bindparam("key"), _c.version == bindparam("was_version"))
_OWN_FIELDS = frozenset({"id", "version", "created_at", "last_used_at", "refusal", "crowd", "crowded_at"})
"""Columns that `save` never updates."""
_now = param(_c.last_used_at, "now")
_NOTE_USE = (
    update(tokens)
    .where(_c.id == bindparam("key"))
    .values(
        last_used_at=case((or_(_c.last_used_at.is_(None), _c.last_used_at < _now), _now), else_=_c.last_used_at)
    )
)
_NOTE_REFUSAL = update(tokens).where(_c.id == bindparam("key")).values(refusal=bindparam("why"))
_NOTE_CROWDED = update(tokens).where(_c.id == bindparam("key")).values(crowded_at=bindparam("now"))
_NOTE_CROWD = update(tokens).where(_c.id == bindparam("key")).values(crowd=param(_c.crowd, "newest"))


class Tokens(Rows):
    def __init__(self, conn: AsyncConnection, messages: Messages) -> None:
        super().__init__(conn)
        self._messages = messages
        self.changed = False
        """True if this transaction has added or changed a token."""

    async def get(self, token_id: str) -> Token | None:
        return await self._first(Token, _GET, key=token_id)

    async def get_many(self, token_ids: Collection[str]) -> dict[str, Token]:
        """Return the tokens with these IDs, by ID. IDs without a token are left out."""
        return {token.id: token for token in await self._all(Token, _MANY, ids=listed(token_ids))}

    async def of_secret(self, secret_hash: str) -> Token | None:
        """Return the token whose secret has this hash, in any state. None if there is none."""
        return await self._first(Token, _OF_SECRET, key=secret_hash)

    async def live(self, owner: str | None = None) -> list[Token]:
        """Return the tokens that aren't over, oldest first. If `owner` is given, return only this person's."""
        return await (self._all(Token, _LIVE) if owner is None else self._all(Token, _LIVE_OF, key=owner))

    async def owners(self) -> set[str]:
        """Return the owners of all tokens that aren't over."""
        return set(await self._conn.scalars(_OWNERS))

    async def due(self, now: datetime) -> list[Token]:
        """Return the tokens that expire now, or whose requested terms do. The most overdue ones come first."""
        return await self._all(Token, _DUE, now=now)

    async def add(self, token: Token) -> None:
        """Store a new token. Raises Stale if its ID, its secret, or its name is already in use."""
        if not await insert_new(self._conn, tokens, _row(token)):
            raise Stale
        self.changed = True

    async def save(self, before: Token, after: Token) -> Token:
        """Store a changed token as the next version, and return it. Schedules an edit of its messages.

        Raises Stale if the token has changed since `before` was read.
        """
        row = {name: value for name, value in _row(after).items() if name not in _OWN_FIELDS}
        row["version"] = before.version + 1
        updated = await self._conn.execute(_UPDATE, {**row, "key": before.id, "was_version": before.version})
        if updated.rowcount != 1:
            raise Stale
        self.changed = True
        await self._messages.show_token(after.id)
        return changed(after, version=before.version + 1)

    async def note_use(self, token_id: str, now: datetime) -> None:
        """Store the time of a request with the token's secret. The token gets no new version."""
        await self._conn.execute(_NOTE_USE, {"key": token_id, "now": now})

    async def note_refusal(self, token_id: str, why: str) -> None:
        """Store the reason why the last request with the secret was refused. Empty if it wasn't refused."""
        await self._conn.execute(_NOTE_REFUSAL, {"key": token_id, "why": why})

    async def note_crowded(self, token_id: str, now: datetime) -> None:
        """Store that the owner is notified now that the token asks for more machines than its terms allow."""
        await self._conn.execute(_NOTE_CROWDED, {"key": token_id, "now": now})

    async def note_crowd(self, token_id: str, crowd: Crowd) -> None:
        """Store the requests that were refused within a minute. The token gets no new version."""
        await self._conn.execute(_NOTE_CROWD, {"key": token_id, "newest": crowd})


def _row(token: Token) -> Values:
    return {**values(token), "live": not token.state.over}
