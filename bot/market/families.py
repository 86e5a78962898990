"""Which family a canonical GPU name belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MAKER = re.compile(r"^(?:nvidia|amd|intel|google)[-_ ]+(?:geforce[-_ ]+|instinct[-_ ]+)?", re.IGNORECASE)
_SERIES = frozenset({"rtx", "gtx", "gh", "mi", "quadro", "tesla", "titan"})


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


class Families:
    """The catalogue's families, looked up by name without regard to case and punctuation.

    Built once for a list of offers: comparing each offer with each name takes minutes if both lists are long.
    """

    def __init__(self, families: Mapping[str, tuple[str, ...]]) -> None:
        self.by_family: dict[str, str] = {}
        self.by_name: dict[str, str] = {}
        for family, variants in families.items():
            self.by_family.setdefault(_bare(family), family)
            for name in (family, *variants):
                self.by_name.setdefault(_bare(name), family)


def family_of(canonical: str, said: str | None, families: Families) -> str:
    """The catalogue's family of a canonical name; else what the offer says; else what the name begins with."""
    known = families.by_name.get(_bare(canonical))
    if known is not None:
        return known
    if said is not None:
        return families.by_family.get(_bare(said), said)
    words = re.split(r"[-_ ]+", _MAKER.sub("", canonical))
    taken = 2 if words[0].casefold() in _SERIES and len(words) > 1 else 1
    derived = " ".join(words[:taken]).upper()
    return families.by_family.get(_bare(derived), derived or canonical)
