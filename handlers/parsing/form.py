"""Reads the inputs of the forms, or reports for each wrong input what to correct."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.model.money import Micros, micros, whole_cents
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import one_line, say_rate, say_span
from bot.policy.buying.spending import count_allowed, lease_allowed, most_gpus
from bot.policy.team.rules import Rules
from bot.policy.use.leases import LEAST_TIME
from handlers.ids import Field
from handlers.parsing.commands import Get, Wait
from handlers.parsing.durations import DURATION, NUMBER, parse_duration
from handlers.parsing.request_text import MAX_CAP, MIN_LEASE, cap_of_total, is_possible_cap
from handlers.parsing.typed_text import MAX_NOTE_LENGTH, normalize
from handlers.parsing.until import START, UNTIL, UnclearEnd, parse_day, parse_later_end, parse_start
from handlers.parsing.vocabulary import NameMatcher, Vocabulary, vocabulary_of
from handlers.views.answers.modals import ANY, ANY_TIME, BY_CHANNEL, NO_PROBE, NO_SETUP, NOW

_CAP = re.compile(rf"(?:us\$|usd|\$)? ?({NUMBER})", re.ASCII | re.IGNORECASE)
_TOTAL = re.compile(rf"{_CAP.pattern} ?(?:in all|(?:in )?total|altogether)", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_SECONDS = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class InvalidForm(Exception):
    """Some inputs are wrong. `errors` says for each of them what to correct."""

    def __init__(self, errors: dict[Field, str]) -> None:
        super().__init__()
        self.errors = errors


def read_form(
    inputs: Mapping[str, str], catalog: Catalog, rules: Rules, *, now: datetime, zone: str
) -> Get | Wait:
    """Return what was filled in, as the command that says the same. Raise InvalidForm if an input is wrong, or no
    longer possible.

    `zone` is the person's IANA time zone.
    """
    errors: dict[Field, str] = {}
    gpu, count = inputs.get(Field.GPU, ""), inputs.get(Field.COUNT, "")
    words = vocabulary_of(catalog)
    gpu, features = _gpu_and_features(gpu, catalog, words)
    if not gpu:
        errors[Field.GPU] = "Choose a GPU."
    elif not _sold(gpu, catalog):
        errors[Field.GPU] = f"Nobody sells this one now. Nearest: {', '.join(words.nearest_gpus(gpu))}."
    if not _COUNT.fullmatch(count) or not count_allowed(int(count), rules):
        errors[Field.COUNT] = f"Your team's limit is {most_gpus(rules)} a rental."
    contract = inputs.get(Field.CONTRACT, "")
    if contract not in set(Contract):
        errors[Field.CONTRACT] = "Choose on demand or spot."
    region = _choice(inputs, Field.REGION, catalog.regions, words.regions)
    if region is not None and region not in catalog.regions:
        errors[Field.REGION] = f"I don't know this region. Regions: {', '.join(catalog.regions)}."
    vendor = _choice(inputs, Field.VENDOR, catalog.vendors, words.vendors)
    if vendor is not None and vendor not in catalog.vendors:
        errors[Field.VENDOR] = f"I don't know this vendor. Vendors: {', '.join(catalog.vendors)}."
    setup = _setup(inputs, rules, errors)
    project = inputs.get(Field.PROJECT, BY_CHANNEL)
    starts_at = _start(inputs.get(Field.START, ""), rules, errors, now, zone)
    begins = starts_at or now
    lease, until = _how_long(inputs.get(Field.LEASE, ""), rules, errors, now, zone, begins=begins)
    probe = inputs.get(Field.PROBE) != NO_PROBE
    later = _LaterEnd(first=lease, until=until, now=now, zone=zone, begins=begins)
    up_to = _up_to(inputs.get(Field.UP_TO, ""), later, rules, errors, probe=probe)
    if starts_at is not None and (up_to or lease) < LEAST_TIME:
        errors.setdefault(Field.LEASE, f"With a start, {say_span(LEAST_TIME)} at least.")
    elif until is not None and (up_to or lease) < LEAST_TIME:
        errors.setdefault(
            Field.LEASE,
            f"That is less than {say_span(LEAST_TIME)} away. Name a later end, or a length such as 2h.",
        )
    cap, max_total = _cap_or_total(inputs.get(Field.CAP, ""), count, up_to or lease, errors)
    more = inputs.get(Field.MORE, "").split()
    waits_until = _waits_until(inputs.get(Field.WAITS, ""), rules, errors, now, zone)
    if waits_until is not None and starts_at is not None:
        errors.setdefault(Field.WAITS, "With a start, leave this empty: I look for it then.")
    elif waits_until is not None and until is not None:
        errors.setdefault(Field.LEASE, "While you wait, the machine has a length, not an end. Such as 6h.")
    if errors:
        raise InvalidForm(errors)
    request = Request(
        gpu=gpu,
        features=features,
        count=int(count),
        region=region,
        contract=Contract(contract),
        vendor=vendor,
        max_gpu_rate=cap,
        max_total=max_total,
        cap_said_per_gpu=max_total is None,
        lease=lease,
        until=until if starts_at is None else starts_at + lease,
        starts_at=starts_at,
        teammates=tuple(inputs.get(Field.TEAMMATES, "").split()),
        setup=setup,
        project=None if project == BY_CHANNEL else project,
        up_to=up_to,
        probe=probe,
        note=one_line(inputs.get(Field.NOTE, ""), MAX_NOTE_LENGTH),
    )
    if waits_until is not None:
        return Wait(request=request, until=waits_until, any_time=ANY_TIME in more)
    # As for the word, `now` needs a precise request.
    exact = not features and starts_at is None
    return Get(request=request, now=NOW in more and exact, any_time=ANY_TIME in more)


def read_cap(inputs: Mapping[str, str]) -> Decimal:
    """Return the highest price, USD per GPU and hour. Raise InvalidForm if none was typed, or no possible one."""
    errors: dict[Field, str] = {}
    cap = _cap(normalize(inputs.get(Field.CAP, "")) or "-", errors)
    if cap is None:
        raise InvalidForm(errors)
    return cap


def read_hours(inputs: Mapping[str, str]) -> timedelta:
    """Return by how much to extend a lease. Raise InvalidForm if no number of hours was chosen."""
    hours = inputs.get(Field.HOURS, "")
    if not _COUNT.fullmatch(hours):
        raise InvalidForm({Field.HOURS: "Choose one of these."})
    return timedelta(hours=int(hours))


def read_length(inputs: Mapping[str, str]) -> timedelta:
    """Return the length that was chosen, which the input has in seconds. Raise InvalidForm if none was chosen."""
    seconds = inputs.get(Field.LENGTH, "")
    if not _SECONDS.fullmatch(seconds):
        raise InvalidForm({Field.LENGTH: "Choose one of these."})
    return timedelta(seconds=int(seconds))


def _gpu_and_features(chosen: str, catalog: Catalog, words: Vocabulary) -> tuple[str, tuple[str, ...]]:
    """Return the family and the features of a choice such as `A100 80gb sxm`, and what was typed as it is read in
    commands. Return any other text unchanged."""
    families = [] if _sold(chosen, catalog) else sorted(catalog.gpus, key=len, reverse=True)
    family = next((family for family in families if chosen.startswith(f"{family} ")), None)
    if family is not None:
        return family, tuple(chosen.removeprefix(family).split())
    typed = normalize(chosen).lower()
    found = words.gpus.match(typed, 0)
    if _sold(chosen, catalog) or found is None:
        return chosen, ()
    end, gpu = found
    features = typed[end:].split()
    if not all(map(words.features.fullmatch, features)):
        return chosen, ()
    return words.narrowed(gpu, features)[:2]


def _sold(gpu: str, catalog: Catalog) -> bool:
    return gpu in catalog.gpus or any(gpu in variants for variants in catalog.gpus.values())


def _choice(inputs: Mapping[str, str], field: Field, names: Sequence[str], matcher: NameMatcher) -> str | None:
    """Return the name that was chosen or typed, or the text if it is no name. Return None for any."""
    chosen = inputs.get(field, "")
    if chosen in {"", ANY} or chosen in names:
        return chosen if chosen in names else None
    typed = normalize(chosen).lower()
    found = matcher.match(typed, 0)
    return found[1] if found is not None and found[0] == len(typed) else chosen


def _setup(inputs: Mapping[str, str], rules: Rules, errors: dict[Field, str]) -> str | None:
    chosen = inputs.get(Field.SETUP, NO_SETUP)
    if chosen == NO_SETUP:
        return None
    if chosen not in rules.setup:
        errors[Field.SETUP] = "The rules no longer have this one. Choose another."
    return chosen


def _cap(text: str, errors: dict[Field, str]) -> Decimal | None:
    if not text:
        return None
    number = _CAP.fullmatch(text)
    cap = Decimal(number.group(1)) if number else Decimal(0)
    if not is_possible_cap(cap):
        errors[Field.CAP] = f"A price in dollars, such as 3 or 2.50; at most {say_rate(MAX_CAP)}."
        return None
    return cap


def _cap_or_total(
    text: str, count: str, longest: timedelta, errors: dict[Field, str]
) -> tuple[Decimal | None, Micros | None]:
    """Return the highest price per GPU and hour, or the most that everything may cost, such as `20 in all`. Return
    None for what was not typed."""
    typed = normalize(text)
    total = _TOTAL.fullmatch(typed)
    if total is None:
        return _cap(typed, errors), None
    amount = Decimal(total.group(1))
    if not errors and not is_possible_cap(cap_of_total(amount, int(count), longest)):
        errors[Field.CAP] = f"{say_rate(amount)} in all can't be right for this many GPUs and hours."
    return None, whole_cents(micros(amount))


def _start(text: str, rules: Rules, errors: dict[Field, str], now: datetime, zone: str) -> datetime | None:
    """Return when the machine is wanted. Return None if nothing was typed."""
    typed = normalize(text).lower().removeprefix("at ")
    if not typed:
        return None
    found = START.fullmatch(f"at {typed}") or START.fullmatch(typed)
    if found is None:
        errors[Field.START] = "Such as 9:00, 9am or fri 9:00. Empty: it starts when you rent it."
        return None
    try:
        at = parse_start(found["start"] or found["day_first"], now, zone)
    except UnclearEnd as unclear:
        errors[Field.START] = unclear.said()
        return None
    longest = rules.waiting.longest
    if at - now > longest:
        errors[Field.START] = f"That is too far away: a start is at most {say_span(longest)} from now."
    return at


def _waits_until(text: str, rules: Rules, errors: dict[Field, str], now: datetime, zone: str) -> datetime | None:
    """Return until when the person waits. Return None if nothing was typed."""
    typed = normalize(text).lower().removeprefix("until ")
    if not typed:
        return None
    found, longest = UNTIL.fullmatch(f"until {typed}"), rules.waiting.longest
    if found is None or not found["end"]:
        errors[Field.WAITS] = f"Such as fri or fri 18:00; at most {say_span(longest)} from now."
        return None
    try:
        until = parse_day(found["end"], now, zone, rules.hours.time[1])
    except UnclearEnd as unclear:
        errors[Field.WAITS] = unclear.said()
        return None
    if until - now > longest:
        errors[Field.WAITS] = f"That is too far away: people wait {say_span(longest)} at most."
    return until


def _how_long(
    text: str, rules: Rules, errors: dict[Field, str], now: datetime, zone: str, *, begins: datetime
) -> tuple[timedelta, datetime | None]:
    """Return how long the lease is, counted from `begins`, and its end if one was typed, such as `until 18:00`."""
    typed = normalize(text).lower()
    longest = say_span(rules.lease.max)
    until = UNTIL.fullmatch(typed)
    if until is None:
        lease = parse_duration(typed) if re.fullmatch(DURATION, typed) else timedelta(0)
        if lease < MIN_LEASE or not lease_allowed(lease, rules):
            errors[Field.LEASE] = f"Such as 90m, 6h, 2d or until 18:00; at most {longest}."
        return lease, None
    try:
        end = parse_later_end(until["end"] or "", begins, now, zone).at
    except UnclearEnd as unclear:
        errors[Field.LEASE] = unclear.said("until ")
        return timedelta(0), None
    if not lease_allowed(end - begins, rules):
        errors[Field.LEASE] = f"That is too far away: a lease is at most {longest}."
    elif end - begins < MIN_LEASE:
        errors[Field.LEASE] = "That is not after the start."
    return end - begins, end


class _LaterEnd(NamedTuple):
    """The values that the later of two ends depends on."""

    first: timedelta
    until: datetime | None
    """The first end, if it was named."""
    now: datetime
    zone: str
    begins: datetime
    """From when lengths count."""

    def read(self, typed: str) -> timedelta:
        """Return the length that was typed, or the length until the end that was typed after a named first end.
        Return zero if neither can be read. Raise UnclearEnd as `parse_later_end`."""
        named = UNTIL.fullmatch(typed)
        if named is not None and self.until is not None:
            return parse_later_end(named["end"] or "", self.until, self.now, self.zone).at - self.begins
        return parse_duration(typed) if re.fullmatch(DURATION, typed) else timedelta(0)


def _up_to(
    text: str, later: _LaterEnd, rules: Rules, errors: dict[Field, str], *, probe: bool
) -> timedelta | None:
    """Return the later of two ends. Return None if none was typed."""
    typed = normalize(text).lower()
    if not typed:
        return None
    try:
        up_to = later.read(typed)
    except UnclearEnd as unclear:
        errors[Field.UP_TO] = unclear.words
        return None
    if not probe:
        errors[Field.UP_TO] = "I can't move its end without seeing whether its GPUs are busy. Leave this empty."
    elif not lease_allowed(up_to, rules) or up_to <= timedelta(0):
        also = " or until 10:00" if later.until is not None else ""
        errors[Field.UP_TO] = f"Such as 12h{also or ' or 2d'}; at most {say_span(rules.lease.max)}."
    elif up_to <= later.first and Field.LEASE not in errors:
        errors[Field.UP_TO] = (
            f"More than {say_span(later.first)}, or empty."
            if later.until is None
            else "After the end above, or empty."
        )
    return up_to
