"""A person's own public SSH keys: look at them, add, remove, and choose the first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.renting import ClickedOffer, rent_clicked
from bot.lifecycle.deps import Deps, transact
from bot.model.message import Destination
from bot.model.person import Key, Person
from bot.model.state import UNBOUGHT, State
from bot.model.text import plural
from bot.policy.access.keys import read_key
from bot.policy.team.roles import check_user
from store.db import Tx

_BOUGHT_WITH_A_KEY = UNBOUGHT | {State.PROCURING, State.PROVISIONING}
"""States in which a machine may still have to be bought: one that fails while it starts is replaced by another
purchase."""


@dataclass(frozen=True)
class KeysSaved:
    """What a person's new keys changed."""

    added: tuple[Key, ...]
    known: tuple[Key, ...]
    """The keys that the person had already."""
    clicked: ClickedOffer | None
    """What became of the offer that the person clicked before they had a key."""


@dataclass(frozen=True)
class KeyChanged:
    """A key that was removed or became the first, and all keys of the person afterwards, the first one first."""

    key: Key
    keys: tuple[Key, ...]


async def own_keys(deps: Deps, person: Person) -> tuple[Key, ...]:
    """Return a person's keys, the first one first. Raise Refused if they may not use the bot."""
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        return tuple(await tx.people.keys(person.id))


async def add_key(deps: Deps, person: Person, line: str, *, reply_to: Destination) -> KeysSaved:
    """Check and store the public key in a line. If the person clicked on an offer before they had a key, rent it.

    `reply_to` gets the answer if that offer is searched for again. Raise Refused if the person may not use the
    bot. Raise PrivateKey or Mistake, and store nothing, if the bot doesn't accept the line or the person would
    have too many keys.
    """
    check_user(person, deps.rules)
    # In a thread: reading a large key takes so long that it would delay acknowledgements in the event loop.
    key = await asyncio.to_thread(read_key, line)
    return await save_keys(deps, person, [key], reply_to=reply_to)


async def save_keys(deps: Deps, person: Person, keys: Sequence[Key], *, reply_to: Destination) -> KeysSaved:
    """Store those of the keys that the person doesn't have yet, and rent the offer that waits for a key. The
    caller has checked that the person may use the bot. Raise Mistake, and store none, if the person would have too
    many keys."""

    async def decision(tx: Tx) -> KeysSaved:
        had = {key.fingerprint: key for key in await tx.people.keys(person.id)}
        added = tuple(key for key in keys if key.fingerprint not in had)
        _check_room(len(had), len(added), deps.rules.keys.per_person)
        for key in added:
            await tx.people.add_key(person.id, key)
        await tx.people.note_seen(person.id, deps.clock.now())
        return KeysSaved(
            added=added,
            known=tuple(had[key.fingerprint] for key in keys if key.fingerprint in had),
            clicked=await rent_clicked(tx, deps, person, reply_to),
        )

    return await transact(deps, decision)


def _check_room(had: int, more: int, most: int) -> None:
    if more and had + more > most:
        have = f"You have {plural(had, 'key')}, and your team's limit is {most} a person."
        raise Mistake(f"{have} I saved nothing.", next_step=NextStep.REMOVE_A_KEY)


async def remove_key(deps: Deps, person: Person, fingerprint: str) -> KeyChanged:
    """Remove one of a person's keys. The key stays on machines that run.

    Raise TooLate if they don't have the key. Raise Refused if the person may not use the bot, or if it is their
    last key and a machine must still be bought for a rental of theirs.
    """

    async def decision(tx: Tx) -> KeyChanged:
        key = await _own_key(tx, deps, person, fingerprint)
        await tx.people.remove_key(person.id, fingerprint)
        left = tuple(await tx.people.keys(person.id))
        if not left:
            await _check_nothing_is_bought(tx, person)
        return KeyChanged(key=key, keys=left)

    return await transact(deps, decision)


async def _check_nothing_is_bought(tx: Tx, person: Person) -> None:
    for rental in await tx.rentals.live(person.id):
        if rental.state in _BOUGHT_WITH_A_KEY:
            needs = f"{rental.id} still needs a key, and this is your last."
            raise Refused(f"{needs} I removed nothing. Add another key first.")


async def make_first(deps: Deps, person: Person, fingerprint: str) -> KeyChanged:
    """Make one of a person's keys the first, which opens machines for certain. Raise as `remove_key`."""

    async def decision(tx: Tx) -> KeyChanged:
        key = await _own_key(tx, deps, person, fingerprint)
        await tx.people.make_key_first(person.id, fingerprint)
        return KeyChanged(key=key, keys=tuple(await tx.people.keys(person.id)))

    return await transact(deps, decision)


async def _own_key(tx: Tx, deps: Deps, person: Person, fingerprint: str) -> Key:
    check_user(person, deps.rules)
    for key in await tx.people.keys(person.id):
        if key.fingerprint == fingerprint:
            return key
    raise TooLate("You don't have that key any more. I changed nothing.", next_step=NextStep.LIST_KEYS)
