"""People in a command: the mentions that Slack makes of names, and the teammates of a request."""

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
"""`@ben` as it was typed: Slack makes mentions only of names that it knows."""
_PICK = "type @ and pick the name from Slack's list"


class Mentioned(Frozen):
    """A text without the people that it mentions."""

    text: str
    people: tuple[str, ...] = ()
    """Slack ids, each once."""
    names: tuple[str, ...] = ()
    """`@ben`, for the same people."""
    misplaced: tuple[tuple[str, str], ...] = ()
    """The id and name of each person whom the text mentions without a word that says what for."""
    unknown: tuple[str, ...] = ()
    """Names such as `@ben` that Slack made no mention of: nobody knows who they are."""

    @property
    def mentions(self) -> tuple[str, ...]:
        """Return the people as Slack sends them."""
        return tuple(f"<@{user}>" for user in self.people)

    @property
    def with_misplaced(self) -> Mentioned:
        """Return a copy with the first misplaced person among the people."""
        user, name = self.misplaced[0]
        return changed(self, people=(*self.people, user), names=(*self.names, name))


NOBODY = Mentioned(text="")


def take_teammates(text: str) -> Mentioned:
    """Return a request without its `with @ben and @cleo`, and those people. Raise Mistake if they are too many."""
    text = " ".join(text.split())
    people = _people_in(" ".join(part[1] for part in _WITH.finditer(text)))
    rest = _WITH.sub(" ", text)
    return _mentioned(rest, people, tuple(_people_in(rest).items()))


def take_people(text: str) -> Mentioned:
    """Return a text without the people that a command is about. Raise Mistake if they are too many."""
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
    """Return why it isn't clear whom a request mentions or what for, and who may be meant. None if it is."""
    if mentioned.unknown:
        return f'{_unknown(mentioned)} After "with", {_PICK}.', mentioned
    if mentioned.misplaced:
        name = short(mentioned.misplaced[0][1])
        return f'Does {name} get access too? Then type "with" before the name.', mentioned.with_misplaced
    return (f"Share with whom? Then {_PICK}.", mentioned) if mentioned.text.lower().endswith(" with") else None


def check_people(mentioned: Mentioned, command: str) -> None:
    """Raise Mistake if a command has a name that nobody knows. `command` is the command without people."""
    if mentioned.unknown:
        raise Mistake(f"{_unknown(mentioned)} After {command}, {_PICK}.")


def _unknown(mentioned: Mentioned) -> str:
    return f'I don\'t know who "{short(mentioned.unknown[0])}" is.'
