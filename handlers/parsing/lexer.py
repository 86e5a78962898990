"""Splits a request into tokens.

Each token is the longest text at its place that has a meaning of its own. What the tokens mean together is decided
in reading.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto

from bot.model.text import short
from handlers.parsing.durations import NUMBER_WORDS, SPAN, UNIT, read_span
from handlers.parsing.prices import AMOUNT, AMOUNT_END, NO_MONEY, Money, match_money
from handlers.parsing.vocabulary import Words

MOST_TOKENS = 60
"""No request needs more; each takes as long as looking up every name in the catalogue."""


class Kind(Enum):
    """What a token is."""

    GPU = auto()
    MARK = auto()
    """What sets a variant apart: `80gb`, `sxm`."""
    REGION = auto()
    CONTRACT = auto()
    VENDOR = auto()
    COUNT = auto()
    """`8x`, `x8`, `8 GPUs`."""
    NUMBER = auto()
    """A number without a unit."""
    SPAN = auto()
    MONEY = auto()
    RANGE = auto()
    """`2 to 4 hours`, `2-3`."""
    TIME = auto()
    """`18:00`, `at 3`, `5pm`."""
    MOST = auto()
    """`max`, `up to`: the limit itself is included."""
    BELOW = auto()
    """`under`, `less than`."""
    PRICE = auto()
    TOTAL = auto()
    KEY = auto()
    """`region`, `vendor`, `hours`...: a value follows."""
    PREPOSITION = auto()
    """`in`, `from`, `on`...: a name follows."""
    NOW = auto()
    URGENT = auto()
    """`asap`, `right now`."""
    FILLER = auto()
    """Means nothing here: `a`, `please`."""
    MACHINES = auto()
    """More than one machine."""
    DASH = auto()
    """A dash glued to the word after it, as before an option."""
    AMBIGUOUS = auto()
    """Two readings of the same length."""
    WORD = auto()
    """Anything else."""


@dataclass(frozen=True)
class Token:
    """`text` is as it was typed; `name` is what it stands for, empty for `anywhere` and `any vendor`."""

    kind: Kind
    text: str
    name: str = ""
    number: Decimal = Decimal(0)
    span: timedelta = timedelta(0)
    money: Money = NO_MONEY


_PHRASES: dict[Kind, tuple[str, ...]] = {
    Kind.MOST: (
        "max", "maximum", "up to", "at most", "at max", "no more than", "not more than", "not over", "<=",
    ),
    Kind.BELOW: ("under", "below", "less than", "cheaper than", "cap", "capped at", "<"),
    Kind.PRICE: ("price", "max price", "max-price", "maximum price"),
    Kind.TOTAL: ("budget", "total", "in total", "in all", "all in", "altogether", "overall", "spend"),
    Kind.KEY: ("region", "vendor", "provider", "contract", "count", "lease", "duration", "hours", "hrs"),
    Kind.PREPOSITION: ("in", "from", "on", "via", "at"),
    Kind.NOW: ("now",),
    Kind.URGENT: (
        "asap", "immediately", "right now", "right away", "straight away", "straightaway", "at once", "urgent",
        "urgently",
    ),
    Kind.MACHINES: ("machines", "instances", "nodes", "servers", "vms", "boxes"),
    Kind.FILLER: (
        "a", "an", "the", "of", "with", "and", "&", "for", "me", "i", "we", "my", "please", "need", "want", "get",
        "rent", "gpu", "gpus", "card", "cards", "machine", "instance", "node", "server", "vm", "box", "type",
        "cheapest", "another", "from ready",
    ),
}  # fmt: skip
_NOTHING_IN_PARTICULAR = {
    "anywhere": Kind.REGION,
    "worldwide": Kind.REGION,
    "global": Kind.REGION,
    "any region": Kind.REGION,
    "any vendor": Kind.VENDOR,
    "any provider": Kind.VENDOR,
}
_KINDS = {phrase: kind for kind, phrases in _PHRASES.items() for phrase in phrases} | _NOTHING_IN_PARTICULAR
_PHRASE = re.compile(
    "|".join(
        re.escape(phrase) + (r"(?![a-z0-9])" if phrase[-1].isalpha() else "")
        for phrase in sorted(_KINDS, key=len, reverse=True)
    )
)
_END = r"(?![a-z0-9])"
_NUMBER_WORD = "|".join(NUMBER_WORDS)
_GPUS = rf"[ -]?(?:gpus?|cards?){_END}"
_COUNT = re.compile(
    rf"(\d{{1,9}}) ?x{_END}(?!\.\d)|x ?(\d{{1,9}}){AMOUNT_END}|(\d{{1,9}}){_GPUS}|({_NUMBER_WORD}){_GPUS}"
)
_GLUED_COUNT = re.compile(r"(\d{1,9})(x?)(?=\S)")
_NUMBER = re.compile(rf"({AMOUNT})(?!/){AMOUNT_END}|({_NUMBER_WORD}){_END}")
_RANGE = re.compile(
    rf"\$? ?{AMOUNT} ?\$? ?(?:-|\u2013|\u2014|to{_END}|or{_END}) ?\$? ?{AMOUNT}"
    rf"(?: ?-?{UNIT}{_END}| ?x{_END}|{_GPUS}|{AMOUNT_END})"
)
_TIME = re.compile(
    r"(?:(?:until|till|til|by|at|before|from|around|@) ?)\d{1,2}(?::\d\d)?(?: ?(?:am|pm|uhr))?(?![\w.:])"
    r"|\d{1,2}:\d\d(?: ?(?:am|pm|uhr))?(?![\w.])|\d{1,2} ?(?:am|pm|uhr)(?![a-z0-9])"
)
_SPAN = re.compile(SPAN)
_MARK = re.compile(rf"(?:\d{{1,3}} ?gb?|sxm ?\d?|pci-?e|nvl){_END}")
_DASH = re.compile(r"(?:-{1,3}|\u2013+|\u2014+)(?=[\w.<$])")
_MEMORY_AFTER_GPU = re.compile(r"-(\d{2,3})(?: ?gb?)?(?![\w.])")
_WORD = re.compile(r"\S+")


def lex(text: str, words: Words) -> list[Token]:
    """Return the tokens of a text that normalizing.flat made, in order; the first MOST_TOKENS and one if there are
    more."""
    # Of the same length as `text`, so that a token can be named as it was typed.
    lower = "".join(c.lower() if c.isascii() else c for c in text)
    tokens: list[Token] = []
    at = 0
    while at < len(text) and len(tokens) <= MOST_TOKENS:
        if text[at] == " ":
            at += 1
            continue
        glued_to = tokens[-1].kind if tokens and at and text[at - 1] != " " else None
        end, found = _longest(lower, at, words, glued_to)
        for token in found:
            tokens.append(Token(**{**token.__dict__, "text": short(text[at:end].rstrip(".,"))}))
        at = end
    return tokens


def _longest(text: str, at: int, words: Words, glued_to: Kind | None) -> tuple[int, tuple[Token, ...]]:
    """Return the end of the longest token at `at`, and the token; two of them for `8h100`, a count and a GPU."""
    if glued_to in {Kind.GPU, Kind.MARK} and text[at] == "-":
        memory = _MEMORY_AFTER_GPU.match(text, at)
        if memory is not None:
            return memory.end(), (Token(Kind.MARK, "", f"{memory[1]}gb"),)
        if _mark(text, at + 1, words) is not None:
            at += 1
    dash = _DASH.match(text, at) if glued_to is None else None
    if dash is not None:
        return dash.end(), (Token(Kind.DASH, ""),)
    found = list(_candidates(text, at, words))
    if found:
        longest = max(end for end, _ in found)
        best = {tokens for end, tokens in found if end == longest}
        return longest, best.pop() if len(best) == 1 else (Token(Kind.AMBIGUOUS, ""),)
    number = _NUMBER.match(text, at)
    if number is not None:
        value = Decimal(number[1]) if number[1] else Decimal(NUMBER_WORDS[number[2]])
        return number.end(), (Token(Kind.NUMBER, "", number=value),)
    word = _WORD.match(text, at)
    return word.end() if word else len(text), (Token(Kind.WORD, ""),)


def _candidates(text: str, at: int, words: Words) -> Iterator[tuple[int, tuple[Token, ...]]]:
    for kind, names in (
        (Kind.GPU, words.gpus),
        (Kind.REGION, words.regions),
        (Kind.CONTRACT, words.contracts),
        (Kind.VENDOR, words.vendors),
    ):
        named = names.match(text, at)
        if named is not None:
            yield named[0], (Token(kind, "", named[1]),)
    mark = _mark(text, at, words)
    if mark is not None:
        yield mark.end(), (Token(Kind.MARK, "", mark.group().replace(" ", "")),)
    phrase = _PHRASE.match(text, at)
    if phrase is not None:
        said = phrase.group()
        name = "" if said in _NOTHING_IN_PARTICULAR else said
        yield phrase.end(), (Token(_KINDS[said], "", name),)
    yield from _amounts(text, at, words)


def _amounts(text: str, at: int, words: Words) -> Iterator[tuple[int, tuple[Token, ...]]]:
    span = _SPAN.match(text, at)
    gpu_here = words.gpus.match(text, at)
    # `4090s` are several of them: nobody rents for 4090 seconds.
    if span is not None and (gpu_here is None or gpu_here[0] != span.end()):
        # The name says whether a number of minutes could follow, as in `1h 30`.
        hours = "hours" if re.search(r"h(?:ou)?r?s?$", span.group()) else ""
        yield span.end(), (Token(Kind.SPAN, "", hours, span=read_span(span.group())),)
    money = match_money(text, at)
    if money is not None:
        yield money[0], (Token(Kind.MONEY, "", money=money[1]),)
    count = _COUNT.match(text, at)
    if count is not None:
        number = next(group for group in count.groups() if group is not None)
        value = Decimal(NUMBER_WORDS.get(number, number))
        yield count.end(), (Token(Kind.COUNT, "", number=value),)
    glued = _GLUED_COUNT.match(text, at)
    gpu = words.gpus.match(text, glued.end()) if glued else None
    if glued is not None and gpu is not None and (glued[2] or not text[glued.end()].isdigit()):
        yield gpu[0], (Token(Kind.COUNT, "", number=Decimal(glued[1])), Token(Kind.GPU, "", gpu[1]))
    for kind, pattern in ((Kind.RANGE, _RANGE), (Kind.TIME, _TIME)):
        found = pattern.match(text, at)
        if found is not None:
            yield found.end(), (Token(kind, ""),)


def _mark(text: str, at: int, words: Words) -> re.Match[str] | None:
    found = _MARK.match(text, at) or words.marks.match(text, at)
    return found if found and found.end() > at else None
