"""Turns the text of a request into a Request, or raises the Mistake that says what to type instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from bot.errors import RequestMistake
from bot.model.base import Frozen
from bot.model.gpu import typed_name
from bot.model.money import Micros, micros, whole_cents
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import one_line, say_rate, say_span, short
from bot.policy.use.end_notices import LONG_LEASE
from bot.policy.use.two_ends import AFTER_NIGHT, WHILE_BUSY
from handlers.parsing.error_messages import MOST_LINES, ErrorMessages
from handlers.parsing.mentions import Mentioned, check_request_mentions, take_teammates
from handlers.parsing.request_parts import ParseContext, Price, RequestParts
from handlers.parsing.request_text import MAX_CAP, MAX_GPUS, MIN_CAP, MIN_LEASE, cap_of_total, is_possible_cap
from handlers.parsing.spoken import in_plain_words
from handlers.parsing.token_reader import read_tokens
from handlers.parsing.tokens import MAX_TOKENS, Token, TokenKind, tokenize
from handlers.parsing.typed_text import (
    AM_PM,
    MAX_NOTE_LENGTH,
    name_mentions,
    normalize,
    normalize_within,
    split_note,
)
from handlers.parsing.until import End, UnclearEnd, parse_day, parse_later_end, parse_start
from handlers.parsing.vocabulary import Vocabulary, vocabulary_of

_UNSEEN = "I can't move an end without seeing whether its GPUs are busy."
MAX_LENGTH = 1000
"""Characters of a normalized request without its note."""
_ASIDE = re.compile(
    r"(?<!setup )(?<!project )(?<!with )(?:\"[^\"]*\"|[“„][^“”„]*[“”]|«[^«»]*»|\([^()]*\)|\[[^][]*\])",
    re.IGNORECASE,
)
_CONDITIONAL = frozenset({"if", "only", "under", "max", "unless"})
"""Words by which a note sets a condition."""


class ParsedRequest(Frozen):
    """A request as it was typed."""

    request: Request
    now: bool
    """Whether it says `now`, and each part of it has one meaning only."""
    any_time: bool
    """Whether a machine that the person waits for is also rented outside of their hours."""
    waits_until: datetime | None
    """The end of the wish, if one was typed after `wait`."""


def parse_request(text: str, catalog: Catalog, context: ParseContext, *, after_verb: bool = True) -> ParsedRequest:
    """Return the request in a text with its mentions (`text_with_mentions`). Raise RequestMistake if a part of it
    can't be read or has two meanings.

    `after_verb` tells whether the text follows `get` or another verb.
    """
    vocabulary = vocabulary_of(catalog)
    asked, note = _split_note(text, vocabulary)
    mentioned = take_teammates(asked)
    setups = "|".join(re.escape(name) for name in context.setups)
    asked = re.sub(rf"\bwith (?=(?:{setups})(?!\S))", "setup ", mentioned.text) if setups else mentioned.text
    parts = read_tokens(_tokens(asked, vocabulary), vocabulary, after_verb=after_verb)
    builder = _RequestBuilder(
        parts, mentioned, vocabulary, context, one_line(name_mentions(note), MAX_NOTE_LENGTH)
    )
    request = builder.build()
    says_now = _says_now(mentioned.text, parts, request) and not builder.end_in_doubt
    says_now = says_now and not _may_be_condition(note, vocabulary)
    return ParsedRequest(request=request, now=says_now, any_time=parts.any_time, waits_until=builder.waits_until())


def looks_like_request(text: str, catalog: Catalog) -> bool:
    """Return whether a text without `get` is a request: it names a GPU, or its first word has a digit.

    Raise RequestMistake if the text is too long for a request.
    """
    vocabulary = vocabulary_of(catalog)
    asked, _ = _split_note(name_mentions(text), vocabulary)
    tokens = _tokens(asked, vocabulary)
    return any(map(str.isdigit, "".join(asked.split()[:1]))) or any(
        token.kind is TokenKind.GPU for token in tokens
    )


def _split_note(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return the request and its note, to which also belongs what stands in quotation marks or brackets, if it has
    a number and can't be read: `(run 7)`."""
    asked, note = split_note(text)
    for aside in _ASIDE.findall(asked) if len(asked) <= 2 * MAX_LENGTH else []:
        inner = normalize_within(aside[1:-1], MAX_LENGTH) or ""
        unread = {token.kind for token in tokenize(inner, vocabulary)} & {TokenKind.WORD, TokenKind.NUMBER}
        if unread and any(map(str.isdigit, inner)):
            asked, note = asked.replace(aside, " ", 1), f"{aside[1:-1]} {note}".strip()
    return asked, note


def _tokens(asked: str, vocabulary: Vocabulary) -> list[Token]:
    normalized = normalize_within(asked, MAX_LENGTH)
    tokens = tokenize(in_plain_words(normalized), vocabulary) if normalized is not None else []
    if normalized is None or len(tokens) > MAX_TOKENS:
        raise RequestMistake("That is too long for a request. A note goes after --.")
    return tokens


def _says_now(asked: str, parts: RequestParts, request: Request) -> bool:
    """Return whether the text says exactly `now`, once, and everything else in it is clear."""
    exact = sum(word.lower() == "now" for word in asked.split())
    doubtful = (
        parts.doubtful
        or in_plain_words(normalize(asked)) != normalize(asked)
        or any(sign in asked for sign in "?~")
        or AM_PM.search(asked)
        or any(_is_doubtful(price, parts) for price in parts.prices)
    )
    clear = request.cap_said_per_gpu and not request.features and request.starts_at is None
    return exact == parts.now_count == 1 and not doubtful and clear


def _may_be_condition(note: str, vocabulary: Vocabulary) -> bool:
    """Return whether a note may be a part of the request, as in `get h100 now — under $2/h`: phones make one long
    dash of the two hyphens of an option. A note that is too long to be read may be one."""
    normalized = normalize_within(note, MAX_LENGTH)
    if normalized is None or _CONDITIONAL & set(normalized.lower().split()):
        return True
    tokens = tokenize(normalized, vocabulary)
    name_before = ""
    for token, after in zip_longest(tokens, tokens[1:]):
        counted = token.kind in {TokenKind.COUNT, TokenKind.NUMBER} and after and after.kind is TokenKind.GPU
        placed = token.kind is TokenKind.REGION and (token.text.isupper() or name_before == "in")
        lasts = token.kind is TokenKind.DURATION and name_before in {"for", "at", "within"}
        timed = token.kind is TokenKind.TIME and token.text[0].isalpha()
        ends = token.kind is TokenKind.UNTIL and token.name
        if counted or placed or lasts or timed or ends or token.kind in {TokenKind.MONEY, TokenKind.START}:
            return True
        name_before = token.name
    return len(tokens) > MAX_TOKENS


def _is_doubtful(price: Price, parts: RequestParts) -> bool:
    """Return whether a price may be for the whole time (`under $20 for 10h`), or may be no limit at all."""
    return not price.money.per_hour and (parts.timed or price.after_for or not price.limited)


@dataclass
class _RequestBuilder:
    """Makes one request from its parts, or raises RequestMistake."""

    parts: RequestParts
    mentioned: Mentioned
    vocabulary: Vocabulary
    context: ParseContext
    note: str
    of_line: bool = False
    """Whether the request is a line of a mistake, which needs no lines itself."""
    end_in_doubt: bool = False
    """Whether the end is tomorrow because its time has passed today, or was read as UTC because the person's
    zone is unknown. Then `now` must only show the offers."""

    def __post_init__(self) -> None:
        if self.context.waiting:
            self.parts = replace(self.parts, ends=[], wish_ends=[*self.parts.wish_ends, *self.parts.ends])
        given = (self.parts, self.mentioned, self.vocabulary, self.context, self.note)
        self.messages = ErrorMessages(*given, reads=self._reads)

    def _reads(self, parts: RequestParts) -> bool:
        """Return whether these parts, without their problems, make a request."""
        if self.of_line:
            return False
        parts, nobody = parts.with_values("problems"), Mentioned(text="")
        context = self.context._replace(waiting=self.context.waiting and not parts.starts)
        builder = _RequestBuilder(parts, nobody, self.vocabulary, context, "", of_line=True)
        try:
            builder.build()
            builder.waits_until()
        except RequestMistake:
            return False
        return True

    def build(self) -> Request:
        parts = self.parts
        if parts.problems:
            raise self.messages.for_problems()
        gpu = self._only("gpus", "GPU")
        region = self._only("regions", "region")
        contract = self._only("contracts", "contract")
        vendor = self._only("vendors", "vendor")
        count = self._only("counts", "number of GPUs")
        price = self._only("prices", "price")
        first = self._only("leases", "time")
        latest = self._only("latest", "later end" if parts.leases or parts.busy else "time")
        end = self._only("ends", "end")
        latest_end = self._only("latest_ends", "later end")
        setup = self._only("setups", "set-up")
        project = self._only("projects", "project")
        if gpu is None:
            families = sorted(self.vocabulary.families, key=lambda family: family != "H100")[:1]
            raise self._refusal("Which GPU?", *(parts.with_values("gpus", family) for family in families))
        count = self._count(count)
        starts_at = self._starts_at()
        begins = starts_at or self.context.now
        until = self._until(end, first, latest_end, begins)
        if until is None or end is None:
            lease, up_to = self._lease(first, latest)
        else:
            lease, up_to = until - begins, self._later_end(until, end, latest, latest_end, begins)
        check_request_mentions(self.mentioned, lambda people: self.messages.line(parts, people))
        name, features = self._gpu_and_features(gpu)
        cap, max_total = self._cap(price, count, up_to or lease), self._max_total(price, count)
        return Request(
            gpu=name,
            features=features,
            count=count,
            region=region or None,
            contract=Contract(contract or Contract.ONDEMAND),
            vendor=vendor or None,
            max_gpu_rate=cap if max_total is None else None,
            max_total=max_total,
            cap_said_per_gpu=price is None or self._said_per_gpu(price, count),
            cap_for_each_or_all=price is not None and not (self._said_per_gpu(price, count) or self._total(price)),
            cap_for_all_time=price is not None and not price.money.per_hour and parts.timed and max_total is None,
            lease=lease,
            until=until if starts_at is None else starts_at + lease,
            starts_at=starts_at,
            up_to=up_to,
            teammates=self.mentioned.people,
            setup=setup,
            project=project,
            probe=parts.probe,
            note=self.note,
        )

    def _only(self, part: str, what: str) -> Any:
        """Return the one value that was typed, even if it was typed several times. Raise RequestMistake if there
        are different values."""
        different = self.parts.different(part)
        if len(different) > 1:
            shown = " and ".join(_shown(value, what) for value in different[:3])
            each = (self.parts.with_values(part, value) for value in different[:MOST_LINES])
            raise self._refusal(f"One {what} at a time; I read {shown}.", *each)
        return different[0] if different else None

    def _count(self, count: int | None) -> int:
        if count is None:
            return 1
        if count == 0:
            raise RequestMistake("0 GPUs is nothing to rent.")
        if count > MAX_GPUS:
            raise RequestMistake(f"{count} GPUs are more than anyone rents at once.")
        return count

    def _total(self, price: Price) -> bool:
        return self.parts.is_total(price)

    def _said_per_gpu(self, price: Price, count: int) -> bool:
        return not self._total(price) and (count == 1 or price.money.per_gpu)

    def _cap(self, price: Price | None, count: int, longest: timedelta) -> Decimal | None:
        """Return the price per GPU and hour. A price for everything is divided among the GPUs and hours."""
        if price is None:
            return None
        money = price.money
        cap, comes_to = money.amount, ""
        if self._total(price):
            length = timedelta(hours=1) if money.per_hour else longest
            cap = cap_of_total(money.amount, 1 if money.per_gpu else count, length)
            comes_to = f"{say_rate(money.amount)} in all comes to that. "
        if is_possible_cap(cap):
            return cap
        raise RequestMistake(
            f"A price of {say_rate(cap)} per GPU and hour can't be right. {comes_to}"
            f"It goes from {say_rate(MIN_CAP)} to {say_rate(MAX_CAP)}, with up to 4 decimals."
        )

    def _max_total(self, price: Price | None, count: int) -> Micros | None:
        """Return the most that everything may cost, in whole cents. Return None unless the price says so. A total
        for each GPU is multiplied by their number."""
        if price is None or price.money.per_hour or not self._total(price):
            return None
        return whole_cents(micros(price.money.amount * (count if price.money.per_gpu else 1)))

    def _lease(self, first: timedelta | None, latest: timedelta | None) -> tuple[timedelta, timedelta | None]:
        """Return the lease and the later of two ends, or None in its place if there is one end."""
        if self.parts.busy and latest is None:
            longer = self.parts.with_values("latest", LONG_LEASE)
            raise self._refusal("It ends when its GPUs stop, and at the latest when?", longer)
        if latest is None or (first is None and not self.parts.busy) or first == latest:
            return self._possible_lease(latest if first is None else first), None
        typed = first
        first = self._possible_lease(WHILE_BUSY if first is None else first)
        latest = self._possible_lease(latest)
        if latest <= first:
            swapped = (replace(self.parts, leases=[latest], latest=[first]),) if typed else ()
            raise self._refusal(f"The later end is not after the first one, {say_span(first)}.", *swapped)
        if not (self.context.sees_use and self.parts.probe):
            one_end = replace(self.parts, busy=False, latest=[])
            ends = [one_end.with_values("leases", end) for end in (typed, latest) if end]
            raise self._refusal(_UNSEEN, *ends)
        return first, latest

    def _possible_lease(self, lease: timedelta | None) -> timedelta:
        if lease is None:
            return self.context.default_lease
        if lease > self.context.max_lease:
            raise RequestMistake(
                f"{say_span(lease)} is too long: a lease is at most {say_span(self.context.max_lease)}."
            )
        if lease < MIN_LEASE:
            raise RequestMistake(f"{say_span(lease)} is too short: a lease is at least 1 minute.")
        return lease

    def _starts_at(self) -> datetime | None:
        """Return when the machine is wanted. Return None if no start was typed."""
        start = self._only("starts", "start")
        if start is None:
            return None
        if self.context.waiting:
            raise self._refusal(
                "With a start time I wait until then. It needs get.", self.parts.with_values("wish_ends")
            )
        at: datetime = self._read("starts", start, lambda: parse_start(start, self.context.now, self.context.zone))
        if at - self.context.now > self.context.longest_wait:
            longest = say_span(self.context.longest_wait)
            raise RequestMistake(f'"at {start}" is too far away: a start is at most {longest} from now.')
        return at

    def waits_until(self) -> datetime | None:
        """Return the end of the wish that was typed after `wait`. A day without a time ends with the person's
        hours. Return None if none was typed. Raise RequestMistake if it can't be read or is too far away."""
        end = self._only("wish_ends", "end")
        if end is None:
            return None
        now, zone, evening = self.context.now, self.context.zone, self.context.hours.time[1]
        until: datetime = self._read("wish_ends", end, lambda: parse_day(end, now, zone, evening))
        if until - self.context.now > self.context.longest_wait:
            longest = say_span(self.context.longest_wait)
            raise RequestMistake(f'"until {end}" is too far away: people wait {longest} at most.')
        return until

    def _until(
        self, end: str | None, lease: timedelta | None, latest_end: str | None, begins: datetime
    ) -> datetime | None:
        """Return the end that was typed, for a machine whose hours count from `begins`. Without a day, it is the
        next such time after that. Return None if no end was typed."""
        parts = self.parts
        if self.context.waiting and latest_end is not None:
            raise RequestMistake("While you wait, the machine has a length, not an end. Try: for 6h up to 12h")
        if end is None and latest_end is not None:
            at_least = parts.with_values("ends", latest_end).with_values("latest_ends")
            raise self._refusal("Until when at least?", at_least)
        if end is None:
            return None
        if lease is not None:
            by_length, by_end = parts.with_values("ends").with_values("latest_ends"), parts.with_values("leases")
            raise self._refusal("A length or an end, not both.", by_length, by_end)
        now, zone = self.context.now, self.context.zone
        read: End = self._read("ends", end, lambda: parse_later_end(end, begins, now, zone))
        until = read.at
        if until - begins > self.context.max_lease:
            longest = say_span(self.context.max_lease)
            raise RequestMistake(f'"until {end}" is too far away: a lease is at most {longest}.')
        if parts.starts and until - begins < MIN_LEASE:
            raise RequestMistake(f'"until {end}" is not after the start, {parts.starts[0]}.')
        self.end_in_doubt = (read.rolled and begins == now) or not zone
        return until

    def _later_end(
        self, until: datetime, end: str, latest: timedelta | None, latest_end: str | None, begins: datetime
    ) -> timedelta | None:
        """Return the later of two ends after `until`, counted from `begins`. Return None if there is one end."""
        parts = self.parts
        if latest_end is not None and latest is not None:
            one_each = (parts.with_values("latest_ends"), parts.with_values("latest"))
            raise self._refusal("One later end at a time.", *one_each)
        if latest_end is not None:
            now, zone = self.context.now, self.context.zone
            at: End = self._read("latest_ends", latest_end, lambda: parse_later_end(latest_end, until, now, zone))
            latest = at.at - begins
        if latest is None and parts.busy:
            later = until - begins + AFTER_NIGHT
            longer = parts.with_values("latest", later + -later % timedelta(hours=1))
            raise self._refusal("It ends when its GPUs stop, and at the latest when?", longer)
        if latest is None:
            return None
        if self._possible_lease(latest) <= until - begins:
            raise RequestMistake(f"The later end is not after the first one, {end}.")
        if not (self.context.sees_use and parts.probe):
            one_end = replace(parts, latest=[], latest_ends=[], busy=False)
            later_one = one_end.with_values("ends", latest_end) if latest_end else one_end
            raise self._refusal(_UNSEEN, one_end, later_one)
        return latest

    def _refusal(self, why: str, *possible: RequestParts) -> RequestMistake:
        """Return the mistake with a line for each of these parts that make a request."""
        lines = dict.fromkeys(self.messages.line(parts) for parts in possible)
        return RequestMistake(why, *filter(None, lines))

    def _read(self, part: str, end: str, parse: Callable[[], Any]) -> Any:
        """Return what `parse` reads. Raise RequestMistake if the end is in doubt. An example has a line only if it
        keeps the numbers that were typed."""
        try:
            return parse()
        except UnclearEnd as unclear:
            kept = [possible for possible in unclear.ends if _numbers(end) <= _numbers(possible)]
            lines = [self.parts.with_values(part, possible) for possible in kept]
            raise self._refusal(unclear.words, *lines) from None

    def _gpu_and_features(self, gpu: str) -> tuple[str, tuple[str, ...]]:
        """Return what the typed GPU and features mean. Raise RequestMistake if no model has all the features."""
        typed = self.parts.features
        name, features, fitting = self.vocabulary.narrowed(gpu, typed)
        self.parts.doubtful |= len(fitting.compared) < len(set(typed))
        if not fitting.names:
            names = ", ".join(typed_name(one.name) for one in self.vocabulary.variants_of(gpu)[:5])
            words = f"{self.vocabulary.family_of(gpu) or gpu} {' '.join(dict.fromkeys(typed))}"
            raise RequestMistake(f'I don\'t know the GPU "{short(words)}". There is: {names}.')
        return name, features


def _numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+", text))


def _shown(value: object, what: str) -> str:
    if isinstance(value, timedelta):
        return say_span(value)
    return say_rate(value.money.amount) if isinstance(value, Price) else str(value) or f"any {what}"
