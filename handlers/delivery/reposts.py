"""Messages that were posted again although the first post may exist: one of the account's facts for each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.lifecycle.ports.store import Tx
from bot.model.account_facts import Fact
from bot.model.base import Frozen, Instant

SEARCH_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360, 1440))
"""Real time after the re-post at which the conversation is searched for the other post."""
FIRST_WAIT = timedelta(minutes=10)
"""Real time between the second and the third post of a message in a conversation that can't be read. It doubles
with each further post."""
LONGEST_WAIT = timedelta(hours=6)


class Repost(Frozen):
    """A message that was posted again. The field names are those of the stored JSON."""

    at: Instant
    """Real time of the last re-post."""
    times: int = 1
    """How often it was posted again."""
    looks: int = 0
    """How often the other post was searched for since the last re-post."""

    @property
    def search_at(self) -> datetime | None:
        """Return the real time of the next search. Return None after the last one."""
        return self.at + SEARCH_AFTER[self.looks] if self.looks < len(SEARCH_AFTER) else None

    @property
    def next_repost_at(self) -> datetime:
        """Return the real time from which on another post may be made in a conversation that can't be read."""
        doublings: int = min(self.times - 1, 10)
        return self.at + min(LONGEST_WAIT, FIRST_WAIT * (1 << doublings))


def due(known: Mapping[int, Repost], real_now: datetime) -> list[int]:
    """Return the ids of the messages whose next search is due, or whose last search is done."""
    searches = {message_id: repost.search_at for message_id, repost in known.items()}
    return [message_id for message_id, at in searches.items() if at is None or at <= real_now]


REPOST = Fact[Repost]("repost", Repost)


async def read(tx: Tx, message_id: int) -> Repost | None:
    """Return the re-post of a message. Return None if it was posted once."""
    return await tx.account.get(REPOST, str(message_id))


async def read_all(tx: Tx) -> dict[int, Repost]:
    """Return all re-posts whose other post is still searched for, by message id."""
    return {int(key): repost for key, repost in (await tx.account.all(REPOST)).items()}


async def record(tx: Tx, message_id: int, real_now: datetime) -> None:
    """Write that a message is posted again now."""
    before = await read(tx, message_id)
    await write(tx, message_id, Repost(at=real_now, times=before.times + 1 if before is not None else 1))


async def write(tx: Tx, message_id: int, repost: Repost | None) -> None:
    """Write a re-post; None removes it."""
    await tx.account.set(REPOST, repost, str(message_id))
