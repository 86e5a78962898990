"""GPU names: their meaning, comparison, spellings and display.

A family is what people ask for, such as `H100`. A canonical name, such as `nvidia-h100-sxm5-80gb`, is what a
vendor sells: one variant of a family, also called a model. The words after the family, `sxm5` and `80gb`, are the
variant's features.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_MAKERS = ("nvidia", "amd", "intel", "google")
_BRANDS = ("geforce", "tesla", "instinct", "quadro")
_TWO_WORD_FAMILIES = frozenset({"rtx", "gtx", "gh", "mi", "titan"})
"""The first words of family names that have two words, such as `RTX 4090`."""
_SEPARATORS = re.compile(r"[\s_-]+")
MAKER = rf"(?:(?:{'|'.join(_MAKERS)})[\s_-]*)?(?:(?:{'|'.join(_BRANDS)})[\s_-]*)?"
"""A regular expression for the maker and brand that people may type before a GPU's name, in lower case."""
FORM_FACTORS = ("sxm", "pcie", "nvl", "oam")
_FORM_FACTOR = re.compile(rf"({'|'.join(FORM_FACTORS)})\d*")
_MEMORY = re.compile(r"(\d{1,4})gb")
SUPERCHIP = re.compile(r"g[bh]\d+")
"""The families in which a CPU and a GPU form one unit.

For these families, nvidia-smi reports the CPU's memory in the GPU's name: `GH200 480GB`.
"""


# --- comparing


def name_key(name: str) -> str:
    """Return the name in lower case without spaces and punctuation.

    If two names give the same result, they are considered the same name.
    """
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def same_name(name: str, other: str) -> bool:
    """Return whether two names differ only in case, spaces and punctuation."""
    return name_key(name) == name_key(other)


def _name_words(canonical: str) -> list[str]:
    """Return the words of a canonical name in lower case, without maker and brand.

    `80 GB` becomes a single word, `80gb`.
    """
    words = _SEPARATORS.split(re.sub(r"(?<=\d)[\s_-]+(?=gb\b)", "", canonical.lower()))
    return [word for word in words if word and word not in {*_MAKERS, *_BRANDS}]


# --- models


class _Model(NamedTuple):
    """The properties of a GPU that its canonical name states."""

    form_factors: frozenset[str]
    memory_gb: frozenset[int]
    rest: str
    """The other words of the name, joined without separators."""

    @property
    def known(self) -> bool:
        """True if the name states exactly one form factor and exactly one memory size."""
        return len(self.form_factors) == len(self.memory_gb) == 1


def _model_of(canonical: str) -> _Model:
    words = _name_words(canonical)
    forms = {word: form[1] for word in words if (form := _FORM_FACTOR.fullmatch(word))}
    sizes = {word: int(size[1]) for word in words if (size := _MEMORY.fullmatch(word))}
    rest = "".join(word for word in words if word not in forms and word not in sizes)
    return _Model(frozenset(forms.values()), frozenset(sizes.values()), rest)


def fits_model(canonical: str, clicked: str) -> bool:
    """Return whether a GPU can be bought in place of the clicked GPU without asking anybody.

    The GPU must be of the same model and form factor, with at least as much memory. If either name leaves out the
    form factor or the memory, only an identical name is accepted.

    Args:
        canonical: The canonical name of the GPU to buy.
        clicked: The canonical name of the GPU that the person clicked.
    """
    if same_name(canonical, clicked):
        return True
    one, other = _model_of(canonical), _model_of(clicked)
    alike = one.known and other.known and (one.rest, one.form_factors) == (other.rest, other.form_factors)
    return alike and max(one.memory_gb) >= max(other.memory_gb)


# --- families


class Families:
    """The GPU families of the market's catalogue, looked up by family or canonical name.

    Create one instance for a whole list of offers, because each instance builds its own lookup tables. Without
    these tables, the comparison of many offers with many names takes minutes.
    """

    def __init__(self, families: Mapping[str, tuple[str, ...]]) -> None:
        self._by_family: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        for family, canonical_names in families.items():
            self._by_family.setdefault(name_key(family), family)
            for name in (family, *canonical_names):
                self._by_name.setdefault(name_key(name), family)

    def family_of(self, canonical: str, stated: str | None) -> str:
        """Return the family of a canonical name.

        The catalogue takes precedence. If the catalogue doesn't list the name, the family that the offer states is
        used. If the offer states none, the first words of the name are used.

        Args:
            canonical: The canonical name, such as `nvidia-h100-sxm5-80gb`.
            stated: The family that the offer itself states. None if it states none.
        """
        listed = self._by_name.get(name_key(canonical))
        if listed is not None:
            return listed
        if stated is not None:
            return self._by_family.get(name_key(stated), stated)
        words = _name_words(canonical)
        length = 2 if words and words[0] in _TWO_WORD_FAMILIES else 1
        derived = " ".join(words[:length]).upper()
        return self._by_family.get(name_key(derived), derived or canonical)


# --- names in the team's rules


def is_name(text: str) -> bool:
    """Return whether a text can name a GPU: it has at least one word that is neither a maker nor a brand."""
    return bool(name_key("".join(_name_words(text))))


@lru_cache(maxsize=4096)
def may_mean(gpu: str, name: str) -> bool:
    """Return whether a rule about the GPU `name` also applies to a request for `gpu`.

    Both names are written as people type them: a family such as `H100`, a family with features, as in `H100 80GB`,
    or a canonical name such as `nvidia-h100-sxm5-80gb`. A rule about a family applies to all its variants. A rule
    about one variant also applies to a request for the whole family, because the bot can buy that variant for the
    request.
    """
    one, other = _name_words(gpu), _name_words(name)
    return _includes(other, one) or _includes(one, other)


def includes(wide: str, narrow: str) -> bool:
    """Return whether everything that `narrow` means is also meant by `wide`. Both are written as in `may_mean`.

    For example, `H100` includes `H100 80GB` and `nvidia-h100-sxm5-80gb`, but none of these includes `H100`.
    """
    return _includes(_name_words(wide), _name_words(narrow))


def _includes(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Return whether the short name `wide`, such as `h100`, can mean the GPU with the longer name `narrow`."""
    # People often leave out the first word of a GPU family's name, and type `4090` for `RTX 4090`.
    short = [narrow[1:]] if narrow and narrow[0] in _TWO_WORD_FAMILIES else []
    return any(
        "".join(wide[:typed]) == "".join(words[:length])
        and all(map(Variant("", frozenset(words[length:])).has, wide[typed:]))
        for words in (narrow, *short)
        for typed in range(1, len(wide) + 1)
        for length in range(1, len(words) + 1)
    )


# --- variants


@dataclass(frozen=True)
class Variant:
    """The canonical name of a GPU and its features.

    For example, `nvidia-h100-sxm5-80gb` has the features `sxm5` and `80gb`.
    """

    name: str
    features: frozenset[str]

    def has(self, feature: str) -> bool:
        """Return whether a feature such as `80gb`, `sxm` or `sxm5` describes this variant.

        A form factor matches with and without its number: `sxm` and `sxm5` are treated as equal.
        """
        kind = _FORM_FACTOR.fullmatch(feature)
        alike = {feature, kind[1]} if kind else {feature}
        plain = feature if kind and feature == kind[1] else None
        return any(own in alike or own.rstrip("0123456789") == plain for own in self.features)

    @property
    def says_form(self) -> bool:
        return any(_FORM_FACTOR.fullmatch(feature) for feature in self.features)


def variant_of(canonical: str, family: str) -> Variant:
    """Return the variant with this canonical name, which belongs to the given family."""
    words = _name_words(canonical)
    for length in range(1, len(words) + 1):
        if same_name("".join(words[:length]), family):
            return Variant(canonical, frozenset(words[length:]))
    return Variant(canonical, frozenset(words))


def memory_sizes(variants: Iterable[Variant]) -> frozenset[int]:
    """Return the memory sizes of the given GPU variants, in gigabytes."""
    sizes = (_MEMORY.fullmatch(feature) for variant in variants for feature in variant.features)
    return frozenset(int(size.group(1)) for size in sizes if size)


def has_features(canonical: str, family: str, features: Iterable[str]) -> bool:
    """Return whether a GPU has all of the given features.

    Args:
        canonical: The canonical name of the GPU.
        family: The family to which the GPU belongs.
        features: The features, such as `80gb` and `sxm`.
    """
    variant = variant_of(canonical, family)
    return all(variant.has(feature) for feature in features)


def comparable(features: Iterable[str], family: str, variants: Sequence[Variant]) -> list[str]:
    """Return those features of a reported GPU name that the catalogue's GPU names also state.

    For example, nvidia-smi reports the kind of memory in `H100 80GB HBM3`, the form factor in `MI300X OAM`, and
    the CPU's memory in `GH200 480GB`. The catalogue doesn't state these features, so they are left out.
    """
    named = [feature for feature in features if any(variant.has(feature) for variant in variants)]
    says_form = any(variant.says_form for variant in variants)
    unsaid = SUPERCHIP.fullmatch(name_key(family)) is not None
    return [
        feature
        for feature in features
        if feature in named
        or (_FORM_FACTOR.fullmatch(feature) and says_form)
        or (_MEMORY.fullmatch(feature) and not unsaid)
    ]


# --- what people write


def spellings(families: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the spellings that people use for GPUs, each with the family or canonical name that it means.

    Spellings are in lower case and without the maker. If a spelling occurs twice, only its first meaning is used.
    Families come first, so a family takes precedence over a canonical name with the same spelling.
    """
    for family in families:
        yield family.lower(), family
    for canonical_names in families.values():
        for name in canonical_names:
            yield re.sub(rf"^{MAKER}", "", name.lower()), name
    # A number such as `4090` also names a GPU family, but only if exactly one family has this number.
    by_number: dict[str, list[tuple[str, str]]] = {}
    for family in families:
        number = re.fullmatch(r"[a-z]+[\s_-]*(\d{4,}.*)", family.lower())
        if number:
            by_number.setdefault(name_key(number.group(1)), []).append((number.group(1), family))
    for same_number in by_number.values():
        if len(same_number) == 1:
            yield same_number[0]


def typed_name(name: str, features: Iterable[str] = ()) -> str:
    """Return the text that a person would type for a GPU: `A100 SXM4 80GB`.

    Args:
        name: A family or a canonical name.
        features: The features to add to a family.
    """
    parts = [name]
    if "-" in name and re.fullmatch(r"[a-z0-9-]+", name.lower()):
        parts = [_typed_part(word) for word in _name_words(name)]
    return " ".join([*parts, *map(_typed_part, features)])


def _typed_part(part: str) -> str:
    return "PCIe" if part == "pcie" else part.upper()


# --- what people read


def display_name(name: str, features: Iterable[str] = ()) -> str:
    """Return the name that people read for a GPU: `H100 SXM 80 GB` for `nvidia-h100-sxm5-80gb`.

    If `name` is a GPU family, such as `H100`, the requested features are appended to the family: `H100 80 GB`.
    """
    if "-" not in name:
        return " ".join([name, *map(_display_part, features)])
    parts = [part for part in name.lower().split("-") if part]
    # AWS makes chips of its own, so a GPU's canonical name can begin with `aws`. All the same, _MAKERS
    # deliberately doesn't contain AWS: in a request such as `aws h100`, AWS is the vendor that rents out the
    # machine.
    if len(parts) > 1 and parts[0] in {*_MAKERS, "aws"}:
        parts = parts[1:]
    return " ".join(_display_part(part) for part in parts) or name


def _display_part(part: str) -> str:
    if re.fullmatch(r"sxm\d*", part):
        return "SXM"
    if part == "pcie":
        return "PCIe"
    if memory := re.fullmatch(r"(\d+)gb", part):
        return f"{memory[1]} GB"
    return part.upper()


def display_typed(name: str) -> str:
    """Return a name that somebody typed, as people read it: `H100 SXM 80 GB` for `nvidia h100 sxm5 80gb`."""
    return " ".join(map(_display_part, _name_words(name)))


def display_variant(canonical: str, family: str) -> str:
    """Return the features that a canonical name states, as people read them: `SXM 80 GB`.

    If the name states no features, the whole name is returned.
    """
    name, prefix = display_name(canonical), display_name(family)
    if not name.upper().startswith(prefix.upper()):
        return name
    return name[len(prefix) :].strip() or name
