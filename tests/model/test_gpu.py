"""Tests of GPU names: how they compare, their families and variants, and how they are typed and displayed."""

from __future__ import annotations

import pytest

from bot.model.gpu import (
    Families,
    comparable,
    display_name,
    display_variant,
    fits_model,
    memory_sizes,
    same_name,
    spellings,
    typed_name,
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
    ("canonical", "clicked", "fits"),
    [
        ("nvidia-a100-pcie-80gb", "nvidia-a100-pcie-80gb", True),
        ("nvidia-a100-pcie-80gb", "nvidia-a100-pcie-40gb", True),
        ("A100 PCIe 80 GB", "nvidia-a100-80gb-pcie", True),
        ("nvidia-h100-sxm5-80gb", "nvidia-h100-sxm-80gb", True),
        ("nvidia-a100-pcie-40gb", "nvidia-a100-pcie-80gb", False),
        ("nvidia-a100-sxm4-80gb", "nvidia-a100-pcie-80gb", False),
        ("nvidia-h100-nvl-94gb", "nvidia-h100-pcie-80gb", False),
        # Other models, although form factor and memory would be sufficient.
        ("nvidia-h200-sxm5-141gb", "nvidia-h100-sxm5-80gb", False),
        ("nvidia-rtx-4090-ti-pcie-24gb", "nvidia-rtx-4090-pcie-24gb", False),
        ("nvidia-a100-sxm4-80gb-mig-10gb", "nvidia-a100-sxm4-40gb", False),
        # At least one name doesn't state both form factor and memory, so only an identical name fits.
        ("nvidia-a100", "nvidia-a100", True),
        ("nvidia-a100-pcie-80gb", "nvidia-a100", False),
        ("nvidia-a100", "nvidia-a100-pcie-80gb", False),
        ("nvidia-a100-pcie-80gb", "nvidia-a100-80gb", False),
        ("nvidia-a100-pcie-80gb", "nvidia-a100-pcie", False),
        ("H100", "nvidia-h100-sxm5-80gb", False),
        ("amd-mi300x-192gb", "amd-mi300x-192gb", True),
        ("amd-mi300x-256gb", "amd-mi300x-192gb", False),
        ("amd-mi325x-oam-256gb", "amd-mi300x-oam-192gb", False),
        ("nvidia-gh200-480gb", "nvidia-gh200-96gb", False),
        ("nvidia-rtx-4090-24gb", "nvidia-rtx-4090-pcie-24gb", False),
    ],
)
def test_a_model_fits_if_it_has_the_same_form_factor_and_enough_memory(
    canonical: str, clicked: str, fits: bool
) -> None:
    assert fits_model(canonical, clicked) is fits


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
def test_the_catalogue_decides_the_family_before_the_offer_and_the_name(
    canonical: str, stated: str | None, family: str
) -> None:
    assert Families(CATALOG).family_of(canonical, stated) == family


@pytest.mark.parametrize("feature", ["80gb", "sxm", "sxm5"])
def test_a_variant_has_the_features_in_its_name(feature: str) -> None:
    assert variant_of("nvidia-h100-sxm5-80gb", "H100").has(feature)


@pytest.mark.parametrize("feature", ["40gb", "8g", "sxm4", "pcie", "h100", "nvidia"])
def test_a_variant_has_no_other_features(feature: str) -> None:
    assert not variant_of("nvidia-h100-sxm5-80gb", "H100").has(feature)


@pytest.mark.parametrize(
    ("typed", "family", "names", "compared"),
    [
        ("80gb hbm3", "H100", ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"), "80gb"),
        ("oam", "MI300X", ("amd-mi300x-192gb",), ""),
        ("pcie", "H100", ("nvidia-h100-sxm5-80gb",), "pcie"),
        ("40gb", "A100", ("nvidia-a100",), "40gb"),
        ("480gb", "GH200", ("nvidia-gh200-96gb",), ""),
        ("96gb", "GH200", ("nvidia-gh200-96gb",), "96gb"),
    ],
)
def test_features_that_no_catalogue_name_mentions_are_not_compared(
    typed: str, family: str, names: tuple[str, ...], compared: str
) -> None:
    variants = [variant_of(name, family) for name in names]
    assert comparable(typed.split(), family, variants) == compared.split()


@pytest.mark.parametrize(
    ("name", "features", "typed"),
    [
        ("nvidia-a100-sxm4-80gb", (), "A100 SXM4 80GB"),
        ("nvidia-geforce-rtx-4090-pcie-24gb", (), "RTX 4090 PCIe 24GB"),
        ("A100", ("80gb", "sxm"), "A100 80GB SXM"),
        ("RTX 4090", (), "RTX 4090"),
        ("weird-[name]", (), "weird-[name]"),
    ],
)
def test_canonical_names_are_converted_to_what_people_type(
    name: str, features: tuple[str, ...], typed: str
) -> None:
    assert typed_name(name, features) == typed


def test_memory_sizes_are_collected_from_all_variants() -> None:
    variants = [variant_of(name, "A100") for name in ("a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie")]
    assert memory_sizes(variants) == {40, 80}


def test_a_number_means_a_family_only_if_no_other_family_has_it() -> None:
    meanings = dict(spellings(CATALOG))
    assert meanings["4090"] == "RTX 4090"
    assert "6000" not in meanings


def test_spellings_include_families_and_canonical_names_without_their_maker() -> None:
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
def test_canonical_names_are_displayed_in_a_readable_form(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize(
    ("canonical", "family", "shown"),
    [
        ("nvidia-h100-sxm5-80gb", "H100", "SXM 80 GB"),
        ("nvidia-h100", "H100", "H100"),
        ("nvidia-h100-pcie-80gb", "Hopper", "H100 PCIe 80 GB"),
    ],
)
def test_a_variant_is_displayed_without_its_family(canonical: str, family: str, shown: str) -> None:
    assert display_variant(canonical, family) == shown
