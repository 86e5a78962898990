"""Parses the inputs of the forms, or reports for each wrong input what to correct."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from bot.model.base import changed
from bot.model.offer import Catalog
from bot.model.request import Contract
from bot.model.text import one_line, say_rate, say_span
from bot.policy.buying.spending import count_allowed, most_gpus
from bot.policy.team.rules import Rules
from bot.policy.use.leases import LEAST_TIME
from handlers.ids import Field
from handlers.typed.amounts import DURATION, NUMBER, Money, parse_duration
from handlers.typed.draft import (
    KEPT_UNSEEN,
    MAX_CAP,
    Built,
    Get,
    ParseContext,
    Part,
    Problem,
    RequestDraft,
    Values,
    Wait,
    is_possible_cap,
)
from handlers.typed.mentions import NOBODY
from handlers.typed.typed_text import MAX_NOTE_LENGTH, normalize
from handlers.typed.until import START, UNTIL
from handlers.typed.vocabulary import NameMatcher, Vocabulary, vocabulary_of

ANY = "any"
"""The value of the options `Anywhere` and `Any vendor`."""
NO_SETUP = "-"
BY_CHANNEL = "-"
"""The value of two options: `None` for the setup script, and `The channel's project`.

No setup script has this name.
"""
NO_PROBE = "no-probe"
KEEP_IF_FAILED = "keep-if-failed"
UNTIL_DONE = "until-done"
NOW = "now"
ANY_TIME = "any-time"

_CAP = re.compile(rf"(?:us\$|usd|\$)? ?({NUMBER})", re.ASCII | re.IGNORECASE)
_TOTAL = re.compile(rf"{_CAP.pattern} ?(?:in all|(?:in )?total|altogether)", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_HOURS = re.compile(r"0|[1-9]\d{0,3}", re.ASCII)
_SECONDS = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_NO_CAP = f"Type your highest price in dollars per GPU-hour: {say_rate(MAX_CAP)} or less, such as 3 or 2.50."
_FIELDS = {
    Part.FEATURE: Field.GPU,
    Part.START: Field.START,
    Part.LEASE: Field.LEASE,
    Part.END: Field.LEASE,
    Part.LATEST: Field.UP_TO,
    Part.LATEST_END: Field.UP_TO,
    Part.PRICE: Field.CAP,
    Part.KEEP_IF_FAILED: Field.IF_FAILED,
    Part.WAITS: Field.WAITS,
    Part.DONE: Field.UNTIL_DONE,
}
"""The form's input for each part of a request. An error about the part appears below this input.

Parts that contain names, such as the region, are missing here, because `_names` has already checked them.
"""


_WITH_JOBS: Mapping[Part | None, Part] = {Part.LATEST: Part.LEASE, Part.LATEST_END: Part.END}
"""The part whose input shows an error about another part, if the machine ends when its job is done.

In this case, people type the maximum length, or the latest time at which the lease ends, into the input for the
length.
"""


class InvalidForm(Exception):
    """Some inputs of a form are wrong. For each of them, `errors` contains a text that says what to type."""

    def __init__(self, errors: dict[Field, str]) -> None:
        super().__init__()
        self.errors = errors


def read_form(
    inputs: Mapping[str, str], catalog: Catalog, rules: Rules, *, now: datetime, zone: str
) -> Get | Wait:
    """Convert the content of the request form into the command with the same meaning.

    `zone` is the person's IANA time zone. Raises InvalidForm if an input is wrong or no longer possible.
    """
    errors: dict[Field, str] = {}
    vocabulary, context = vocabulary_of(catalog), ParseContext(rules, now, zone)
    more = inputs.get(Field.MORE, "").split()
    values = _names(inputs, catalog, vocabulary, rules, errors) | _times(inputs) | _price(inputs)
    if values[Part.DONE]:
        if values.get(Part.LATEST) or values.get(Part.LATEST_END):
            errors[Field.UP_TO] = (
                "Leave this empty: if the machine ends with its job, the time above is its longest."
            )
        values |= {Part.LATEST: values.pop(Part.LEASE, []), Part.LATEST_END: values.pop(Part.END, [])}
    draft = RequestDraft(
        values,
        people=changed(NOBODY, people=tuple(inputs.get(Field.TEAMMATES, "").split())),
        note=one_line(inputs.get(Field.NOTE, ""), MAX_NOTE_LENGTH),
    )
    built = draft.build(vocabulary, context)
    problems = () if isinstance(built, Built) else built
    for problem in problems:
        part = (_WITH_JOBS if draft[Part.DONE] else {}).get(problem.part, problem.part)
        if part in _FIELDS:
            errors.setdefault(_FIELDS[part], _correction(replace(problem, part=part), draft, context))
    lease = draft.first(Part.LEASE)
    if lease is not None and lease == draft.first(Part.LATEST) and Field.LEASE not in errors:
        errors[Field.UP_TO] = _longer_than(lease)
    if draft[Part.WAITS] and Field.WAITS not in errors:
        if draft[Part.START] and Field.START not in errors:
            errors[Field.WAITS] = "Leave this empty if there is a start time: I'll look for offers then."
        elif draft[Part.END] or (draft[Part.DONE] and draft[Part.LATEST_END]):
            no_end = "If you wait, type a length instead of an end, such as 6h."
            errors.setdefault(Field.LEASE, no_end)
    if errors or not isinstance(built, Built):
        raise InvalidForm(errors)
    request, any_time = built.request, ANY_TIME in more
    if request.until is not None and request.longest < LEAST_TIME:
        least = say_span(LEAST_TIME)
        too_short = f"That's less than {least} away. Type a later end, or a length such as 2h."
        raise InvalidForm(
            {Field.LEASE: f"With a start time, a lease is at least {least}." if request.starts_at else too_short}
        )
    if built.waits_until is not None:
        return Wait(request=request, until=built.waits_until, any_time=any_time)
    # The choice to rent immediately is ignored in two cases, as it is in a typed request: if several models have
    # the requested GPU features, or if the request has a start time. The bot then only shows offers.
    exact = not request.features and request.starts_at is None
    return Get(request=request, now=NOW in more and exact, any_time=any_time)


def _names(
    inputs: Mapping[str, str], catalog: Catalog, vocabulary: Vocabulary, rules: Rules, errors: dict[Field, str]
) -> Values:
    """Return the parts of the request that people choose from a list, such as the GPU and the region.

    If a value is no longer in its list, an error is added to `errors`.
    """
    gpu, features = _gpu_and_features(inputs.get(Field.GPU, ""), catalog, vocabulary)
    if not gpu:
        errors[Field.GPU] = "Choose a GPU."
    elif not _sold(gpu, catalog):
        errors[Field.GPU] = (
            f"Nobody offers this GPU right now. Similar names: {', '.join(vocabulary.nearest_gpus(gpu))}."
        )
    count = inputs.get(Field.COUNT, "")
    if not _COUNT.fullmatch(count) or not count_allowed(int(count), rules):
        errors[Field.COUNT] = f"Your team's limit is {most_gpus(rules)} per rental."
    contract = inputs.get(Field.CONTRACT, "")
    if contract not in set(Contract):
        errors[Field.CONTRACT] = "Choose on demand or spot."
    region = _choice(inputs, Field.REGION, catalog.regions, vocabulary.regions, errors)
    vendor = _choice(inputs, Field.VENDOR, catalog.vendors, vocabulary.vendors, errors)
    setup, project = inputs.get(Field.SETUP, NO_SETUP), inputs.get(Field.PROJECT, BY_CHANNEL)
    if setup not in {NO_SETUP, *rules.setup}:
        errors[Field.SETUP] = "Your team's rules no longer have this setup. Choose another."
    return {
        Part.GPU: [] if Field.GPU in errors else [gpu],
        Part.FEATURE: [*features],
        Part.COUNT: [int(count) if _COUNT.fullmatch(count) else 0],
        Part.CONTRACT: [] if Field.CONTRACT in errors else [contract],
        Part.REGION: [region],
        Part.VENDOR: [vendor],
        Part.SETUP: [] if setup == NO_SETUP else [setup],
        Part.PROJECT: [] if project == BY_CHANNEL else [project],
        Part.DONE: [True] if inputs.get(Field.UNTIL_DONE) == UNTIL_DONE else [],
        Part.NO_PROBE: [True] if inputs.get(Field.PROBE) == NO_PROBE else [],
        Part.KEEP_IF_FAILED: [True] if inputs.get(Field.IF_FAILED) == KEEP_IF_FAILED else [],
    }


def _times(inputs: Mapping[str, str]) -> Values:
    """Return the parts of the request that are times and lengths.

    A length that can't be read becomes zero, and a time that can't be read becomes empty. `RequestDraft.build`
    rejects both.
    """
    start, lease, up_to, waits = (
        normalize(inputs.get(field, "")).lower() for field in (Field.START, Field.LEASE, Field.UP_TO, Field.WAITS)
    )
    values: Values = {}
    if start := start.removeprefix("at "):
        found = START.fullmatch(f"at {start}") or START.fullmatch(start)
        values[Part.START] = [found["start"] or found["day_first"] if found else ""]
    until = UNTIL.fullmatch(lease)
    values[Part.LEASE if until is None else Part.END] = [_length(lease) if until is None else until["end"] or ""]
    later = UNTIL.fullmatch(up_to)
    if later is not None and until is not None:
        values[Part.LATEST_END] = [later["end"] or ""]
    elif up_to:
        values[Part.LATEST] = [_length(up_to)]
    if waits := waits.removeprefix("until "):
        ends = UNTIL.fullmatch(f"until {waits}")
        values[Part.WAITS] = [ends["end"] or "" if ends else ""]
    return values


def _length(text: str) -> timedelta:
    return parse_duration(text) if re.fullmatch(DURATION, text) else timedelta(0)


def _price(inputs: Mapping[str, str]) -> Values:
    """Return the highest price per GPU-hour or for the whole rental, such as `20 in all`.

    A price that can't be read becomes zero, which `RequestDraft.build` rejects as too low.
    """
    text = normalize(inputs.get(Field.CAP, ""))
    total = _TOTAL.fullmatch(text)
    if total is not None:
        return {Part.PRICE: [Money(Decimal(total[1]), limit=True, total=True)]}
    return {Part.PRICE: [Money(_cap(text), per_gpu=True, per_hour=True, limit=True)] if text else []}


def _cap(text: str) -> Decimal:
    number = _CAP.fullmatch(text)
    return Decimal(number[1]) if number else Decimal(0)


def _correction(problem: Problem, draft: RequestDraft, context: ParseContext) -> str:
    """Return the text that is shown below an input and says how to correct it."""
    part, unclear, price = problem.part, problem.unclear, draft.first(Part.PRICE)
    longest, longest_wait = say_span(context.rules.lease.max), say_span(context.rules.waiting.longest)
    if part in {Part.LATEST, Part.LATEST_END}:
        if unclear is not None:
            return unclear.words
        if draft[Part.NO_PROBE] or not context.sees_use:
            return "I can't move the machine's end if I don't see whether its GPUs are busy. Leave this empty."
        if problem.too_early:
            return (
                "Type an end after the one above, or leave this empty."
                if draft[Part.END]
                else _longer_than(draft.first(Part.LEASE))
            )
        return f"Type a time of at most {longest}, such as 12h or {'until 10:00' if draft[Part.END] else '2d'}."
    if part is Part.KEEP_IF_FAILED:
        return f"{KEPT_UNSEEN} Choose only one of the two."
    if unclear is not None and part is not None and (part is Part.END or draft.first(part)):
        return unclear.said("until " if part is Part.END else "")
    if part is Part.DONE and draft[Part.NO_PROBE]:
        return "I can't see when the job is done if I don't check the machine. Uncheck one of the two boxes."
    if part is Part.START:
        too_far = f"That's too far in the future. A start is at most {longest_wait} from now."
        return "Type a time such as 9:00, 9am or fri 9:00, or leave this empty." if unclear else too_far
    if part is Part.WAITS:
        too_far = f"That's too far in the future. You can wait for at most {longest_wait}."
        return f"Type a time such as fri or fri 18:00, at most {longest_wait} from now." if unclear else too_far
    if part is Part.END:
        too_far = f"That's too far in the future. A lease is at most {longest}."
        return "That's not after the start." if problem.too_early else too_far
    if part is Part.LEASE:
        return f"Type a time of at most {longest}, such as 90m, 6h, 2d or until 18:00."
    if part is Part.PRICE:
        impossible = f"{say_rate(price.amount)} in all can't be right for this many GPUs and hours."
        return impossible if price.total else _NO_CAP
    return problem.words


def _longer_than(lease: timedelta) -> str:
    return f"Type more than {say_span(lease)}, or leave this empty."


def read_cap(inputs: Mapping[str, str]) -> Decimal:
    """Return the highest price in USD per GPU-hour.

    Raises InvalidForm if no price was typed, or if the price is impossible.
    """
    cap = _cap(normalize(inputs.get(Field.CAP, "")))
    if not is_possible_cap(cap):
        raise InvalidForm({Field.CAP: _NO_CAP})
    return cap


def read_hours(inputs: Mapping[str, str]) -> timedelta:
    """Return the length of the extension that was chosen.

    Zero if the person chose not to extend the lease. Raises InvalidForm if nothing was chosen.
    """
    return _chosen_number(inputs, Field.HOURS, _HOURS) * timedelta(hours=1)


def read_length(inputs: Mapping[str, str]) -> timedelta:
    """Return the length that was chosen. The value of the chosen option is in seconds.

    Raises InvalidForm if no length was chosen.
    """
    return _chosen_number(inputs, Field.LENGTH, _SECONDS) * timedelta(seconds=1)


def _chosen_number(inputs: Mapping[str, str], field: Field, pattern: re.Pattern[str]) -> int:
    chosen = inputs.get(field, "")
    if not pattern.fullmatch(chosen):
        raise InvalidForm({field: "Choose one of these."})
    return int(chosen)


def _gpu_and_features(chosen: str, catalog: Catalog, vocabulary: Vocabulary) -> tuple[str, tuple[str, ...]]:
    """Split a choice such as `A100 80gb sxm` into the GPU family and its features.

    If the GPU was typed, it is parsed as in a command. Any other text is returned unchanged.
    """
    families = [] if _sold(chosen, catalog) else sorted(catalog.gpus, key=len, reverse=True)
    family = next((family for family in families if chosen.startswith(f"{family} ")), None)
    if family is not None:
        return family, tuple(chosen.removeprefix(family).split())
    typed = normalize(chosen).lower()
    found = vocabulary.gpus.match(typed, 0)
    if _sold(chosen, catalog) or found is None:
        return chosen, ()
    end, gpu = found
    features = typed[end:].split()
    if not all(map(vocabulary.features.fullmatch, features)):
        return chosen, ()
    narrowed = vocabulary.narrowed(gpu, features)
    return narrowed.gpu, narrowed.features


def _sold(gpu: str, catalog: Catalog) -> bool:
    return gpu in catalog.gpus or any(gpu in variants for variants in catalog.gpus.values())


def _choice(
    inputs: Mapping[str, str], field: Field, names: Sequence[str], matcher: NameMatcher, errors: dict[Field, str]
) -> str:
    """Return the region or vendor that was chosen or typed.

    Empty if the person accepts any region or vendor. If the name is unknown, an error is added to `errors`.
    """
    chosen = inputs.get(field, "")
    if chosen in {"", ANY, *names}:
        return chosen if chosen in names else ""
    typed = normalize(chosen).lower()
    found = matcher.match(typed, 0)
    if found is not None and found[0] == len(typed):
        return found[1]
    errors[field] = f"I don't know this {field}. {field.capitalize()}s: {', '.join(names)}."
    return ""
