"""The names that a request can contain, such as GPUs, regions and vendors, in all their spellings.

A GPU's name can be a family, such as `H100`. It can also be the full name of one variant of a family. Vendors use
these full names, which are called canonical here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz, process

from bot.model.gpu import MAKER, Variant, comparable, name_key, spellings, variant_of
from bot.model.offer import Catalog
from bot.model.request import Contract

_PIECE = re.compile(r"[a-z]+|\d+|[^a-z\d]+")
_SEPARATORS = r"[\s_./-]*"
_MATCHES_NOTHING = "(?!)"

_GPU_END = r"(?:(?=sxm|pcie|nvl)|s?(?:(?=x ?\d)|(?![a-z0-9])))"
"""A pattern for what may directly follow a GPU's name without a space.

This can be a form factor as in `h100sxm`, the plural ending `s`, or a count as in `h100x8`.
"""

_REGION_SYNONYMS = {
    "us": "usa,america,north america,united states,united states of america,states,the states,us based,us only",
    "eu": "europe,european,european union,europa,eu based,eu only",
    "apac": "asia,asia pacific",
}
_CODE = r"-(?:\d|[a-z]{2}-\d|(?:north|south|east|west|central|iceland))[a-z0-9-]*"
"""A pattern for what follows the region in a vendor's name for a data center: `-north1` in `eu-north1`."""
_PLACES = {
    "eu": (
        rf"(?:eu|europe){_CODE}", r"nor-\d", r"fin-\d+", r"(?:fr-par|nl-ams|pl-waw)(?:-\d)?",
        "france|paris", "germany|berlin|frankfurt|munich", "netherlands|holland|amsterdam", "finland|helsinki",
        "sweden|stockholm", "norway|oslo", "iceland", "spain|madrid|barcelona", "italy|milan|rome",
        "poland|warsaw", "ireland|dublin", "belgium|brussels", "austria|vienna", "denmark|copenhagen",
        "portugal|lisbon", "romania|bucharest", "greece|athens", "prague",
    ),
    "us": (
        rf"usa?{_CODE}", "(?:east|west) coast", "new york|nyc", "california|san francisco|los angeles",
        "texas|dallas|austin", "virginia|ohio|oregon|iowa|utah|kansas", "chicago|seattle|atlanta|new jersey",
    ),
    "apac": (
        rf"(?:ap|apac|asia){_CODE}", "japan|tokyo|osaka", "singapore", "india|mumbai", "south korea|korea|seoul",
        "australia|sydney|melbourne", "hong kong", "taiwan", "malaysia", "indonesia|jakarta",
    ),
}  # fmt: skip
"""Patterns for places whose region is certain.

The marketplace's API only lets us choose a region, so nobody can rent specifically in Paris. The error message for
such a request has a button that searches in the region of Paris instead.
"""
_PLACES_OF_NO_REGION = (
    "uk|united kingdom|england|britain|london|switzerland|swiss|zurich|canada|toronto|montreal|mexico|brazil",
    "sao paulo|israel|tel aviv|uae|dubai|saudi arabia|qatar|middle east|turkey|istanbul|africa|south africa",
    "china|beijing|shanghai|russia|ukraine|argentina|chile|south america|latin america|latam|new zealand",
)
"""Patterns for places whose region is unknown."""
OTHER_VENDORS = frozenset(
    {"aws", "amazon", "ec2", "azure", "microsoft", "gcp", "google", "oracle", "oci", "ibm", "alibaba", "ovh"}
    | {"digitalocean", "paperspace", "vast", "runpod", "coreweave", "crusoe", "lambda", "vultr", "together"}
    | {"nebius", "scaleway", "hyperstack", "fluidstack", "datacrunch", "verda", "hetzner"}
)
"""Names of well-known vendors, whether or not they sell on the marketplace.

If somebody names a vendor that doesn't sell on the marketplace, an error message must not suggest leaving the name
out.
"""
_CONTRACT_SYNONYMS = {
    Contract.ONDEMAND: ("on demand", "not spot", "no spot", "non spot", "without spot", "not preemptible"),
    Contract.SPOT: ("spot", "preemptible", "preemptable", "interruptible"),
}


@dataclass(frozen=True)
class NameMatcher:
    """Finds names of one kind in a text, however they are spelled."""

    pattern: re.Pattern[str]
    meanings: tuple[str, ...]
    """The meaning of each group of the regular expression."""

    def match(self, text: str, start: int) -> tuple[int, str] | None:
        """Return the position after the name that begins at `start`, and the meaning of the name.

        None if no name begins at `start`.
        """
        found = self.pattern.match(text, start)
        if found is None or found.lastindex is None or found.end() == start:
            return None
        return found.end(), self.meanings[found.lastindex - 1]


class Narrowed(NamedTuple):
    """The models of a GPU family that have the features in a request, such as `80gb` or `sxm`."""

    gpu: str
    """The canonical name, if exactly one model has all the features. Otherwise, the name of the family."""
    features: tuple[str, ...]
    """The features in the request that could be checked.

    Empty if the features aren't needed, because exactly one model has all of them, or every model has them.
    """
    fitting: tuple[str, ...]
    """The models that have all the features."""
    compared: int
    """The number of features in the request that could be checked.

    A feature can be checked if the names of some models contain it.
    """


@dataclass(frozen=True)
class Vocabulary:
    """The names in one catalog, such as GPUs, regions and vendors."""

    variants: dict[str, tuple[Variant, ...]]
    """The variants of each family."""
    gpus: NameMatcher
    """Matches families and canonical names."""
    features: re.Pattern[str]
    """Matches each word that distinguishes variants. Matches nothing if the catalog has no such words."""
    regions: NameMatcher
    places: NameMatcher
    """Matches places that are smaller than a region, such as cities.

    The meaning is the region that contains the place, or empty if that is unknown.
    """
    contracts: NameMatcher
    vendors: NameMatcher
    region_names: tuple[str, ...]
    vendor_names: tuple[str, ...]
    suggestions: dict[str, str]
    """The known words with which a mistyped word is compared, each with the name or wording to suggest."""

    def family_of(self, gpu: str) -> str | None:
        """Return the family that a canonical name belongs to. None if the name is itself a family."""
        return next((f for f, variants in self.variants.items() if any(v.name == gpu for v in variants)), None)

    def variants_of(self, gpu: str) -> tuple[Variant, ...]:
        """Return all variants of a family. `gpu` is the family or one of its variants."""
        return self.variants[self.family_of(gpu) or gpu]

    def narrowed(self, gpu: str, typed: Iterable[str]) -> Narrowed:
        """Search a family of GPUs for the models that have all the features that were typed."""
        family, variants = self.family_of(gpu) or gpu, self.variants_of(gpu)
        features = comparable(dict.fromkeys(typed), family, variants)
        if not features:
            return Narrowed(gpu, (), (gpu,), 0)
        fitting = tuple(
            variant.name
            for variant in variants
            if gpu in {family, variant.name} and all(map(variant.has, features))
        )
        if len(fitting) == 1:
            return Narrowed(fitting[0], (), fitting, len(features))
        narrow = () if len(fitting) == len(variants) else tuple(features)
        return Narrowed(family, narrow, fitting, len(features))

    def nearest_gpus(self, word: str) -> tuple[str, ...]:
        """Return the families that are most similar to the word."""
        near = _nearest(word, {name_key(family): family for family in self.variants}, 3, cutoff=1)
        return near or tuple(self.variants)[:3]

    def nearest_words(self, word: str) -> tuple[str, ...]:
        """Return the known words that are most similar to a mistyped word.

        Empty for a word of two letters, such as `or`, because too many other words are similar to a short word.
        """
        if len(name_key(word)) < 3:
            return ()
        regions = self.nearest_regions(word)
        others = {key: name for key, name in self.suggestions.items() if name not in self.region_names}
        return (*regions, *_nearest(word, others, 3 - len(regions), cutoff=70))

    def nearest_regions(self, word: str) -> tuple[str, ...]:
        """Return the region that the word probably misspells. Empty if the word isn't similar to any region."""
        regions = {key: name for key, name in self.suggestions.items() if name in self.region_names}
        return _nearest(word, regions, 1, cutoff=80)

    def nearest_vendors(self, word: str) -> tuple[str, ...]:
        """Return the vendors that are similar to the word."""
        return _nearest(word, {name_key(vendor): vendor for vendor in self.vendor_names}, 3, cutoff=70)


def _nearest(word: str, choices: Mapping[str, str], limit: int, cutoff: float) -> tuple[str, ...]:
    """Return the values whose keys are most similar to the word, best match first."""
    found = process.extract(
        name_key(word)[:60], list(choices), scorer=fuzz.ratio, limit=limit * 3, score_cutoff=cutoff
    )
    return tuple(dict.fromkeys(choices[key] for key, _, _ in found))[:limit]


def vocabulary_of(catalog: Catalog) -> Vocabulary:
    """Return the names in a catalog, such as GPUs, regions and vendors. The result is cached."""
    return _vocabulary(tuple(catalog.gpus.items()), catalog.vendors, catalog.regions, catalog.contracts)


@lru_cache(maxsize=8)
def _vocabulary(
    gpus: tuple[tuple[str, tuple[str, ...]], ...],
    vendors: tuple[str, ...],
    regions: tuple[str, ...],
    contracts: tuple[str, ...],
) -> Vocabulary:
    families = dict(gpus)
    region_meanings = {
        word: name for name in regions for word in _REGION_SYNONYMS.get(name_key(name), "").split(",")
    }
    region_meanings.update({name: name for name in regions})
    contract_meanings = _contract_meanings(contracts)
    variants = {family: tuple(variant_of(name, family) for name in names) for family, names in families.items()}
    return Vocabulary(
        variants=variants,
        gpus=_matcher(_gpu_patterns(families), before=MAKER, after=_GPU_END),
        features=_feature_pattern(variants),
        # The name of a region must not match if a hyphen follows: `us-east-1` isn't the region `us` but a place in
        # that region.
        regions=_matcher(_patterns(region_meanings) | _dotted_us(region_meanings), after=r"(?![a-z0-9_-])"),
        places=_matcher(
            {places: name for name in regions for places in _PLACES.get(name_key(name), ())}
            | dict.fromkeys(_PLACES_OF_NO_REGION, "")
        ),
        contracts=_matcher(_patterns(contract_meanings)),
        vendors=_matcher(_patterns({name: name for name in vendors}), after=r"(?: (?:labs?|cloud))?(?![a-z0-9])"),
        region_names=regions,
        vendor_names=vendors,
        suggestions=_suggestions((*families, *vendors), _cities(regions) | region_meanings | contract_meanings),
    )


def _cities(regions: tuple[str, ...]) -> dict[str, str]:
    """Return the names of cities, countries and states, each with its region, for recognizing misspelled names."""
    return {
        word: name
        for name in regions
        for pattern in _PLACES.get(name_key(name), ())
        for word in pattern.split("|")
        if len(word) > 4 and word.replace(" ", "").isalpha()
    }


def _contract_meanings(contracts: tuple[str, ...]) -> dict[str, str]:
    """Return all spellings of the contracts that the catalog offers, each with its contract.

    If the catalog hasn't been read yet, and therefore lists no contracts, the spellings of all contracts are
    returned.
    """
    sold = {name_key(name) for name in contracts} or {contract.value for contract in Contract}
    return {
        word: str(contract)
        for contract, words in _CONTRACT_SYNONYMS.items()
        if contract.value in sold
        for word in words
    }


def _suggestions(names: tuple[str, ...], meanings: Mapping[str, str]) -> dict[str, str]:
    found = {name_key(name): name for name in names}
    found.update({name_key(word): meaning for word, meaning in meanings.items()})
    found.update({"under": "under $3", "for": "for 6h", "vendor": "vendor"})
    found.pop("", None)
    return found


# --- patterns


def _pattern(name: str) -> str:
    """Return a pattern that matches a name with or without its separators.

    For example, the pattern of `rtx4090` also matches `rtx 4090`, and that of `hyperstack` matches `hyper stack`.
    But the pattern of `h100` doesn't match `h 100`, because `8 h` in `8 h 100` is a duration. Empty if the name
    has no letters or digits.
    """
    pattern = ""
    previous = ""
    for piece in _PIECE.findall(name.lower()):
        if not piece[0].isascii() or not piece[0].isalnum():
            pattern += _SEPARATORS if pattern else ""
        else:
            pattern += _SEPARATORS if piece.isdigit() and previous.isalpha() and len(previous) > 1 else ""
            pattern += " ?".join(piece) if len(piece) > 7 else piece
        previous = piece
    return pattern.removesuffix(_SEPARATORS)


def _patterns(meanings: Mapping[str, str]) -> dict[str, str]:
    return {_pattern(word): meaning for word, meaning in meanings.items()}


def _gpu_patterns(families: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for spelling, meaning in spellings(families):
        found.setdefault(_pattern(spelling), meaning)
    return found


def _dotted_us(regions: Mapping[str, str]) -> dict[str, str]:
    """Return patterns that match `u.s.` and `u.s.a.`, but not `us a` as in `rent us a h100`."""
    return {r"u\.s(?:\.a)?": regions["usa"]} if "usa" in regions else {}


def _matcher(patterns: Mapping[str, str], before: str = "", after: str = r"(?![a-z0-9])") -> NameMatcher:
    # Put longer names first. A regular expression takes the first alternative that matches, so `l40s` could
    # otherwise be read as `l40`.
    by_length = sorted(
        ((pattern, meaning) for pattern, meaning in patterns.items() if pattern),
        key=lambda item: len(item[0].replace(_SEPARATORS, "")),
        reverse=True,
    )
    either = "|".join(f"({pattern})" for pattern, _ in by_length) or _MATCHES_NOTHING
    return NameMatcher(re.compile(f"{before}(?:{either}){after}"), tuple(meaning for _, meaning in by_length))


def _feature_pattern(variants: Mapping[str, tuple[Variant, ...]]) -> re.Pattern[str]:
    all_variants = (variant for of_family in variants.values() for variant in of_family)
    features = sorted({feature for variant in all_variants for feature in variant.features if len(feature) > 2})
    return re.compile(rf"(?:{'|'.join(map(re.escape, features))})(?![a-z0-9])" if features else _MATCHES_NOTHING)
