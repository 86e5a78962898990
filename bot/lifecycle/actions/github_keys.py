"""Taking one's public SSH keys from GitHub: look first, then save those that were shown."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.keys import KeysSaved, save_keys
from bot.lifecycle.deps import Deps
from bot.lifecycle.outside import KeySource
from bot.model.message import Destination
from bot.model.person import Person
from bot.policy.access.github_keys import GithubKeys, check_name, comment_of, keys_to_show, keys_with
from bot.policy.team.roles import check_user


@dataclass(frozen=True)
class GithubKeysSaved:
    """What was saved of the GitHub keys that a person chose."""

    saved: KeysSaved
    gone: tuple[str, ...]
    """The fingerprints of chosen keys that GitHub no longer has."""


def check_may_take(deps: Deps, person: Person) -> None:
    """Raise Refused if the person may not use the bot, or if the rules take no keys from GitHub."""
    check_user(person, deps.rules)
    if not deps.rules.keys.github:
        raise Refused("Your team's rules take no keys from GitHub.", next_step=NextStep.PASTE_A_KEY)


async def look(deps: Deps, source: KeySource, person: Person, name: str) -> GithubKeys:
    """Return the keys of a GitHub user for a person who wants to take them. Nothing is saved.

    Raise Refused if the person may not take keys from GitHub, Mistake if there is no such user or no key that the
    bot accepts, KeysUnavailable if GitHub gives no usable answer.
    """
    lines = await _lines(deps, source, person, name)
    async with deps.store.read() as tx:
        owned = [key.fingerprint for key in await tx.people.keys(person.id)]
    return await asyncio.to_thread(keys_to_show, name, lines, owned, per_person=deps.rules.keys.per_person)


async def take(
    deps: Deps,
    source: KeySource,
    person: Person,
    name: str,
    fingerprints: Collection[str],
    *,
    reply_to: Destination,
) -> GithubKeysSaved:
    """Read the keys of a GitHub user again, and save those with one of the fingerprints, which the person saw and
    chose. If the person clicked on an offer before they had a key, rent it.

    Raise as `look` and `save_keys` do, and TooLate if GitHub has none of these keys any more.
    """
    lines = await _lines(deps, source, person, name)
    keys = await asyncio.to_thread(keys_with, name, lines, fingerprints)
    if not keys:
        raise TooLate(f"{comment_of(name)} no longer has what I showed you. I saved nothing. Look again.")
    found = {key.fingerprint for key in keys}
    return GithubKeysSaved(
        saved=await save_keys(deps, person, keys, reply_to=reply_to),
        gone=tuple(fingerprint for fingerprint in fingerprints if fingerprint not in found),
    )


async def _lines(deps: Deps, source: KeySource, person: Person, name: str) -> tuple[str, ...]:
    check_may_take(deps, person)
    lines = await source.key_lines(check_name(name))
    if lines is None:
        raise Mistake(
            f'GitHub has no user "{name}". I saved nothing.', next_step=NextStep.TRY_AGAIN_OR_PASTE_A_KEY
        )
    return lines
