"""GPU names: comparing, families, variants, spellings and what is shown."""

from __future__ import annotations

import pytest

from bot.model.gpu import (
    Families,
    display_name,
    display_variant,
    memory_sizes,
    same_name,
    spellings,
    variant_of,
)

CATALOG = {
    "H100": ("nvidia-h100-sxm5-80gb",),
    "RTX 4090": ("nvidia-geforce-rtx-4090-24gb",),
    "RTX 6000": (),
    "Quadro 6000": (),
}


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("RTX 4090", "rtx-4090", True),
        ("RTX 4090", "rtx4090", True),
        ("Massed_Compute", "massed compute", True),
        ("H100", "H200", False),
        ("RTX 4090", "RTX 4090 Ti", False),
    ],
)
def test_names_are_the_same_if_they_differ_only_in_case_and_punctuation(name: str, other: str, same: bool) -> None:
    assert same_name(name, other) is same


@pytest.mark.parametrize(
    ("canonical", "stated", "family"),
    [
        ("nvidia-h100-sxm5-80gb", None, "H100"),
        ("NVIDIA-H100-SXM5-80GB", "Hopper", "H100"),
        ("nvidia-rtx-4090-24gb", "rtx4090", "RTX 4090"),
        ("nvidia-rtx-4090-pcie-24gb", None, "RTX 4090"),
        ("nvidia-l40s-48gb", None, "L40S"),
        ("amd-mi-300x", None, "MI 300X"),
        ("nvidia-geforce-rtx-3090", None, "RTX 3090"),
        ("nvidia-quadro-rtx-6000-24gb", None, "RTX 6000"),
        ("nvidia-tesla-v100-16gb", None, "V100"),
        ("weird", "Odd One", "Odd One"),
        ("weird", None, "WEIRD"),
        ("nvidia", None, "nvidia"),
    ],
)
def test_the_family_is_the_catalogues_then_the_stated_one_then_the_first_words_of_the_name(
    canonical: str, stated: str | None, family: str
) -> None:
    assert Families(CATALOG).family_of(canonical, stated) == family


@pytest.mark.parametrize("feature", ["80gb", "80g", "80 gb", "sxm", "sxm5"])
def test_a_variant_has_the_features_in_its_name(feature: str) -> None:
    assert variant_of("nvidia-h100-sxm5-80gb", "H100").has(feature)


@pytest.mark.parametrize("feature", ["40gb", "8g", "sxm4", "pcie", "h100", "nvidia"])
def test_a_variant_has_no_other_features(feature: str) -> None:
    assert not variant_of("nvidia-h100-sxm5-80gb", "H100").has(feature)


def test_memory_sizes_are_those_of_all_variants() -> None:
    variants = [variant_of(name, "A100") for name in ("a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie")]
    assert memory_sizes(variants) == {40, 80}


def test_a_number_alone_means_a_family_only_if_no_other_family_has_it() -> None:
    meanings = dict(spellings(CATALOG))
    assert meanings["4090"] == "RTX 4090"
    assert "6000" not in meanings


def test_canonical_names_are_written_with_or_without_maker_and_families_as_they_are() -> None:
    assert list(spellings({"H100": ("nvidia-h100-sxm5-80gb", "H100")})) == [
        ("h100", "H100"),
        ("h100-sxm5-80gb", "nvidia-h100-sxm5-80gb"),
        ("h100", "H100"),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("H100", "H100"),
        ("nvidia-h100-sxm5-80gb", "H100 SXM 80 GB"),
        ("nvidia-h100-pcie-80gb", "H100 PCIe 80 GB"),
        ("nvidia-rtx-4090-24gb", "RTX 4090 24 GB"),
        ("amd-mi300x-192gb", "MI300X 192 GB"),
        ("aws-trainium2", "TRAINIUM2"),
        ("RTX 4090", "RTX 4090"),
        ("-", "-"),
    ],
)
def test_a_canonical_name_is_shown_in_words(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize(
    ("canonical", "family", "shown"),
    [
        ("nvidia-h100-sxm5-80gb", "H100", "SXM 80 GB"),
        ("nvidia-h100", "H100", "H100"),
        ("nvidia-h100-pcie-80gb", "Hopper", "H100 PCIe 80 GB"),
    ],
)
def test_a_variant_is_shown_without_its_family(canonical: str, family: str, shown: str) -> None:
    assert display_variant(canonical, family) == shown
