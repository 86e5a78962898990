"""What people are told whose request can't be read: what it is about, then what to type."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot.errors import Mistake
from bot.model.money import micros, rate_for
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span, short
from handlers.parsing.prices import Money
from handlers.parsing.problems import Problem, Trouble
from handlers.parsing.reader import Price, Reading
from handlers.parsing.request_text import FINEST_CAP, HIGHEST_CAP, MOST_GPUS, SHORTEST_LEASE, spell
from handlers.parsing.vocabulary import Words, has_mark

_HOUR = timedelta(hours=1)
_WORDS = {
    Trouble.UNREADABLE: 'I can\'t read "{said}". Try: {tried}',
    Trouble.NUMBER: 'I can\'t tell what "{said}" is. Write {number}x for GPUs, {number}h for hours, ${number} '
    "for a price. Try: {tried}",
    Trouble.LIMIT: 'I can\'t tell what "{said}" limits. A price has a dollar sign. Try: {priced}',
    Trouble.RANGE: 'I need one number, and "{said}" is two. Try: {tried}',
    Trouble.TIME: 'I can\'t read the time "{said}". A machine starts when it is rented. Try: {six_hours}',
    Trouble.MINUTES: 'I can\'t read the time "{said}". Try: {ninety_minutes}',
    Trouble.LATER: '"{said}" would be later. A machine starts when it is rented. Try: {six_hours}',
    Trouble.PRICE: 'I can\'t read the price "{said}". A price is in dollars per GPU and hour. Try: {priced}',
    Trouble.PRICE_UNIT: 'A price is per GPU and hour, not "{said}". Try: {priced}',
    Trouble.OPTION: 'I don\'t know the option "{said}". A note needs a space after its dash. Try: {tried}',
    Trouble.MACHINES: 'A rental is one machine, so I can\'t read "{said}". Write how many GPUs it has. '
    "Try: {tried}",
    Trouble.US: '"{said}" can be the region or the people who ask. Try: {tried}',
    Trouble.AMBIGUOUS: '"{said}" can mean two things. Try: {tried}',
}


_REVERSING = frozenset(
    {"not", "no", "without", "except", "excluding", "but", "outside", "over", "above", "more"}
    | {"min", "minimum", "at least", ">", ">="}
)
"""After these stands what is not wanted, or a minimum. A suggestion that repeats it would rent the opposite."""
_USUAL_CAP = Decimal(3)
_USUAL_LEASE = timedelta(hours=6)


class Mistakes:
    """The mistakes of one request. `leases` are the default one and the longest."""

    def __init__(
        self, found: Reading, caps: list[Price], words: Words, leases: tuple[timedelta, timedelta]
    ) -> None:
        self.found = found
        self.caps = caps
        self.words = words
        self.default_lease, self.max_lease = leases

    def of(self, problem: Problem) -> Mistake:
        """Return the mistake that names what can't be read."""
        said = problem.text
        match problem.trouble:
            case Trouble.WORD:
                return self._word(said)
            case Trouble.REGION:
                near = self.words.nearest_regions(said)
                regions = ", ".join(self.words.region_names)
                tried = self.try_(region=next(iter(near), None))
                return Mistake(f'I don\'t know the region "{said}". Regions: {regions}. Try: {tried}', near)
            case Trouble.VENDOR:
                near = self.words.nearest_vendors(said)
                tried = self.try_(vendor=next(iter(near), None))
                return Mistake(
                    f'I don\'t know the vendor "{said}". Nearest: {", ".join(near)}. Try: {tried}', near
                )
            case Trouble.MEMORY:
                return self._memory(problem)
            case Trouble.LIMITED_COUNT:
                tried = self.try_(count=problem.number)
                return Mistake(f'"{said}" is no exact number of GPUs, and I need one. Try: {tried}')
            case _:
                return Mistake(self._simple(problem))

    def _simple(self, problem: Problem) -> str:
        said, number = problem.text, problem.number or 2
        if problem.trouble is Trouble.NAME_MISSING:
            return self._name_missing(said)
        region = "US" if problem.trouble is Trouble.US else None
        words = _WORDS.get(problem.trouble, _WORDS[Trouble.UNREADABLE])
        return words.format(
            said=said,
            number=number,
            tried=self.try_(region=region),
            priced=self._priced(problem),
            six_hours=self.try_(lease=_USUAL_LEASE),
            ninety_minutes=self.try_(lease=timedelta(minutes=90)),
        )

    def _priced(self, problem: Problem) -> str:
        """What to type for a limit such as `under 2.50`. Of several GPUs it doesn't say whether it is for each."""
        number = problem.text.rpartition(" ")[2] if problem.trouble is Trouble.LIMIT else ""
        cap = Decimal(number) if number.replace(".", "", 1).isdecimal() else Decimal(problem.number)
        return self.try_(cap=cap, per_gpu=False) if FINEST_CAP <= cap <= HIGHEST_CAP else self.try_(cap=_USUAL_CAP)

    def _memory(self, problem: Problem) -> Mistake:
        gpu, number = self._gpu(), problem.number
        known = self.words.variants[self.words.family_of(gpu) or gpu]
        fitting = [variant.name for variant in known if has_mark(variant, f"{number}gb")]
        tried = [self.try_(*fitting[:1])] + ([self.try_(count=number)] if 1 <= number <= MOST_GPUS else [])
        return Mistake(f'Is "{problem.text}" its memory, {number} GB? Try: {", or ".join(tried)}', tuple(fitting))

    def _name_missing(self, key: str) -> str:
        if key in {"lease", "duration", "hours", "hrs"}:
            return f'After "{key}" comes a time. Try: {self.try_(lease=_USUAL_LEASE)}'
        if key == "count":
            return f'After "{key}" comes a number. Try: {self.try_(count=2)}'
        if key == "contract":
            return f'After "{key}" comes spot or on demand. Try: {self.try_(contract="spot")}'
        if key in {"region", "in"}:
            tried = self.try_(region=next(iter(self.words.region_names), None))
        else:
            tried = self.try_(vendor=next(iter(self.words.vendor_names), None))
        return f'After "{key}" comes a name. Try: {tried}'

    def _word(self, word: str) -> Mistake:
        words = self.words
        if not self.found.gpus and word[:1].isalnum():
            near = words.nearest_gpus(word)
            tried = self.try_(*near[:1])
            return Mistake(f'I don\'t know the GPU "{word}". Nearest: {", ".join(near)}. Try: {tried}', near)
        near = words.nearest_words(word)
        hint = f"Nearest: {', '.join(near)}." if near else "A note goes after --."
        best = next(iter(near), None)
        tried = self.try_(
            region=best if best in words.region_names else None,
            vendor=best if best in words.vendor_names else None,
            contract=best if best in set(Contract) else None,
        )
        return Mistake(f'I don\'t know "{word}". {hint} Try: {tried}', near)

    def total(self, money: Money, count: int, lease: timedelta) -> Mistake:
        """Return the refusal of a price for everything, with the price per GPU and hour that it comes to."""
        span = (_HOUR if money.per_hour else lease) * (1 if money.per_gpu else count)
        rate = rate_for(micros(money.amount), span)
        said = f"{say_rate(money.amount)}{'/GPU' if money.per_gpu else ''}{'/h' if money.per_hour else ''} in all"
        what = f"{count}x {short(self._gpu())}" + ("" if money.per_hour else f" for {say_span(lease)}")
        each = say_rate(rate) if rate else "less than $0.01"
        words = f"A cap is per GPU and hour. {said} for {what} comes to {each} per GPU and hour."
        if not FINEST_CAP <= rate <= HIGHEST_CAP:
            return Mistake(f"{words} Try: {self.try_(cap=_USUAL_CAP)}")
        return Mistake(f"{words} Try: {self.try_(cap=rate)}")

    def no_variant(self, family: str, marks: list[str]) -> Mistake:
        """Return the mistake of a GPU that isn't made with such memory or in such a form."""
        nearest = tuple(variant.name for variant in self.words.variants[family])[:5]
        said = short(f"{family} {' '.join(marks)}")
        return Mistake(
            f'I don\'t know the GPU "{said}". There is: {", ".join(nearest) or family}. '
            f"Try: {self.try_(nearest[0] if nearest else family)}",
            nearest,
        )

    def variants(self, family: str, marks: list[str], fitting: list[str]) -> Mistake:
        """Return the mistake of a GPU that is made in several forms of which some fit."""
        said = short(f"{family} {' '.join(marks)}")
        return Mistake(
            f'"{said}" can be {" or ".join(fitting[:5])}. Try: {self.try_(fitting[0])}', tuple(fitting[:5])
        )

    def _gpu(self) -> str:
        fallback = "H100" if "H100" in self.words.families else next(iter(self.words.families), "H100")
        return next(iter(self.found.gpus), fallback)

    def try_(
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
    ) -> str:
        """Return the whole command to type instead, with all that was read. `per_gpu` is about `cap`."""
        found, said_caps = self.found, self.caps
        if any(problem.text.lower() in _REVERSING for problem in found.problems):
            found, said_caps = Reading(gpus=found.gpus, counts=found.counts), []
        counts = [number for number in (count, *found.counts) if number is not None and 1 <= number <= MOST_GPUS]
        rates = [(cap, per_gpu)] if cap is not None else []
        rates += [(price.money.amount, price.money.per_gpu) for price in said_caps]
        rates = [(rate, each) for rate, each in rates if FINEST_CAP <= rate <= HIGHEST_CAP]
        leases = [span for span in found.leases if SHORTEST_LEASE <= span <= self.max_lease]
        if lease is not None and not leases:
            leases = [min(lease, self.max_lease)]
        suggestion = Request(
            gpu=gpu or self._gpu(),
            count=next(iter(counts), 1),
            region=next(iter(found.regions), region) or None,
            contract=Contract(next(iter(found.contracts), contract or Contract.ONDEMAND)),
            vendor=next(iter(found.vendors), vendor) or None,
            max_gpu_rate=rates[0][0] if rates else None,
            cap_said_per_gpu=not rates or rates[0][1] or next(iter(counts), 1) == 1,
            lease=next(iter(leases), self.default_lease),
        )
        return f"/gpu get {spell(suggestion, default_lease=None if lease else self.default_lease)}"
