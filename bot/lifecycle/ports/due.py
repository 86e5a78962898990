"""Due rows and claims on them, as a loop needs them from the store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol, TypeVar

from bot.model.base import Frozen, Instant


class Claimed(Frozen):
    """A row that was due and that this process has claimed. It holds nothing that is parsed: a row that can't be
    loaded must fail in its own work, not when it is claimed together with others."""

    id: str
    due_at: Instant


class ClaimedRental(Claimed):
    """A rental that was due, as it was claimed."""

    version: int
    state: str
    owner: str
    accepted_at: Instant | None
    ends_at: Instant | None


R = TypeVar("R", bound=Claimed)


class DueRows(Protocol[R]):
    """Rows with a `due_at`, and the claims on them. A claim has a holder, which is this process since its start,
    and an end by the database's real time. A row is free without a claim, or past its claim's end."""

    async def claim(self, now: datetime, limit: int, seconds: float, *, without: Collection[str] = ()) -> list[R]:
        """Claim the rows that are due and free, except the rows `without`, for `seconds` of real time. Return at
        most `limit` rows, the longest due first."""

    async def renew(self, row_ids: Collection[str], seconds: float) -> set[str]:
        """Let the claims on these rows end `seconds` of real time from now. Return the rows that this process
        still holds."""

    async def defer(self, row: R, due_at: datetime) -> object:
        """End the claim and set when the row is next due. Do nothing if another process holds the claim."""

    async def hold(self, row_id: str) -> bool:
        """Return whether this process holds the claim on it, also past the claim's end. If so, nobody takes it
        until this transaction ends."""

    async def release(self, row_id: str) -> None:
        """End this process's claim on it."""

    async def next_due(self, *, without: Collection[str] = (), claimed: bool = False) -> datetime | None:
        """Return when the first free row is due, except the rows `without`. With `claimed`, claimed rows count
        too."""
