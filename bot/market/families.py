"""Which family a canonical GPU name belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MAKER = re.compile(r"^(?:nvidia|amd|intel|google)[-_ ]+(?:geforce[-_ ]+|instinct[-_ ]+)?", re.IGNORECASE)
_SERIES = frozenset({"rtx", "gtx", "gh", "mi", "quadro", "tesla", "titan"})


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def family_of(canonical: str, said: str | None, families: Mapping[str, tuple[str, ...]]) -> str:
    """The catalogue's family of a canonical name; else what the offer says; else what the name begins with."""
    bare = _bare(canonical)
    for family, variants in families.items():
        if bare == _bare(family) or any(bare == _bare(variant) for variant in variants):
            return family
    if said is not None:
        return next((family for family in families if _bare(family) == _bare(said)), said)
    words = re.split(r"[-_ ]+", _MAKER.sub("", canonical))
    taken = 2 if words[0].casefold() in _SERIES and len(words) > 1 else 1
    derived = " ".join(words[:taken]).upper()
    return next((family for family in families if _bare(family) == _bare(derived)), derived or canonical)
