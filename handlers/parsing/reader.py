"""Reads the tokens of a request: what each adds to it, and which can't be read.

Each kind of token has exactly one method that reads it. Whether the parts make a request is decided in
`request_parser.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from bot.model.gpu import memory_sizes
from handlers.parsing.lexer import Token, TokenKind
from handlers.parsing.parts import Price, RequestParts
from handlers.parsing.prices import OTHER_CURRENCIES, Money
from handlers.parsing.problems import Problem, ProblemKind
from handlers.parsing.vocabulary import Vocabulary

MAX_COUNT_AFTER_GPU = 8
"""`h100 8` is a number of GPUs. A larger number after a GPU may be its memory, as in `h100 90`."""


_VALUES_AFTER = {
    "region": (TokenKind.REGION,),
    "vendor": (TokenKind.VENDOR,),
    "provider": (TokenKind.VENDOR,),
    "contract": (TokenKind.CONTRACT,),
    "in": (TokenKind.REGION,),
    "from": (TokenKind.VENDOR, TokenKind.REGION),
    "on": (TokenKind.VENDOR, TokenKind.CONTRACT),
    "via": (TokenKind.VENDOR,),
    "at": (TokenKind.VENDOR,),
    "lease": (TokenKind.DURATION,),
    "duration": (TokenKind.DURATION,),
    "hours": (TokenKind.DURATION, TokenKind.NUMBER),
    "hrs": (TokenKind.DURATION, TokenKind.NUMBER),
    "count": (TokenKind.COUNT, TokenKind.NUMBER),
}
"""The values that may follow each key or preposition."""
_CURRENCY_WORDS = frozenset({"eur", "euro", "euros", "gbp", "pounds", "chf", "cent", "cents"})
_PRICE_KINDS = frozenset({TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.PRICE, TokenKind.TOTAL, TokenKind.MONEY})
_OPTION_KINDS = frozenset(
    {TokenKind.KEY, TokenKind.GPU, TokenKind.REGION, TokenKind.CONTRACT, TokenKind.VENDOR}
    | {TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.PRICE, TokenKind.NOW, TokenKind.SETUP, TokenKind.NO_PROBE}
)
_OPTION_WORDS = frozenset({"for", "gpu", "gpus", "type"})
_AMOUNT_KINDS = frozenset(
    {TokenKind.NUMBER, TokenKind.COUNT, TokenKind.MONEY, TokenKind.DURATION, TokenKind.RANGE, TokenKind.TIME}
)
_VERBS = frozenset({"get", "rent", "need", "want", "for", "with"})
NIGHTS = frozenset({"tonight", "overnight"})
_WORDS_BEFORE_NOUN_NOW = frozenset({"for", "of", "a", "the", "with"})


def read_tokens(tokens: list[Token], vocabulary: Vocabulary, *, after_verb: bool) -> RequestParts:
    """Return what the tokens mean. `after_verb`: they follow `get` or another verb."""
    return _TokenReader(tokens, vocabulary, after_verb).read()


def _looks_like_money(token: Token) -> bool:
    return any(sign in token.text for sign in f"${OTHER_CURRENCIES}") or token.text.lower() in _CURRENCY_WORDS


def _may_be_unit(token: Token) -> bool:
    """Return whether the token may be the unit of the number before it: `6 hous`, `3 and a half hours`."""
    return token.name == "and" or (token.kind is TokenKind.WORD and not _looks_like_money(token))


class _TokenReader:
    """Reads the tokens from left to right. `position` is always that of the token after the one that is read."""

    def __init__(self, tokens: list[Token], vocabulary: Vocabulary, after_verb: bool) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.after_verb = after_verb
        self.position = 0
        self.parts = RequestParts()
        self.readers: dict[TokenKind, Callable[[Token], None]] = {
            TokenKind.GPU: lambda token: self.parts.gpus.append(token.name),
            TokenKind.FEATURE: lambda token: self.parts.features.append(token.name),
            TokenKind.REGION: self._read_region,
            TokenKind.CONTRACT: lambda token: self.parts.contracts.append(token.name),
            TokenKind.VENDOR: lambda token: self.parts.vendors.append(token.name),
            TokenKind.SETUP: lambda token: self.parts.setups.append(token.name),
            TokenKind.NO_PROBE: self._read_no_probe,
            TokenKind.COUNT: lambda token: self.parts.counts.append(int(token.number)),
            TokenKind.NUMBER: self._read_number,
            TokenKind.DURATION: self._read_duration,
            TokenKind.MONEY: self._read_price,
            TokenKind.AT_MOST: self._read_price,
            TokenKind.BELOW: self._read_price,
            TokenKind.PRICE: self._read_price,
            TokenKind.TOTAL: self._read_price,
            TokenKind.RANGE: lambda token: self._add_problem(ProblemKind.RANGE, token),
            TokenKind.TIME: lambda token: self._add_problem(ProblemKind.TIME, token),
            TokenKind.UNTIL: self._read_until,
            TokenKind.UP_TO_END: lambda token: self.parts.latest_ends.append(token.name),
            TokenKind.BUSY: self._read_busy,
            TokenKind.KEY: self._read_key,
            TokenKind.PREPOSITION: self._read_key,
            TokenKind.NOW: self._read_now,
            TokenKind.URGENT: lambda _: self._mark_doubtful(),
            TokenKind.FILLER: lambda _: None,
            TokenKind.MACHINES: lambda token: self._add_problem(ProblemKind.SEVERAL_MACHINES, token),
            TokenKind.DASH: self._read_option,
            TokenKind.AMBIGUOUS: lambda token: self._add_problem(ProblemKind.AMBIGUOUS, token),
            TokenKind.WORD: self._read_word,
        }

    def read(self) -> RequestParts:
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            self.readers[token.kind](token)
        return self.parts

    # --- the tokens around the one that is read

    def _peek(self, ahead: int = 0) -> Token | None:
        position = self.position + ahead
        return self.tokens[position] if 0 <= position < len(self.tokens) else None

    def _previous(self) -> Token | None:
        return self._peek(-2)

    def _next_is(self, *kinds: TokenKind) -> bool:
        token = self._peek()
        return token is not None and token.kind in kinds

    def _skip_fillers(self, *names: str) -> None:
        while (token := self._peek()) is not None and token.kind is TokenKind.FILLER and token.name in names:
            self.position += 1

    def _skip_key(self, name: str) -> None:
        token = self._peek()
        if token is not None and token.kind is TokenKind.KEY and token.name == name:
            self.position += 1

    def _adjacent_gpu(self, step: int) -> Token | None:
        """Return the GPU after (`step` 1) or before (-1) the token that is read.

        Only features and `of` may stand between them.
        """
        position = self.position - 1 + step
        while 0 <= position < len(self.tokens):
            token = self.tokens[position]
            if token.kind is TokenKind.GPU:
                return token
            if token.kind is not TokenKind.FEATURE and token.name != "of":
                return None
            position += step
        return None

    def _add_problem(self, kind: ProblemKind, *tokens: Token, number: Decimal = Decimal(0)) -> None:
        self.parts.problems.append(Problem(kind, " ".join(token.text for token in tokens), int(number)))

    def _mark_doubtful(self) -> None:
        self.parts.doubtful = True

    # --- regions, numbers, durations, words

    def _read_region(self, token: Token) -> None:
        previous, following = self._previous(), self._peek()
        counted = {TokenKind.GPU, TokenKind.COUNT, TokenKind.NUMBER}
        if token.text.lower() == "other" and following is not None and following.kind in counted:
            self._mark_doubtful()  # `the other h100` is no region
        if previous is None:
            verb_before = self.after_verb
        else:
            verb_before = previous.kind is TokenKind.FILLER and previous.name in _VERBS
        if token.text.lower() == "us" and verb_before:
            self._add_problem(ProblemKind.US, token)
        else:
            self.parts.regions.append(token.name)
        if following is not None and following.name == "region":  # the EU region
            self.position += 1

    def _read_number(self, token: Token) -> None:
        if token.number != int(token.number):
            self._add_problem(ProblemKind.UNREADABLE, token)
            return
        gpu_after = self._adjacent_gpu(1)
        gpu = gpu_after or self._adjacent_gpu(-1)
        following = self._peek()
        if following is not None and following.kind is TokenKind.MACHINES:
            self.position += 1
            self._add_problem(ProblemKind.SEVERAL_MACHINES, token, following)
        elif gpu is None:
            self._add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, token, number=token.number)
        elif self._may_be_memory(token.number, gpu) or (gpu_after is None and token.number > MAX_COUNT_AFTER_GPU):
            self._add_problem(ProblemKind.MEMORY_OR_COUNT, token, number=token.number)
        elif gpu_after is None and following is not None and _may_be_unit(following):
            # `h100 6 hous` and `h100 3 and a half hours` are no numbers of GPUs.
            tokens = [token, following] if following.kind is TokenKind.WORD else [token]
            self._add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, *tokens, number=token.number)
        else:
            self.parts.counts.append(int(token.number))
            if gpu_after is None:
                self._mark_doubtful()

    def _may_be_memory(self, number: Decimal, gpu: Token) -> bool:
        return number in memory_sizes(self.vocabulary.variants_of(gpu.name))

    def _read_duration(self, token: Token, *, latest: bool = False) -> None:
        following = self._peek()
        if token.ends_in_hours and following is not None and following.kind is TokenKind.NUMBER:
            # `1h 30`: most people mean minutes. `6h 8 h100`: a number of GPUs.
            self.position += 1
            if following.number >= 10 or self._adjacent_gpu(1) is None:
                self._add_problem(ProblemKind.HOURS_AND_NUMBER, token, following)
                return
            self.position -= 1
        (self.parts.latest if latest else self.parts.leases).append(token.duration)
        self._skip_key("lease")

    def _read_busy(self, _: Token) -> None:
        self.parts.busy = True

    def _read_until(self, token: Token) -> None:
        if token.name:
            self.parts.ends.append(token.name)
            return
        following = self._peek()
        if following is not None and following.text.lower() in NIGHTS:
            return
        self.position += 1 if following else 0
        self._add_problem(ProblemKind.END, token, *([following] if following else []))

    def _read_now(self, _token: Token) -> None:
        self.parts.now_count += 1
        previous = self._previous()
        if previous is not None and previous.kind is TokenKind.FILLER and previous.name in _WORDS_BEFORE_NOUN_NOW:
            self._mark_doubtful()  # `for now` doesn't say when to rent

    def _read_word(self, token: Token) -> None:
        if _looks_like_money(token):
            self._add_problem(ProblemKind.PRICE, token)
        elif token.text.lstrip("-+.")[:1].isdigit():
            self._add_problem(ProblemKind.UNREADABLE, token)
        elif token.text.lower() in NIGHTS:
            self._add_problem(ProblemKind.NIGHT, token)
        else:
            self._add_problem(ProblemKind.UNKNOWN_WORD, token)

    # --- keys and options

    def _read_key(self, key: Token) -> None:
        """Read a word such as `region`, `in` or `hours`, and the value after it."""
        previous = self._previous()
        kinds = _VALUES_AFTER[key.name]
        self._skip_fillers(*(("for",) if TokenKind.DURATION in kinds else ("the", "of")))
        value = self._peek()
        if (
            key.kind is TokenKind.PREPOSITION
            and value is not None
            and value.name in {"region", "vendor", "provider"}
        ):
            return  # from vendor nebius
        if value is None or value.kind not in {*kinds, TokenKind.WORD, TokenKind.NUMBER, TokenKind.DURATION}:
            spot_contract = key.name == "contract" and previous is not None and previous.kind is TokenKind.CONTRACT
            if not spot_contract:
                missing = ProblemKind.UNKNOWN_WORD if key.name in {"at", "on"} else ProblemKind.MISSING_VALUE
                self._add_problem(missing, key)
            return
        self.position += 1
        if value.kind in kinds:
            self._read_value(key, value, option=previous is not None and previous.kind is TokenKind.DASH)
        elif value.kind is TokenKind.WORD:
            self._read_unknown_value(key, value)
        elif value.kind is TokenKind.DURATION:
            self._add_problem(ProblemKind.LATER if key.name == "in" else ProblemKind.TIME, key, value)
        elif key.kind is TokenKind.PREPOSITION:
            self._add_problem(ProblemKind.TIME, key, value)
        else:
            self._add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, key, value)

    def _read_value(self, key: Token, value: Token, *, option: bool) -> None:
        if value.kind is TokenKind.REGION:
            self.parts.regions.append(value.name)
            self._skip_key("region")
        elif value.kind is not TokenKind.NUMBER:
            self.readers[value.kind](value)
        elif key.name != "count" and not option and self._adjacent_gpu(1) is not None:
            self._add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, value)
        elif value.number != int(value.number) and key.name == "count":
            self._add_problem(ProblemKind.UNREADABLE, value)
        elif key.name == "count":
            self.parts.counts.append(int(value.number))
        else:
            hours = min(value.number, Decimal(10**6))
            self.parts.leases.append(timedelta(seconds=int(hours * 3600)))

    def _read_unknown_value(self, key: Token, value: Token) -> None:
        kinds = _VALUES_AFTER[key.name]
        if key.name in {"at", "on"}:
            self._add_problem(ProblemKind.UNKNOWN_WORD, key, value)
        elif TokenKind.VENDOR in kinds and not self.vocabulary.vendor_names:
            self.parts.vendors.append(value.text)  # the marketplace knows its vendors, the bot doesn't yet
        elif TokenKind.VENDOR in kinds:
            self._add_problem(ProblemKind.UNKNOWN_VENDOR, value)
        elif TokenKind.REGION in kinds:
            self._add_problem(ProblemKind.UNKNOWN_REGION, value)
        else:
            self._read_word(value)

    def _read_no_probe(self, _: Token) -> None:
        self.parts.probe = False

    def _read_option(self, dash: Token) -> None:
        """Read a dash and the word directly after it: an option if the word is known."""
        option = self._peek()
        if option is None:
            return
        self.position += 1
        if option.name in {"gpu", "gpus"} and self._next_is(TokenKind.NUMBER, TokenKind.COUNT):
            self.position += 1
            self.parts.counts.append(int(self.tokens[self.position - 1].number))
        elif option.kind is TokenKind.NOW:
            self._mark_doubtful()
        elif option.kind in _OPTION_KINDS or option.name in _OPTION_WORDS:
            self.position -= 1
        else:
            typed = Token(option.kind, dash.text + option.text)
            unreadable = option.kind in _AMOUNT_KINDS
            self._add_problem(ProblemKind.UNREADABLE if unreadable else ProblemKind.UNKNOWN_OPTION, typed)

    # --- prices

    def _read_price(self, first: Token) -> None:
        """Read a price, and the words before it: `under $3`, `max price 3`, `total budget of $500`."""
        previous = self._previous()
        after_for = previous is not None and previous.name == "for"
        option = previous is not None and previous.kind is TokenKind.DASH
        words = [first]
        while True:
            self._skip_fillers("of", "a", "the")
            token = self._peek()
            if words[-1].kind is TokenKind.MONEY or token is None or token.kind not in _PRICE_KINDS:
                break
            words.append(token)
            self.position += 1
        readable = {TokenKind.NUMBER, TokenKind.COUNT, TokenKind.DURATION, TokenKind.WORD, TokenKind.DASH}
        if words[-1].kind is TokenKind.MONEY:
            self._read_money(words, after_for)
        elif token is None or token.kind not in readable:
            self._add_problem(ProblemKind.UNKNOWN_WORD, *words)
        else:
            self.position += 1
            self._read_limit(words, token, option=option)

    def _read_money(self, words: list[Token], after_for: bool) -> None:
        money = words[-1].money
        if money.other_unit:
            self.parts.problems.append(Problem(ProblemKind.PRICE_UNIT, money.other_unit))
            return
        total_words = [token.name for token in words if token.kind is TokenKind.TOTAL]
        # `budget $3/h` is a cap, `total $3/h` is the price of all GPUs.
        hourly_budget = money.per_hour and all(name == "budget" for name in total_words)
        total = money.total or (bool(total_words) and not hourly_budget)
        limited = money.limit or len(words) > 1
        self.parts.prices.append(Price(money, limited=limited, total=total, after_for=after_for))

    def _read_limit(self, words: list[Token], limit: Token, *, option: bool) -> None:
        """Read a limit that is no amount of dollars, and the words before it."""
        kinds = {token.kind for token in words}
        is_price = TokenKind.PRICE in kinds and TokenKind.TOTAL not in kinds
        is_number = limit.kind is TokenKind.NUMBER
        is_count = limit.kind is TokenKind.COUNT or (is_number and self._adjacent_gpu(1) is not None)
        if limit.kind is TokenKind.DURATION and kinds == {TokenKind.AT_MOST}:
            self._read_duration(limit, latest=True)
        elif is_number and is_price and (option or not is_count):
            self.parts.prices.append(Price(Money(limit.number), limited=True))
        elif is_count:
            self._add_problem(ProblemKind.LIMITED_COUNT, *words, limit, number=limit.number)
        elif is_number:
            kind = ProblemKind.PRICE if TokenKind.TOTAL in kinds else ProblemKind.LIMIT_WITHOUT_UNIT
            self._add_problem(kind, *words, limit, number=limit.number)
        elif limit.kind is TokenKind.DURATION:
            self._add_problem(ProblemKind.TIME, *words, limit)
        elif limit.kind is TokenKind.DASH:
            number = self._peek()
            self.position += 1 if number else 0
            typed = limit.text + (number.text if number else "")
            self._add_problem(ProblemKind.PRICE, Token(TokenKind.WORD, typed))
        elif any(letter.isdigit() for letter in limit.text):
            self._add_problem(ProblemKind.PRICE, limit)
        else:
            self._add_problem(ProblemKind.UNKNOWN_WORD, *words, limit)
