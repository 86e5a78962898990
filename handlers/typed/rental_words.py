"""Parses the arguments of a command about a rental: an ID, and a time such as `2h` or `until 18:00`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from bot.errors import Mistake
from bot.model.base import Frozen
from bot.model.text import say_span, short
from handlers.typed.amounts import DURATION, parse_duration
from handlers.typed.draft import ParseContext
from handlers.typed.typed_text import UNTIL_DONE, normalize
from handlers.typed.until import UNTIL, UP_TO, UnclearEnd, example_end, parse_end

ID = re.compile(r"[a-z0-9]{5}")
_FILLERS = "the my machine rental gpu by for please it now to into of with and"
_TO = re.compile(r"(?:^| )to (?=[\w.])")
_UNTIL = re.compile(rf"(?:^|(?<= )){UNTIL.pattern}", re.ASCII)
_UNTIL_DONE = re.compile(rf"(?:^|(?<= )){UNTIL_DONE}(?= |$)")
_UP_TO = re.compile(r"(?:^|(?<= ))(?:up to|at most|max|maximum)(?= |$)")
_MORE = re.compile(r"(?:^|(?<= ))(?:another|more|extra|longer)(?: |$)")
_DURATION = re.compile(rf"(?:^|(?<= )){DURATION}")
_NUMBER_WITHOUT_UNIT = re.compile(r"(?:^|(?<= ))\d{1,4}(?:\.\d{1,3})?(?= |$)")


class OfRental(Frozen):
    """A command about a single rental."""

    id: str | None = None
    """The rental's ID. None if no ID was typed.

    A command without an ID in the thread of a rental is about that rental. Anywhere else, it is about the person's
    only rental.
    """


class RentalWords(OfRental):
    """The arguments of `extend` or `keep`: the rental's ID, and a time such as `2h` or `until 18:00`."""

    duration: timedelta | None = None
    """The length that was typed. None if no length was typed."""
    until: datetime | None = None
    """The time that was typed instead of a length, such as `until 18:00`. None if no time was typed."""


class ExtensionWords(RentalWords):
    """The arguments of `extend`."""

    until_done: bool = False
    """True if the machine should end when its jobs are done.

    A length or a time that was also typed then says when the machine ends at the latest.
    """


def read_id(text: str, name: str) -> str | None:
    """Parse the text after a command whose only argument is the ID of a rental.

    `name` is the name of the command. None if the text contains no ID. Raises Mistake if it contains anything but
    an ID.
    """
    return _parse_id(normalize(text), name)


def read_extension(text: str, context: ParseContext) -> ExtensionWords:
    """Parse the text after `extend`, such as `k7mq2 2h` or `k7mq2 until 18:00`.

    The words can come in any order. They can contain `until done`, usually with `up to` before the time.
    Raises Mistake if a word can't be read, or if the length exceeds the longest lease.
    """
    lower = normalize(text.replace("+", " ")).lower()
    done = _UNTIL_DONE.search(lower)
    if done is None:
        return ExtensionWords(**dict(_read_extension(text, context)))
    rest = UP_TO.sub(lambda found: f"until {found['end']}", _without(lower, done))
    return ExtensionWords(**dict(_read_extension(_UP_TO.sub(" ", rest), context)), until_done=True)


def _read_extension(text: str, context: ParseContext) -> RentalWords:
    example = example_end(context.now, context.zone)
    lower = normalize(text.replace("+", " ")).lower()
    until = _UNTIL.search(lower)
    if until is None:
        if _TO.search(lower):
            raise Mistake(f"By how much longer? Try: /gpu extend k7mq2 2h, or /gpu extend k7mq2 until {example}")
        return read_duration(text, "extend", context.rules.lease.max)
    rest = _without(lower, until)
    if until["end"] is None:
        ids = [word for word in rest.split() if ID.fullmatch(word) and not word.isalpha()]
        raise Mistake(f"Until when? Try: /gpu extend{_with_space(next(iter(ids), None))} until {example}")
    if (length := _DURATION.search(rest)) is not None and not ID.fullmatch(length.group()):
        command = f"/gpu extend{_with_space(_parse_id(_without(rest, length), 'extend'))}"
        ends = f"{command} {length.group()}, or {command} until {until['end']}"
        raise Mistake(f"Type a length or an end, not both. Try: {ends}")
    rental_id = _parse_id(rest, "extend", text)
    command = f"/gpu extend{_with_space(rental_id)}"
    try:
        return RentalWords(id=rental_id, until=parse_end(until["end"], context.now, context.zone).at)
    except UnclearEnd as unclear:
        raise Mistake(unclear.said(f"{command} until ")) from None


def read_duration(text: str, name: str, max_lease: timedelta) -> RentalWords:
    """Parse a rental's ID and a length, in any order.

    `name` is the name of the command before this text. Raises Mistake if a word can't be read, or if the length
    exceeds the longest lease.
    """
    lower = _MORE.sub("", normalize(text.replace("+", " ")).lower()).strip()
    duration = None
    match = _DURATION.search(lower)
    # A text such as `1h30m` could be the length of a lease or the ID of a rental. Read it as a length, unless the
    # lease would be too long, as with `2222h`.
    if match is not None and not (ID.fullmatch(lower) and parse_duration(lower) > max_lease):
        duration = parse_duration(match.group())
        lower = _without(lower, match)
    number = _NUMBER_WITHOUT_UNIT.search(lower)
    if number is not None and not ID.fullmatch(number.group()):
        rental_id = _parse_id(_without(lower, number), name)
        raise _hours_or_minutes(f"/gpu {name}{_with_space(rental_id)}", number.group(), max_lease)
    rental_id = _parse_id(lower, name, normalize(text))
    if duration is not None and not timedelta(0) < duration <= max_lease:
        raise Mistake(
            f"{say_span(duration)} is too long. A lease is at most {say_span(max_lease)}. "
            f"Try: /gpu {name}{_with_space(rental_id)} 2h"
        )
    return RentalWords(id=rental_id, duration=duration)


def _with_space(rental_id: str | None) -> str:
    return f" {rental_id}" if rental_id else ""


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


def _hours_or_minutes(command: str, number: str, max_lease: timedelta) -> Mistake:
    possible = [
        f"{command} {number}{unit}" for unit in "hm" if timedelta(0) < parse_duration(number + unit) <= max_lease
    ]
    return Mistake(f"{number} hours or {number} minutes? Try: {', or '.join(possible) or f'{command} 2h'}")


def _parse_id(text: str, name: str, typed: str = "") -> str | None:
    """Return the ID that `text` consists of, or None if the text is empty.

    Raises Mistake for any other text. `typed` is the complete text of the command. The error message quotes words
    from it.
    """
    words = [word.lower().strip("#") for word in text.split()]
    words = [word for word in words if word and word not in _FILLERS.split()]
    if not words:
        return None
    ids = {word for word in words if ID.fullmatch(word) and not word.isalpha()}
    if len(ids) == 1 < len(set(words)):
        unknown = " ".join(word for word in (typed or text).split() if word.lower().strip("#") not in ids)
        if name == "destroy":
            raise Mistake(f'I don\'t know "{short(unknown)}" here. /gpu destroy takes only an ID. Try: /gpu list')
        duration = " 2h" if name in {"extend", "keep"} else ""
        raise Mistake(f'I don\'t know "{short(unknown)}" here. Try: /gpu {name} {ids.pop()}{duration}')
    if len(set(words)) > 1:
        raise Mistake(f"Name one machine at a time, by its ID. Try: /gpu {name} k7mq2. /gpu list shows the IDs.")
    if not ID.fullmatch(words[0]):
        raise Mistake(
            f'"{short(words[0])}" isn\'t an ID. IDs have 5 letters and digits, such as k7mq2. '
            "/gpu list shows the IDs."
        )
    return words[0]
