"""Reads the numbers, lengths and prices among the tokens of a request."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches

from bot.model.gpu import memory_sizes
from handlers.parsing.durations import parse_duration
from handlers.parsing.prices import OTHER_CURRENCIES, Money
from handlers.parsing.request_parts import LEFT_OUT, Price, Problem, ProblemKind, Reading, RequestParts
from handlers.parsing.tokens import Token, TokenKind
from handlers.parsing.vocabulary import Vocabulary

MAX_COUNT_AFTER_GPU = 8
"""`h100 8` is a number of GPUs. A larger number after a GPU may be its memory, as in `h100 90`."""
_CURRENCIES = (
    "eur euro euros gbp pound pounds chf francs cent cents yen jpy cny yuan inr rupees cad aud sek nok dkk kr pln"
)
_CURRENCY_WORDS = frozenset({*_CURRENCIES.split(), "zloty"})
PRICE_KINDS = frozenset({TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.PRICE, TokenKind.TOTAL, TokenKind.MONEY})
AMOUNT_KINDS = frozenset(
    {TokenKind.NUMBER, TokenKind.COUNT, TokenKind.MONEY, TokenKind.DURATION, TokenKind.RANGE, TokenKind.TIME}
)
_LIMIT_KINDS = AMOUNT_KINDS | PRICE_KINDS | {TokenKind.DASH}
_UNITS = ("hours", "hour", "hrs", "minutes", "minute", "mins", "days", "day", "gpus", "gpu", "cards")


def looks_like_money(token: Token) -> bool:
    return any(sign in token.text for sign in f"${OTHER_CURRENCIES}") or token.text.lower() in _CURRENCY_WORDS


def _is_after_price(token: Token) -> bool:
    """Return whether the number before this word is a price: `2 each`, `3 eur`."""
    return token.kind is TokenKind.WORD and (token.text.lower() == "each" or looks_like_money(token))


def _may_be_unit(token: Token) -> bool:
    """Return whether the token may be the unit of the number before it: `6 hous`, `3 and a half hours`."""
    return token.name == "and" or (token.kind is TokenKind.WORD and not looks_like_money(token))


def is_decimal(token: Token) -> bool:
    """Return whether a number has decimals, as in `2.0`. Then it is a price, and no number of GPUs."""
    exponent = token.number.as_tuple().exponent
    return isinstance(exponent, int) and exponent < 0


def number_readings(token: Token) -> tuple[Reading, ...]:
    hours = timedelta(hours=min(int(token.number), 10**6))
    price = Price(Money(token.number), limited=True)
    readings = (Reading("counts", int(token.number)), Reading("leases", hours), Reading("prices", price))
    return readings[:1] if token.text.isalpha() else readings  # `one` is no price and no hour


class TokenCursor:
    """Goes through the tokens from left to right. `position` is the index of the token after the one that was read
    last."""

    def __init__(self, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.position = 0
        self.parts = RequestParts(doubtful=any(token.loose for token in tokens))
        self.names_gpu = any(token.kind is TokenKind.GPU for token in tokens)

    def peek(self, ahead: int = 0) -> Token | None:
        position = self.position + ahead
        return self.tokens[position] if 0 <= position < len(self.tokens) else None

    def previous(self) -> Token | None:
        return self.peek(-2)

    def next_is(self, *kinds: TokenKind) -> bool:
        token = self.peek()
        return token is not None and token.kind in kinds

    def skip_fillers(self, *names: str) -> None:
        while (token := self.peek()) is not None and token.kind is TokenKind.FILLER and token.name in names:
            self.position += 1

    def skip_key(self, name: str) -> None:
        token = self.peek()
        if token is not None and token.kind is TokenKind.KEY and token.name == name:
            self.position += 1

    def adjacent_gpu(self, step: int) -> Token | None:
        """Return the GPU after (`step` 1) or before (-1) the token that was read last.

        Only features, `of` and words such as `more` may stand between them.
        """
        position = self.position - 1 + step
        while 0 <= position < len(self.tokens):
            token = self.tokens[position]
            if token.kind is TokenKind.GPU:
                return token
            skipped = token.kind is TokenKind.FEATURE or (step > 0 and token.kind is TokenKind.COURTESY)
            if not skipped and token.name != "of":
                return None
            position += step
        return None

    def add_problem(self, kind: ProblemKind, *tokens: Token, readings: tuple[Reading, ...] = ()) -> None:
        self.parts.problems.append(Problem(kind, " ".join(token.text for token in tokens), readings))

    def mark_doubtful(self) -> None:
        self.parts.doubtful = True


class AmountReader(TokenCursor):
    """Reads a number, a length or a price, and the words that belong to it."""

    def read_number(self, token: Token) -> None:
        gpu_after = self.adjacent_gpu(1)
        gpu = gpu_after or self.adjacent_gpu(-1)
        following = self.peek()
        if is_decimal(token) or self._ends_with_max() or (following is not None and _is_after_price(following)):
            self.read_price_without_unit(token, number=token)
        elif following is not None and following.kind is TokenKind.MACHINES:
            self.position += 1
            self.add_problem(ProblemKind.SEVERAL_MACHINES, token, following)
        elif gpu_after is None and following is not None and _may_be_unit(following) and self._read_unit(token):
            pass
        elif gpu is None and not self.names_gpu and following is not None and following.kind is TokenKind.WORD:
            self.parts.counts.append(int(token.number))  # `8 h1oo`: the word after it is read as a GPU
        elif gpu is None:
            self.add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, token, readings=number_readings(token))
        elif self._may_be_memory(token.number, gpu) or (gpu_after is None and token.number > MAX_COUNT_AFTER_GPU):
            self.add_problem(ProblemKind.MEMORY_OR_COUNT, token, readings=self._memory_or_count(token, gpu))
        else:
            self.parts.counts.append(int(token.number))
            if gpu_after is None:
                self.mark_doubtful()

    def _read_unit(self, number: Token) -> bool:
        """Read a number and the word after it, which is no unit: `6 hous`, `3 and a half hours`. Return False if
        the word may be a GPU."""
        word = self.peek()
        if word is None or word.kind is not TokenKind.WORD:
            self.add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, number)
            return True
        unit = next(iter(get_close_matches(word.text.lower(), _UNITS, 1, cutoff=0.75)), None)
        if unit is None and not self.names_gpu:
            return False
        self.position += 1
        readings: tuple[Reading, ...] = ()
        if unit in {"gpus", "gpu", "cards"}:
            readings = (Reading("counts", int(number.number)),)
        elif unit is not None:
            readings = (Reading("leases", parse_duration(f"{int(number.number)} {unit}")),)
        self.add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, number, word, readings=readings)
        return True

    def read_price_without_unit(self, *tokens: Token, number: Token, total: bool = False) -> None:
        """Read a number that is a price in dollars, unless a word after it may be another currency or a unit."""
        word = self.peek()
        each = word is not None and word.text.lower() == "each"
        follows = word is not None and (word.kind is TokenKind.WORD or self._ends_with_max())
        price = Price(Money(number.number, per_gpu=each), limited=True, total=total)
        known = each or not follows or (word is not None and word.kind is TokenKind.AT_MOST)
        self.position += follows
        typed = (*tokens, word) if word is not None and follows else tokens
        readings = (Reading("prices", price),) if known else ()
        foreign = word is not None and _is_after_price(word) and not each
        self.add_problem(
            ProblemKind.PRICE if foreign else ProblemKind.LIMIT_WITHOUT_UNIT, *typed, readings=readings
        )

    def _ends_with_max(self) -> bool:
        """Return whether a `max` follows that limits the value before it: `6h max`."""
        word, limit = self.peek(), self.peek(1)
        after = word is not None and word.kind is TokenKind.AT_MOST and word.name in {"max", "maximum", "at most"}
        return after and (limit is None or limit.kind not in _LIMIT_KINDS)

    def _memory_or_count(self, number: Token, gpu: Token) -> tuple[Reading, ...]:
        count = Reading("counts", int(number.number))
        if not self._may_be_memory(number.number, gpu):
            return (count,)
        return (Reading("features", f"{number.number}gb"), count)

    def _may_be_memory(self, number: Decimal, gpu: Token) -> bool:
        return number in memory_sizes(self.vocabulary.variants_of(gpu.name))

    def read_duration(self, token: Token, *, latest: bool = False) -> None:
        following, after = self.peek(), self.peek(1)
        word_after = after is not None and after.kind is TokenKind.WORD
        if token.ends_in_hours and following and following.kind is TokenKind.NUMBER and not word_after:
            # `1h 30`: most people mean minutes. `6h 8 h100`: a number of GPUs. `6h 8 gpsu` is read with its word.
            self.position += 1
            if following.number >= 10 or self.adjacent_gpu(1) is None:
                minutes = timedelta(minutes=int(min(following.number, Decimal(60))))
                whole = minutes < timedelta(hours=1) and not is_decimal(following)
                readings = (Reading("leases", token.duration + minutes),) if whole else ()
                self.add_problem(ProblemKind.HOURS_AND_NUMBER, token, following, readings=readings)
                return
            self.position -= 1
        if not latest and self._ends_with_max():
            self.position += 1
            self.mark_doubtful()
            latest = True
        (self.parts.latest if latest else self.parts.leases).append(token.duration)
        self.skip_key("lease")

    def read_price(self, first: Token) -> None:
        """Read a price, and the words before it: `under $3`, `max price 3`, `total budget of $500`."""
        previous = self.previous()
        after_for = previous is not None and previous.name == "for"
        after_at = previous is not None and previous.name in {"at", "@"}
        option = previous is not None and previous.kind is TokenKind.DASH
        words = [first]
        while True:
            self.skip_fillers("of", "a", "the")
            token = self.peek()
            if words[-1].kind is TokenKind.MONEY or token is None or token.kind not in PRICE_KINDS:
                break
            words.append(token)
            self.position += 1
        readable = {TokenKind.NUMBER, TokenKind.COUNT, TokenKind.DURATION, TokenKind.WORD, TokenKind.DASH}
        if words[-1].kind is TokenKind.MONEY:
            self._read_money(words, after_for=after_for, after_at=after_at)
        elif token is None or token.kind not in readable:
            self.add_problem(ProblemKind.MISSING_VALUE, *words, readings=(LEFT_OUT,))
        else:
            self.position += 1
            self._read_limit(words, token, option=option)

    def _read_money(self, words: list[Token], *, after_for: bool, after_at: bool) -> None:
        money = words[-1].money
        if money.other_unit:
            self.parts.problems.append(Problem(ProblemKind.PRICE_UNIT, money.other_unit))
            return
        total_words = [token.name for token in words if token.kind is TokenKind.TOTAL]
        # `budget $3/h` is a cap, `total $3/h` is the price of all GPUs.
        hourly_budget = money.per_hour and all(name == "budget" for name in total_words)
        total = money.total or (bool(total_words) and not hourly_budget)
        limited = money.limit or len(words) > 1 or after_at
        if after_at:
            self.mark_doubtful()
        self.parts.prices.append(Price(money, limited=limited, total=total, after_for=after_for))

    def _read_limit(self, words: list[Token], limit: Token, *, option: bool) -> None:
        """Read a limit that is no amount of dollars, and the words before that limit."""
        kinds = {token.kind for token in words}
        total = TokenKind.TOTAL in kinds
        is_number = limit.kind is TokenKind.NUMBER
        before_gpu = self.adjacent_gpu(1) is not None
        price = Price(Money(limit.number), limited=True, total=total)
        if limit.kind is TokenKind.DURATION and kinds == {TokenKind.AT_MOST}:
            self.read_duration(limit, latest=True)
        elif is_number and TokenKind.PRICE in kinds and not total and (option or not before_gpu):
            self.parts.prices.append(price)
        elif is_number and is_decimal(limit) and not total and not before_gpu and not self.next_is(TokenKind.WORD):
            self.parts.prices.append(price)
            self.mark_doubtful()
        elif limit.kind is TokenKind.COUNT or (is_number and before_gpu and not is_decimal(limit)):
            count = Reading("counts", int(limit.number))
            self.add_problem(ProblemKind.LIMITED_COUNT, *words, limit, readings=(count,))
        elif is_number:
            self.read_price_without_unit(*words, limit, number=limit, total=total)
        elif limit.kind is TokenKind.DURATION:
            self.add_problem(ProblemKind.TIME, *words, limit)
        elif limit.kind is TokenKind.DASH:
            number = self.peek()
            self.position += 1 if number else 0
            typed = limit.text + (number.text if number else "")
            self.add_problem(ProblemKind.PRICE, Token(TokenKind.WORD, typed))
        elif any(letter.isdigit() for letter in limit.text):
            self.add_problem(ProblemKind.PRICE, limit)
        else:
            self.add_problem(ProblemKind.UNKNOWN_WORD, *words, limit)
