"""The draft of a request, filled in from typed text, from the form or from a suggested correction.

A draft consists of parts, such as the GPU, the price and the lease. Each part has the values that were given.
`build` turns a complete draft into a request. If something is wrong with the draft, `build` returns the problems
instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import Enum
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple, TypeVar

from bot.model.base import Frozen
from bot.model.gpu import typed_name
from bot.model.money import Micros, micros, whole_cents
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span, short
from bot.policy.team.rules import LEAST_LEASE, ProbeKind, Rules
from bot.policy.use.end_notices import LONG_LEASE
from bot.policy.use.flexible_end import AFTER_NIGHT, WHILE_BUSY
from handlers.typed.amounts import Money
from handlers.typed.mentions import NOBODY, Mentioned, unclear_people
from handlers.typed.until import UnclearEnd, parse_day, parse_later_end, parse_start
from handlers.typed.vocabulary import Vocabulary

MAX_GPUS = 1000
MAX_CAP = Decimal(1000)
"""The highest possible price limit, in USD per GPU-hour."""
MIN_CAP = Decimal("0.0001")
"""The lowest possible price limit, in USD per GPU-hour. Every limit must be a multiple of it."""
MOST_CORRECTIONS = 3
MOST_UNREAD = 3
"""The maximum number of unreadable texts that an error message quotes.

If there are more, the message suggests no corrections. A correction would leave out texts that the message doesn't
mention.
"""
_SENTENCE_END = re.compile(r"(?<=[.?]) (?=[A-Z])")
_NUMBER = re.compile(r"\d+")
_HOUR = timedelta(hours=1)
_AT_THE_LATEST = "The machine ends when its GPUs stop. By when at the latest?"
_NO_PROBE_SEES_NO_JOB = 'With "no-probe", I can\'t see when a job is done.'
T = TypeVar("T")


class Get(Frozen):
    """Search for offers.

    With `now`, the recommended offer is rented immediately if it needs no approval and no confirmation.
    """

    request: Request
    now: bool = False
    any_time: bool = False
    """True if the bot is allowed to rent a machine for the waiting person outside of the team's working hours."""


class Wait(Frozen):
    """Wait for an offer that satisfies the request.

    This command doesn't rent anything by itself. The bot asks what it should do when it finds an offer.
    """

    request: Request
    until: datetime | None
    """The time at which the person stops waiting. None if they didn't name one."""
    any_time: bool = False
    """True if the bot is allowed to rent a machine for the waiting person outside of the team's working hours."""


class ParseContext(NamedTuple):
    """The context that affects the meaning of a text."""

    rules: Rules
    now: datetime
    zone: str
    """The person's IANA time zone."""

    @property
    def sees_use(self) -> bool:
        """True if the rules allow the bot to check whether machines are in use."""
        return self.rules.idle.probe is ProbeKind.SSH


class Part(Enum):
    """The parts of a request, such as the GPU. The value of each member is the part's name in error messages."""

    GPU = "GPU"
    FEATURE = "feature"
    """A word that distinguishes the variants of a GPU family: `80gb`, `sxm`."""
    REGION = "region"
    """The name of a region. Empty if the person accepts any region."""
    CONTRACT = "contract"
    VENDOR = "vendor"
    COUNT = "number of GPUs"
    PRICE = "price"
    LEASE = "time"
    LATEST = "later end"
    """A length after `up to`: the maximum length of a flexible lease, as in `for 6h up to 12h`.

    If there is no length before `up to`, this is simply the length of the lease.
    """
    END = "end"
    """A time after `until`: `fri 18:00`, in lower case."""
    LATEST_END = "later end than the first"
    """A time after `up to`: the latest time at which the lease can end, as in `until 18:00 up to 22:00`."""
    SETUP = "setup"
    PROJECT = "project"
    START = "start"
    """The start of the lease: a time after `at`."""
    WAITS = "end of waiting"
    """The time until which the person waits."""
    BUSY = "while busy"
    DONE = "until done"
    """True if the machine ends when its jobs are done.

    The length or time after `up to` then says when the machine ends at the latest.
    """
    NO_PROBE = "no-probe"
    KEEP_IF_FAILED = "keep-if-failed"
    """True if the machine is kept if its `/root/on-ending.sh` fails."""
    ANY_TIME = "any time"
    """True if the bot is allowed to rent a machine for the waiting person outside of the team's working hours."""
    PEOPLE = "people"


KEPT_UNSEEN = "I can't keep the machine if I don't see whether saving failed."
_OTHER_NAMES = {Part.LEASE: "length", Part.LATEST_END: "later end", Part.WAITS: "end"}
_CHECKED_LATER = {Part.FEATURE, Part.START, Part.WAITS, Part.PEOPLE} | {
    *(Part.BUSY, Part.DONE, Part.NO_PROBE, Part.KEEP_IF_FAILED, Part.ANY_TIME)
}
"""The parts of a request that can have several values when `build` begins.

For example, a request can name several people. All other parts have at most one value.
"""


Values = dict[Part, list[Any]]
"""For each part, its values in the order in which people gave them.

If a part has different values, they usually contradict each other.
"""


class Reading(NamedTuple):
    """A possible meaning of a text that the parser can't interpret with certainty.

    The meaning is a value for one part of a request, such as the price.
    """

    part: Part | None
    value: object
    later_end: str = ""
    """The latest time at which the lease can end, if `value` is the earliest one."""


LEFT_OUT = Reading(None, None)
"""Marks a text that can be left out without changing the request."""


@dataclass(frozen=True)
class Unread:
    """A piece of the typed text that the parser can't interpret."""

    text: str
    """The text as it was typed."""
    why: str
    """The reason why the text can't be read, as a sentence. Empty for a word that is simply unknown."""
    readings: tuple[Reading, ...] = ()
    """The possible meanings of the text.

    Each meaning gets a button, and keeps all numbers and units that were typed.
    """
    alone: bool = False
    """True if `why` must be the only message, because the text makes the rest of the request unreliable.

    For example, a word such as "not" may change the meaning of what comes after it.
    """


@dataclass(frozen=True)
class Problem:
    """A reason why the text or the form isn't a valid request."""

    part: Part | None
    """The part that is missing or wrong. None if the problem is a text that can't be read."""
    words: str
    corrections: tuple[RequestDraft, ...] = ()
    """Requests that the person may have meant. They haven't been checked, so they may have other problems."""
    without: bool = False
    """True if the unreadable text is left out in the corrections."""
    unclear: UnclearEnd | None = None
    """The reason why a time can't be read, if that is the problem."""
    too_early: bool = False
    """True if the lease would end before its start, or if its latest end isn't after its earliest end."""


class Built(NamedTuple):
    """A request that was built from its parts, without any problem."""

    request: Request
    waits_until: datetime | None
    """The time at which the person stops waiting, if they named one."""
    doubtful: bool
    """True if the person may have meant something else. In this case, `now` only shows the offers."""


@dataclass
class RequestDraft:
    """The known parts of a request, such as the GPU and the price."""

    values: Values = field(default_factory=dict)
    people: Mentioned = NOBODY
    note: str = ""
    waiting: bool = False
    """True if the request was typed after `wait`."""
    unread: list[Unread] = field(default_factory=list)
    doubtful: bool = False
    """True if the meaning of the typed text was in doubt while the text was parsed.

    `build` may find further reasons for doubt. See `Built.doubtful` for the consequence.
    """

    def __getitem__(self, part: Part) -> list[Any]:
        """Return the distinct values of one part of the draft, such as its price.

        If the same price was given with and without `per GPU`, only the price per GPU is returned.
        """
        values = self.values.get(part, [])
        if part is Part.PRICE:
            by_amount = {price.amount: price for price in sorted(values, key=lambda one: one.per_gpu)}
            return list(by_amount.values())
        return list(dict.fromkeys(values))

    def first(self, part: Part) -> Any:
        """Return the first value of a part of the request, such as the GPU. None if the part has no value."""
        return next(iter(self[part]), None)

    def add(self, part: Part, value: object) -> None:
        self.values.setdefault(part, []).append(value)

    def with_values(self, changes: Values) -> RequestDraft:
        """Return a copy of the draft in which the parts in `changes` have the values in `changes`."""
        return replace(self, values=self.values | changes)

    def with_readings(self, readings: tuple[Reading, ...]) -> RequestDraft:
        """Return a copy of the draft to which the given meanings of unclear texts are added."""
        draft = replace(self, values={part: list(values) for part, values in self.values.items()})
        for part, value, later_end in readings:
            if part is not None:
                draft.add(part, value)
            if later_end:
                draft.add(Part.LATEST_END, later_end)
        return draft

    @property
    def timed(self) -> bool:
        """True if a length of the rental was given, or a time at which it ends."""
        parts = (Part.LEASE, Part.LATEST, Part.END, Part.LATEST_END, Part.DONE)
        return any(self.values.get(part) for part in parts)

    def is_total(self, price: Money) -> bool:
        """Return whether a price is for the whole rental, as in `$20 for 10h` and `10h for $20`.

        By contrast, a price after a word such as `under` is a limit per hour, as in `under $3 for 6h`.
        """
        timed = self.timed or price.after_for
        return price.total or (timed and not price.limit and not price.per_hour)

    def build(self, vocabulary: Vocabulary, context: ParseContext) -> Built | tuple[Problem, ...]:
        """Build the request from the parts. If something is wrong with them, return all problems instead."""
        if self.unread:
            return (_problem_of_unread(self),)
        return _Builder(self, vocabulary, context).build()


def is_possible_cap(cap: Decimal) -> bool:
    """Return whether a price limit is within its bounds and a multiple of MIN_CAP."""
    return MIN_CAP <= cap <= MAX_CAP and cap == cap.quantize(MIN_CAP)


def _problem_of_unread(draft: RequestDraft) -> Problem:
    """Combine the errors about all unreadable texts into one problem.

    The problem also contains corrected requests, if there are any to suggest.
    """
    unread = list(dict.fromkeys(draft.unread))
    alone = [one.why for one in unread if one.alone]
    if alone:
        return Problem(None, alone[0])
    unknown = [f'"{one.text}"' for one in unread if not one.why]
    # An unknown word may be one that excludes the vendor, as a misspelled "not" would. A suggested correction
    # without that word would then rent from the wrong vendor. If the request contains an unknown word and a
    # vendor, suggest no corrections.
    correctable = len(unread) <= MOST_UNREAD and not (unknown and draft[Part.VENDOR])
    choices = list(product(*(one.readings for one in unread))) if correctable else []
    # A word for which there is no possible meaning makes it impossible to suggest a corrected request. Name such
    # words first in the message.
    unread.sort(key=lambda one: bool(one.readings))
    *others, last = unknown[:MOST_UNREAD] or [""]
    all_unknown = f"I don't know {', '.join(others)} and {last}" if others else f"I don't know {last}"
    messages = dict.fromkeys(one.why or f"{all_unknown}. Put a note after --." for one in unread)
    sentences = dict.fromkeys(_SENTENCE_END.split(" ".join(islice(messages, MOST_UNREAD))))
    return Problem(
        None,
        " ".join(sentences),
        tuple(map(draft.with_readings, choices[:MOST_CORRECTIONS])),
        without=all(reading is LEFT_OUT for choice in choices for reading in choice),
    )


class _WrongPart(Exception):
    """A part of the request is wrong, such as an impossible price."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


class _Builder:
    """Builds a request from the parts that a draft contains, one part after another.

    Results that later parts depend on are stored in attributes.
    """

    def __init__(self, draft: RequestDraft, vocabulary: Vocabulary, context: ParseContext) -> None:
        self.draft, self.vocabulary, self.context = draft, vocabulary, context
        self.problems: list[Problem] = []
        self.doubtful = draft.doubtful
        self.gpu, self.features = "", tuple[str, ...]()
        self.count = 1
        self.starts_at: datetime | None = None
        self.lease: timedelta | None = None
        self.until: datetime | None = None
        self.up_to: timedelta | None = None
        self.cap: Decimal | None = None
        self.max_total: Micros | None = None
        self.waits_until: datetime | None = None

    def build(self) -> Built | tuple[Problem, ...]:
        draft = self.draft
        steps: list[Callable[[], object]] = [
            partial(self._only, part) for part in Part if part not in _CHECKED_LATER
        ]
        ends = (self._read_longest,) if draft[Part.DONE] else (self._read_end, self._read_later_end)
        steps += (self._check_gpu, self._read_count, self._read_start, *ends)
        steps += (
            self._check_people,
            self._check_keep_if_failed,
            self._read_gpu,
            self._read_price,
            self._read_waits_until,
        )
        for step in steps:
            try:
                step()
            except _WrongPart as wrong:
                self.problems.append(wrong.problem)
        if self.problems or self.lease is None:
            return tuple(self.problems)
        price = draft.first(Part.PRICE)
        total = price is not None and draft.is_total(price)
        said_per_gpu = price is None or (not total and (self.count == 1 or price.per_gpu))
        for_all_time = price is not None and not price.per_hour and draft.timed and not self.max_total
        request = Request(
            gpu=self.gpu,
            features=self.features,
            count=self.count,
            region=draft.first(Part.REGION) or None,
            contract=Contract(draft.first(Part.CONTRACT) or Contract.ONDEMAND),
            vendor=draft.first(Part.VENDOR) or None,
            max_gpu_rate=self.cap,
            max_total=self.max_total,
            cap_said_per_gpu=said_per_gpu,
            cap_for_each_or_all=not (said_per_gpu or total),
            cap_for_all_time=for_all_time,
            lease=self.lease,
            until=self.until if self.starts_at is None else self.starts_at + self.lease,
            starts_at=self.starts_at,
            up_to=self.up_to,
            until_done=bool(draft[Part.DONE]),
            teammates=draft.people.people,
            setup=draft.first(Part.SETUP),
            project=draft.first(Part.PROJECT),
            probe=not draft[Part.NO_PROBE],
            keep_if_failed=bool(draft[Part.KEEP_IF_FAILED]),
            note=draft.note,
        )
        return Built(request, self.waits_until, self.doubtful)

    def _wrong(self, part: Part, message: str, *corrections: Values, too_early: bool = False) -> _WrongPart:
        drafts = tuple(map(self.draft.with_values, corrections))
        return _WrongPart(Problem(part, message, drafts, too_early=too_early))

    def _only(self, part: Part) -> Any:
        """Return the only value of a part, or None if it has none.

        Raises _WrongPart if there are different values.
        """
        draft, different = self.draft, self.draft[part]
        if len(different) < 2:
            return draft.first(part)
        name = _OTHER_NAMES.get(part, part.value)
        if part is Part.LATEST and not (draft[Part.LEASE] or draft[Part.BUSY]):
            name = _OTHER_NAMES[Part.LEASE]
        shown = " and ".join(_shown(value, name) for value in different[:3])
        each = ({part: [value]} for value in different[:MOST_CORRECTIONS])
        raise self._wrong(part, f"Type one {name} at a time. I read {shown}.", *each)

    def _check_gpu(self) -> None:
        if not self.draft[Part.GPU]:
            families = sorted(self.vocabulary.variants, key=lambda family: family != "H100")[:1]
            raise self._wrong(Part.GPU, "Which GPU?", *({Part.GPU: [family]} for family in families))

    def _read_gpu(self) -> None:
        """Determine the GPU from its name and features.

        Raises _WrongPart if no model has all of these features.
        """
        gpu, typed = self.draft.first(Part.GPU), self.draft[Part.FEATURE]
        if gpu is None:
            return
        self.gpu, self.features, fitting, compared = self.vocabulary.narrowed(gpu, typed)
        self.doubtful |= compared < len(typed)
        if not fitting:
            names = ", ".join(typed_name(one.name) for one in self.vocabulary.variants_of(gpu)[:5])
            called = short(f"{self.vocabulary.family_of(gpu) or gpu} {' '.join(typed)}")
            raise self._wrong(Part.FEATURE, f'I don\'t know a GPU called "{called}". Similar names: {names}.')

    def _read_count(self) -> None:
        count = self.draft.first(Part.COUNT)
        if count == 0:
            raise self._wrong(Part.COUNT, "You can't rent 0 GPUs.")
        if count is not None and count > MAX_GPUS:
            raise self._wrong(Part.COUNT, f"{count} GPUs are more than anyone rents at once.")
        self.count = count or 1

    # --- times

    @property
    def _begins(self) -> datetime:
        """The time at which the lease begins: the requested start, or now."""
        return self.starts_at or self.context.now

    def _read_start(self) -> None:
        start, now = self._only(Part.START), self.context.now
        if start is None:
            return
        if self.draft.waiting:
            message = "A request with a start time waits until then anyway. Type get instead of wait."
            raise self._wrong(Part.START, message, {Part.WAITS: []})
        self.starts_at = self._time(Part.START, lambda: parse_start(start, now, self.context.zone))
        if self.starts_at - now > self.context.rules.waiting.longest:
            longest = say_span(self.context.rules.waiting.longest)
            message = f'"at {start}" is too far in the future. A start is at most {longest} from now.'
            raise self._wrong(Part.START, message)

    def _read_waits_until(self) -> None:
        """Determine the time at which the person stops waiting.

        If only a day was typed, the person stops waiting on that day when the team's working hours end.
        """
        end, context = self._only(Part.WAITS), self.context
        if end is None:
            return
        parse = partial(parse_day, end, context.now, context.zone, context.rules.hours.time[1])
        self.waits_until = self._time(Part.WAITS, parse)
        if self.waits_until - context.now > context.rules.waiting.longest:
            longest = say_span(context.rules.waiting.longest)
            raise self._wrong(
                Part.WAITS, f'"until {end}" is too far in the future. You can wait for at most {longest}.'
            )

    def _read_end(self) -> None:
        """Determine the length of the lease, and the time at which it ends if such a time was typed.

        If the lease is flexible, this is the earliest time at which it ends. If a time was typed without a day,
        the first such time after the start of the lease is used.
        """
        draft, context = self.draft, self.context
        end, latest_end = draft.first(Part.END), draft.first(Part.LATEST_END)
        lease, latest, busy = draft.first(Part.LEASE), draft.first(Part.LATEST), bool(draft[Part.BUSY])
        if draft.waiting and latest_end is not None:
            message = "If you wait, type a length instead of an end. Try: for 6h up to 12h"
            raise self._wrong(Part.LATEST_END, message)
        if end is None and latest_end is not None:
            at_least = {Part.END: [latest_end], Part.LATEST_END: []}
            raise self._wrong(Part.LATEST_END, "Until when does the machine run at least?", at_least)
        if end is None:
            if busy and latest is None:
                raise self._wrong(Part.LATEST, _AT_THE_LATEST, {Part.LATEST: [LONG_LEASE]})
            if lease is None:
                lease = WHILE_BUSY if busy else latest or context.rules.lease.default
            self._check_length(Part.LEASE, lease)
            self.lease = lease
            return
        if lease is not None:
            message = "Type a length or an end, not both."
            raise self._wrong(Part.END, message, {Part.END: [], Part.LATEST_END: []}, {Part.LEASE: []})
        self._read_fixed_end(Part.END, end)

    def _read_fixed_end(self, part: Part, end: str) -> None:
        """Parse the time at which the lease ends, and compute the length of the lease."""
        context = self.context
        typed = f"until {end}" if part is Part.END else f"up to {end}"
        read = self._time(part, partial(parse_later_end, end, self._begins, context.now, context.zone))
        length = read.at - self._begins
        if length > context.rules.lease.max:
            longest = say_span(context.rules.lease.max)
            raise self._wrong(part, f'"{typed}" is too far in the future. A lease is at most {longest}.')
        if self.starts_at is not None and length < LEAST_LEASE:
            message = f'"{typed}" isn\'t after the start, {self.draft.first(Part.START)}.'
            raise self._wrong(part, message, too_early=True)
        self.until, self.lease = read.at, length
        # There are two cases in which the person may have meant another end. Either the time has already passed
        # today, so it was read as a time tomorrow. Or the person's time zone is unknown, so the time was read as
        # UTC.
        self.doubtful |= (read.rolled and self.starts_at is None) or not context.zone

    def _read_longest(self) -> None:
        """Determine the maximum length of the lease if the request contains `until done`.

        People type the maximum length, or the latest time at which the lease ends, after `up to`. Without `up to`,
        the maximum length is the longest lease that the rules allow.
        """
        draft, context = self.draft, self.context
        self._check_only_end()
        end = draft.first(Part.LATEST_END)
        if not context.sees_use or draft[Part.NO_PROBE]:
            fixed: Values = {Part.DONE: [], Part.LATEST: [], Part.LATEST_END: []}
            fixed |= {Part.LEASE: draft[Part.LATEST], Part.END: draft[Part.LATEST_END]}
            if not context.sees_use:
                message = "Your team's rules switch monitoring off, so I can't see when a job is done."
                raise self._wrong(Part.DONE, message, fixed)
            raise self._wrong(Part.DONE, _NO_PROBE_SEES_NO_JOB, {Part.NO_PROBE: []}, fixed)
        if draft.waiting and end is not None:
            message = "If you wait, type a length instead of an end. Try: until done up to 12h"
            raise self._wrong(Part.LATEST_END, message)
        if end is not None:
            self._read_fixed_end(Part.LATEST_END, end)
            return
        latest = draft.first(Part.LATEST)
        lease = context.rules.lease.max if latest is None else latest
        self._check_length(Part.LATEST, lease)
        self.lease = lease

    def _check_only_end(self) -> None:
        """Refuse a request that contains `until done` and names another time or condition for its end."""
        draft = self.draft
        lease, end, latest = draft.first(Part.LEASE), draft.first(Part.END), draft.first(Part.LATEST)
        later = bool(draft[Part.LATEST_END])
        if latest is not None and later:
            one_each: tuple[Values, ...] = ({Part.LATEST_END: []}, {Part.LATEST: []})
            raise self._wrong(Part.LATEST_END, "Type one later end at a time.", *one_each)
        with_done: Values = {Part.LEASE: [], Part.END: [], Part.BUSY: []}
        without: Values = {Part.DONE: []}
        if lease is not None:
            other = f"for {say_span(lease)}"
            with_done |= {} if latest or later else {Part.LATEST: [lease]}
        elif end is not None:
            other = f"until {end}"
            with_done |= {} if latest or later else {Part.LATEST_END: [end]}
        elif draft[Part.BUSY]:
            other = "while busy"
        else:
            return
        message = f'"{other}" and "until done" name two ends, and I can\'t tell which one decides.'
        raise self._wrong(Part.DONE, message, with_done, without)

    def _read_later_end(self) -> None:
        """Determine the maximum length of a flexible lease."""
        draft, context, first, until = self.draft, self.context, self.lease, self.until
        latest, latest_end = draft.first(Part.LATEST), draft.first(Part.LATEST_END)
        leases, busy = draft[Part.LEASE], draft[Part.BUSY]
        if first is None:
            if latest is not None:
                self._check_length(Part.LATEST, latest)
            return
        if until is not None and latest_end is not None:
            if latest is not None:
                one_each: tuple[Values, ...] = ({Part.LATEST_END: []}, {Part.LATEST: []})
                raise self._wrong(Part.LATEST_END, "Type one later end at a time.", *one_each)
            parse = partial(parse_later_end, latest_end, until, context.now, context.zone)
            latest = self._time(Part.LATEST_END, parse).at - self._begins
        if until is not None and latest is None and busy:
            later = first + AFTER_NIGHT
            raise self._wrong(Part.LATEST, _AT_THE_LATEST, {Part.LATEST: [later + -later % _HOUR]})
        if latest is None or (until is None and (latest in leases or not (leases or busy))):
            return
        self._check_length(Part.LATEST, latest)
        if latest <= first:
            shown = say_span(first) if until is None else draft.first(Part.END)
            message = f"The later end isn't after the first one, {shown}."
            swapped = ({Part.LEASE: [latest], Part.LATEST: [first]},) if leases else ()
            raise self._wrong(Part.LATEST, message, *swapped, too_early=True)
        if not context.sees_use or draft[Part.NO_PROBE]:
            one_end: Values = {Part.BUSY: [], Part.LATEST: [], Part.LATEST_END: []}
            part, later = (Part.LEASE, latest) if until is None else (Part.END, latest_end)
            possible = filter(None, (draft.first(part), later))
            message = "I can't move the machine's end if I don't see whether its GPUs are busy."
            raise self._wrong(Part.LATEST, message, *(one_end | {part: [end]} for end in possible))
        self.up_to = latest

    def _check_keep_if_failed(self) -> None:
        """Refuse `keep-if-failed` if the bot can't find out whether `/root/on-ending.sh` failed."""
        draft, sees_use = self.draft, self.context.sees_use
        if not draft[Part.KEEP_IF_FAILED] or (sees_use and not draft[Part.NO_PROBE]):
            return
        instead: tuple[Values, ...] = ({Part.KEEP_IF_FAILED: []},)
        if sees_use:
            instead = ({Part.NO_PROBE: []}, *instead)
        raise self._wrong(Part.KEEP_IF_FAILED, KEPT_UNSEEN, *instead)

    def _check_length(self, part: Part, lease: timedelta) -> None:
        longest = self.context.rules.lease.max
        if lease > longest:
            message = f"{say_span(lease)} is too long. A lease is at most {say_span(longest)}."
            raise self._wrong(part, message)
        if lease < LEAST_LEASE:
            raise self._wrong(part, f"{say_span(lease)} is too short. A lease is at least 1 minute.")

    def _time(self, part: Part, parse: Callable[[], T]) -> T:
        """Return the result of `parse`, or raise _WrongPart if the time is unclear.

        The error suggests times to type instead. A suggested time gets a button only if it contains every number
        that was typed. For `6`, for example, `6pm` gets a button.
        """
        try:
            return parse()
        except UnclearEnd as unclear:
            numbers = set(_NUMBER.findall(self.draft.first(part)))
            kept = [{part: [end]} for end in unclear.ends if numbers <= set(_NUMBER.findall(end))]
            corrections = tuple(map(self.draft.with_values, kept))
            raise _WrongPart(Problem(part, unclear.words, corrections, unclear=unclear)) from None

    # --- people and prices

    def _check_people(self) -> None:
        unclear = unclear_people(self.draft.people)
        if unclear is not None:
            message, people = unclear
            corrected = replace(self.draft, people=people)
            without = people is self.draft.people
            raise _WrongPart(Problem(Part.PEOPLE, message, (corrected,), without=without))

    def _read_price(self) -> None:
        """Determine the highest price per GPU-hour, or the highest price of the whole rental in whole cents.

        People can type the price of the whole rental as an amount per GPU. It is then multiplied by the number of
        GPUs.

        The function refuses a price that is too low or too high. The price of the whole rental is divided by the
        number of GPUs and hours for this check.
        """
        price = self.draft.first(Part.PRICE)
        if price is None:
            return
        total, comes_to = self.draft.is_total(price), ""
        cap, count = price.amount, 1 if price.per_gpu else self.count
        if total:
            if self.problems or self.lease is None:
                return  # The price can't be checked, because the number of GPUs or the length is wrong.
            length = _HOUR if price.per_hour else self.up_to or self.lease
            each = price.amount * 3600 / (length // timedelta(seconds=1)) / count
            cap = each.quantize(MIN_CAP, rounding=ROUND_FLOOR)
            comes_to = f"That's what {say_rate(price.amount)} in all comes to. "
        if not is_possible_cap(cap):
            raise self._wrong(
                Part.PRICE,
                f"A price of {say_rate(cap)} per GPU-hour can't be right. {comes_to}"
                f"A price goes from {say_rate(MIN_CAP)} to {say_rate(MAX_CAP)}, with up to 4 decimals.",
            )
        if total and not price.per_hour:
            self.max_total = whole_cents(micros(price.amount * (self.count if price.per_gpu else 1)))
        else:
            self.cap = cap


def _shown(value: object, name: str) -> str:
    if isinstance(value, timedelta):
        return say_span(value)
    return say_rate(value.amount) if isinstance(value, Money) else str(value) or f"any {name}"
