"""The file of a month's charges, for the person who asks for it."""

from __future__ import annotations

from bot.lifecycle.deps import Deps
from bot.lifecycle.money.month_files import month_file
from bot.model.budget import MonthPart
from bot.model.message import MessageKind, queued, to_person
from bot.model.person import Person
from bot.policy.buying.focus import MonthFile
from bot.policy.team.roles import check_reads_spend, sees_spend_of_people
from store.db import Tx


async def ask_for(deps: Deps, person: Person, part: MonthPart) -> None:
    """Send a file to the person's direct messages, unless the same one is on its way. It has their own charges, or
    those of everybody if they may see them. Raise Refused if they may see none."""
    check_reads_spend(person, deps.rules)
    async with deps.store.write() as tx:
        if not await tx.messages.file_waits(to_person(person.id), part):
            # It has what it has when it is sent, and only what the person may see then.
            message = queued(MessageKind.FILE, to_person(person.id), deps.clock.real(), charges_of=part)
            await tx.messages.add(message)


async def file_for(tx: Tx, deps: Deps, reader: Person, part: MonthPart, *, as_finance: bool = False) -> MonthFile:
    """Return a file with the charges that its reader may see now. `as_finance` tells that it was sent to them as
    one of finance: the store may not know yet that they are in one of its groups."""
    everything = as_finance or sees_spend_of_people(reader, deps.rules)
    readable_of = None if everything else reader.id
    return await month_file(tx, deps.rules, deps.clock.now(), part, readable_of=readable_of)
