"""From what was read to a request, or to the mistake that says what to type instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from bot.errors import Mistake
from bot.model.base import Frozen
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span
from handlers.parsing.error_messages import Mistakes
from handlers.parsing.lexer import MOST_TOKENS, Kind, Token, lex
from handlers.parsing.normalize import flat_within
from handlers.parsing.reader import Price, Reading, read
from handlers.parsing.request_text import FINEST_CAP, HIGHEST_CAP, MOST_GPUS, SHORTEST_LEASE
from handlers.parsing.slack_text import split_note
from handlers.parsing.vocabulary import Words, has_mark, words_of

LONGEST = 1000
"""Characters of a request without its note, once it is normalized."""

T = TypeVar("T")


class Wanted(Frozen):
    """A request as it was typed."""

    request: Request
    now: bool
    """It says `now`, and everything in it has one meaning only."""


def read_request(
    text: str, catalog: Catalog, *, default_lease: timedelta, max_lease: timedelta, after_verb: bool = True
) -> Wanted:
    """Return the request in a text. Raise Mistake if any of it can't be read or has two meanings.

    `after_verb`: the text stood after `get` or the like.
    """
    asked, note = split_note(text)
    words = words_of(catalog)
    found = read(_tokens(asked, words), words, after_verb=after_verb)
    request = _Judge(found, words, default_lease, max_lease).request(note)
    return Wanted(request=request, now=_is_now(asked, found, request))


def reads_like_a_request(text: str, catalog: Catalog) -> bool:
    """Return whether a text without `get` is a request: it names a GPU, or begins with a word that has a digit.
    Raise Mistake if it is too long for one."""
    asked, _ = split_note(text)
    first = asked.split(maxsplit=1)[:1]
    if first and any(letter.isdigit() for letter in first[0]):
        return True
    return any(token.kind is Kind.GPU for token in _tokens(asked, words_of(catalog)))


def _tokens(asked: str, words: Words) -> list[Token]:
    said = flat_within(asked, LONGEST)
    tokens = lex(said, words) if said is not None else []
    if said is None or len(tokens) > MOST_TOKENS:
        raise Mistake("That is too long for a request. A note goes after --. Try: /gpu get H100 EU")
    return tokens


def _is_now(asked: str, found: Reading, request: Request) -> bool:
    """Whether it says `now` in so many letters, once, and leaves no doubt about the rest."""
    exact = sum(word.lower() == "now" for word in asked.split())
    doubtful = found.doubtful or "?" in asked or any(_is_doubtful(price, found) for price in found.prices)
    return exact == found.nows == 1 and not doubtful and request.cap_said_per_gpu


def _is_doubtful(price: Price, found: Reading) -> bool:
    """Whether a price may be meant for the whole time (`under $20 for 10h`), or as no limit at all."""
    return not price.money.per_hour and (bool(found.leases) or price.after_for or not price.limited)


class _Judge:
    """Turns a reading into one request, or says what is wrong with it."""

    def __init__(self, found: Reading, words: Words, default_lease: timedelta, max_lease: timedelta) -> None:
        self.found = found
        self.words = words
        self.max_lease = max_lease
        self.default_lease = default_lease
        totals = [price for price in found.prices if self._is_total(price)]
        self.total = totals[0] if totals else None
        self.caps = [price for price in found.prices if not self._is_total(price)]
        self.mistakes = Mistakes(found, self.caps, words, (default_lease, max_lease))

    def _is_total(self, price: Price) -> bool:
        """`$20 for 10h` and `10h for $20` are the price of it all; `under $3 for 6h` is a cap."""
        timed = bool(self.found.leases) or price.after_for
        return price.total or (timed and not price.limited and not price.money.per_hour)

    def request(self, note: str) -> Request:
        found = self.found
        gpu = self._one(found.gpus, "GPU")
        region = self._one(found.regions, "region")
        contract = self._one(found.contracts, "contract")
        vendor = self._one(found.vendors, "vendor")
        count = self._one(found.counts, "number of GPUs")
        cap = self._one([price.money.amount for price in self.caps], "price")
        lease = self._one(found.leases, "time")
        if found.problems:
            raise self.mistakes.of(found.problems[0])
        if gpu is None:
            raise Mistake(f"Which GPU? Try: {self.mistakes.try_()}", self.words.families[:5])
        count = self._count(count)
        lease = self._lease(lease)
        if self.total is not None:
            raise self.mistakes.total(self.total.money, count, lease)
        return Request(
            gpu=self._variant(gpu),
            count=count,
            region=region or None,
            contract=Contract(contract or Contract.ONDEMAND),
            vendor=vendor or None,
            max_gpu_rate=self._cap(cap),
            cap_said_per_gpu=cap is None or count == 1 or any(price.money.per_gpu for price in self.caps),
            lease=lease,
            note=note,
        )

    def _one(self, said: Sequence[T], what: str) -> T | None:
        """The one that was said, also several times."""
        different = list(dict.fromkeys(said))
        if len(different) > 1:
            shown = " and ".join(_shown(value, what) for value in different[:3])
            raise Mistake(f"One {what} at a time; I read {shown}. Try: {self.mistakes.try_()}")
        return different[0] if different else None

    def _count(self, count: int | None) -> int:
        if count is None:
            return 1
        if count == 0:
            raise Mistake(f"0 GPUs is nothing to rent. Try: {self.mistakes.try_()}")
        if count > MOST_GPUS:
            raise Mistake(f"{count} GPUs are more than anyone rents at once. Try: {self.mistakes.try_()}")
        return count

    def _cap(self, cap: Decimal | None) -> Decimal | None:
        if cap is None or (FINEST_CAP <= cap <= HIGHEST_CAP and cap == cap.quantize(FINEST_CAP)):
            return cap
        raise Mistake(
            f"A price of {say_rate(cap)} per GPU and hour can't be right. It goes from {say_rate(FINEST_CAP)} to "
            f"{say_rate(HIGHEST_CAP)}, with up to 4 decimals. Try: {self.mistakes.try_(cap=Decimal(3))}"
        )

    def _lease(self, lease: timedelta | None) -> timedelta:
        if lease is None:
            return self.default_lease
        if lease > self.max_lease:
            longest = say_span(self.max_lease)
            tried = self.mistakes.try_(lease=self.max_lease)
            raise Mistake(f"{say_span(lease)} is too long: a lease is at most {longest}. Try: {tried}")
        if lease < SHORTEST_LEASE:
            raise Mistake(f"{say_span(lease)} is too short: a lease is at least 1 minute. "
                          f"Try: {self.mistakes.try_(lease=self.default_lease)}")  # fmt: skip
        return lease

    def _variant(self, gpu: str) -> str:
        """The family or the canonical name that the marks leave."""
        marks = list(dict.fromkeys(self.found.marks))
        if not marks:
            return gpu
        family = self.words.family_of(gpu) or gpu
        known = self.words.variants[family]
        fitting = [
            variant.name
            for variant in known
            if gpu in {family, variant.name} and all(has_mark(variant, mark) for mark in marks)
        ]
        if not fitting:
            raise self.mistakes.no_variant(family, marks)
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) == len(known):
            return family
        raise self.mistakes.variants(family, marks, fitting)


def _shown(value: object, what: str) -> str:
    if isinstance(value, timedelta):
        return say_span(value)
    return say_rate(value) if isinstance(value, Decimal) else str(value) or f"any {what}"
