"""A person's own public SSH keys: list, add and remove them, choose the default key, import them from GitHub."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Direct, carry_out
from bot.lifecycle.actions.renting import ClickedOffer, rent_clicked
from bot.lifecycle.deps import Deps
from bot.lifecycle.outside import KeySource
from bot.model.message import Destination
from bot.model.person import Key, Person
from bot.model.state import UNBOUGHT, State
from bot.model.text import plural
from bot.policy.access.github_keys import GithubKeys, check_name, comment_of, keys_to_show, keys_with
from bot.policy.access.keys import read_key
from bot.policy.team.roles import check_user
from store.db import Tx

_BOUGHT_WITH_A_KEY = UNBOUGHT | {State.PROCURING, State.PROVISIONING}
"""The states in which the bot might still have to buy a machine.

They include the state in which a bought machine is starting. If that machine fails to start, another one is
bought.
"""


@dataclass(frozen=True)
class KeysSaved:
    """The result of saving a person's keys."""

    added: tuple[Key, ...]
    known: tuple[Key, ...]
    """The keys that the person already had."""
    clicked: ClickedOffer | None
    """The outcome of renting the offer that the person clicked before they had a key.

    None if there was no such offer.
    """
    gone: tuple[str, ...] = ()
    """The fingerprints of keys that the person chose, but that GitHub no longer lists."""


@dataclass(frozen=True)
class KeyChanged:
    """A key that was removed or made the default key, and the person's remaining keys, the default key first."""

    key: Key
    keys: tuple[Key, ...]


async def own_keys(deps: Deps, person: Person) -> tuple[Key, ...]:
    """Return a person's keys, the default key first. Raises Refused if they aren't allowed to use the bot."""
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        return tuple(await tx.people.keys(person.id))


async def add_key(deps: Deps, person: Person, line: str, *, reply_to: Destination) -> KeysSaved:
    """Check and store a public key. If the person clicked an offer before they had a key, rent that offer.

    If a new search is needed for this, its results are sent to `reply_to`.

    Raises:
        Refused: The person isn't allowed to use the bot.
        PrivateKey: The line contains a private key. Nothing was stored.
        Mistake: The bot doesn't accept the line, or the person would have too many keys. Nothing was stored.
    """
    check_user(person, deps.rules)
    # Parse the SSH key in a thread. A large key takes long to parse, and would block the event loop and delay
    # acknowledgements to Slack.
    key = await asyncio.to_thread(read_key, line)
    return await carry_out(deps, person, SaveKeys([key], reply_to))


class SaveKeys(Direct[dict[str, Key], KeysSaved], id="save_keys"):
    """Store the given keys, except those that the person already has.

    If the person clicked an offer before they had a key, the offer is rented. If a new search is needed for this,
    its results are sent to `reply_to`. Raises Mistake, and stores nothing, if the person would have too many keys.
    """

    keys: Sequence[Key]
    reply_to: Destination

    async def load(self, tx: Tx, deps: Deps, person: Person) -> dict[str, Key]:
        check_user(person, deps.rules)
        return {key.fingerprint: key for key in await tx.people.keys(person.id)}

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: dict[str, Key]) -> KeysSaved:
        had = plan
        added = tuple(key for key in self.keys if key.fingerprint not in had)
        _check_count(len(had), len(added), deps.rules.keys.per_person)
        for key in added:
            await tx.people.add_key(person.id, key)
        return KeysSaved(
            added=added,
            known=tuple(had[key.fingerprint] for key in self.keys if key.fingerprint in had),
            clicked=await rent_clicked(tx, deps, person, self.reply_to),
        )


def _check_count(had: int, more: int, most: int) -> None:
    if more and had + more > most:
        have = f"You have {plural(had, 'key')}, and your team's rules allow {most} per person."
        raise Mistake(f"{have} Nothing was saved.", next_step=NextStep.REMOVE_A_KEY)


class OnKey(Direct[Key, KeyChanged], notes_seen=False):
    """An action on one of the person's own keys.

    Raises TooLate if they don't have this key, and Refused if they aren't allowed to use the bot.
    """

    fingerprint: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Key:
        check_user(person, deps.rules)
        for key in await tx.people.keys(person.id):
            if key.fingerprint == self.fingerprint:
                return key
        raise TooLate("You no longer have that key. Nothing was changed.", next_step=NextStep.LIST_KEYS)


class RemoveKey(OnKey, id="remove_key"):
    """Remove a key. Machines that are already running still accept it.

    In addition to the errors of `OnKey`, this raises Refused if the person has no other key but still needs one. A
    person needs a key while one of their rentals doesn't have a ready machine yet.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Key) -> KeyChanged:
        await tx.people.remove_key(person.id, plan.fingerprint)
        left = tuple(await tx.people.keys(person.id))
        if not left:
            await _check_nothing_is_bought(tx, person)
        return KeyChanged(key=plan, keys=left)


async def _check_nothing_is_bought(tx: Tx, person: Person) -> None:
    """Raise Refused if the bot might still have to buy a machine for one of the person's rentals."""
    for rental in await tx.rentals.live(person.id):
        if rental.state in _BOUGHT_WITH_A_KEY:
            needs = f"This is your only SSH key, and your request {rental.id} still needs one."
            raise Refused(f"{needs} Nothing was removed. Add another key first.")


class MakeKeyFirst(OnKey, id="make_key_first"):
    """Make a key the default key. This key works even on a machine that doesn't run the startup script."""

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Key) -> KeyChanged:
        await tx.people.make_key_first(person.id, plan.fingerprint)
        return KeyChanged(key=plan, keys=tuple(await tx.people.keys(person.id)))


# --- keys from GitHub


def check_may_take(deps: Deps, person: Person) -> None:
    """Refuse a person who isn't allowed to use the bot, or to import keys from GitHub. Raises Refused."""
    check_user(person, deps.rules)
    if not deps.rules.keys.github:
        raise Refused("Your team's rules don't allow keys from GitHub.", next_step=NextStep.PASTE_A_KEY)


async def look_at_github(deps: Deps, source: KeySource, person: Person, name: str) -> GithubKeys:
    """Return the keys of a GitHub user, for a person who wants to import them. Nothing is saved.

    Raises:
        Refused: The person isn't allowed to import keys from GitHub.
        Mistake: There is no such user, or none of their keys is acceptable.
        KeysUnavailable: GitHub gives no usable response.
    """
    lines = await _lines(deps, source, person, name)
    async with deps.store.read() as tx:
        owned = [key.fingerprint for key in await tx.people.keys(person.id)]
    return await asyncio.to_thread(keys_to_show, name, lines, owned, per_person=deps.rules.keys.per_person)


async def take_from_github(
    deps: Deps,
    source: KeySource,
    person: Person,
    name: str,
    fingerprints: Collection[str],
    *,
    reply_to: Destination,
) -> KeysSaved:
    """Import those keys of a GitHub user that the person has chosen. `fingerprints` identifies them.

    GitHub is queried again, and a key is only saved if GitHub still lists it. If the person clicked an offer
    before they had a key, the offer is rented.

    Raises the same errors as `look_at_github` and `SaveKeys`, and TooLate if GitHub lists none of these keys any
    more.
    """
    lines = await _lines(deps, source, person, name)
    keys = await asyncio.to_thread(keys_with, name, lines, fingerprints)
    if not keys:
        raise TooLate(f"{comment_of(name)} no longer has the keys that I showed you. Nothing was saved.")
    found = {key.fingerprint for key in keys}
    saved = await carry_out(deps, person, SaveKeys(keys, reply_to))
    return replace(saved, gone=tuple(fingerprint for fingerprint in fingerprints if fingerprint not in found))


async def _lines(deps: Deps, source: KeySource, person: Person, name: str) -> tuple[str, ...]:
    check_may_take(deps, person)
    lines = await source.key_lines(check_name(name))
    if lines is None:
        raise Mistake(
            f'GitHub has no user "{name}". Nothing was saved.', next_step=NextStep.TRY_AGAIN_OR_PASTE_A_KEY
        )
    return lines
