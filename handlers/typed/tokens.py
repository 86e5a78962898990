"""Splits a request into tokens, such as `8x`, `h100` and `until 18:00`.

At each position, the longest text that has a meaning becomes a token. `token_reader.py` then interprets the
sequence of tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto

from bot.model.text import short
from handlers.typed.amounts import (
    AMOUNT,
    AMOUNT_END,
    DURATION,
    NO_MONEY,
    NUMBER_WORDS,
    UNIT,
    Money,
    match_money,
    parse_duration,
)
from handlers.typed.draft import Part
from handlers.typed.until import LOOSE_END, START, UNTIL, UP_TO
from handlers.typed.vocabulary import NameMatcher, Vocabulary

MAX_TOKENS = 60
"""The maximum number of tokens in a request.

There must be a limit, because each token is compared with all names in the catalog.
"""


class TokenKind(Enum):
    """The kinds of tokens that aren't the value of a part of a request.

    If a token is the value of a part, such as the GPU `h100`, a `Part` is its kind instead: `Part.GPU`.
    """

    PLACE = auto()
    """A place such as `Paris` or `eu-north1`. The token's name is the region that contains the place."""
    NUMBER = auto()
    """A number without a unit."""
    DURATION = auto()
    MONEY = auto()
    RANGE = auto()
    """A range of numbers: `2 to 4 hours`, `2-3`."""
    TIME = auto()
    """A time of day: `18:00`, `at 3`, `5pm`."""
    AT_MOST = auto()
    """Words before an upper limit that includes the limit itself: `max`, `up to`."""
    BELOW = auto()
    """Other words before an upper limit, most of which exclude the limit itself: `under`, `less than`."""
    PRICE = auto()
    TOTAL = auto()
    KEY = auto()
    """A keyword before a value: `region`, `vendor`, `hours`."""
    PREPOSITION = auto()
    """A preposition before a name: `in`, `from`, `on`."""
    NOW = auto()
    URGENT = auto()
    """Words for an urgent request other than `now`: `asap`, `right now`."""
    FILLER = auto()
    """Words that connect other words: `a`, `with`, `for`."""
    COURTESY = auto()
    """Words that add nothing to the request: `hey`, `can i get`, `please`, `just`."""
    EXCLUDES = auto()
    """Words before something that isn't wanted: `not`, `other than`."""
    AT_LEAST = auto()
    """Words before a minimum: `at least`, `over`."""
    MACHINES = auto()
    """Words for more than one machine: `machines`, `nodes`."""
    DASH = auto()
    """A dash directly before a word, like the one before an option."""
    AMBIGUOUS = auto()
    """Text that has two meanings, because two matches are equally long."""
    WORD = auto()
    """Any other text."""
    NOTHING = auto()
    """Stands for the missing token before the first token and after the last one."""


Kind = Part | TokenKind
"""The kind of a token: `Part.GPU` for `h100`, for example, or `TokenKind.DASH` for a dash."""


@dataclass(frozen=True)
class Token:
    """A piece of a request that has a meaning, such as `8x`, `h100` or `until 18:00`."""

    kind: Kind
    text: str
    """The text as it was typed."""
    name: str = ""
    """The meaning of the token, such as the GPU or the region, or the text after `until`.

    Empty for `anywhere` and `any vendor`. Also empty for `until`, `setup` or `project` if no readable text
    follows.
    """
    number: Decimal = Decimal(0)
    duration: timedelta = timedelta(0)
    loose: bool = False
    """True if the wording is so informal that the bot may have misunderstood it.

    In this case, `now` doesn't rent anything, but the offers are still shown.
    """
    ends_in_hours: bool = False
    """True if the duration ends in hours, so that a number after it may mean minutes, as in `1h 30`."""
    money: Money = NO_MONEY


_END = r"(?![a-z0-9])"
_PHRASE_END = r"(?![a-z0-9]|-[a-z])"
_COURTESIES = (
    "hey hi hello ok okay so please pls plz thanks thx can could would may let lets lemme gimme you i we me my",
    "our need want get rent give grab book find show like love to have available whats cost costs just only cheap",
    "cheaper cheapest another more some any or maybe ideally preferably about around roughly approx approximately",
    "~ long + /",
)
_PHRASES: dict[Kind, tuple[str, ...]] = {
    Part.BUSY: ("while busy", "while it is busy", "while in use", "while it is in use", "while used"),
    Part.DONE: ("until done",),
    Part.NO_PROBE: ("no-probe", "no probe", "noprobe", "without probe", "without a probe"),
    Part.KEEP_IF_FAILED: (
        *("keep-if-failed", "keep if failed", "keep if it fails", "keep it if it fails"),
        *("keep if saving fails", "keep it if saving fails", "keep the machine if saving fails"),
    ),
    Part.ANY_TIME: ("any time", "anytime", "at any time", "whatever time", "at any hour", "day or night"),
    TokenKind.AT_MOST: (
        "max", "maximum", "up to", "at most", "at max", "no more than", "not more than", "not over", "<=",
    ),
    TokenKind.BELOW: ("under", "below", "less than", "cheaper than", "cap", "capped at", "<"),
    TokenKind.PRICE: ("price", "max price", "max-price", "maximum price"),
    TokenKind.TOTAL: ("budget", "total", "in total", "in all", "all in", "altogether", "overall", "spend"),
    TokenKind.KEY: ("region", "vendor", "provider", "contract", "count", "lease", "duration", "hours", "hrs"),
    TokenKind.PREPOSITION: ("in", "within", "inside", "from", "on", "via", "at", "@"),
    TokenKind.NOW: ("now",),
    TokenKind.URGENT: (
        "asap", "immediately", "right now", "right away", "straight away", "straightaway", "at once", "urgent",
        "urgently", "quick", "quickly",
    ),
    TokenKind.MACHINES: ("machines", "instances", "nodes", "servers", "vms", "boxes"),
    TokenKind.FILLER: (
        "a", "an", "the", "of", "with", "and", "&", "for", "gpu", "gpus", "card", "cards", "machine", "instance",
        "node", "server", "vm", "box", "type", "from ready",
    ),
    TokenKind.COURTESY: (
        *(word for words in _COURTESIES for word in words.split()),
        *("thank you", "i m", "we re", "i d", "we d", "i ll", "looking for", "look for", "is there", "are there"),
        *("do you have", "what does", "what do", "what is", "how much is", "how much are", "how much does"),
        *("give us", "let us", "help us", "one more", "if possible", "or so", "anywhere in", "somewhere in"),
        *("no rush", "no hurry"),
    ),
    TokenKind.EXCLUDES: (
        "not", "no", "non", "without", "except", "except for", "excluding", "exclude", "but", "but not", "outside",
        "outside of", "besides", "avoid", "avoiding", "never", "dont", "don t", "do not", "nor", "other than",
        "apart from", "aside from", "instead of", "rather than",
        *(f"any{who} {word}" for who in ("one", "body", "thing", "where", " vendor", " provider", " region", "")
          for word in ("but", "except", "other than")),
    ),
    TokenKind.AT_LEAST: (
        "at least", "over", "above", "more than", "min", "minimum", "no less than", "not less than", "or more",
        "or better", "or bigger", "or larger", ">", ">=",
    ),
}  # fmt: skip
# Phrases that mean any region or any vendor. A token for such a phrase has an empty name.
_ANY = {
    "anywhere": Part.REGION,
    "worldwide": Part.REGION,
    "global": Part.REGION,
    "any region": Part.REGION,
    "any vendor": Part.VENDOR,
    "any provider": Part.VENDOR,
}
_KINDS = {phrase: kind for kind, phrases in _PHRASES.items() for phrase in phrases} | _ANY
_PHRASE = re.compile(
    "|".join(
        re.escape(phrase) + (_PHRASE_END if phrase[-1].isalpha() else "")
        for phrase in sorted(_KINDS, key=len, reverse=True)
    )
)
_NUMBER_WORD = "|".join(NUMBER_WORDS)
_GPUS = rf"[ -]?(?:gpus?|cards?){_END}"
_COUNT = re.compile(
    rf"(\d{{1,9}}) ?x{_END}(?!\.\d)|x ?(\d{{1,9}}){AMOUNT_END}(?! ?-?{UNIT}{_END})"
    rf"|(\d{{1,9}}){_GPUS}|({_NUMBER_WORD}){_GPUS}"
)
_COUNT_BEFORE_GPU = re.compile(r"(\d{1,9})(x?)(?=\S)")
_NUMBER = re.compile(rf"({AMOUNT})(?!/){AMOUNT_END}|({_NUMBER_WORD}){_END}")
_RANGE = re.compile(
    rf"\$? ?{AMOUNT} ?\$? ?(?:-|\u2013|\u2014|to{_END}|or{_END}) ?\$? ?{AMOUNT}"
    rf"(?: ?-?{UNIT}{_END}| ?x{_END}|{_GPUS}|{AMOUNT_END})"
)
_TIME = re.compile(
    r"(?:(?:by|at|before|from|around|@) ?)\d{1,2}(?::\d\d)?(?: ?(?:am|pm|uhr))?(?![\w.:])"
    r"|\d{1,2}:\d\d(?: ?(?:am|pm|uhr))?(?![\w.])|\d{1,2} ?(?:am|pm|uhr)(?![a-z0-9])"
)
_SETUP = re.compile(r"set[- ]?up(?![a-z0-9_-])(?: ?[:=] ?| )?([^\s,;:=]*)")
_PROJECT = re.compile(r"(?:for )?(?:the )?project(?![a-z0-9_-])(?: ?[:=] ?| )?([^\s,;:=]*)")
_NAMED = (
    *((Part.SETUP, _SETUP), (Part.PROJECT, _PROJECT)),
    *((Part.END, UNTIL), (Part.LATEST_END, UP_TO), (Part.START, START)),
)
"""Patterns whose first matching group becomes the token's name."""
_DURATION = re.compile(DURATION)
_ENDS_IN_HOURS = re.compile(r"h(?:ou)?r?s?$")
_FEATURE = re.compile(
    rf"(?:(?P<memory>\d{{1,4}}) ?-?(?:gb?|gib|gigs?|gigabytes?)(?: (?:of )?(?:vram|memory))?|hbm\d?e?"
    rf"|(?P<form>sxm ?\d?|pci-?e|nvl|oam)){_END}"
)
_DASH = re.compile(r"(?:-{1,3}|\u2013+|\u2014+)(?=[\w.<$])")
_MEMORY_AFTER_GPU = re.compile(r"-(\d{2,3})(?: ?gb?)?(?![\w.])")
_WORD = re.compile(r"\S+")
_LOOSE: dict[Kind, re.Pattern[str]] = {
    TokenKind.COURTESY: re.compile(""),
    TokenKind.URGENT: re.compile(""),
    Part.ANY_TIME: re.compile(""),  # With `any time now`, people don't ask to rent immediately.
    TokenKind.PREPOSITION: re.compile("^(?:within|inside|@)"),
    Part.REGION: re.compile("^(?:the )?states$|^europa$|based$|only$"),
    Part.CONTRACT: re.compile("^(?:no|without)"),
    Part.END: LOOSE_END,
    Part.LATEST_END: LOOSE_END,
    Part.START: LOOSE_END,
    TokenKind.MONEY: re.compile(r"^[\d.]+ (?:an?|each|hourly)"),
}
"""Patterns for the informal spellings of each kind. A token whose typed text contains a match is `loose`.

An empty pattern matches every text.
"""


TokenMatch = tuple[int, tuple[Token, ...]]
"""The position after a match, and the tokens of the match.

There are two tokens for a text such as `8h100`, which is a count and a GPU. Otherwise, there is one token.
"""


def tokenize(text: str, vocabulary: Vocabulary) -> list[Token]:
    """Return the tokens of a normalized text in order.

    Stops after MAX_TOKENS + 1 tokens.
    """
    # Change only ASCII letters to lower case. Some other letters become two characters in lower case. The
    # positions of the tokens would then be wrong, and a message couldn't quote a token as the person typed it.
    lower = "".join(c.lower() if c.isascii() else c for c in text)
    tokens: list[Token] = []
    start = 0
    while start < len(text) and len(tokens) <= MAX_TOKENS:
        if text[start] == " ":
            start += 1
            continue
        attached_to = tokens[-1].kind if tokens and start and text[start - 1] != " " else None
        end, found = _longest_match(lower, start, vocabulary, attached_to)
        typed = short(text[start:end].rstrip(".,"))
        tokens += [replace(token, text=typed, loose=_is_loose(token.kind, lower[start:end])) for token in found]
        start = end
    return tokens


def _is_loose(kind: Kind, text: str) -> bool:
    pattern = _LOOSE.get(kind)
    return pattern is not None and pattern.search(text) is not None


def _longest_match(text: str, start: int, vocabulary: Vocabulary, attached_to: Kind | None) -> TokenMatch:
    """Return the longest piece of the text at `start` that has a meaning.

    `attached_to` is the kind of the token that ends directly before `start`, with no space in between.
    """
    if attached_to in {Part.GPU, Part.FEATURE} and text[start] == "-":
        if (memory := _MEMORY_AFTER_GPU.match(text, start)) is not None:
            return memory.end(), (Token(Part.FEATURE, "", f"{memory[1]}gb"),)
        if _match_feature(text, start + 1, vocabulary) is not None:
            start += 1
    if attached_to is None and (dash := _DASH.match(text, start)) is not None:
        return dash.end(), (Token(TokenKind.DASH, ""),)
    if matches := list(_matches(text, start, vocabulary)):
        longest = max(end for end, _ in matches)
        readings = {tokens for end, tokens in matches if end == longest}
        return longest, readings.pop() if len(readings) == 1 else (Token(TokenKind.AMBIGUOUS, ""),)
    if (number := _NUMBER.match(text, start)) is not None:
        value = Decimal(number[1]) if number[1] else Decimal(NUMBER_WORDS[number[2]])
        return number.end(), (Token(TokenKind.NUMBER, "", number=value),)
    word = _WORD.match(text, start)
    return word.end() if word else len(text), (Token(TokenKind.WORD, ""),)


def _matches(text: str, start: int, vocabulary: Vocabulary) -> Iterator[TokenMatch]:
    """Yield all names from the catalog, fixed phrases, amounts and times that match at `start`."""
    matchers: tuple[tuple[Kind, NameMatcher], ...] = (
        (Part.GPU, vocabulary.gpus),
        (Part.REGION, vocabulary.regions),
        (TokenKind.PLACE, vocabulary.places),
        (Part.CONTRACT, vocabulary.contracts),
        (Part.VENDOR, vocabulary.vendors),
    )
    for kind, matcher in matchers:
        if (name := matcher.match(text, start)) is not None:
            yield name[0], (Token(kind, "", name[1]),)
    if (feature := _match_feature(text, start, vocabulary)) is not None:
        found = feature.groupdict()
        named = f"{found['memory']}gb" if found.get("memory") else re.sub("[ -]", "", feature.group())
        yield feature.end(), (Token(Part.FEATURE, "", named),)
    if (match := _PHRASE.match(text, start)) is not None:
        phrase = match.group()
        yield match.end(), (Token(_KINDS[phrase], "", "" if phrase in _ANY else phrase),)
    gpu, duration = vocabulary.gpus.match(text, start), _DURATION.match(text, start)
    # `4090s` means several GPUs of the model 4090, and not 4090 seconds, because nobody rents for such a time.
    if duration is not None and (gpu is None or gpu[0] != duration.end()):
        typed = duration.group()
        ends_in_hours = _ENDS_IN_HOURS.search(typed) is not None
        token = Token(TokenKind.DURATION, "", duration=parse_duration(typed), ends_in_hours=ends_in_hours)
        yield duration.end(), (token,)
    if (money := match_money(text, start)) is not None:
        yield money[0], (Token(TokenKind.MONEY, "", money=money[1]),)
    if (count := _COUNT.match(text, start)) is not None:
        number = next(group for group in count.groups() if group is not None)
        yield count.end(), (Token(Part.COUNT, "", number=Decimal(NUMBER_WORDS.get(number, number))),)
    yield from _match_count_and_gpu(text, start, vocabulary)
    for part, pattern in _NAMED:
        if (match := pattern.match(text, start)) is not None:
            yield match.end(), (Token(part, "", next(filter(None, match.groups()), "").rstrip(".")),)
    if START.match(text, start) is None:
        for other, pattern in ((TokenKind.RANGE, _RANGE), (TokenKind.TIME, _TIME)):
            if (match := pattern.match(text, start)) is not None:
                yield match.end(), (Token(other, ""),)


def _match_count_and_gpu(text: str, start: int, vocabulary: Vocabulary) -> Iterator[TokenMatch]:
    """Yield a count and a GPU that are written without a space between them: `8h100`, `2x4090`."""
    count = _COUNT_BEFORE_GPU.match(text, start)
    if count is None or not (count[2] or not text[count.end()].isdigit()):
        return
    gpu = vocabulary.gpus.match(text, count.end())
    if gpu is not None:
        yield gpu[0], (Token(Part.COUNT, "", number=Decimal(count[1])), Token(Part.GPU, "", gpu[1]))


def _match_feature(text: str, start: int, vocabulary: Vocabulary) -> re.Match[str] | None:
    match = _FEATURE.match(text, start) or vocabulary.features.match(text, start)
    return match if match and match.end() > start else None
