"""Finds the people who are mentioned in a command, such as the teammates in a request."""

from __future__ import annotations

import re

from bot.errors import Mistake
from bot.model.base import Frozen, changed
from bot.model.text import short
from bot.policy.team.roles import check_number
from handlers.typed.typed_text import MENTION, name_mentions

_MENTION = MENTION.pattern
_WITH = re.compile(rf"(?:^| )with ?({_MENTION}(?:(?: ?, ?| and | ?& ?| )?{_MENTION})*)", re.IGNORECASE)
_BARE_NAME = re.compile(r"(?:^|(?<=[ ,]))@[^\W\d][^ ,]*")
"""A name such as `@ben` as it was typed. Slack turns only names that it knows into mentions."""
_PICK = "type @ and pick the name from Slack's list"


class Mentioned(Frozen):
    """A text from which the mentioned people have been removed."""

    text: str
    people: tuple[str, ...] = ()
    """The Slack IDs of the mentioned people, without duplicates."""
    names: tuple[str, ...] = ()
    """The names of the mentioned people, such as `@ben`."""
    misplaced: tuple[tuple[str, str], ...] = ()
    """The ID and name of each person whose mention in a request doesn't follow `with`."""
    unknown: tuple[str, ...] = ()
    """Names such as `@ben` that Slack didn't turn into mentions, because it doesn't know them."""

    @property
    def mentions(self) -> tuple[str, ...]:
        """Return the people as mentions in Slack's format."""
        return tuple(f"<@{user}>" for user in self.people)

    @property
    def with_misplaced(self) -> Mentioned:
        """Return a copy in which the first person in `misplaced` is one of the teammates."""
        user, name = self.misplaced[0]
        return changed(self, people=(*self.people, user), names=(*self.names, name))


NOBODY = Mentioned(text="")


def take_teammates(text: str) -> Mentioned:
    """Return the people after `with` in a request, as in `with @ben and @cleo`, and the text without them.

    Raises Mistake if the text mentions too many people.
    """
    text = " ".join(text.split())
    people = _people_in(" ".join(part[1] for part in _WITH.finditer(text)))
    rest = _WITH.sub(" ", text)
    return _mentioned(rest, people, tuple(_people_in(rest).items()))


def take_people(text: str) -> Mentioned:
    """Return the mentioned people, and the text of the command without them.

    Raises Mistake if the text mentions too many people.
    """
    text = " ".join(text.split())
    return _mentioned(text, _people_in(text), ())


def _mentioned(text: str, people: dict[str, str], misplaced: tuple[tuple[str, str], ...]) -> Mentioned:
    check_number(people)
    rest = MENTION.sub(" ", text)
    return Mentioned(
        text=" ".join(_BARE_NAME.sub(" ", rest).split()),
        people=tuple(people),
        names=tuple(people.values()),
        misplaced=misplaced,
        unknown=tuple(found.group() for found in _BARE_NAME.finditer(rest)),
    )


def _people_in(text: str) -> dict[str, str]:
    return {found[1].upper(): name_mentions(found.group()) for found in MENTION.finditer(text)}


def unclear_people(mentioned: Mentioned) -> tuple[str, Mentioned] | None:
    """Return a question about an unclear mention in a request, and the mentions as the person probably meant them.

    None if all mentions are clear.
    """
    if mentioned.unknown:
        return f'{_unknown(mentioned)} After "with", {_PICK}.', mentioned
    if mentioned.misplaced:
        name = short(mentioned.misplaced[0][1])
        return f'Does {name} get access too? Then type "with" before the name.', mentioned.with_misplaced
    return (f"Share with whom? Then {_PICK}.", mentioned) if mentioned.text.lower().endswith(" with") else None


def check_people(mentioned: Mentioned, command: str) -> None:
    """Refuse a command with a name such as `@ben`, if Slack didn't turn the name into a mention.

    Raises Mistake. Its message asks the person to type `command` and then the mention.
    """
    if mentioned.unknown:
        raise Mistake(f"{_unknown(mentioned)} After {command}, {_PICK}.")


def _unknown(mentioned: Mentioned) -> str:
    return f'I don\'t know who "{short(mentioned.unknown[0])}" is.'
