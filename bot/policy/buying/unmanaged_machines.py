"""Unknown machines of the account, without I/O: which of them are one purchase, and whose they may be."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bot.model.admin_question import AdminQuestion, Purchase, UnmanagedMachine
from bot.model.gpu import name_key
from bot.model.person import Person
from bot.policy.buying.resource_names import looks_like_ours, names_of
from bot.policy.team.roles import may_use
from bot.policy.team.rules import Rules

WRITTEN_AT_ONCE = 50
"""How many machines one transaction writes at most, so that other writes wait for it only shortly."""
ASKED_ALONE = 10
"""If a sweep finds more purchases than this, the admins are asked about all of them in one message."""
SHORTEST_NAME = 3
"""The fewest letters of a person's name that count in a machine's name: "al" is in too many words."""
_WORDS = re.compile(r"[^\W\d_]+")


def by_purchase(machines: Iterable[UnmanagedMachine]) -> list[tuple[UnmanagedMachine, ...]]:
    """Return the machines in their order, those of one purchase together. Machines of one purchase were made from
    an offer in common. Machines without an offer are each alone.
    """
    groups: list[list[UnmanagedMachine]] = []
    group_of: dict[str, int] = {}
    for machine in machines:
        group = min((group_of[offer] for offer in machine.offer_ids if offer in group_of), default=len(groups))
        if group == len(groups):
            groups.append([])
        groups[group].append(machine)
        for offer in machine.offer_ids:
            group_of.setdefault(offer, group)
    return [tuple(group) for group in groups]


def purchases_of(
    machines: Iterable[UnmanagedMachine], questions: Sequence[AdminQuestion]
) -> dict[str, AdminQuestion]:
    """Return the question about the purchase to which each new machine of the account belongs, by the machine's
    id. A machine of a new purchase is left out. `questions` are those about purchases that are not over.
    """
    first_with: dict[str, int] = {}
    for index, question in enumerate(questions):
        for known in question.purchase.machines:
            for offer in known.offer_ids:
                first_with.setdefault(offer, index)
    found = {}
    for machine in machines:
        indexes = [first_with[offer] for offer in machine.offer_ids if offer in first_with]
        if indexes:
            found[machine.resource_id] = questions[min(indexes)]
    return found


def asked_twice(questions: Iterable[AdminQuestion]) -> dict[str, str]:
    """Find the questions whose machines are all part of another question.

    Returns the id of the question that stays, by the id of each question that repeats it. The one with more
    machines stays; of two about the same machines, a decided one, else the older one. `questions` are those about
    purchases that aren't over, oldest first.
    """
    stays_for: dict[str, str] = {}
    repeated = {}
    for question in sorted(questions, key=lambda one: (-len(one.purchase.machines), one.decided is None)):
        ids = [machine.resource_id for machine in question.purchase.machines]
        staying = {stays_for.get(resource_id) for resource_id in ids}
        first = staying.pop()
        if first is not None and not staying:
            repeated[question.id] = first
        else:
            stays_for.update(dict.fromkeys(ids, question.id))
    return repeated


def in_batches(questions: Iterable[AdminQuestion]) -> list[list[AdminQuestion]]:
    """Return questions about purchases in their order, in parts of at most WRITTEN_AT_ONCE machines. No purchase
    is cut: a purchase with more machines is a part of its own.
    """
    batches: list[list[AdminQuestion]] = []
    room = 0
    for question in questions:
        size = len(question.purchase.machines)
        if size > room:
            batches.append([])
            room = WRITTEN_AT_ONCE
        batches[-1].append(question)
        room -= size
    return batches


class Guesses:
    """Guesses from machines' names who may own them. Make one instance for all machines: comparing each machine
    with each person would block the event loop for seconds if both are many.
    """

    def __init__(self, people: Iterable[Person], rules: Rules) -> None:
        self._users: set[str] = set()
        self._by_word: defaultdict[str, set[str]] = defaultdict(set)
        for person in people:
            if may_use(person, rules):
                self._users.add(person.id)
                for word in _words(person.name):
                    self._by_word[word].add(person.id)

    def owner(self, machines: Iterable[UnmanagedMachine]) -> str | None:
        """Return the Slack id of the person who may own machines: the owner's id in a name of ours, else the one
        person whose name has a word in common with a machine's name. Return None if there is no such person, or
        several, or if they may not use the bot.
        """
        machines = tuple(machines)
        owners = {name.owner for name in names_of(machines) if name.owner is not None}
        if owners:
            return next(iter(owners)) if len(owners) == 1 and owners <= self._users else None
        words = {word for machine in machines for word in _words(machine.name or "")}
        fitting = {user for word in words for user in self._by_word.get(word, ())}
        return next(iter(fitting)) if len(fitting) == 1 else None


def _words(name: str) -> set[str]:
    return {word for word in _WORDS.findall(name.casefold()) if len(word) >= SHORTEST_NAME}


def name_to_type(purchase: Purchase) -> str | None:
    """Return what an admin types before the machines are destroyed: the first name that is not one of ours, or the
    first 8 characters of the machine's id if it has no name. Return None if all names look like ours.
    """
    for machine in purchase.alive:
        if not looks_like_ours(machine.name):
            named = machine.name is not None and name_key(machine.name)
            return machine.name if named else machine.resource_id[:8]
    return None


def is_name_typed(purchase: Purchase, typed: str) -> bool:
    """Return whether an admin typed what `name_to_type` returns. Only letters and digits are compared: a name can
    have characters that nobody can see or type.
    """
    wanted = name_to_type(purchase)
    return wanted is None or name_key(typed) == name_key(wanted)
