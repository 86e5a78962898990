"""The logins of programs that have asked for a token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update

from bot.errors import Stale
from bot.model.login import Login, SealedSecret
from store.mapping import MAX_ROWS, Rows, insert_new, param, select_by, values
from store.tables import logins

_c = logins.c
_GET = select_by(_c.id)
_OF_CODE = select_by(_c.code)
_PENDING = select(func.count()).select_from(logins).where(_c.expires_at > bindparam("now"), _c.secret.is_(None))
_OPEN = (
    update(logins)
    .where(
        _c.id == bindparam("key"),
        _c.person.is_(None) | (_c.person == param(_c.person, "opener")),
        _c.secret.is_(None),
    )
    .values(
        person=param(_c.person, "opener"),
        token_id=func.coalesce(_c.token_id, param(_c.token_id, "new_token")),
        expires_at=param(_c.expires_at, "until"),
    )
)
_SEAL = (
    update(logins)
    .where(_c.id == bindparam("key"), _c.secret.is_(None))
    .values(secret=param(_c.secret, "sealed"), expires_at=param(_c.expires_at, "until"))
)
_DROP = delete(logins).where(
    _c.id.in_(select(_c.id).where(_c.expires_at < bindparam("before")).order_by(_c.expires_at).limit(MAX_ROWS))
)


class Logins(Rows):
    async def get(self, login_id: str) -> Login | None:
        return await self._first(Login, _GET, key=login_id)

    async def of_code(self, code: str) -> Login | None:
        """Return the login with this code, even if it has expired. None if there is none."""
        return await self._first(Login, _OF_CODE, key=code)

    async def pending(self, now: datetime) -> int:
        """Return the number of logins that still wait for a person."""
        return int(await self._conn.scalar(_PENDING, {"now": now}) or 0)

    async def add(self, login: Login) -> None:
        """Store a new login. Raises Stale if its ID or its code is already in use."""
        if not await insert_new(self._conn, logins, values(login)):
            raise Stale

    async def open(self, login_id: str, person: str, token_id: str, until: datetime) -> None:
        """Reserve a login for the person who typed its code, and let it expire at `until`.

        If the same person opens it again, it keeps the ID of its token. Raises Stale if another person has opened
        the login, or if it already has its secret.
        """
        given = {"key": login_id, "opener": person, "new_token": token_id, "until": until}
        if (await self._conn.execute(_OPEN, given)).rowcount != 1:
            raise Stale

    async def seal(self, login_id: str, secret: SealedSecret, until: datetime) -> None:
        """Store the secret of a login, and let it expire at `until`. Raises Stale if the login already has one."""
        given = {"key": login_id, "sealed": secret, "until": until}
        if (await self._conn.execute(_SEAL, given)).rowcount != 1:
            raise Stale

    async def drop_expired(self, before: datetime, most: int) -> int:
        """Delete logins that expired before this time, and return their number."""
        return (await self._conn.execute(_DROP, {"before": before, "max_rows": most})).rowcount
