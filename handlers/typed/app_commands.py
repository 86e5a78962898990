"""Parses the commands that Slack apps give in a mention of the bot.

Unlike people, apps can't write whole sentences, and they get no suggestions. A text that isn't understood exactly
has no effect, because nobody checks what an app has written.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TypeAlias

from bot.errors import Mistake
from bot.model.base import Frozen
from bot.model.text import short
from handlers.typed.draft import ParseContext
from handlers.typed.rental_words import ID, OfRental, read_extension
from handlers.typed.typed_text import plain_text, text_with_mentions

LONGEST = 500
"""The maximum length of a command, in characters, as for the words of a request through the REST API."""


class Get(Frozen):
    words: str
    """The request. Mentions of people in it are still in Slack's format."""


class ListRentals(Frozen):
    """List the current rentals of the token."""


class Show(OfRental):
    """Show the state of a rental."""


class Destroy(OfRental):
    """End a rental."""


class Extend(OfRental):
    """Make the lease longer. Either `by` or `until` is given."""

    by: timedelta | None = None
    until: datetime | None = None


AppCommand: TypeAlias = Get | ListRentals | Show | Destroy | Extend


class NotUnderstood(Mistake):
    """The text isn't a command that an app can give."""


def command_after_mention(text: str, bot: str) -> str | None:
    """Return the command in a message as Slack sent it: the rest of the first line after the mention of the bot.

    None if the message doesn't begin with the mention. Everything else in the message is data: further lines often
    contain text of other people, such as the title of an issue.
    """
    first, *_ = [*text.lstrip().splitlines(), ""]
    found = re.match(rf"<@{re.escape(bot)}(?:\|[^<>]*)?>[\s,:]*", first) if bot else None
    return None if found is None else first[found.end() :].strip()


def is_destroy(command: str) -> bool:
    return command.lower().split(maxsplit=1)[:1] == ["destroy"]


def parse_app_command(command: str, context: ParseContext) -> AppCommand:
    """Parse the text that `command_after_mention` returned. The words of a request are left as they are.

    Raises NotUnderstood.
    """
    if not command:
        raise NotUnderstood("There's no command after the mention. Nothing was done.")
    if len(command) > LONGEST:
        raise NotUnderstood(f"A command can have {LONGEST} characters at most. Nothing was done.")
    with_mentions = text_with_mentions(command)
    verb, rest = [*with_mentions.split(maxsplit=1), "", ""][:2]
    match verb.lower():
        case "get" if rest.strip():
            return Get(words=rest)
        case "list" if not rest.strip():
            return ListRentals()
        case "show":
            return Show(id=_read_id(rest))
        case "destroy":
            return Destroy(id=_read_id(rest))
        case "extend":
            return _read_extension(rest, context)
    raise NotUnderstood(f'I don\'t understand "{short(plain_text(command))}". Nothing was done.')


def _read_id(text: str) -> str | None:
    words = plain_text(text).split()
    if not words:
        return None
    if len(words) > 1 or not ID.fullmatch(words[0]):
        raise NotUnderstood(f'"{short(" ".join(words))}" isn\'t the ID of a machine. Nothing was done.')
    return words[0]


def _read_extension(text: str, context: ParseContext) -> Extend:
    words = plain_text(text)
    refusal = NotUnderstood(f'I don\'t understand "{short(words)}" after extend. Nothing was changed.')
    try:
        read = read_extension(words, context)
    except Mistake:
        raise refusal from None
    if read.until_done or (read.duration is None) == (read.until is None):
        raise refusal
    return Extend(id=read.id, by=read.duration, until=read.until)
