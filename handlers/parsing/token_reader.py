"""Reads the tokens of a request: what each adds to the request, and which can't be read.

Each kind of token has exactly one method that reads it. Whether the parts make a request is decided in
`request_parser.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from handlers.parsing.amounts import (
    AMOUNT_KINDS,
    PRICE_KINDS,
    AmountReader,
    is_decimal,
    looks_like_money,
    number_readings,
)
from handlers.parsing.request_parts import LEFT_OUT, ProblemKind, Reading, RequestParts
from handlers.parsing.tokens import Token, TokenKind
from handlers.parsing.until import TIME_WORDS, UNTIL
from handlers.parsing.vocabulary import OTHER_VENDORS, Vocabulary

_VALUES_AFTER = {
    **dict.fromkeys(("region", "in", "within", "inside"), (TokenKind.REGION, TokenKind.PLACE)),
    **dict.fromkeys(("vendor", "provider", "via", "at", "@"), (TokenKind.VENDOR,)),
    "from": (TokenKind.VENDOR, TokenKind.REGION, TokenKind.PLACE),
    "on": (TokenKind.VENDOR, TokenKind.CONTRACT),
    "contract": (TokenKind.CONTRACT,),
    **dict.fromkeys(("lease", "duration"), (TokenKind.DURATION,)),
    **dict.fromkeys(("hours", "hrs"), (TokenKind.DURATION, TokenKind.NUMBER)),
    "count": (TokenKind.COUNT, TokenKind.NUMBER),
}
"""The values that may follow each key or preposition."""
_OPTION_KINDS = frozenset(
    {TokenKind.KEY, TokenKind.GPU, TokenKind.REGION, TokenKind.PLACE, TokenKind.CONTRACT, TokenKind.VENDOR}
    | {TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.AT_LEAST, TokenKind.EXCLUDES, TokenKind.PRICE, TokenKind.NOW}
    | {TokenKind.SETUP, TokenKind.PROJECT, TokenKind.NO_PROBE}
)
_COUNTED = frozenset({TokenKind.GPU, TokenKind.COUNT, TokenKind.NUMBER})
_OPTION_WORDS = frozenset({"for", "gpu", "gpus", "type"})
_VERBS = frozenset({"get", "rent", "need", "want", "give", "find", "book", "grab", "show", "let", "for", "with"})
_START_OR_PRICE = re.compile(r"(?:at|@) ?(\d{1,2})")
_CLOCK_TIME = re.compile(r"(?:(by|before|from) )?(\d{1,2}(?::\d\d(?: ?[ap]m)?| ?[ap]m))")
NIGHTS = frozenset({"tonight", "overnight"})
_WORDS_BEFORE_NOUN_NOW = frozenset({"for", "of", "a", "the", "with"})


def read_tokens(tokens: list[Token], vocabulary: Vocabulary, *, after_verb: bool) -> RequestParts:
    """Return what the tokens mean. `after_verb` tells whether they follow `get` or another verb."""
    return _TokenReader(tokens, vocabulary, after_verb).read()


class _TokenReader(AmountReader):
    """Reads each token with the reader for its kind."""

    def __init__(self, tokens: list[Token], vocabulary: Vocabulary, after_verb: bool) -> None:
        super().__init__(tokens, vocabulary)
        self.after_verb = after_verb
        self.readers: dict[TokenKind, Callable[[Token], None]] = {
            TokenKind.GPU: lambda token: self.parts.gpus.append(token.name),
            TokenKind.FEATURE: self._read_feature,
            TokenKind.REGION: self._read_region,
            TokenKind.PLACE: self._read_place,
            TokenKind.CONTRACT: lambda token: self.parts.contracts.append(token.name),
            TokenKind.VENDOR: lambda token: self.parts.vendors.append(token.name),
            TokenKind.SETUP: lambda token: self.parts.setups.append(token.name),
            TokenKind.PROJECT: lambda token: self.parts.projects.append(token.name),
            TokenKind.NO_PROBE: self._read_no_probe,
            TokenKind.COUNT: lambda token: self.parts.counts.append(int(token.number)),
            TokenKind.NUMBER: self.read_number,
            TokenKind.DURATION: self.read_duration,
            TokenKind.MONEY: self.read_price,
            TokenKind.AT_MOST: self.read_price,
            TokenKind.BELOW: self.read_price,
            TokenKind.PRICE: self.read_price,
            TokenKind.TOTAL: self.read_price,
            TokenKind.RANGE: lambda token: self.add_problem(ProblemKind.RANGE, token),
            TokenKind.TIME: self._read_time,
            TokenKind.UNTIL: self._read_until,
            TokenKind.UP_TO_END: lambda token: self.parts.latest_ends.append(token.name),
            TokenKind.START: lambda token: self.parts.starts.append(token.name),
            TokenKind.ANY_TIME: self._read_any_time,
            TokenKind.BUSY: self._read_busy,
            TokenKind.KEY: self._read_key,
            TokenKind.PREPOSITION: self._read_key,
            TokenKind.NOW: self._read_now,
            TokenKind.URGENT: lambda _: self.mark_doubtful(),
            TokenKind.FILLER: lambda _: None,
            TokenKind.COURTESY: lambda _: None,
            TokenKind.EXCLUDES: lambda token: self._read_unwanted(ProblemKind.EXCLUDES, token),
            TokenKind.AT_LEAST: lambda token: self._read_unwanted(ProblemKind.AT_LEAST, token),
            TokenKind.MACHINES: lambda token: self.add_problem(
                ProblemKind.SEVERAL_MACHINES, token, readings=(LEFT_OUT,)
            ),
            TokenKind.DASH: self._read_option,
            TokenKind.AMBIGUOUS: lambda token: self.add_problem(ProblemKind.AMBIGUOUS, token),
            TokenKind.WORD: self._read_word,
        }

    def read(self) -> RequestParts:
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            self.readers[token.kind](token)
        return self.parts

    def _after_verb(self) -> bool:
        """Return whether a verb stands before the token that was read last, with only words such as `now`
        between."""
        for token in reversed(self.tokens[: self.position - 1]):
            if token.name in _VERBS:
                return True
            if token.kind not in {TokenKind.COURTESY, TokenKind.NOW, TokenKind.URGENT}:
                return False
        return self.after_verb

    # --- regions, times, words

    def _read_region(self, token: Token) -> None:
        following = self.peek()
        before, after = (near and near.kind for near in (self.previous(), following))
        joined = before in {TokenKind.COURTESY, TokenKind.FILLER, TokenKind.WORD} or after in _COUNTED
        if token.text.lower() == "us" and self._after_verb():
            self.add_problem(ProblemKind.US, token, readings=(Reading("regions", token.name), LEFT_OUT))
        elif token.text.lower() == "other" and joined:
            self.mark_doubtful()  # `the other h100` and `h100 or other` name no region
        else:
            self.parts.regions.append(token.name)
        if following is not None and following.name == "region":  # the EU region
            self.position += 1

    def _read_feature(self, token: Token) -> None:
        self.parts.features.append(token.name)
        typed = re.sub("[ -]", "", token.text.lower())
        if typed not in {token.name, token.name.removesuffix("b"), token.name.removesuffix("gb")}:
            self.mark_doubtful()  # `80 gigs`

    def _read_place(self, token: Token) -> None:
        readings = (Reading("regions", token.name),) if token.name else ()
        self.add_problem(ProblemKind.PLACE, token, readings=readings)

    def _read_unwanted(self, kind: ProblemKind, word: Token) -> None:
        """Read a word such as `not` or `at least`, and what follows it."""
        tokens = [word]
        while (token := self.peek()) is not None:
            self.position += 1
            tokens.append(token)
            if token.kind not in {TokenKind.FILLER, TokenKind.PREPOSITION, TokenKind.KEY, TokenKind.COURTESY}:
                break
        self.add_problem(kind, *tokens)

    def _read_time(self, token: Token) -> None:
        """Read a time of day without `until`."""
        typed = token.text.lower()
        price, clock = _START_OR_PRICE.fullmatch(typed), _CLOCK_TIME.fullmatch(typed)
        if price is not None:
            number = Token(TokenKind.NUMBER, price[1], number=Decimal(price[1]))
            self.read_price_without_unit(token, number=number)
        else:
            readings = self._ends_and_starts(clock[1], clock[2]) if clock else ()
            self.add_problem(ProblemKind.TIME, token, readings=readings)

    @staticmethod
    def _ends_and_starts(before: str | None, clock: str) -> tuple[Reading, ...]:
        """Return what a time of day may mean after `before`, the word before it: an end, a start, or either."""
        end = [Reading("ends", clock)] if before != "from" and UNTIL.fullmatch(f"until {clock}") else []
        return (*end, *([Reading("starts", clock)] if before in {None, "from"} else []))

    def _read_busy(self, _: Token) -> None:
        self.parts.busy = True

    def _read_any_time(self, _: Token) -> None:
        self.parts.any_time = True
        self.mark_doubtful()  # `any time now` doesn't ask for a machine at once

    def _read_until(self, token: Token) -> None:
        if token.name:
            self.parts.ends.append(token.name)
            return
        following = self.peek()
        if following is not None and following.text.lower() in NIGHTS:
            return
        self.position += 1 if following else 0
        self.add_problem(ProblemKind.END, token, *([following] if following else []))

    def _read_now(self, _token: Token) -> None:
        self.parts.now_count += 1
        previous = self.previous()
        if previous is not None and previous.kind is TokenKind.FILLER and previous.name in _WORDS_BEFORE_NOUN_NOW:
            self.mark_doubtful()  # `for now` doesn't say when to rent

    def _read_word(self, token: Token) -> None:
        number = self.peek()
        word = token.text.lower()
        if looks_like_money(token):
            self.add_problem(ProblemKind.PRICE, token)
        elif word in NIGHTS:
            self.add_problem(ProblemKind.NIGHT, token)
        elif word in TIME_WORDS:
            self.add_problem(ProblemKind.TIME, token)
        elif word in OTHER_VENDORS and self.vocabulary.vendor_names:
            self.add_problem(ProblemKind.UNKNOWN_VENDOR, token)
        elif not self.names_gpu and token.text[:1].isalpha():
            self.names_gpu = True  # each further word is unknown
            is_name = number is not None and number.kind is TokenKind.NUMBER and not is_decimal(number)
            self.position += is_name
            self.add_problem(ProblemKind.UNKNOWN_GPU, token, *([number] if number and is_name else []))
        elif token.text.lstrip("-+.")[:1].isnumeric():
            self.add_problem(ProblemKind.UNREADABLE, token)
        else:
            self.add_problem(ProblemKind.UNKNOWN_WORD, token)

    # --- keys and options

    def _read_key(self, key: Token) -> None:
        """Read a word such as `region`, `in` or `hours`, and the value after it."""
        previous = self.previous()
        kinds = _VALUES_AFTER[key.name]
        self.skip_fillers(*(("for",) if TokenKind.DURATION in kinds else ("the", "of")))
        value = self.peek()
        if key.name in {"at", "@"} and value is not None and value.kind in PRICE_KINDS:
            return  # at $3
        if (
            key.kind is TokenKind.PREPOSITION
            and value is not None
            and value.name in {"region", "vendor", "provider"}
        ):
            return  # from vendor nebius
        if value is None or value.kind not in {*kinds, TokenKind.WORD, TokenKind.NUMBER, TokenKind.DURATION}:
            spot_contract = key.name == "contract" and previous is not None and previous.kind is TokenKind.CONTRACT
            if not spot_contract:
                missing = ProblemKind.UNKNOWN_WORD if key.name in {"at", "@", "on"} else ProblemKind.MISSING_VALUE
                self.add_problem(missing, key)
            return
        self.position += 1
        if value.kind in kinds:
            self._read_value(key, value, option=previous is not None and previous.kind is TokenKind.DASH)
        elif value.kind is TokenKind.WORD:
            self._read_unknown_value(key, value)
        elif value.kind is TokenKind.DURATION:
            self.add_problem(ProblemKind.LATER if key.name in {"in", "within"} else ProblemKind.TIME, key, value)
        elif key.name in {"at", "@"}:
            self.read_price_without_unit(key, value, number=value)
        elif key.kind is TokenKind.PREPOSITION:
            self.add_problem(ProblemKind.TIME, key, value)
        else:
            self.add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, key, value)

    def _read_value(self, key: Token, value: Token, *, option: bool) -> None:
        if value.kind is TokenKind.REGION:
            self.parts.regions.append(value.name)
            self.skip_key("region")
        elif value.kind is not TokenKind.NUMBER:
            self.readers[value.kind](value)
            self.skip_key("region")
        elif key.name != "count" and not option and self.adjacent_gpu(1) is not None:
            self.add_problem(ProblemKind.NUMBER_WITHOUT_UNIT, value, readings=number_readings(value))
        elif is_decimal(value) and key.name == "count":
            self.add_problem(ProblemKind.UNREADABLE, value)
        elif key.name == "count":
            self.parts.counts.append(int(value.number))
        else:
            hours = min(value.number, Decimal(10**6))
            self.parts.leases.append(timedelta(seconds=int(hours * 3600)))

    def _read_unknown_value(self, key: Token, value: Token) -> None:
        kinds = _VALUES_AFTER[key.name]
        if looks_like_money(value) or (value.text[:1].isnumeric() and not any(map(str.isalpha, value.text))):
            self._read_word(value)
            return
        named = value.text.lower() in OTHER_VENDORS or bool(self.vocabulary.nearest_vendors(value.text))
        if key.name in {"at", "@", "on"} and value.text.lower() in TIME_WORDS:
            self.add_problem(ProblemKind.TIME, key, value)
        elif key.name in {"at", "@", "on"} and not named:
            self.add_problem(ProblemKind.UNKNOWN_WORD, key, value)
        elif TokenKind.VENDOR in kinds and not self.vocabulary.vendor_names:
            self.parts.vendors.append(value.text)  # the marketplace knows its vendors, the bot doesn't yet
        elif TokenKind.VENDOR in kinds:
            self.add_problem(ProblemKind.UNKNOWN_VENDOR, value)
        elif TokenKind.REGION in kinds:
            self.add_problem(ProblemKind.UNKNOWN_REGION, value)
        else:
            self._read_word(value)

    def _read_no_probe(self, _: Token) -> None:
        self.parts.probe = False

    def _read_option(self, dash: Token) -> None:
        """Read a dash and the word directly after it: an option if the word is known."""
        option = self.peek()
        if option is None:
            return
        self.position += 1
        if option.name in {"gpu", "gpus"} and self.next_is(TokenKind.NUMBER, TokenKind.COUNT):
            self._read_key(Token(TokenKind.KEY, option.text, "count"))
        elif option.kind is TokenKind.NOW:
            self.mark_doubtful()
        elif option.kind in _OPTION_KINDS or option.name in _OPTION_WORDS:
            self.position -= 1
        else:
            typed = Token(option.kind, dash.text + option.text)
            unreadable = option.kind in AMOUNT_KINDS
            self.add_problem(ProblemKind.UNREADABLE if unreadable else ProblemKind.UNKNOWN_OPTION, typed)
