"""What the tokens of a request say together.

Each kind of token has exactly one reader; what no reader can place is a problem. Whether the parts make a request
is decided in wanted.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from handlers.parsing.lexer import Kind, Token
from handlers.parsing.prices import OTHER_CURRENCIES, Money
from handlers.parsing.problems import Problem, Trouble
from handlers.parsing.vocabulary import Words, memory_sizes

MOST_GPUS_AFTER = 8
"""`h100 8` is a number of GPUs. A larger number after a GPU may be its memory, as in `h100 90`."""


@dataclass(frozen=True)
class Price:
    """An amount of money and how it was said."""

    money: Money
    limited: bool
    """A word says that it is a maximum."""
    total: bool = False
    after_for: bool = False
    """`for $20`: the price of it all, unless it is said to be per hour."""


@dataclass
class Reading:
    """What was found, each in the order in which it was said."""

    gpus: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    vendors: list[str] = field(default_factory=list)
    """An empty name in `regions` and `vendors` is "any"."""
    leases: list[timedelta] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    nows: int = 0
    """How often the word `now` stands in it."""
    doubtful: bool = False
    """Something has a second reading that is unlikely but possible, so nothing is bought without a look."""


_NAMES = {
    "region": (Kind.REGION,),
    "vendor": (Kind.VENDOR,),
    "provider": (Kind.VENDOR,),
    "contract": (Kind.CONTRACT,),
    "in": (Kind.REGION,),
    "from": (Kind.VENDOR, Kind.REGION),
    "on": (Kind.VENDOR, Kind.CONTRACT),
    "via": (Kind.VENDOR,),
    "at": (Kind.VENDOR,),
    "lease": (Kind.SPAN,),
    "duration": (Kind.SPAN,),
    "hours": (Kind.SPAN, Kind.NUMBER),
    "hrs": (Kind.SPAN, Kind.NUMBER),
    "count": (Kind.COUNT, Kind.NUMBER),
}
"""What may stand after such a word."""
_CURRENCIES = frozenset({"eur", "euro", "euros", "gbp", "pounds", "chf", "cent", "cents"})
_PRICE_WORDS = frozenset({Kind.MOST, Kind.BELOW, Kind.PRICE, Kind.TOTAL, Kind.MONEY})
_OPTIONS = frozenset(
    {Kind.KEY, Kind.GPU, Kind.REGION, Kind.CONTRACT, Kind.VENDOR, Kind.MOST, Kind.BELOW, Kind.PRICE, Kind.NOW}
)
_OPTION_WORDS = frozenset({"for", "gpu", "gpus", "type"})
_VERBS = frozenset({"get", "rent", "need", "want", "for", "with"})


def read(tokens: list[Token], words: Words, *, after_verb: bool) -> Reading:
    """Return everything that the tokens say. `after_verb`: they stand after `get` or another verb."""
    return _Reader(tokens, words, after_verb).read()


def _is_money(token: Token) -> bool:
    return any(sign in token.text for sign in f"${OTHER_CURRENCIES}") or token.text.lower() in _CURRENCIES


def _may_be_a_unit(token: Token) -> bool:
    """Whether a number before it may be of that: `6 hous`, `3 and a half hours`."""
    return token.name == "and" or (token.kind is Kind.WORD and not _is_money(token))


class _Reader:
    def __init__(self, tokens: list[Token], words: Words, after_verb: bool) -> None:
        self.tokens = tokens
        self.words = words
        self.after_verb = after_verb
        self.at = 0
        self.found = Reading()
        self.readers: dict[Kind, Callable[[Token], None]] = {
            Kind.GPU: lambda token: self.found.gpus.append(token.name),
            Kind.MARK: lambda token: self.found.marks.append(token.name),
            Kind.REGION: self._region,
            Kind.CONTRACT: lambda token: self.found.contracts.append(token.name),
            Kind.VENDOR: lambda token: self.found.vendors.append(token.name),
            Kind.COUNT: lambda token: self.found.counts.append(int(token.number)),
            Kind.NUMBER: self._number,
            Kind.SPAN: self._span,
            Kind.MONEY: self._price,
            Kind.MOST: self._price,
            Kind.BELOW: self._price,
            Kind.PRICE: self._price,
            Kind.TOTAL: self._price,
            Kind.RANGE: lambda token: self._problem(Trouble.RANGE, token),
            Kind.TIME: lambda token: self._problem(Trouble.TIME, token),
            Kind.KEY: self._named,
            Kind.PREPOSITION: self._named,
            Kind.NOW: self._now,
            Kind.URGENT: self._doubt,
            Kind.FILLER: lambda _: None,
            Kind.MACHINES: lambda token: self._problem(Trouble.MACHINES, token),
            Kind.DASH: self._option,
            Kind.AMBIGUOUS: lambda token: self._problem(Trouble.AMBIGUOUS, token),
            Kind.WORD: self._word,
        }

    def read(self) -> Reading:
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            self.readers[token.kind](token)
        return self.found

    # --- looking around; `at` is the place after the token that is being read

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self.at + ahead
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def _before(self) -> Token | None:
        return self._peek(-2)

    def _next_is(self, *kinds: Kind) -> bool:
        token = self._peek()
        return token is not None and token.kind in kinds

    def _skip_words(self, *fillers: str) -> None:
        while (token := self._peek()) is not None and token.kind is Kind.FILLER and token.name in fillers:
            self.at += 1

    def _gpu_beside(self, step: int) -> Token | None:
        """The GPU next to the token that is being read, with nothing but marks and `of` between."""
        at = self.at - 1 + step
        while 0 <= at < len(self.tokens):
            token = self.tokens[at]
            if token.kind is Kind.GPU:
                return token
            if token.kind is not Kind.MARK and token.name != "of":
                return None
            at += step
        return None

    def _problem(self, trouble: Trouble, *tokens: Token, number: Decimal = Decimal(0)) -> None:
        self.found.problems.append(Problem(trouble, " ".join(token.text for token in tokens), int(number)))

    def _doubt(self, _: Token) -> None:
        self.found.doubtful = True

    # --- readers

    def _region(self, token: Token) -> None:
        before = self._before()
        after = self._peek()
        if (
            token.text.lower() == "other"
            and after is not None
            and after.kind in {Kind.GPU, Kind.COUNT, Kind.NUMBER}
        ):
            self.found.doubtful = True  # `the other h100` is no region
        verb = self.after_verb if before is None else before.kind is Kind.FILLER and before.name in _VERBS
        if token.text.lower() == "us" and verb:
            self._problem(Trouble.US, token)
        else:
            self.found.regions.append(token.name)
        if after is not None and after.name == "region":  # the EU region
            self.at += 1

    def _number(self, token: Token) -> None:
        if token.number != int(token.number):
            self._problem(Trouble.UNREADABLE, token)
            return
        after, before = self._gpu_beside(1), self._gpu_beside(-1)
        gpu = after or before
        if (machines := self._peek()) is not None and machines.kind is Kind.MACHINES:
            self.at += 1
            self._problem(Trouble.MACHINES, token, machines)
        elif gpu is None:
            self._problem(Trouble.NUMBER, token, number=token.number)
        elif token.number in self._memory_of(gpu.name) or (after is None and token.number > MOST_GPUS_AFTER):
            self._problem(Trouble.MEMORY, token, number=token.number)
        elif after is None and (unit := self._peek()) is not None and _may_be_a_unit(unit):
            # `h100 6 hous` and `h100 3 and a half hours` are no numbers of GPUs
            named = [token, unit] if unit.kind is Kind.WORD else [token]
            self._problem(Trouble.NUMBER, *named, number=token.number)
        else:
            self.found.counts.append(int(token.number))
            self.found.doubtful = self.found.doubtful or after is None

    def _memory_of(self, gpu: str) -> frozenset[int]:
        return memory_sizes(self.words.variants[self.words.family_of(gpu) or gpu])

    def _span(self, token: Token) -> None:
        number = self._peek()
        if token.name == "hours" and number is not None and number.kind is Kind.NUMBER:
            # `1h 30`: minutes to most people. `6h 8 h100`: a number of GPUs.
            self.at += 1
            if number.number >= 10 or self._gpu_beside(1) is None:
                self._problem(Trouble.MINUTES, token, number)
                return
            self.at -= 1
        self.found.leases.append(token.span)
        self._skip_key("lease")

    def _skip_key(self, name: str) -> None:
        token = self._peek()
        if token is not None and token.kind is Kind.KEY and token.name == name:
            self.at += 1

    def _now(self, _: Token) -> None:
        self.found.nows += 1
        before = self._before()
        if before is not None and before.kind is Kind.FILLER and before.name in {"for", "of", "a", "the", "with"}:
            self.found.doubtful = True  # `for now` says nothing about when

    def _word(self, token: Token) -> None:
        sign = token.text.lstrip("-+.")[:1]
        if _is_money(token):
            self._problem(Trouble.PRICE, token)
        elif sign.isdigit():
            self._problem(Trouble.UNREADABLE, token)
        else:
            self._problem(Trouble.WORD, token)

    def _named(self, key: Token) -> None:
        """A word such as `region`, `in` or `hours`, and what it announces."""
        before = self._before()
        self._skip_words(*(("for",) if Kind.SPAN in _NAMES[key.name] else ("the", "of")))
        token = self._peek()
        if key.kind is Kind.PREPOSITION and token is not None and token.name in {"region", "vendor", "provider"}:
            return  # from vendor nebius
        if token is None or token.kind not in {*_NAMES[key.name], Kind.WORD, Kind.NUMBER, Kind.SPAN}:
            if not (key.name == "contract" and before is not None and before.kind is Kind.CONTRACT):
                self._problem(Trouble.WORD if key.name in {"at", "on"} else Trouble.NAME_MISSING, key)
            return
        self.at += 1
        if token.kind in _NAMES[key.name]:
            self._announced(key, token, option=before is not None and before.kind is Kind.DASH)
        elif token.kind is Kind.WORD:
            self._unknown_name(key, token)
        elif token.kind is Kind.SPAN:
            self._problem(Trouble.LATER if key.name == "in" else Trouble.TIME, key, token)
        else:
            self._problem(Trouble.TIME if key.kind is Kind.PREPOSITION else Trouble.NUMBER, key, token)

    def _announced(self, key: Token, token: Token, *, option: bool) -> None:
        if token.kind is Kind.REGION:
            self.found.regions.append(token.name)
            self._skip_key("region")
        elif token.kind is not Kind.NUMBER:
            self.readers[token.kind](token)
        elif key.name != "count" and not option and self._gpu_beside(1) is not None:
            self._problem(Trouble.NUMBER, token)
        elif token.number != int(token.number) and key.name == "count":
            self._problem(Trouble.UNREADABLE, token)
        elif key.name == "count":
            self.found.counts.append(int(token.number))
        else:
            self.found.leases.append(timedelta(seconds=int(min(token.number, Decimal(10**6)) * 3600)))

    def _unknown_name(self, key: Token, token: Token) -> None:
        kinds = _NAMES[key.name]
        if key.name in {"at", "on"}:
            self._problem(Trouble.WORD, key, token)
        elif Kind.VENDOR in kinds and not self.words.vendor_names:  # the marketplace knows them, we don't yet
            self.found.vendors.append(token.text)
        elif Kind.VENDOR in kinds:
            self._problem(Trouble.VENDOR, token)
        elif Kind.REGION in kinds:
            self._problem(Trouble.REGION, token)
        else:
            self._word(token)

    def _option(self, dash: Token) -> None:
        """A dash glued to a word: an option if we know the word."""
        token = self._peek()
        if token is None:
            return
        self.at += 1
        if token.name in {"gpu", "gpus"} and self._next_is(Kind.NUMBER, Kind.COUNT):
            self.at += 1
            self.found.counts.append(int(self.tokens[self.at - 1].number))
        elif token.kind is Kind.NOW:
            self.found.doubtful = True
        elif token.kind in _OPTIONS or token.name in _OPTION_WORDS:
            self.at -= 1
        else:
            typed = Token(token.kind, dash.text + token.text)
            unreadable = token.kind in {Kind.NUMBER, Kind.COUNT, Kind.MONEY, Kind.SPAN, Kind.RANGE, Kind.TIME}
            self._problem(Trouble.UNREADABLE if unreadable else Trouble.OPTION, typed)

    def _price(self, first: Token) -> None:
        """A price, with the words that limit it before it: `under $3`, `max price 3`, `total budget of $500`."""
        before = self._before()
        after_for = before is not None and before.name == "for"
        option = before is not None and before.kind is Kind.DASH
        said = [first]
        while True:
            self._skip_words("of", "a", "the")
            token = self._peek()
            if said[-1].kind is Kind.MONEY or token is None or token.kind not in _PRICE_WORDS:
                break
            said.append(token)
            self.at += 1
        if said[-1].kind is Kind.MONEY:
            self._money(said, after_for)
        elif token is None or token.kind not in {Kind.NUMBER, Kind.COUNT, Kind.SPAN, Kind.WORD, Kind.DASH}:
            self._problem(Trouble.WORD, *said)
        else:
            self.at += 1
            self._limited(said, token, option=option)

    def _money(self, said: list[Token], after_for: bool) -> None:
        money = said[-1].money
        kinds = {token.kind for token in said}
        if money.other_unit:
            self.found.problems.append(Problem(Trouble.PRICE_UNIT, money.other_unit))
            return
        only_budget = all(token.name == "budget" for token in said if token.kind is Kind.TOTAL)
        total = money.total or (Kind.TOTAL in kinds and not (only_budget and money.per_hour))
        limited = money.limit or len(said) > 1
        self.found.prices.append(Price(money, limited=limited, total=total, after_for=after_for))

    def _limited(self, said: list[Token], token: Token, *, option: bool) -> None:
        """A limit on something that is no amount of dollars."""
        kinds = {one.kind for one in said}
        counts = token.kind is Kind.COUNT or (token.kind is Kind.NUMBER and self._gpu_beside(1) is not None)
        if token.kind is Kind.SPAN and kinds == {Kind.MOST}:
            self._span(token)
        elif token.kind is Kind.NUMBER and kinds & {Kind.PRICE, Kind.TOTAL} == {Kind.PRICE} and option >= counts:
            self.found.prices.append(Price(Money(token.number), limited=True))
        elif counts:
            self._problem(Trouble.LIMITED_COUNT, *said, token, number=token.number)
        elif token.kind is Kind.NUMBER:
            trouble = Trouble.PRICE if Kind.TOTAL in kinds else Trouble.LIMIT
            self._problem(trouble, *said, token, number=token.number)
        elif token.kind is Kind.SPAN:
            self._problem(Trouble.TIME, *said, token)
        elif token.kind is Kind.DASH:
            number = self._peek()
            self.at += 1 if number else 0
            self._problem(Trouble.PRICE, Token(Kind.WORD, token.text + (number.text if number else "")))
        elif any(letter.isdigit() for letter in token.text):
            self._problem(Trouble.PRICE, token)
        else:
            self._problem(Trouble.WORD, *said, token)
