"""Interprets sentences that aren't commands, such as "how long do I have left?", by the words in them.

The answer to a sentence is a fact, a question with a button, or a dialog. A sentence never rents, destroys or
extends anything.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum

from bot.errors import Mistake
from bot.model.base import Frozen, changed
from handlers.typed.amounts import DURATION, parse_duration
from handlers.typed.draft import ParseContext
from handlers.typed.rental_words import ID
from handlers.typed.typed_text import in_plain_words, normalize_within
from handlers.typed.until import UNTIL, UnclearEnd, parse_end
from handlers.typed.vocabulary import Vocabulary


class Topic(StrEnum):
    """The topic of a sentence that isn't a command, such as money."""

    TIME = "time"
    MONEY = "money"
    BROKEN = "broken"
    WHO = "who"
    FREE = "free"
    FASTER = "faster"


class Sentence(Frozen):
    """The meaning of a sentence."""

    text: str
    """The words of the sentence without polite phrases."""
    meant: str
    """The meaning: a command's name, a Topic, or `longer` if the sentence asks for more time.

    Empty if the sentence contains no known word.
    """
    id: str | None
    """The ID of a rental, if the sentence contains one."""
    names_gpu: bool
    longer: timedelta | None = None
    """The requested extension, as a length."""
    untils: tuple[datetime, ...] = ()
    """The time until which the person wants the machine. If the time lacks am or pm, both times are listed."""


_OPENING = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|and|please|pls|plz|can|could|would|will|may|you|u|someone|somebody|anyone|anybody"
    r"|we|i|d|ll|like|love|want|need|to|just|let|me|us|have|gpubot|bot|it) )*"
)
_CLOSING = re.compile(r"(?: (?:please|pls|plz|thanks|thank you|thx|now|asap))*$")
_ENDS = "kill|stop(?! buying| asking)|terminate|delete|destroy|shut|cancel|end|(?:turn|switch) .*off|get rid"
_MEANT = (
    ("extend", rf"(?:don t|dont|do not|not|never) (?:{_ENDS})\b|(?:keep|leave) (?:it|this)\b|.*\blonger$"),
    ("wait", r"(?:tell|notify|ping|alert|inform|message|know|remind) (?:me |us )?(?:when|once|if|as soon as)\b"),
    ("key", r".*\bkeys?\b"),
    ("list", r".*\b(?:wait|waiting|waitlist|status)\b"),
    (Topic.TIME, rf"(?:{_ENDS})\b.*\b(?:at|in|after|later|tomorrow|tonight)\b"),
    ("destroy", rf"(?:{_ENDS})\b|(?:all |m |am |re |are )?(?:done|finished)\b|(?:don t|dont|no longer) need\b"),
    ("list", r"what (?:do|have|am|are) (?:i|we) (?:have|got|own|rent|us|run)|what(?:s| is)? (?:running|runs|mine)"
     r"|.*\bmy (?:machines|gpus|rentals|requests)\b"),
    ("again", r"(?:the )?same\b|again$|.*\blike (?:this|that|before|yesterday|last time)$"),
    ("help", r"(?:hello|hi|hey|thanks?|thank you|thx|good \w+)$|what (?:can|do) (?:you|u) do|who are you"
     r"|how (?:do|does|can) (?:this|you|i use)\b|help\b"),
    ("ssh", r".*\b(?:ssh|log ?in|connect|connection|ip|password)\b"),
    ("catalog", r"(?:what|which) (?:gpus?|vendors?|regions?) |what (?:can (?:i|we) (?:rent|get)|do you have)"),
    ("policy", r".*\b(?:rules?|policy|approves|approvers?|allowed|limits?)\b"),
    ("share", r".*\b(?:use it too|access|join)\b"),
    ("give", r"(?:give|hand) (?:it|this|my)\b"),
    ("show", r".*\b(?:ready|is (?:it|my machine) done|happened|history|logs?|details|approved)\b"),
    (Topic.MONEY, r".*\b(?:cost(?:s|ing)?|spen[dt]|spending|pay|paying|paid|money|budget|bill|expensive)\b"),
    (Topic.TIME, r".*\b(?:how long|time|left|expires?)\b|when\b"),
    (Topic.BROKEN, r".*\b(?:broken?|died|crash(?:ed|es)?|t work(?:ing)?|not working|errors?|dead|down|stuck"
     r"|frozen|hangs|restart|reboot|fail(?:s|ed)?|problem|wrong)\b"),
    (Topic.FASTER, r".*\b(?:slow|slower|faster|bigger|larger|upgrade|oom|out of memory)\b"),
    (Topic.WHO, r".*\b(?:whos?|whose|using|uses|used|in use|which machines|how many)\b|is \w+ (?:idle|busy)"),
    (Topic.FREE, r".*\b(?:free|idle|available|unused|spare)\b"),
    ("list", r".*\bmachine\b"),
    ("get", r".*\b(?:gpus?|train|training|node|model)\b"),
    ("", ""),
)  # fmt: skip
"""The possible meanings of a sentence, each with its pattern.

The first pattern that matches determines the meaning.
"""
_LONGER = re.compile(r"\b(?:extend|prolong|keep|longer)\b|^\+")
_MORE = re.compile(r"\b(?:more|another|extra|have)\b")
_GOES_ON = re.compile(r"\b(?:leave|let|run|make|move|it|this|have)\b|^until\b")
_NOT_LONGER = re.compile(rf"(?:{_ENDS}|who|what|when|how|ran)\b|.*\b(?:don t|dont|not|never)\b")


def read_sentence(typed: str, context: ParseContext, vocabulary: Vocabulary) -> Sentence:
    """Interpret a sentence. The meaning is empty if the text is too long for a sentence."""
    whole = in_plain_words(normalize_within(typed, 300) or "").lower()
    text = _OPENING.sub("", _CLOSING.sub("", whole), count=1)
    words = text.split()
    gpus = {word for word in words if vocabulary.gpus.match(word, 0) is not None}
    ids = (word for word in words if ID.fullmatch(word) and not (word.isalpha() or word.isdigit() or word in gpus))
    found = Sentence(text=text, meant="longer", id=next(ids, None), names_gpu=bool(gpus))
    longer = _LONGER.search(whole)
    until = UNTIL.search(re.sub(r"\bto (?=\d|noon|midnight)", "until ", text))
    length = re.search(rf"(?<![\w.])(?:{DURATION})", re.sub(r"\bmore |(?<=a)nother", "", text).lstrip("+"))
    if not _NOT_LONGER.match(text):
        if until is not None and until["end"] and (longer or (not gpus and _GOES_ON.search(whole))):
            return changed(found, untils=_ends(until["end"], context))
        if length is not None and (longer or (not gpus and _MORE.search(whole))):
            return changed(found, longer=parse_duration(length.group()))
    return changed(found, meant=next(meant for meant, pattern in _MEANT if re.match(pattern, text)))


def _ends(text: str, context: ParseContext) -> tuple[datetime, ...]:
    """Parse the time until which a person wants the machine. If it lacks am or pm, return both possible times.

    Times that have passed are left out. Raises Mistake if no time remains, or if the text contains no time.
    """
    try:
        return (parse_end(text, context.now, context.zone).at,)
    except UnclearEnd as unclear:
        possible, why = [], unclear
        for end in unclear.ends if len(unclear.ends) > 1 else ():
            try:
                possible.append(parse_end(end, context.now, context.zone).at)
            except UnclearEnd as passed:
                why = passed
        if not possible:
            raise Mistake(why.said("/gpu extend until ")) from None
        return tuple(sorted(possible))
