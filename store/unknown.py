"""Unknown machines of the account: one row for each purchase, changed only by compare-and-set on version."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.model.unknown import UnknownPurchase
from store.mapping import fetch_first, insert_new, param, select_by, to_models, values
from store.messages import Messages
from store.tables import unknown_purchases

_c = unknown_purchases.c
_GET = select_by(_c.id)
_NOT_OVER = select(unknown_purchases).where(_c.over_at.is_(None)).order_by(_c.found_at, _c.id)
_TOGETHER = select_by(_c.asked_with, _c.id)
_UPDATE = update(unknown_purchases).where(
    _c.id == param(_c.id, "key"), _c.version == param(_c.version, "was_version")
)


class Unknown:
    """bot.lifecycle.ports.unknown.Unknown."""

    def __init__(self, conn: AsyncConnection, messages: Messages) -> None:
        self._conn = conn
        self._messages = messages

    async def get(self, purchase_id: str) -> UnknownPurchase | None:
        return await fetch_first(self._conn, UnknownPurchase, _GET, purchase_id)

    async def not_over(self) -> list[UnknownPurchase]:
        return to_models(UnknownPurchase, await self._conn.execute(_NOT_OVER))

    async def asked_together(self, first_id: str) -> list[UnknownPurchase]:
        return to_models(UnknownPurchase, await self._conn.execute(_TOGETHER, {"key": first_id}))

    async def add(self, purchase: UnknownPurchase) -> None:
        if not await insert_new(self._conn, unknown_purchases, values(purchase)):
            raise Stale

    async def save(self, before: UnknownPurchase, after: UnknownPurchase) -> None:
        row = {name: value for name, value in values(after).items() if name != "id"}
        updated = await self._conn.execute(_UPDATE, {**row, "key": before.id, "was_version": before.version})
        if updated.rowcount != 1:
            raise Stale
        await self._messages.show_purchase(after.id)
        if before.asked_with is not None:
            await self._messages.show_together(before.asked_with)
