"""The messages for requests that can't be read: what can't be read, then what to type instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from bot.errors import Mistake
from bot.model.money import micros, rate_for
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span, short
from bot.policy.hours import next_morning
from bot.policy.two_ends import AFTER_NIGHT, WHILE_BUSY
from handlers.parsing.given import Given
from handlers.parsing.mentions import with_names
from handlers.parsing.parts import Price, RequestParts
from handlers.parsing.prices import Money
from handlers.parsing.problems import Problem, ProblemKind
from handlers.parsing.request_text import MAX_CAP, MAX_GPUS, MIN_CAP, MIN_LEASE, request_text
from handlers.parsing.until import example_end
from handlers.parsing.vocabulary import Vocabulary
from handlers.views.ends import UTC_ONLY
from handlers.views.format import zone_of

_HOUR = timedelta(hours=1)
_TEMPLATES = {
    ProblemKind.UNREADABLE: 'I can\'t read "{typed}". Try: {command}',
    ProblemKind.NUMBER_WITHOUT_UNIT: 'I can\'t tell what "{typed}" is. Write {number}x for GPUs, '
    "{number}h for hours, ${number} for a price. Try: {command}",
    ProblemKind.LIMIT_WITHOUT_UNIT: 'I can\'t tell what "{typed}" limits. A price has a dollar sign. '
    "Try: {with_price}",
    ProblemKind.RANGE: 'I need one number, and "{typed}" is two. Try: {command}',
    ProblemKind.TIME: 'I can\'t read the time "{typed}". A machine starts when it is rented. Try: {for_6h}',
    ProblemKind.END: 'I can\'t read the end "{typed}". It can be 18:00, tomorrow 9am or fri 18:00. Try: {until}',
    ProblemKind.HOURS_AND_NUMBER: 'I can\'t read the time "{typed}". Try: {for_90_min}',
    ProblemKind.LATER: '"{typed}" would be later. A machine starts when it is rented. Try: {for_6h}',
    ProblemKind.PRICE: 'I can\'t read the price "{typed}". A price is in dollars per GPU and hour. '
    "Try: {with_price}",
    ProblemKind.PRICE_UNIT: 'A price is per GPU and hour, not "{typed}". Try: {with_price}',
    ProblemKind.UNKNOWN_OPTION: 'I don\'t know the option "{typed}". A note needs a space after its dash. '
    "Try: {command}",
    ProblemKind.SEVERAL_MACHINES: 'A rental is one machine, so I can\'t read "{typed}". '
    "Write how many GPUs it has. Try: {command}",
    ProblemKind.US: '"{typed}" can be the region or the people who ask. Try: {command}',
    ProblemKind.AMBIGUOUS: '"{typed}" can mean two things. Try: {command}',
}
_NEGATIONS_AND_MINIMUMS = frozenset(
    {"not", "no", "without", "except", "excluding", "but", "outside", "over", "above", "more"}
    | {"min", "minimum", "at least", ">", ">="}
)
"""The words after one of these are not wanted, or are a minimum. A suggestion that repeated them would rent the
opposite."""
_SUGGESTED_CAP = Decimal(3)
_SUGGESTED_LEASE = timedelta(hours=6)


class ErrorMessages:
    """Makes the errors of one request. `teammates` are the names of the people who get in too."""

    def __init__(
        self,
        parts: RequestParts,
        caps: list[Price],
        vocabulary: Vocabulary,
        given: Given,
        teammates: Sequence[str] = (),
    ) -> None:
        self.teammates = with_names(teammates)
        self.parts = parts
        self.caps = caps
        self.vocabulary = vocabulary
        self.given = given

    def for_problem(self, problem: Problem) -> Mistake:
        """Return the error that names what can't be read."""
        typed = problem.text
        match problem.kind:
            case ProblemKind.UNKNOWN_WORD:
                return self._for_unknown_word(typed)
            case ProblemKind.UNKNOWN_REGION:
                nearest = self.vocabulary.nearest_regions(typed)
                regions = ", ".join(self.vocabulary.region_names)
                command = self.suggest(region=next(iter(nearest), None))
                words = f'I don\'t know the region "{typed}". Regions: {regions}. Try: {command}'
                return Mistake(words, nearest)
            case ProblemKind.UNKNOWN_VENDOR:
                nearest = self.vocabulary.nearest_vendors(typed)
                command = self.suggest(vendor=next(iter(nearest), None))
                words = f'I don\'t know the vendor "{typed}". Nearest: {", ".join(nearest)}. Try: {command}'
                return Mistake(words, nearest)
            case ProblemKind.MEMORY_OR_COUNT:
                return self._for_memory_or_count(problem)
            case ProblemKind.LIMITED_COUNT:
                command = self.suggest(count=problem.number)
                return Mistake(f'"{typed}" is no exact number of GPUs, and I need one. Try: {command}')
            case ProblemKind.MISSING_VALUE:
                return Mistake(self._missing_value(typed))
            case ProblemKind.NIGHT:
                return self._for_night(typed)
            case _:
                return Mistake(self._from_template(problem))

    def for_total(self, money: Money, count: int, lease: timedelta) -> Mistake:
        """Return the error for a price of everything, with the price per GPU and hour that it comes to."""
        gpu_time = (_HOUR if money.per_hour else lease) * (1 if money.per_gpu else count)
        rate = rate_for(micros(money.amount), gpu_time)
        total = f"{say_rate(money.amount)}{'/GPU' if money.per_gpu else ''}{'/h' if money.per_hour else ''} in all"
        what = f"{count}x {short(self._gpu())}" + ("" if money.per_hour else f" for {say_span(lease)}")
        each = say_rate(rate) if rate else "less than $0.01"
        words = f"A cap is per GPU and hour. {total} for {what} comes to {each} per GPU and hour."
        cap = rate if MIN_CAP <= rate <= MAX_CAP else _SUGGESTED_CAP
        return Mistake(f"{words} Try: {self.suggest(cap=cap)}")

    def for_unknown_variant(self, family: str, features: list[str]) -> Mistake:
        """Return the error for a GPU that isn't sold with these features."""
        nearest = tuple(variant.name for variant in self.vocabulary.variants[family])[:5]
        typed = short(f"{family} {' '.join(features)}")
        return Mistake(
            f'I don\'t know the GPU "{typed}". There is: {", ".join(nearest) or family}. '
            f"Try: {self.suggest(nearest[0] if nearest else family)}",
            nearest,
        )

    def for_several_variants(self, family: str, features: list[str], fitting: list[str]) -> Mistake:
        """Return the error for features that some variants of the family have, but not all."""
        typed = short(f"{family} {' '.join(features)}")
        return Mistake(
            f'"{typed}" can be {" or ".join(fitting[:5])}. Try: {self.suggest(fitting[0])}', tuple(fitting[:5])
        )

    def _from_template(self, problem: Problem) -> str:
        template = _TEMPLATES.get(problem.kind, _TEMPLATES[ProblemKind.UNREADABLE])
        return template.format(
            typed=problem.text,
            number=problem.number or 2,
            command=self.suggest(region="US" if problem.kind is ProblemKind.US else None),
            with_price=self._suggest_price(problem),
            until=self.suggest(end=example_end(self.given.now, self.given.zone)),
            for_6h=self.suggest(lease=_SUGGESTED_LEASE),
            for_90_min=self.suggest(lease=timedelta(minutes=90)),
        )

    def _suggest_price(self, problem: Problem) -> str:
        """Return what to type for a limit such as `under 2.50`. It doesn't say whether that is for each GPU."""
        limited = problem.kind is ProblemKind.LIMIT_WITHOUT_UNIT
        number = problem.text.rpartition(" ")[2] if limited else ""
        cap = Decimal(number) if number.replace(".", "", 1).isdecimal() else Decimal(problem.number)
        return (
            self.suggest(cap=cap, per_gpu=False) if MIN_CAP <= cap <= MAX_CAP else self.suggest(cap=_SUGGESTED_CAP)
        )

    def _for_memory_or_count(self, problem: Problem) -> Mistake:
        number = problem.number
        variants = self.vocabulary.variants_of(self._gpu())
        fitting = [variant.name for variant in variants if variant.has(f"{number}gb")]
        commands = [self.suggest(*fitting[:1])]
        if 1 <= number <= MAX_GPUS:
            commands.append(self.suggest(count=number))
        words = f'Is "{problem.text}" its memory, {number} GB? Try: {", or ".join(commands)}'
        return Mistake(words, tuple(fitting))

    def _for_night(self, typed: str) -> Mistake:
        """Return the error for `tonight`. It suggests the next morning, with a later end, if the person's zone is
        known and the rules allow that."""
        given = self.given
        if self.parts.timed:
            return Mistake(f'"{typed}" would be later. A machine starts when it is rented. Try: {self.suggest()}')
        local = zone_of(given.zone)
        morning = next_morning(given.now, local, given.hours)
        if given.zone == UTC_ONLY or morning + AFTER_NIGHT - given.now > given.max_lease:
            return Mistake(f"Until when? Try: {self.suggest(lease=_SUGGESTED_LEASE)}")
        first, last = morning.astimezone(local), (morning + AFTER_NIGHT).astimezone(local)
        day = "today" if first.date() == given.now.astimezone(local).date() else "tomorrow"
        end = f"{day} {first.hour}:{first:%M}"
        if given.sees_use and self.parts.probe:
            end += f" up to {last.hour}:{last:%M}"
        return Mistake(f"Until when? Try: {self.suggest(end=end)}")

    def _missing_value(self, key: str) -> str:
        if key in {"lease", "duration", "hours", "hrs"}:
            return f'After "{key}" comes a time. Try: {self.suggest(lease=_SUGGESTED_LEASE)}'
        if key == "count":
            return f'After "{key}" comes a number. Try: {self.suggest(count=2)}'
        if key == "contract":
            return f'After "{key}" comes spot or on demand. Try: {self.suggest(contract="spot")}'
        if key in {"region", "in"}:
            command = self.suggest(region=next(iter(self.vocabulary.region_names), None))
        else:
            command = self.suggest(vendor=next(iter(self.vocabulary.vendor_names), None))
        return f'After "{key}" comes a name. Try: {command}'

    def _for_unknown_word(self, word: str) -> Mistake:
        vocabulary = self.vocabulary
        if not self.parts.gpus and word[:1].isalnum():
            nearest = vocabulary.nearest_gpus(word)
            command = self.suggest(*nearest[:1])
            words = f'I don\'t know the GPU "{word}". Nearest: {", ".join(nearest)}. Try: {command}'
            return Mistake(words, nearest)
        nearest = vocabulary.nearest_words(word)
        hint = f"Nearest: {', '.join(nearest)}." if nearest else "A note goes after --."
        best = next(iter(nearest), None)
        command = self.suggest(
            region=best if best in vocabulary.region_names else None,
            vendor=best if best in vocabulary.vendor_names else None,
            contract=best if best in set(Contract) else None,
        )
        return Mistake(f'I don\'t know "{word}". {hint} Try: {command}', nearest)

    def _gpu(self) -> str:
        families = self.vocabulary.families
        fallback = "H100" if "H100" in families else next(iter(families), "H100")
        return next(iter(self.parts.gpus), fallback)

    def suggest(
        self,
        gpu: str | None = None,
        *,
        count: int | None = None,
        region: str | None = None,
        contract: str | None = None,
        vendor: str | None = None,
        cap: Decimal | None = None,
        per_gpu: bool = True,
        lease: timedelta | None = None,
        latest: timedelta | None = None,
        one_end: bool = False,
        end: str | None = None,
    ) -> str:
        """Return the whole command to type instead, with all that was read. `per_gpu` is about `cap`.

        `latest` is the later of two ends, if none was typed that is possible. `one_end` leaves it out. `end` is
        what follows `until`. None is the end that was typed, and an empty text none.
        """
        parts, typed_caps = self.parts, self.caps
        if any(problem.text.lower() in _NEGATIONS_AND_MINIMUMS for problem in parts.problems):
            parts, typed_caps = RequestParts(gpus=parts.gpus, counts=parts.counts), []
        counts = [number for number in (count, *parts.counts) if number is not None and 1 <= number <= MAX_GPUS]
        caps = [(cap, per_gpu)] if cap is not None else []
        caps += [(price.money.amount, price.money.per_gpu) for price in typed_caps]
        caps = [(amount, each) for amount, each in caps if MIN_CAP <= amount <= MAX_CAP]
        leases, later = self._possible(parts.leases), self._possible(parts.latest)
        if not (leases or parts.busy):
            leases, later = later, []
        if lease is not None and not leases:
            leases = [min(lease, self.given.max_lease)]
        first = next(iter(leases), WHILE_BUSY if parts.busy and not one_end else self.given.default_lease)
        later = [typed for typed in (*later, *self._possible([latest] if latest else [])) if typed > first]
        if end is None:
            end = "" if lease else next(iter(parts.ends), "")
        suggestion = Request(
            gpu=gpu or self._gpu(),
            count=next(iter(counts), 1),
            region=next(iter(parts.regions), region) or None,
            contract=Contract(next(iter(parts.contracts), contract or Contract.ONDEMAND)),
            vendor=next(iter(parts.vendors), vendor) or None,
            max_gpu_rate=caps[0][0] if caps else None,
            cap_said_per_gpu=not caps or caps[0][1] or next(iter(counts), 1) == 1,
            lease=first,
            up_to=None if one_end or end else next(iter(later), None),
            setup=next(iter(parts.setups), None) or None,
            probe=parts.probe,
        )
        if end:
            text = f"{request_text(suggestion, default_lease=suggestion.lease)} until {end}"
            text += "" if one_end else self._later_end(latest)
        else:
            text = request_text(suggestion, default_lease=None if lease else self.given.default_lease)
        return f"/gpu get {text}{self.teammates}"

    def _later_end(self, latest: timedelta | None) -> str:
        """Return the later of two ends after a named one: `latest`, or else as it was typed."""
        typed = next((say_span(span) for span in self._possible(self.parts.latest)), "")
        typed = next(iter(self.parts.latest_ends), typed)
        later = say_span(latest) if latest is not None else typed
        return f" up to {later}" if later else ""

    def _possible(self, spans: Iterable[timedelta]) -> list[timedelta]:
        return [span for span in spans if MIN_LEASE <= span <= self.given.max_lease]
