"""Posts that were made again although the first may be there: facts of the store, one for each message."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import ValidationError

from bot.lifecycle.ports import Tx
from bot.model.base import Frozen, Instant

PREFIX = "twin:"
LOOKS = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360, 1440))
"""Real time after the re-post at which the conversation is searched for the other post."""
NEXT_REPOST = timedelta(minutes=10)
"""How long a place that can't be read gets no third post of a message. Doubles with each."""
LONGEST = timedelta(hours=6)


class Repost(Frozen):
    """A message that was posted again."""

    at: Instant
    """Real time of the last re-post."""
    times: int = 1
    looks: int = 0
    """How often the other post was searched for since."""

    @property
    def look_at(self) -> datetime | None:
        """Return when to search next, None if it was done often enough."""
        return self.at + LOOKS[self.looks] if self.looks < len(LOOKS) else None

    @property
    def again_at(self) -> datetime:
        """Return when another post may be made in a place that can't be read."""
        doublings: int = min(self.times - 1, 10)
        return self.at + min(LONGEST, NEXT_REPOST * (1 << doublings))


async def read(tx: Tx, message_id: int) -> Repost | None:
    """Return the re-post of a message, None if there was none."""
    return _read(await tx.account.get(f"{PREFIX}{message_id}"))


async def read_all(tx: Tx) -> dict[int, Repost]:
    """Return all re-posts whose other post is still searched for, by message id."""
    rows = await tx.account.named(PREFIX)
    found = {int(name.removeprefix(PREFIX)): _read(value) for name, value in rows.items()}
    return {message_id: repost for message_id, repost in found.items() if repost is not None}


async def note(tx: Tx, message_id: int, real_now: datetime) -> None:
    """Write that a message is posted again now."""
    before = await read(tx, message_id)
    await write(tx, message_id, Repost(at=real_now, times=before.times + 1 if before is not None else 1))


async def write(tx: Tx, message_id: int, repost: Repost | None) -> None:
    """Write a re-post; None removes it."""
    value = repost.model_dump_json() if repost is not None else None
    await tx.account.set(f"{PREFIX}{message_id}", value)


def _read(value: str | None) -> Repost | None:
    try:
        return Repost.model_validate_json(value) if value is not None else None
    except ValidationError:
        return None
