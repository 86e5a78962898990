"""Protocol of the store for unknown machines of the account."""

from __future__ import annotations

from typing import Protocol

from bot.model.unknown import UnknownPurchase


class Unknown(Protocol):
    """Unknown machines, those of one purchase together."""

    async def get(self, purchase_id: str) -> UnknownPurchase | None: ...
    async def not_over(self) -> list[UnknownPurchase]:
        """Return those that the admins can decide about, and those that are not ours to manage and still there,
        oldest first."""

    async def asked_together(self, first_id: str) -> list[UnknownPurchase]:
        """Return all purchases about which the admins are asked in one message, by the id of the first."""

    async def add(self, purchase: UnknownPurchase) -> None:
        """Write a new one. Raise Stale if its id is in use."""

    async def save(self, before: UnknownPurchase, after: UnknownPurchase) -> None:
        """Write a change, and make the messages about it due. Raise Stale if it was changed meanwhile."""
