"""The marketplace refuses our token: buying stops, the admins are told, and no rental fails for it."""

from __future__ import annotations

from bot.lifecycle.desk import Desk, decide
from bot.lifecycle.ports import Tx
from bot.lifecycle.service.account import tell_admins
from bot.lifecycle.service.renting import LOCKED_OUT
from bot.model.event import EventKind


async def note_token(desk: Desk, refused: bool) -> None:
    """Told by the client after an answer that differs from the last: whether our token was refused."""

    async def decision(tx: Tx) -> None:
        if (await tx.account.get(LOCKED_OUT) is not None) == refused:
            return
        await tx.account.set(LOCKED_OUT, "yes" if refused else None)
        await tell_admins(tx, desk, EventKind.LOCKED_OUT if refused else EventKind.LET_IN)

    await decide(desk, decision)
