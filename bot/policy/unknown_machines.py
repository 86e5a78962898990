"""Unknown machines of the account, without I/O: which of them are one purchase, and whose they may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

from bot.model.gpu import name_key
from bot.model.person import Person
from bot.model.unknown import UnknownMachine, UnknownPurchase
from bot.policy.resource_names import looks_like_ours, read_name
from bot.policy.roles import may_use
from bot.policy.rules import Rules

ASK_AGAIN_AFTER = timedelta(days=1)
SHORTEST_NAME = 3
"""Letters of a person's name that count in a machine's name: "al" is in too many words."""
_WORDS = re.compile(r"[^\W\d_]+")


def same_purchase(one: UnknownMachine, other: UnknownMachine) -> bool:
    """Return whether two machines were made from one offer. Machines without an offer are each alone."""
    return bool(set(one.offer_ids) & set(other.offer_ids))


def by_purchase(machines: Iterable[UnknownMachine]) -> list[tuple[UnknownMachine, ...]]:
    """Return the machines, those of one purchase together, in their order."""
    groups: list[list[UnknownMachine]] = []
    for machine in machines:
        group = next((one for one in groups if any(same_purchase(machine, other) for other in one)), None)
        if group is None:
            groups.append([machine])
        else:
            group.append(machine)
    return [tuple(group) for group in groups]


def belongs_to(machine: UnknownMachine, purchases: Sequence[UnknownPurchase]) -> UnknownPurchase | None:
    """Return which of the purchases a machine that is new on the account belongs to. Return None if it begins
    another one. `purchases` are those that are not over."""
    return next((one for one in purchases if any(same_purchase(machine, other) for other in one.machines)), None)


def guess_owner(machines: Iterable[UnknownMachine], people: Iterable[Person], rules: Rules) -> str | None:
    """Return the Slack id of the person who may own machines, from their names: the owner's id in a name of ours,
    else the one person of whose name a word is a word of a machine's name. Return None if there is no such person,
    or several, or if they may not use the bot."""
    users = {person.id: person for person in people if may_use(person, rules)}
    names = [machine.name for machine in machines if machine.name]
    ids = {named.owner for named in map(read_name, names) if named is not None and named.owner is not None}
    if ids:
        return next(iter(ids)) if len(ids) == 1 and ids <= users.keys() else None
    in_names = {word for name in names for word in _words(name)}
    fitting = [person.id for person in users.values() if in_names & _words(person.name)]
    return fitting[0] if len(fitting) == 1 else None


def _words(name: str) -> set[str]:
    return {word for word in _WORDS.findall(name.casefold()) if len(word) >= SHORTEST_NAME}


def typed_name(purchase: UnknownPurchase) -> str | None:
    """Return what an admin types before the machines are destroyed: the first name that is not one of ours, or the
    first 8 characters of the machine's id if it has none. Return None if all names look like ours."""
    for machine in purchase.alive:
        if not looks_like_ours(machine.name):
            named = machine.name is not None and name_key(machine.name)
            return machine.name if named else machine.resource_id[:8]
    return None


def typed_right(purchase: UnknownPurchase, typed: str) -> bool:
    """Return whether an admin typed what `typed_name` wants, by its letters and digits: a name can have characters
    that nobody sees or can type."""
    wanted = typed_name(purchase)
    return wanted is None or name_key(typed) == name_key(wanted)
