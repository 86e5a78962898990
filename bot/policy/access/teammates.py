"""Who may be let into somebody's machine, and why somebody may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from bot.errors import Mistake, NoTeammate
from bot.model.attempt import Attempt
from bot.model.person import Key, Person
from bot.model.rental import Rental
from bot.model.state import UNBOUGHT, State
from bot.policy.team.roles import may_be_let_in
from bot.policy.team.rules import Rules

MOST_TEAMMATES = 20
"""How many teammates one rental may have. Each is looked up in Slack while a person waits, and gets direct
messages."""
KeysOf = Mapping[str, Sequence[Key]]
"""Keys by the Slack ids of their owners."""


def check_number(people: Collection[str]) -> None:
    """Raise Mistake if these are more people than one rental may let in."""
    if len(people) > MOST_TEAMMATES:
        raise Mistake(f"At most {MOST_TEAMMATES} people get in besides its owner. I changed nothing.")


def check_teammate(person: Person, rules: Rules) -> None:
    """Raise NoTeammate, with the reason, if a person may not be let into a machine."""
    if may_be_let_in(person, rules):
        return
    name = person.name
    if person.bot:
        why = f"{name} is an app, and only people get in."
    elif person.deactivated:
        why = f"{name} has left: the account is deactivated."
    elif person.outsider:
        why = f"{name} belongs to another workspace, and only members of ours get in."
    elif person.guest:
        why = f"{name} is a guest, and only members get in."
    else:
        why = f"Your team's rules don't let {name} use me."
    raise NoTeammate(f"{why} I changed nothing. Leave {name} out.")


def keys_still_go_in(rental: Rental, attempts: Iterable[Attempt]) -> bool:
    """Return whether the next purchase still sends the keys of somebody who is let in now."""
    waits = rental.state in {*UNBOUGHT, State.PROCURING}
    return waits and not any(attempt.live for attempt in attempts)


def removable_lines(people: Sequence[str], owner: str, teammates: Sequence[str], keys: KeysOf) -> tuple[str, ...]:
    """Return the key lines of `people` that nobody else in the rental has. Taking off a shared key would lock out
    the other person."""
    stay = {key.line for user in (owner, *teammates) if user not in people for key in keys.get(user, ())}
    lines = [key.line for user in people for key in keys.get(user, ())]
    return tuple(dict.fromkeys(line for line in lines if line not in stay))
