"""Turns the text of a request into a Request, or raises the Mistake that says what to type instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from bot.errors import Mistake
from bot.model.base import Frozen
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span
from bot.policy.notices import LONG_LEASE
from bot.policy.two_ends import AFTER_NIGHT, WHILE_BUSY
from handlers.parsing.error_messages import ErrorMessages
from handlers.parsing.given import Given
from handlers.parsing.lexer import MAX_TOKENS, Token, TokenKind, tokenize
from handlers.parsing.mentions import Mentioned, check_request_mentions, take_teammates
from handlers.parsing.normalize import normalize_within
from handlers.parsing.parts import Price, RequestParts
from handlers.parsing.reader import read_tokens
from handlers.parsing.request_text import MAX_CAP, MAX_GPUS, MIN_CAP, MIN_LEASE, is_possible_cap
from handlers.parsing.slack_text import name_mentions, split_note
from handlers.parsing.until import UnclearEnd, parse_end, parse_later_end
from handlers.parsing.vocabulary import Vocabulary, vocabulary_of
from handlers.views.ends import UTC_ONLY

MAX_LENGTH = 1000
"""Characters of a normalized request without its note."""

T = TypeVar("T")


class ParsedRequest(Frozen):
    """A request as it was typed."""

    request: Request
    now: bool
    """It says `now`, and each part of it has one meaning only."""


def parse_request(text: str, catalog: Catalog, given: Given, *, after_verb: bool = True) -> ParsedRequest:
    """Return the request in a text with its mentions (`text_with_mentions`). Raise Mistake if a part can't be read
    or has two meanings.

    `after_verb`: the text follows `get` or another verb.
    """
    asked, note = split_note(text)
    mentioned = take_teammates(asked)
    vocabulary = vocabulary_of(catalog)
    parts = read_tokens(_tokens(mentioned.text, vocabulary), vocabulary, after_verb=after_verb)
    builder = _RequestBuilder(parts, mentioned, vocabulary, given)
    request = builder.build(name_mentions(note))
    says_now = _says_now(mentioned.text, parts, request) and not builder.end_in_doubt
    return ParsedRequest(request=request, now=says_now)


def looks_like_request(text: str, catalog: Catalog) -> bool:
    """Return whether a text without `get` is a request: it names a GPU, or its first word has a digit.

    Raise Mistake if it is too long for a request.
    """
    asked, _ = split_note(name_mentions(text))
    first_word = next(iter(asked.split(maxsplit=1)), "")
    if any(letter.isdigit() for letter in first_word):
        return True
    return any(token.kind is TokenKind.GPU for token in _tokens(asked, vocabulary_of(catalog)))


def _tokens(asked: str, vocabulary: Vocabulary) -> list[Token]:
    normalized = normalize_within(asked, MAX_LENGTH)
    tokens = tokenize(normalized, vocabulary) if normalized is not None else []
    if normalized is None or len(tokens) > MAX_TOKENS:
        raise Mistake("That is too long for a request. A note goes after --. Try: /gpu get H100 EU")
    return tokens


def _says_now(asked: str, parts: RequestParts, request: Request) -> bool:
    """Return whether the text says exactly `now`, once, and nothing else in it is in doubt."""
    exact = sum(word.lower() == "now" for word in asked.split())
    doubtful = parts.doubtful or "?" in asked or any(_is_doubtful(price, parts) for price in parts.prices)
    return exact == parts.now_count == 1 and not doubtful and request.cap_said_per_gpu


def _is_doubtful(price: Price, parts: RequestParts) -> bool:
    """Return whether a price may be for the whole time (`under $20 for 10h`), or may be no limit at all."""
    timed = bool(parts.leases or parts.latest)
    return not price.money.per_hour and (timed or price.after_for or not price.limited)


class _RequestBuilder:
    """Makes one request from its parts, or raises Mistake."""

    def __init__(self, parts: RequestParts, mentioned: Mentioned, vocabulary: Vocabulary, given: Given) -> None:
        self.parts = parts
        self.mentioned = mentioned
        self.vocabulary = vocabulary
        self.given = given
        self.end_in_doubt = False
        """Whether the end is tomorrow because its time has passed today, or was read as UTC because the person's
        zone is unknown. `now` must then only show the offers."""
        self.totals = [price for price in parts.prices if self._is_total(price)]
        self.caps = [price for price in parts.prices if not self._is_total(price)]
        self.messages = ErrorMessages(parts, self.caps, vocabulary, given, mentioned.names)

    def _is_total(self, price: Price) -> bool:
        """Return whether the price is for everything: `$20 for 10h`, `10h for $20`. `under $3 for 6h` is a cap."""
        timed = self.parts.timed or price.after_for
        return price.total or (timed and not price.limited and not price.money.per_hour)

    def build(self, note: str) -> Request:
        parts = self.parts
        gpu = self._only(parts.gpus, "GPU")
        region = self._only(parts.regions, "region")
        contract = self._only(parts.contracts, "contract")
        vendor = self._only(parts.vendors, "vendor")
        count = self._only(parts.counts, "number of GPUs")
        cap = self._only([price.money.amount for price in self.caps], "price")
        first = self._only(parts.leases, "time")
        latest = self._only(parts.latest, "later end" if parts.leases or parts.busy else "time")
        end = self._only(parts.ends, "end")
        latest_end = self._only(parts.latest_ends, "later end")
        setup = self._only(parts.setups, "set-up")
        if parts.problems:
            raise self.messages.for_problem(parts.problems[0])
        if gpu is None:
            raise Mistake(f"Which GPU? Try: {self.messages.suggest()}", self.vocabulary.families[:5])
        count = self._count(count)
        until = self._until(end, first, latest_end)
        if until is None:
            lease, up_to = self._lease(first, latest)
        else:
            lease, up_to = until - self.given.now, self._later_end(until, end or "", latest, latest_end)
        if self.totals:
            raise self.messages.for_total(self.totals[0].money, count, lease - lease % timedelta(minutes=1))
        check_request_mentions(self.mentioned, self.messages.suggest())
        return Request(
            gpu=self._gpu_or_variant(gpu),
            count=count,
            region=region or None,
            contract=Contract(contract or Contract.ONDEMAND),
            vendor=vendor or None,
            max_gpu_rate=self._cap(cap),
            cap_said_per_gpu=cap is None or count == 1 or any(price.money.per_gpu for price in self.caps),
            lease=lease,
            until=until,
            up_to=up_to,
            teammates=self.mentioned.people,
            setup=setup,
            probe=parts.probe,
            note=note,
        )

    def _only(self, values: Sequence[T], what: str) -> T | None:
        """Return the value that was typed, once or several times. Raise Mistake if there are different ones."""
        different = list(dict.fromkeys(values))
        if len(different) > 1:
            shown = " and ".join(_shown(value, what) for value in different[:3])
            raise Mistake(f"One {what} at a time; I read {shown}. Try: {self.messages.suggest()}")
        return different[0] if different else None

    def _count(self, count: int | None) -> int:
        if count is None:
            return 1
        if count == 0:
            raise Mistake(f"0 GPUs is nothing to rent. Try: {self.messages.suggest()}")
        if count > MAX_GPUS:
            raise Mistake(f"{count} GPUs are more than anyone rents at once. Try: {self.messages.suggest()}")
        return count

    def _cap(self, cap: Decimal | None) -> Decimal | None:
        if cap is None or is_possible_cap(cap):
            return cap
        raise Mistake(
            f"A price of {say_rate(cap)} per GPU and hour can't be right. It goes from {say_rate(MIN_CAP)} to "
            f"{say_rate(MAX_CAP)}, with up to 4 decimals. Try: {self.messages.suggest(cap=Decimal(3))}"
        )

    def _lease(self, first: timedelta | None, latest: timedelta | None) -> tuple[timedelta, timedelta | None]:
        """Return the lease and the later of two ends. Return None for that if there is one end."""
        if self.parts.busy and latest is None:
            command = self.messages.suggest(latest=LONG_LEASE)
            raise Mistake(f"It ends when its GPUs stop, and at the latest when? Try: {command}")
        if latest is None or (first is None and not self.parts.busy) or first == latest:
            return self._possible_lease(latest if first is None else first), None
        first = self._possible_lease(WHILE_BUSY if first is None else first)
        latest = self._possible_lease(latest)
        if latest <= first:
            command = self.messages.suggest(latest=first + timedelta(hours=6))
            raise Mistake(f"The later end is not after the first one, {say_span(first)}. Try: {command}")
        if not (self.given.sees_use and self.parts.probe):
            command = self.messages.suggest(one_end=True)
            raise Mistake(f"I can't move an end without seeing whether its GPUs are busy. Try: {command}")
        return first, latest

    def _possible_lease(self, lease: timedelta | None) -> timedelta:
        if lease is None:
            return self.given.default_lease
        if lease > self.given.max_lease:
            longest = say_span(self.given.max_lease)
            suggestion = self.messages.suggest(lease=self.given.max_lease)
            raise Mistake(f"{say_span(lease)} is too long: a lease is at most {longest}. Try: {suggestion}")
        if lease < MIN_LEASE:
            suggestion = self.messages.suggest(lease=self.given.default_lease)
            raise Mistake(f"{say_span(lease)} is too short: a lease is at least 1 minute. Try: {suggestion}")
        return lease

    def _until(self, end: str | None, lease: timedelta | None, latest_end: str | None) -> datetime | None:
        if end is None and latest_end is not None:
            raise Mistake(f"Until when at least? Try: {self.messages.suggest(end=latest_end)}")
        if end is None:
            return None
        if lease is not None:
            by_length, by_end = self.messages.suggest(end=""), self.messages.suggest(end=end)
            raise Mistake(f"A length or an end, not both. Try: {by_length}, or {by_end}")
        try:
            until, rolled = parse_end(end, self.given.now, self.given.zone)
        except UnclearEnd as unclear:
            commands = [self.messages.suggest(end=possible) for possible in unclear.ends]
            raise Mistake(f"{unclear.words} Try: {', or '.join(commands)}") from None
        if until - self.given.now > self.given.max_lease:
            longest = say_span(self.given.max_lease)
            suggestion = self.messages.suggest(lease=self.given.max_lease, end="")
            raise Mistake(f'"until {end}" is too far away: a lease is at most {longest}. Try: {suggestion}')
        self.end_in_doubt = rolled or self.given.zone == UTC_ONLY
        return until

    def _later_end(
        self, until: datetime, end: str, latest: timedelta | None, latest_end: str | None
    ) -> timedelta | None:
        """Return the later of two ends after `until`, counted from now. Return None if there is one end."""
        now, zone, suggest = self.given.now, self.given.zone, self.messages.suggest
        later = until - now + AFTER_NIGHT
        later += -later % timedelta(hours=1)
        too_late = later > self.given.max_lease
        longer = suggest(end=end, latest=None if too_late else later, one_end=too_late)
        if latest_end is not None and latest is not None:
            raise Mistake(f"One later end at a time. Try: {longer}")
        if latest_end is not None:
            try:
                latest = parse_later_end(latest_end, until, now, zone) - now
            except UnclearEnd as unclear:
                raise Mistake(f"{unclear.words} Try: {longer}") from None
        if latest is None and self.parts.busy:
            raise Mistake(f"It ends when its GPUs stop, and at the latest when? Try: {longer}")
        if latest is None:
            return None
        if self._possible_lease(latest) <= until - now:
            raise Mistake(f"The later end is not after the first one, {end}. Try: {longer}")
        if not (self.given.sees_use and self.parts.probe):
            command = suggest(end=end, one_end=True)
            raise Mistake(f"I can't move an end without seeing whether its GPUs are busy. Try: {command}")
        return latest

    def _gpu_or_variant(self, gpu: str) -> str:
        """Return the family or canonical name that has all the typed features."""
        features = list(dict.fromkeys(self.parts.features))
        if not features:
            return gpu
        family = self.vocabulary.family_of(gpu) or gpu
        variants = self.vocabulary.variants[family]
        fitting = [
            variant.name
            for variant in variants
            if gpu in {family, variant.name} and all(variant.has(feature) for feature in features)
        ]
        if not fitting:
            raise self.messages.for_unknown_variant(family, features)
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) == len(variants):
            return family
        raise self.messages.for_several_variants(family, features, fitting)


def _shown(value: object, what: str) -> str:
    if isinstance(value, timedelta):
        return say_span(value)
    return say_rate(value) if isinstance(value, Decimal) else str(value) or f"any {what}"
