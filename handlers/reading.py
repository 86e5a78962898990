"""Reads what was typed after `/gpu get` word by word, in any order, and judges nothing: see wanted.py for that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from bot.errors import Mistake
from bot.model.text import short
from handlers.durations import NUMBER_WORDS, SPAN, UNIT, read_span
from handlers.gpu_words import Named, Words

_NUMBER = r"(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
_WORD_END = r"(?![a-z0-9])"
_OTHER_MONEY = "€£¥"
_NUMBER_END = rf"(?![a-z0-9.:{_OTHER_MONEY}])"
_CURRENCY = rf"(?: ?\$| ?(?:usd|dollars?|bucks){_WORD_END})"
_EACH = rf"(?:gpu|card|h|hr|hour){_WORD_END}"
_PER = rf"(?: ?(?:/|per |an? ) ?{_EACH}(?: ?(?:/|-|per |and |an? ) ?{_EACH})?)"
_CAP_WORD = (
    r"(?:under|below|max(?:imum)?(?:[ -]price)?|up to|at most|less than|(?:no|not) more than|not over|cheaper than"
    r"|cap(?:ped at)?|budget(?: of)?|<=?)"
)
_NOT_TIME_OR_COUNT = rf"(?! ?-?{UNIT}{_WORD_END}| ?x| ?(?:gpus?|cards?){_WORD_END})"
_TOPS = r"(?: (?:max(?:imum)?|or less|tops|each))"

_CAP = re.compile(
    rf"{_CAP_WORD} ?\$? ?({_NUMBER}){_CURRENCY}?{_PER}?(?: each)?{_NUMBER_END}{_NOT_TIME_OR_COUNT}"
    rf"|\$ ?({_NUMBER}){_CURRENCY}?{_PER}?{_TOPS}?{_NUMBER_END}"
    rf"|({_NUMBER})(?:{_CURRENCY}{_PER}?|{_PER}){_TOPS}?{_NUMBER_END}"
    rf"|({_NUMBER}){_TOPS}{_NUMBER_END}"
)
_BAD_CAP = re.compile(rf"(?:{_CAP_WORD} ?|(?=[-+]?[${_OTHER_MONEY}]))([-+]?[${_OTHER_MONEY}] ?\S*|[-+.]?\d\S*)")
_LEASE = re.compile(rf"(?:(?:for|lease|of|max(?:imum)?|up to|at most|about) )*({SPAN})")
_LEASE_HOURS = re.compile(rf"for (\d{{1,9}}){_NUMBER_END}{_NOT_TIME_OR_COUNT}")
_HOURS_END = re.compile(r"h(?:ou)?rs?$|hour$|h$")
_STRAY_MINUTES = re.compile(rf" ?\d{{1,2}}{_NUMBER_END}{_NOT_TIME_OR_COUNT}")
_TIME = re.compile(r"(?:(?:until|till|by|at|for) )?(\d{1,2}:\d\d)(?!\d)")
_BAD_LEASE = re.compile(r"for ([-+.]?\d\S*)")
_COUNT_BEFORE = re.compile(r"(\d{1,9})( ?x ?| ?)")
_COUNT = re.compile(
    rf"x ?(\d{{1,9}}){_NUMBER_END}|(\d{{1,9}})(?: ?x{_WORD_END}| ?(?:gpus?|cards?){_WORD_END})?{_NUMBER_END}"
)
_MARK = re.compile(rf"(?:\d{{1,3}} ?gb?|sxm ?\d?|pci-?e|nvl){_WORD_END}")
_NOW = re.compile(rf"(?:right now|now|immediately|asap|straight ?away){_WORD_END}")
_ANY = re.compile(rf"(?:anywhere|worldwide|global|any (?:region|vendor|where)){_WORD_END}")
_KEYWORD = re.compile(rf"(region|vendor|provider|from|via|in){_WORD_END}")
_FLUFF = re.compile(
    r"(?:a|an|the|of|with|and|at|on|to|by|me|i|we|need|want|please|some|give|get|rent|gpus?|cards?|machines?"
    rf"|instances?|nodes?|servers?|vms?|contract|count|lease|each|for|type){_WORD_END}"
)
_COUNT_WORD = re.compile(rf"({'|'.join(NUMBER_WORDS)}){_WORD_END}")
_OTHER = re.compile(r"\S+")
_BETWEEN = re.compile(r"(?: |[-+&](?=[a-z ]|\d{1,3} ?gb?(?![a-z0-9])|$))+")

_SIGNS = str.maketrans(
    dict.fromkeys("×✕✖*", "x") | dict.fromkeys("\"'`´“”„‘’‚«»()[]{}|;!?=~_•", " ") | {"≤": "<", "‐": "-", "‑": "-"}
)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*]*\S)\*(?![\w*])")
_DOLLARS = re.compile(r"\bus\$(?=\d)|(?P<before>(?<!\S)\$?[\d.,]+ )?\busd ?\$?(?=\d)", re.IGNORECASE)
_WHOLE = r"(?<![\w.,])(\$?\d{1,3})"
_IN_DOTS = re.compile(rf"{_WHOLE}((?:\.\d{{3}})+),(\d{{1,2}})(?!\d)")
_IN_COMMAS = re.compile(rf"{_WHOLE}((?:,\d{{3}})+)(?!\d)")
_DECIMAL_COMMA = re.compile(rf"{_WHOLE},(\d{{1,2}})(?!\d)")
_TIME_OF_DAY = re.compile(r"(?<![a-z0-9])\d{1,2}:\d\d(?!\d)")

KEYWORD = "keyword"
_KINDS = {
    "region": ("region",),
    "vendor": ("vendor",),
    "provider": ("vendor",),
    "from": ("vendor", "region"),
    "via": ("vendor",),
    "in": ("region",),
}


@dataclass(frozen=True)
class Unknown:
    """A word that means nothing here, and what it was said to be."""

    word: str
    kind: str | None = None
    """`region`, `vendor`, or KEYWORD: it should name one of those, and nothing that does followed."""


@dataclass
class Reading:
    """What was found, each in the order it was said."""

    gpus: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    vendors: list[str] = field(default_factory=list)
    caps: list[Decimal] = field(default_factory=list)
    leases: list[timedelta] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    now: bool = False


def flat(text: str) -> str:
    """On one line with single spaces, and with the signs that people, phones and shells put for others undone."""
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = _BOLD.sub(r"\1", text).translate(_SIGNS)
    text = _DOLLARS.sub(lambda m: m.group() if m["before"] else "$", text)  # `3 usd 8x` begins no price
    # `H100:8` and `H100,EU` are two words each; `2,50` is one number, and so are `1,000.50` and `1.000,50`, as is
    # the 18:00 that nothing here knows.
    text = _IN_DOTS.sub(lambda m: f"{m[1]}{m[2].replace('.', '')}.{m[3]}", text)
    text = _IN_COMMAS.sub(lambda m: m[1] + m[2].replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text).replace(",", " ")
    kept = {match.start() for match in _TIME_OF_DAY.finditer(text.lower())}
    text = re.sub(r"(\d{0,2}):", lambda m: m.group() if m.start() in kept else m.group(1) + " ", text)
    return " ".join(word.rstrip(".") for word in text.split() if word.strip("."))


class _Reader:
    def __init__(self, text: str, words: Words) -> None:
        self.said = text
        # Of the same length as `said`, so that errors can name the word as it was typed.
        self.text = "".join(c.lower() if c.isascii() else c for c in text)
        self.words = words
        self.at = 0
        self.found = Reading()
        self.keyword: str | None = None

    def read(self) -> Reading:
        """Reads to the end. Each step takes at least one letter."""
        steps: Sequence[Callable[[], bool]] = (
            self._gpu,
            self._region,
            self._contract,
            self._vendor,
            self._cap,
            self._lease,
            self._mark,
            self._count,
            self._now_or_any,
            self._key_word,
            self._fluff,
            self._unknown,
        )
        while self._skip():
            any(step() for step in steps)
        if self.keyword not in {None, "in"}:
            self.found.unknown.append(Unknown(self.keyword or "", KEYWORD))
        return self.found

    def _skip(self) -> bool:
        between = _BETWEEN.match(self.text, self.at)
        self.at = between.end() if between else self.at
        return self.at < len(self.text)

    def _take(self, match: re.Match[str], kind: str | None = None) -> None:
        """Goes on after a match. A keyword that something else follows was no keyword."""
        self.at = match.end()
        if self.keyword in {"vendor", "provider", "region", "from", "via"} and kind not in _KINDS[self.keyword]:
            self.found.unknown.append(Unknown(self.keyword, KEYWORD))
        self.keyword = None

    def _one_of(self, named: Sequence[Named], at: int) -> tuple[re.Match[str], str] | None:
        for one in named:
            match = one.pattern.match(self.text, at)
            if match and match.end() > at:
                return match, one.means
        return None

    def _gpu(self) -> bool:
        at = self.at
        count = _COUNT_BEFORE.match(self.text, at)
        gpu = self._one_of(self.words.gpus, at)
        if gpu is None and count is not None:
            gpu = self._one_of(self.words.gpus, count.end())
            glued = not count.group(2) and gpu is not None and gpu[0].group()[0].isdigit()
            if gpu is None or glued:
                return False
            self.found.counts.append(int(count.group(1)))
        if gpu is None:
            return False
        self.found.gpus.append(gpu[1])
        self._take(gpu[0])
        # `A100-80`: what hangs on a GPU's name with a hyphen is its memory.
        memory = re.compile(rf"-(\d{{2,3}}){_NUMBER_END}").match(self.text, self.at)
        if memory:
            self.found.marks.append(f"{memory.group(1)}gb")
            self.at = memory.end()
        return True

    def _mark(self) -> bool:
        match = _MARK.match(self.text, self.at) or self.words.marks.match(self.text, self.at)
        if match is None or match.end() == self.at:
            return False
        self.found.marks.append(match.group().replace(" ", ""))
        self._take(match)
        return True

    def _named(self, named: Sequence[Named], into: list[str], kind: str) -> bool:
        found = self._one_of(named, self.at)
        if found is None:
            return False
        into.append(found[1])
        self._take(found[0], kind)
        return True

    def _region(self) -> bool:
        return self._named(self.words.regions, self.found.regions, "region")

    def _contract(self) -> bool:
        return self._named(self.words.contracts, self.found.contracts, "contract")

    def _vendor(self) -> bool:
        return self._named(self.words.vendors, self.found.vendors, "vendor")

    def _cap(self) -> bool:
        match = _CAP.match(self.text, self.at)
        if match is not None:
            self.found.caps.append(Decimal(next(number for number in match.groups() if number is not None)))
            self._take(match)
            return True
        if _LEASE.match(self.text, self.at):
            return False
        bad = _BAD_CAP.match(self.text, self.at)
        if bad is not None:
            raise Mistake(
                f'I can\'t read the price "{self._typed(bad, 1)}". A price is in dollars per GPU and hour. '
                "Try: under $3"
            )
        return False

    def _lease(self) -> bool:
        clock = _TIME.match(self.text, self.at)
        if clock is not None:
            raise self._no_time(clock)
        match = _LEASE.match(self.text, self.at)
        if match is not None:
            self._no_minutes_alone(match)
            self.found.leases.append(read_span(match.group(1)))
            self._take(match)
            return True
        hours = _LEASE_HOURS.match(self.text, self.at)
        if hours is not None and not self._one_of(self.words.gpus, hours.end() + 1):
            self.found.leases.append(read_span(f"{hours.group(1)}h"))
            self._take(hours)
            return True
        bad = _BAD_LEASE.match(self.text, self.at) if hours is None else None
        if bad is not None and not self._counts_a_gpu(bad.start(1)):
            raise self._no_time(bad)
        return False

    def _no_minutes_alone(self, hours: re.Match[str]) -> None:
        """Raises Mistake for `1h 30`: those are minutes to most, and GPUs to us."""
        stray = _STRAY_MINUTES.match(self.text, hours.end())
        if (
            stray is None
            or not _HOURS_END.search(hours.group(1))
            or self._one_of(self.words.gpus, stray.end() + 1)
        ):
            return
        typed = short(self.said[hours.start(1) : stray.end()])
        raise Mistake(f'I can\'t read the time "{typed}". Try: for 1h30m')

    def _no_time(self, bad: re.Match[str]) -> Mistake:
        return Mistake(f'I can\'t read the time "{self._typed(bad, 1)}". Try: for 6h')

    def _counts_a_gpu(self, at: int) -> bool:
        count = _COUNT_BEFORE.match(self.text, at)
        return bool(
            _COUNT.match(self.text, at)
            or self._one_of(self.words.gpus, at)
            or (count and self._one_of(self.words.gpus, count.end()))
        )

    def _count(self) -> bool:
        match = _COUNT.match(self.text, self.at)
        if match is not None:
            self.found.counts.append(int(match.group(1) or match.group(2)))
            self._take(match)
            return True
        word = _COUNT_WORD.match(self.text, self.at)
        if word is not None:
            self.found.counts.append(NUMBER_WORDS[word.group(1)])
            self._take(word)
        return word is not None

    def _now_or_any(self) -> bool:
        match = _NOW.match(self.text, self.at)
        if match is not None:
            self.found.now = True
            self._take(match)
            return True
        match = _ANY.match(self.text, self.at)
        if match is not None:
            self._take(match, self.keyword and _KINDS[self.keyword][0])
        return match is not None

    def _key_word(self) -> bool:
        match = _KEYWORD.match(self.text, self.at)
        if match is not None:  # the later one counts, as in "from vendor nebius"
            self.keyword = match.group(1)
            self.at = match.end()
        return match is not None

    def _fluff(self) -> bool:
        match = _FLUFF.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match is not None

    def _unknown(self) -> bool:
        match = _OTHER.match(self.text, self.at)
        if match is None:
            return False
        kind = None if self.keyword is None else _KINDS[self.keyword][0]
        if kind == "vendor" and not self.words.vendor_names:  # we don't know them, the marketplace does
            self.found.vendors.append(self._typed(match))
        else:
            self.found.unknown.append(Unknown(self._typed(match), kind))
        self.keyword = None
        self.at = match.end()
        return True

    def _typed(self, match: re.Match[str], group: int = 0) -> str:
        return short(self.said[match.start(group) : match.end(group)].rstrip(".,"))


def read(text: str, words: Words) -> Reading:
    """Everything that a text without its note says. Raises Mistake for a price or a time that can't be read."""
    return _Reader(flat(text), words).read()
