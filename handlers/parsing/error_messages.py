"""The mistakes in requests that can't be read: which parts can't be read, and the lines that may have been meant.

A line keeps everything that was read: each number with its unit, each place, vendor, name and time. Only a word
that can't be read is replaced or left out, and the mistake names that word. If two values exclude each other, each
has a line. Otherwise there is no line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

from bot.errors import Line, RequestMistake
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span, short
from bot.policy.team.hours import next_morning
from bot.policy.use.two_ends import AFTER_NIGHT, WHILE_BUSY
from handlers.parsing.mentions import Mentioned, with_names
from handlers.parsing.request_parts import LEFT_OUT, ParseContext, Problem, ProblemKind, Reading, RequestParts
from handlers.parsing.request_text import request_text
from handlers.parsing.typed_text import as_slack_sends_it
from handlers.parsing.until import example_end
from handlers.parsing.vocabulary import Vocabulary
from handlers.phrases.format import zone_of

SHORTEST_NIGHT = timedelta(hours=2)
"""Who types `overnight` later than this before the morning means the next night."""
MOST_LINES = 3
MOST_PROBLEMS = 3
"""A mistake names no more problems than this. If there are more, it has no line, which would leave out the others
silently."""
_SENTENCE_END = re.compile(r"(?<=[.?]) (?=[A-Z])")
_UNKNOWN = ""
"""Stands for the sentence about all words for which there is no suggestion."""
_TEMPLATES = {
    ProblemKind.UNREADABLE: 'I can\'t read "{typed}".',
    ProblemKind.NUMBER_WITHOUT_UNIT: 'I can\'t tell what "{typed}" is. Write {number}x for GPUs, '
    "{number}h for hours, ${number} for a price.",
    ProblemKind.LIMIT_WITHOUT_UNIT: 'I can\'t tell what "{typed}" is. A price has a dollar sign.',
    ProblemKind.LIMITED_COUNT: '"{typed}" is no exact number of GPUs, and I need one.',
    ProblemKind.MEMORY_OR_COUNT: 'Is "{typed}" its memory, {number} GB?',
    ProblemKind.RANGE: 'I need one number, and "{typed}" is two.',
    ProblemKind.TIME: 'I can\'t read the time "{typed}". A start is at 9:00 tomorrow, an end until 18:00.',
    ProblemKind.END: 'I can\'t read the end "{typed}". It can be 18:00, tomorrow 9am or fri 18:00.',
    ProblemKind.HOURS_AND_NUMBER: 'I can\'t read the time "{typed}".',
    ProblemKind.LATER: '"{typed}" would be later. A start has a time: at 9:00 tomorrow.',
    ProblemKind.PRICE: 'I can\'t read the price "{typed}". A price is in US dollars per GPU and hour.',
    ProblemKind.PRICE_UNIT: 'A price is per GPU and hour, not "{typed}".',
    ProblemKind.UNKNOWN_OPTION: 'I don\'t know the option "{typed}". A note needs a space after its dash.',
    ProblemKind.SEVERAL_MACHINES: 'A rental is one machine, so I can\'t read "{typed}". '
    "Write how many GPUs it has.",
    ProblemKind.US: '"{typed}" can be the region or the people who ask.',
    ProblemKind.EXCLUDES: 'I can\'t leave something out, as in "{typed}". Name what you want.',
    ProblemKind.AT_LEAST: 'I can\'t look for a minimum, as in "{typed}". Name a number, or a limit: under $3.',
    ProblemKind.AMBIGUOUS: '"{typed}" can mean two things.',
}
_VALUES = {
    "contract": "spot or on demand",
    **dict.fromkeys(("count", "hours", "hrs"), "a number"),
    **dict.fromkeys(("lease", "duration"), "a time, such as 6h"),
}
"""What comes after a key, if that is no name and no price."""


@dataclass
class ErrorMessages:
    """Makes the mistakes of one request. `reads` tells whether parts without problems make a request."""

    parts: RequestParts
    mentioned: Mentioned
    vocabulary: Vocabulary
    context: ParseContext
    note: str
    reads: Callable[[RequestParts], bool]

    def for_problems(self) -> RequestMistake:
        """Return the mistake that names all parts that can't be read."""
        problems = list(dict.fromkeys(self.parts.problems))
        refused = [problem for problem in problems if problem.kind in {ProblemKind.EXCLUDES, ProblemKind.AT_LEAST}]
        if refused:
            return RequestMistake(self._explain(refused[0])[0])
        read = [(problem.text, *self._explain(problem)) for problem in problems]
        unknown = [f'"{text}"' for text, why, _ in read if why == _UNKNOWN]
        # An unknown word may exclude the vendor after it.
        possible = len(read) <= MOST_PROBLEMS and not (unknown and self.parts.vendors)
        choices = list(product(*(readings for *_, readings in read))) if possible else []
        lines = [self.line_with(*choice) for choice in choices[:MOST_LINES]]
        read.sort(key=lambda one: bool(one[2]))  # first what stands in the way of a line
        *others, last = unknown[:MOST_PROBLEMS] or [""]
        named = f"{', '.join(others)} and {last}" if others else last
        all_unknown = f"I don't know {named}. A note goes after --."
        words = dict.fromkeys(all_unknown if why == _UNKNOWN else why for _, why, _ in read)
        without = all(reading is LEFT_OUT for choice in choices for reading in choice)
        said = dict.fromkeys(_SENTENCE_END.split(" ".join(list(words)[:MOST_PROBLEMS])))  # each sentence once
        return RequestMistake(" ".join(said), *filter(None, lines), without=without)

    def line_with(self, *readings: Reading) -> Line | None:
        """Return the line that adds these readings to what was read."""
        parts = self.parts
        for part, value, later_end in readings:
            if part:
                parts = parts.with_values(part, *getattr(parts, part), value)
            if later_end:
                parts = parts.with_values("latest_ends", *parts.latest_ends, later_end)
        return self.line(parts)

    def line(self, parts: RequestParts, mentioned: Mentioned | None = None) -> Line | None:
        """Return the request that has exactly these parts, its people and its note. Return None if these make no
        request, because two values exclude each other or one is impossible."""
        if not self.reads(parts):
            return None
        gpu, features, _ = self.vocabulary.narrowed(parts.gpus[0], parts.features)
        count, price = next(iter(parts.counts), 1), next(iter(parts.different("prices")), None)
        total = price is not None and parts.is_total(price)
        later, end = next(iter(parts.latest), None), next(iter([*parts.wish_ends, *parts.ends]), "")
        waits = self.context.waiting and not parts.starts
        lease = None if end and not waits else next(iter(parts.leases), WHILE_BUSY if parts.busy else later)
        request = Request(
            gpu=gpu,
            features=features,
            count=count,
            region=next(iter(parts.regions), None) or None,
            contract=Contract(next(iter(parts.contracts), Contract.ONDEMAND)),
            vendor=next(iter(parts.vendors), None) or None,
            max_gpu_rate=None if price is None or total else price.money.amount,
            cap_said_per_gpu=price is None or price.money.per_gpu or count == 1,
            lease=lease or self.context.default_lease,
            up_to=later if lease not in {None, later} else None,
            setup=next(iter(parts.setups), None) or None,
            project=next(iter(parts.projects), None) or None,
            probe=parts.probe,
        )
        text = request_text(request, default_lease=None if lease else self.context.default_lease)
        if price is not None and total:
            unit = ("/GPU" if price.money.per_gpu else "") + ("/h" if price.money.per_hour else "")
            text += f" {say_rate(price.money.amount)}{unit} in all"
        text += " from any vendor" if parts.vendors == [""] else ""
        text += f" at {parts.starts[0]}" if parts.starts else ""
        text += " any time" if parts.any_time else ""
        if end:
            typed = next(iter(parts.latest_ends), say_span(later) if later and not lease else "")
            text += f" until {end}" + (f" up to {typed}" if typed else "")
        note = f" -- {self.note}" if self.note else ""
        people = mentioned or self.mentioned
        return Line(
            shown=text + with_names(people.names) + note,
            text=as_slack_sends_it(text) + with_names(people.mentions) + as_slack_sends_it(note),
            verb="wait" if waits else "get",
        )

    def _explain(self, problem: Problem) -> tuple[str, tuple[Reading, ...]]:
        """Return the sentence about a problem, and what its text may mean."""
        typed, readings = problem.text, problem.readings
        vocabulary = self.vocabulary
        match problem.kind:
            case ProblemKind.UNKNOWN_WORD:
                return self._explain_word(typed)
            case ProblemKind.UNKNOWN_GPU:
                nearest = vocabulary.nearest_gpus(typed)
                words = f'I don\'t know the GPU "{typed}". Nearest: {", ".join(nearest)}.'
                return words, tuple(Reading("gpus", gpu) for gpu in nearest[:1])
            case ProblemKind.UNKNOWN_REGION:
                regions = ", ".join(vocabulary.region_names)
                return f'I don\'t know the region "{typed}". Regions: {regions}.', tuple(
                    Reading("regions", region) for region in vocabulary.nearest_regions(typed)
                )
            case ProblemKind.PLACE:
                region = (
                    f", and this is {readings[0].value}" if readings else ": " + ", ".join(vocabulary.region_names)
                )
                return f'I can\'t look in "{typed}" alone: machines are sold by region{region}.', readings
            case ProblemKind.UNKNOWN_VENDOR:
                nearest = vocabulary.nearest_vendors(typed)
                if nearest:
                    words = f'I don\'t know the vendor "{typed}". Nearest: {", ".join(nearest)}.'
                    return words, (Reading("vendors", nearest[0]),)
                words = f"I can't rent from {typed}. Vendors: {_some(vocabulary.vendor_names)}."
                return words, (Reading("vendors", ""),)
            case ProblemKind.MISSING_VALUE:
                return f'After "{typed}" comes {self._value_after(typed.lower())}.', (LEFT_OUT,)
            case ProblemKind.END if typed.lower() in {"until", "till", "til"}:
                readings = (Reading("ends", example_end(self.context.now, self.context.zone)),)
            case ProblemKind.NIGHT:
                return self._explain_night(typed)
            case ProblemKind.UNKNOWN_OPTION:
                readings = (LEFT_OUT,)
        number = "".join(letter for letter in typed if letter.isdigit()) or "2"
        return _TEMPLATES[problem.kind].format(typed=typed, number=number), readings

    def _explain_word(self, word: str) -> tuple[str, tuple[Reading, ...]]:
        nearest = self.vocabulary.nearest_words(word)
        readings: tuple[Reading, ...] = (LEFT_OUT,)
        if " " in word or any(letter.isnumeric() for letter in word):
            readings = ()  # it may be a vendor, as in `on foo`, or a number
        if not nearest:
            return _UNKNOWN, readings
        for part, names in (
            ("regions", self.vocabulary.region_names),
            ("vendors", self.vocabulary.vendor_names),
            ("contracts", tuple(Contract)),
            ("gpus", self.vocabulary.families),
        ):
            if nearest[0] in names:
                readings = (Reading(part, nearest[0]),)
        return f'I don\'t know "{word}". Nearest: {", ".join(nearest)}.', readings

    def _explain_night(self, typed: str) -> tuple[str, tuple[Reading, ...]]:
        """Return the sentence about a night. Also return the next morning with a later end, if the person's zone
        is known and the rules allow two ends."""
        context = self.context
        if self.parts.timed:
            return _TEMPLATES[ProblemKind.LATER].format(typed=typed), (LEFT_OUT,)
        local = zone_of(context.zone)
        morning = next_morning(context.now + SHORTEST_NIGHT, local, context.hours)
        if not context.zone or morning + AFTER_NIGHT - context.now > context.max_lease:
            return "Until when?", ()
        first, last = morning.astimezone(local), (morning + AFTER_NIGHT).astimezone(local)
        day = "today" if first.date() == context.now.astimezone(local).date() else "tomorrow"
        later = f"{last.hour}:{last:%M}" if context.sees_use and self.parts.probe else ""
        return "Until when?", (Reading("ends", f"{day} {first.hour}:{first:%M}", later),)

    def _value_after(self, key: str) -> str:
        if key in {"region", "in"}:
            return f"a name: {_some(self.vocabulary.region_names)}"
        if key in {"vendor", "provider", "from", "via"}:
            return f"a name: {_some(self.vocabulary.vendor_names)}"
        return _VALUES.get(key, "a price, such as $3")


def _some(names: Iterable[str]) -> str:
    """Return the names that fit into a sentence."""
    shown = short(", ".join(names), 300)
    return shown or "there are none now"
