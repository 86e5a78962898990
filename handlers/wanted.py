"""From the words of a request to the request, or what to type instead; and from a request back to words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from bot.errors import Mistake
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import say_span, short
from handlers.gpu_words import Words, has_mark, words_of
from handlers.plain import split_note
from handlers.reading import KEYWORD, Reading, Unknown, read

LONGEST = 1000
"""Characters of a request without its note."""
MOST_GPUS = 1000
HIGHEST_CAP = Decimal(1000)
"""USD per GPU and hour."""
FINEST_CAP = Decimal("0.0001")
SHORTEST_LEASE = timedelta(minutes=1)

T = TypeVar("T")


def spell(request: Request, *, default_lease: timedelta | None = None) -> str:
    """A request as one types it after `/gpu get`; a lease of `default_lease` is left out.

    Typed into Slack, which escapes it on its way, it parses back to the same request.
    """
    parts = [request.gpu if request.count == 1 else f"{request.count}x {request.gpu}"]
    if request.region is not None:
        parts.append(request.region)
    if request.contract is Contract.SPOT:
        parts.append("spot")
    if request.max_gpu_rate is not None:
        parts.append(f"under {say_rate(request.max_gpu_rate)}")
    if request.vendor is not None:
        parts.append(f"vendor {request.vendor}")
    if request.lease != default_lease:
        parts.append(f"for {say_span(request.lease)}")
    if request.note:
        parts.append(f"-- {request.note}")
    return " ".join(parts)


def say_rate(rate: Decimal) -> str:
    """Dollars with at least two decimals, none lost."""
    plain = format(rate, "f")
    whole, _, decimals = plain.partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"


def read_request(
    text: str, catalog: Catalog, *, default_lease: timedelta, max_lease: timedelta
) -> tuple[Request, bool]:
    """The request in a text, and whether to rent at once. Raises Mistake."""
    asked, note = split_note(text)
    if len(asked) > LONGEST:
        raise Mistake("That is too long for a request. A note goes after --. Try: /gpu get H100 EU")
    words = words_of(catalog)
    return _Judge(read(asked, words), words, default_lease, max_lease).request(note)


def reads_like_a_request(text: str, catalog: Catalog) -> bool:
    """Whether a text without `get` is one: it names a GPU somewhere, or begins with what only a GPU's name has."""
    asked, _ = split_note(text)
    words = words_of(catalog)
    try:
        found = read(asked[:LONGEST], words)
    except Mistake:
        return True
    first = asked.split()[0] if asked.split() else ""
    return bool(found.gpus) or any(letter.isdigit() for letter in first)


class _Judge:
    """Turns what was read into one request, or says what is wrong with it."""

    def __init__(self, found: Reading, words: Words, default_lease: timedelta, max_lease: timedelta) -> None:
        self.found = found
        self.words = words
        self.default_lease = default_lease
        self.max_lease = max_lease

    def request(self, note: str) -> tuple[Request, bool]:
        found = self.found
        gpu = self._one(found.gpus, "GPU")
        region = self._one(found.regions, "region")
        contract = self._one(found.contracts, "contract")
        vendor = self._one(found.vendors, "vendor")
        count = self._one(found.counts, "number of GPUs")
        cap = self._one(found.caps, "price")
        lease = self._one(found.leases, "time")
        if found.unknown:
            raise self._unknown(found.unknown[0])
        if gpu is None:
            raise Mistake(f"Which GPU? Try: {self._try()}", self._families())
        request = Request(
            gpu=self._variant(gpu),
            count=self._count(count),
            region=region,
            contract=Contract(contract or Contract.ONDEMAND),
            vendor=vendor,
            max_gpu_rate=self._cap(cap),
            lease=self._lease(lease),
            note=note,
        )
        return request, found.now

    def _one(self, said: Sequence[T], what: str) -> T | None:
        """The one that was said, also several times."""
        different = list(dict.fromkeys(said))
        if len(different) > 1:
            shown = " and ".join(self._shown(value) for value in different[:3])
            raise Mistake(f"One {what} at a time; I read {shown}. Try: {self._try()}")
        return different[0] if different else None

    def _shown(self, value: object) -> str:
        if isinstance(value, timedelta):
            return say_span(value)
        return say_rate(value) if isinstance(value, Decimal) else str(value)

    def _count(self, count: int | None) -> int:
        if count is None:
            return 1
        if count == 0:
            raise Mistake(f"0 GPUs is nothing to rent. Try: {self._try()}")
        if count > MOST_GPUS:
            raise Mistake(f"{count} GPUs are more than anyone rents at once. Try: {self._try()}")
        return count

    def _cap(self, cap: Decimal | None) -> Decimal | None:
        if cap is None or (FINEST_CAP <= cap <= HIGHEST_CAP and cap == cap.quantize(FINEST_CAP)):
            return cap
        raise Mistake(
            f"A price of {say_rate(cap)} per GPU and hour can't be right. It goes from {say_rate(FINEST_CAP)} to "
            f"{say_rate(HIGHEST_CAP)}, with up to 4 decimals. Try: under $3"
        )

    def _lease(self, lease: timedelta | None) -> timedelta:
        if lease is None:
            return self.default_lease
        if lease > self.max_lease:
            longest = say_span(self.max_lease)
            raise Mistake(f"{say_span(lease)} is too long: a lease is at most {longest}. Try: for {longest}")
        if lease < SHORTEST_LEASE:
            raise Mistake(f"{say_span(lease)} is too short: a lease is at least 1 minute. "
                          f"Try: for {say_span(self.default_lease)}")  # fmt: skip
        return lease

    def _variant(self, gpu: str) -> str:
        """The family or the canonical name that the marks leave."""
        marks = list(dict.fromkeys(self.found.marks))
        if not marks:
            return gpu
        family = self.words.family_of(gpu) or gpu
        known = self.words.variants[family]
        of_gpu = [variant for variant in known if gpu in {family, variant.name}]
        fitting = [v.name for v in of_gpu if all(has_mark(v, mark) for mark in marks)]
        said = f"{family} {' '.join(marks)}"
        if not fitting:
            nearest = tuple(variant.name for variant in known)[:5]
            raise Mistake(
                f'I don\'t know the GPU "{short(said)}". There is: {", ".join(nearest) or family}. '
                f"Try: {self._try(nearest[0] if nearest else family)}",
                nearest,
            )
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) == len(known):
            return family
        raise Mistake(
            f'"{short(said)}" can be {" or ".join(fitting[:5])}. Try: {self._try(fitting[0])}', tuple(fitting[:5])
        )

    def _unknown(self, unknown: Unknown) -> Mistake:
        word, words = unknown.word, self.words
        if unknown.kind == KEYWORD:
            return Mistake(f'After "{word}" comes a name. Try: {self._try()} {word} {self._example(word)}')
        if unknown.kind == "region":
            near = words.nearest_regions(word)
            regions = ", ".join(words.region_names)
            tried = self._try(region=next(iter(near), None))
            return Mistake(f'I don\'t know the region "{word}". Regions: {regions}. Try: {tried}', near)
        if unknown.kind == "vendor":
            near = words.nearest_vendors(word)
            tried = self._try(vendor=next(iter(near), None))
            return Mistake(f'I don\'t know the vendor "{word}". Nearest: {", ".join(near)}. Try: {tried}', near)
        if not self.found.gpus and word[:1].isalnum():
            near = words.nearest_gpus(word)
            tried = self._try(*near[:1])
            return Mistake(f'I don\'t know the GPU "{word}". Nearest: {", ".join(near)}. Try: {tried}', near)
        if word[:1] in "-+.0123456789":
            return Mistake(f'I can\'t read "{word}". Try: {self._try()}')
        near = words.nearest_words(word)
        hint = f"Nearest: {', '.join(near)}." if near else "A note goes after --."
        best = next(iter(near), None)
        tried = self._try(
            region=best if best in words.region_names else None,
            vendor=best if best in words.vendor_names else None,
            contract=best if best in set(Contract) else None,
        )
        return Mistake(f'I don\'t know "{word}". {hint} Try: {tried}', near)

    def _example(self, keyword: str) -> str:
        known = self.words.region_names if keyword == "region" else self.words.vendor_names
        return next(iter(known), "EU")

    def _families(self) -> tuple[str, ...]:
        return self.words.families[:5]

    def _try(
        self,
        gpu: str | None = None,
        *,
        region: str | None = None,
        contract: str | None = None,
        vendor: str | None = None,
    ) -> str:
        """What to type instead, as close to what was typed as makes sense."""
        found = self.found
        fallback = "H100" if "H100" in self.words.families else next(iter(self.words.families), "H100")
        suggestion = Request(
            gpu=gpu or next(iter(found.gpus), fallback),
            count=next((count for count in found.counts if 1 <= count <= MOST_GPUS), 1),
            region=next(iter(found.regions), region),
            contract=Contract(next(iter(found.contracts), contract or Contract.ONDEMAND)),
            vendor=next(iter(found.vendors), vendor),
            lease=self.default_lease,
        )
        return f"/gpu get {spell(suggestion, default_lease=self.default_lease)}"
