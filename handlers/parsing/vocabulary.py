"""The words that a request can be made of, out of the catalogue: what each is called, also by people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from bot.model.offer import Catalog
from bot.model.request import Contract

_MAKER = r"(?:(?:nvidia|amd|intel|google)[\s_-]*)?(?:(?:geforce|tesla|instinct|quadro)[\s_-]*)?"
_MAKERS = frozenset({"nvidia", "amd", "intel", "google", "geforce", "tesla", "instinct", "quadro"})
_PIECE = re.compile(r"[a-z]+|\d+|[^a-z\d]+")
_GAP = r"[\s_./-]*"

_GPU_END = r"(?:(?=sxm|pcie|nvl)|s?(?:(?=x ?\d)|(?![a-z0-9])))"
"""After a GPU may follow its form, a plural s, or a count as in `h100x8`."""

_REGION_SYNONYMS = {
    "us": ("usa", "america", "north america", "united states"),
    "eu": ("europe", "european", "european union"),
    "apac": ("asia", "asia pacific"),
}
_CONTRACT_SYNONYMS = {
    Contract.ONDEMAND: ("on demand",),
    Contract.SPOT: ("spot", "preemptible", "preemptable", "interruptible"),
}


def bare(name: str) -> str:
    """A name without case, spaces and hyphens."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _pattern(name: str) -> str:
    """Matches a name with or without its separators; also `rtx 4090` for `rtx4090`, but not `h 100`, which is how
    `8 h` begins. Empty where there is nothing to match."""
    made = ""
    before = ""
    for piece in _PIECE.findall(name.lower()):
        if not piece[0].isascii() or not piece[0].isalnum():
            made += _GAP if made else ""
        else:
            made += _GAP if piece.isdigit() and before.isalpha() and len(before) > 1 else ""
            made += re.escape(piece)
        before = piece
    return made.removesuffix(_GAP)


@dataclass(frozen=True)
class Names:
    """All the ways to write the names of one kind of thing, in one pattern."""

    pattern: re.Pattern[str]
    means: tuple[str, ...]
    """What each group of the pattern stands for."""

    def match(self, text: str, at: int) -> tuple[int, str] | None:
        """Return where the name at `at` ends and what it means. Return None if there is no name."""
        found = self.pattern.match(text, at)
        if found is None or found.lastindex is None or found.end() == at:
            return None
        return found.end(), self.means[found.lastindex - 1]


def _patterns(words: dict[str, str]) -> dict[str, str]:
    return {_pattern(said): means for said, means in words.items()}


def _names(words: dict[str, str], before: str = "", after: str = r"(?![a-z0-9])") -> Names:
    """Longest first, so that `l40s` is not read as `l40`."""
    made = [(pattern, means) for pattern, means in words.items() if pattern]
    made.sort(key=lambda one: len(one[0].replace(_GAP, "")), reverse=True)
    either = "|".join(f"({pattern})" for pattern, _ in made) or "(?!)"
    return Names(re.compile(f"{before}(?:{either}){after}"), tuple(means for _, means in made))


@dataclass(frozen=True)
class Variant:
    """A canonical name and what sets it apart within its family: `sxm5`, `80gb`."""

    name: str
    marks: frozenset[str]


def _marks(canonical: str, family: str) -> frozenset[str]:
    words = [word for word in re.split(r"[\s_-]+", canonical.lower()) if word and word not in _MAKERS]
    for taken in range(1, len(words) + 1):
        if bare("".join(words[:taken])) == bare(family):
            return frozenset(words[taken:])
    return frozenset(words)


def memory_sizes(variants: Iterable[Variant]) -> frozenset[int]:
    """Return the gigabytes of memory that the variants come with."""
    sizes = (re.fullmatch(r"(\d{1,4})gb", mark) for variant in variants for mark in variant.marks)
    return frozenset(int(size.group(1)) for size in sizes if size)


def has_mark(variant: Variant, mark: str) -> bool:
    """Whether a variant is described by a word such as `80gb`, `80g`, `sxm` or `sxm5`."""
    number = re.fullmatch(r"(\d+)\s*gb?", mark)
    wanted = f"{number.group(1)}gb" if number else mark.replace("-", "")
    return any(own == wanted or (wanted.isalpha() and own.rstrip("0123456789") == wanted) for own in variant.marks)


@dataclass(frozen=True)
class Words:
    """The vocabulary of one catalogue."""

    families: tuple[str, ...]
    variants: dict[str, tuple[Variant, ...]]
    """Family to its canonical names."""
    gpus: Names
    """Means a family or a canonical name."""
    marks: re.Pattern[str]
    """Any word that sets a variant apart. Matches nothing at all where there is none."""
    regions: Names
    contracts: Names
    vendors: Names
    region_names: tuple[str, ...]
    vendor_names: tuple[str, ...]
    choices: dict[str, str]
    """Everything that a mistyped word may have meant, to how it is shown."""

    def family_of(self, gpu: str) -> str | None:
        """The family of a canonical name; None for a family."""
        return next((f for f, known in self.variants.items() if any(v.name == gpu for v in known)), None)

    def nearest_gpus(self, word: str, limit: int = 3) -> tuple[str, ...]:
        """The GPUs that come closest, families first."""
        near = nearest(word, {bare(f): f for f in self.families}, limit, cutoff=1)
        return near or self.families[:limit]

    def nearest_words(self, word: str) -> tuple[str, ...]:
        """Whatever comes close, of any kind. Too much is close to a word of two letters, such as `or`."""
        return () if len(bare(word)) < 3 else nearest(word, self.choices, 3, cutoff=70)

    def nearest_regions(self, word: str) -> tuple[str, ...]:
        return nearest(word, {k: v for k, v in self.choices.items() if v in self.region_names}, 3, cutoff=50)

    def nearest_vendors(self, word: str) -> tuple[str, ...]:
        return nearest(word, {bare(v): v for v in self.vendor_names}, 3, cutoff=50) or self.vendor_names[:3]


def nearest(word: str, choices: dict[str, str], limit: int, cutoff: float) -> tuple[str, ...]:
    """What `choices` show for those that are most like `word`."""
    found = process.extract(
        bare(word)[:60], list(choices), scorer=fuzz.ratio, limit=limit * 3, score_cutoff=cutoff
    )
    return tuple(dict.fromkeys(choices[key] for key, _, _ in found))[:limit]


def words_of(catalog: Catalog) -> Words:
    """The vocabulary of a catalogue."""
    return _words(tuple(catalog.gpus.items()), catalog.vendors, catalog.regions, catalog.contracts)


@lru_cache(maxsize=8)
def _words(
    gpus: tuple[tuple[str, tuple[str, ...]], ...],
    vendors: tuple[str, ...],
    regions: tuple[str, ...],
    contracts: tuple[str, ...],
) -> Words:
    regional = {said: name for name in regions for said in _REGION_SYNONYMS.get(bare(name), ())}
    regional.update({name: name for name in regions})
    sold = {bare(name) for name in contracts} or {contract.value for contract in Contract}
    contractual = {
        said: str(contract)
        for contract, names in _CONTRACT_SYNONYMS.items()
        if contract.value in sold
        for said in names
    }
    variants = {f: tuple(Variant(name, _marks(name, f)) for name in names) for f, names in gpus}
    marks = sorted({mark for known in variants.values() for one in known for mark in one.marks if len(mark) > 2})
    return Words(
        families=tuple(family for family, _ in gpus),
        variants=variants,
        marks=re.compile(rf"(?:{'|'.join(map(re.escape, marks))})(?![a-z0-9])") if marks else re.compile("(?!)"),
        gpus=_names(_gpu_patterns(gpus), before=_MAKER, after=_GPU_END),
        # `us-east-1` is no region group.
        regions=_names(_patterns(regional) | _dotted(regional), after=r"(?![a-z0-9_-])"),
        contracts=_names(_patterns(contractual)),
        vendors=_names(_patterns({name: name for name in vendors})),
        region_names=regions,
        vendor_names=vendors,
        choices=_choices((family for family, _ in gpus), vendors, regional, contractual),
    )


def _dotted(regional: dict[str, str]) -> dict[str, str]:
    """`u.s.` and `u.s.a.`, but not `us a`, as in `rent us a h100`."""
    return {r"u\.s(?:\.a)?": regional["usa"]} if "usa" in regional else {}


def _gpu_patterns(gpus: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for _, variants in gpus:
        for name in variants:
            found.setdefault(_pattern(re.sub(rf"^{_MAKER}", "", name.lower())), name)
    for family, _ in gpus:  # a family's own name is the family, even where a canonical name is written the same
        found[_pattern(family)] = family
    numbers: dict[str, list[str]] = {}  # `4090` alone, if only one family has that number
    for family, _ in gpus:
        number = re.fullmatch(r"[a-z]+[\s_-]*(\d{4,}.*)", family.lower())
        if number:
            numbers.setdefault(_pattern(number.group(1)), []).append(family)
    for pattern, families in numbers.items():
        if len(families) == 1:
            found.setdefault(pattern, families[0])
    return found


def _choices(
    families: Iterable[str], vendors: Iterable[str], regional: dict[str, str], contractual: dict[str, str]
) -> dict[str, str]:
    found = {bare(family): family for family in families}
    found.update({bare(vendor): vendor for vendor in vendors})
    found.update({bare(said): means for said, means in (regional | contractual).items()})
    found.update({"under": "under $3", "for": "for 6h", "vendor": "vendor"})
    found.pop("", None)
    return found
