"""Groups unmanaged machines by purchase, and guesses their owners. No I/O.

An unmanaged machine runs on the team's Compute Clear account but wasn't rented through the bot. The bot asks the
admins a question about each purchase.
"""

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
"""The largest number of machines that one transaction stores.

The limit keeps transactions short, so that other transactions don't wait long.
"""
ASKED_ALONE = 10
"""The largest number of purchases for which the admins get a question each.

If a single check of the account finds more purchases, one message asks about all of them.
"""
SHORTEST_NAME = 3
"""The minimum length of the words in people's names that are searched for in machine names.

Shorter words, such as "al", are part of too many names.
"""
_WORDS = re.compile(r"[^\W\d_]+")


def by_purchase(machines: Iterable[UnmanagedMachine]) -> list[tuple[UnmanagedMachine, ...]]:
    """Group machines by purchase, keeping their order.

    Machines belong to the same purchase if they have an offer in common. A machine without an offer is a purchase
    of its own.
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
    """Return the existing questions to the admins about these machines, by the ID of each machine.

    A question is about one purchase and all of its machines. If there is no question about a machine's purchase
    yet, the machine is left out.

    Args:
        machines: The machines that were newly found.
        questions: The questions to the admins about purchases. Questions whose `over_at` is set are left out.
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
    """Find the questions that are redundant because another question covers all their machines.

    If one question covers more machines than the other, it stays. If both cover the same machines, a question that
    is already decided stays. Otherwise, the older question stays.

    Args:
        questions: The questions to the admins about purchases, oldest first. Questions whose `over_at` is set are
            left out.

    Returns:
        A mapping from the ID of each redundant question to the ID of the question that stays.
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
    """Group questions into batches with at most WRITTEN_AT_ONCE machines, and keep their order.

    A question is never split. A question with more than WRITTEN_AT_ONCE machines is a batch of its own.
    """
    batches: list[list[AdminQuestion]] = []
    free = 0
    for question in questions:
        size = len(question.purchase.machines)
        if size > free:
            batches.append([])
            free = WRITTEN_AT_ONCE
        batches[-1].append(question)
        free -= size
    return batches


class Guesses:
    """Guesses the owners of machines, based on the machines' names.

    Create one instance for all machines. If there are many machines and many people, comparing each machine with
    each person would block the event loop for seconds.
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
        """Return the Slack ID of the person who probably owns these machines.

        If the bot bought a machine, the machine's name contains the owner, who is then the candidate. Otherwise,
        the candidates are the people whose name has a word in common with a machine's name. None unless there is
        exactly one candidate, and this person is allowed to use the bot.
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
    """Return the text that an admin must type to confirm that the machines are to be destroyed.

    The text is the name of the first machine that doesn't look as if the bot had named it. If that machine has no
    name, or a name without letters and digits, the text is the first 8 characters of its ID.

    None if all names look as if the bot had made them. The admin then doesn't have to type anything.
    """
    for machine in purchase.alive:
        if not looks_like_ours(machine.name):
            named = machine.name is not None and name_key(machine.name)
            return machine.name if named else machine.resource_id[:8]
    return None


def is_name_typed(purchase: Purchase, typed: str) -> bool:
    """Return whether an admin typed the text that `name_to_type` returns.

    Only letters and digits are compared, because a name can contain characters that nobody can see or type.
    """
    wanted = name_to_type(purchase)
    return wanted is None or name_key(typed) == name_key(wanted)
