"""Reads sentences that are no command, by the words that say what they are about: `how long do I have left?`

A sentence leads to a fact, to a question with a button, or to a dialog. It never rents, destroys or extends.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from bot.errors import Mistake
from bot.model.base import Frozen, changed
from handlers.parsing.durations import DURATION, parse_duration
from handlers.parsing.rental_words import ID
from handlers.parsing.request_parts import ParseContext
from handlers.parsing.spoken import in_plain_words
from handlers.parsing.typed_text import normalize_within
from handlers.parsing.until import UNTIL, UnclearEnd, parse_end
from handlers.parsing.vocabulary import Vocabulary
from handlers.views.answers.sentences import Topic


class Sentence(Frozen):
    """What a sentence says."""

    text: str
    """Its words without courtesies."""
    meant: str
    """The command that says the same, a Topic, or `longer`. Empty if no known word says it."""
    id: str | None
    """The rental that it names."""
    names_gpu: bool
    longer: timedelta | None = None
    """How much longer the rental is wanted."""
    untils: tuple[datetime, ...] = ()
    """Until when it is wanted. Both ends that are possible, if the half of the day is missing."""


_OPENING = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|and|please|pls|plz|can|could|would|will|may|you|u|someone|somebody|anyone|anybody"
    r"|we|i|d|ll|like|love|want|need|to|just|let|me|us|have|gpubot|bot|it) )*"
)
_CLOSING = re.compile(r"(?: (?:please|pls|plz|thanks|thank you|thx|now|asap))*$")
_ENDS = (
    "kill|stop|terminate|delete|destroy|shut|cancel|withdraw|end|remove|(?:turn|switch) (?:it |this )?off|get rid"
)
_MEANT = (
    ("extend", rf"(?:don t|dont|do not|never) (?:{_ENDS})\b|.*\blonger$"),
    ("wait", r"(?:tell|notify|ping|alert|inform|message|know|remind) (?:me |us )?(?:when|once|if|as soon as)\b"),
    ("key", r".*\bkeys?\b"),
    ("list", r".*\b(?:wait|waiting|waitlist|status)\b"),
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
    ("show", r".*\b(?:ready|happened|history|logs?|details|approved)\b"),
    (Topic.MONEY, r".*\b(?:cost(?:s|ing)?|spen[dt]|spending|pay|paying|paid|money|budget|bill|expensive)\b"),
    (Topic.TIME, r".*\b(?:how long|time|left|expires?)\b|when\b"),
    (Topic.BROKEN, r".*\b(?:broken?|crash(?:ed|es)?|t work(?:ing)?|not working|errors?|dead|down|frozen|stuck"
     r"|hangs|restart|reboot|fail(?:s|ed)?|problem|wrong)\b"),
    (Topic.FASTER, r".*\b(?:slow|slower|faster|bigger|larger|upgrade|oom|out of memory)\b"),
    (Topic.WHO, r".*\b(?:who|whos|whose|using|uses|used|in use|which machines)\b|is (?:it|this) (?:idle|busy)"),
    (Topic.FREE, r".*\b(?:free|idle|available|unused|spare)\b"),
    ("get", r".*\b(?:gpus?|machine|train|training|node|model)\b"),
    ("", ""),
)  # fmt: skip
"""What a sentence means, and the words with which it begins or which stand in it. The first that fits counts."""
_MORE_TIME = re.compile(r"\b(?:extend|prolong|keep|longer|more|another|extra|have)\b|^\+")


def read_sentence(typed: str, context: ParseContext, vocabulary: Vocabulary) -> Sentence:
    """Return what a sentence says. A text that is too long for one says nothing."""
    whole = in_plain_words(normalize_within(typed, 300) or "").lower()
    text = _CLOSING.sub("", whole)
    text = _OPENING.sub("", text, count=1)
    gpus = {word for word in text.split() if vocabulary.gpus.match(word, 0) is not None}
    ids = [word for word in text.split() if ID.fullmatch(word) and not (word.isalpha() or word.isdigit())]
    rental_id = next((word for word in ids if word not in gpus), None)
    found = Sentence(text=text, meant="longer", id=rental_id, names_gpu=bool(gpus))
    if _MORE_TIME.search(whole):
        until = UNTIL.search(re.sub(r"\bto (?=\d|noon|midnight)", "until ", text))
        length = re.search(rf"(?<![\w.])(?:{DURATION})", text.replace(" more ", " ").lstrip("+"))
        if until is not None and until["end"]:
            return changed(found, untils=_ends(until["end"], context))
        if length is not None:
            return changed(found, longer=parse_duration(length.group()))
    return changed(found, meant=next(meant for meant, pattern in _MEANT if re.match(pattern, text)))


def _ends(text: str, context: ParseContext) -> tuple[datetime, ...]:
    """Return the end in a text, or both ends that are possible. Raise Mistake if it has no time, or has passed."""
    try:
        return (parse_end(text, context.now, context.zone).at,)
    except UnclearEnd as unclear:
        if len(unclear.ends) == 1:
            raise Mistake(unclear.said("/gpu extend until ")) from None
        return tuple(sorted(parse_end(end, context.now, context.zone).at for end in unclear.ends))
