"""Decides whether a machine's GPUs differ from those that were sold. No I/O.

Vendors and drivers use different names for one GPU: nvidia-smi shows `nvidia-h100-sxm5-80gb` as `NVIDIA H100 80GB
HBM3`. Therefore, names are split into words. GPUs differ only if their number, model, form factor or memory size
differs. A name that can't be parsed proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from bot.model.gpu import FORM_FACTORS, SUPERCHIP
from bot.model.machine_use import GpuModel, Report

_FEATURE = re.compile(r"(?:sxm|nvl)\d*|pcie|hbm\d\w?|(\d{1,4})gb?")
_MODEL = re.compile(r"(?:[rg]tx)?([a-z]{0,3}\d{1,4}(?!ti)[a-z]{0,2})")
"""A word that identifies the model in a GPU's name, such as `h100`, `4090`, `rtx4090`, `a6000` or `l40s`.

Words such as `3090ti` are deliberately not matched. Drivers write `3090 Ti` as two words, and `3090` would then
seem to be a different model than `3090ti`.
"""
_VIRTUAL = re.compile(r"\d{1,3}[abcq]|grid|vgpu|mig|\d+g")
"""A word that marks a part of a GPU, as in `GRID A100D-40C` or `MIG 1g.10gb`."""
_MEMORY_BETWEEN = (Decimal("0.85"), Decimal("1.15"))
"""The accepted range of the memory that nvidia-smi shows, as a share of the memory that was sold in GiB.

Drivers reserve up to 7% of the memory: an L4 with 24 GB shows 23,034 MiB.
"""


def gpu_mismatch(gpu: str, count: int, report: Report) -> bool:
    """Return whether a machine's report proves that it doesn't have the GPUs that were sold.

    A report without GPUs proves nothing.

    Args:
        gpu: The canonical name of the GPU that was sold.
        count: The number of GPUs that were sold.
    """
    if not report.gpus or _is_part(gpu) or any(_is_part(model.name) for model in report.models):
        return False
    sliced = any(use.highest is None for use in report.gpus)
    return len(report.gpus) != count or any(differs(gpu, model, sliced=sliced) for model in report.models)


def differs(gpu: str, model: GpuModel, *, sliced: bool = False) -> bool:
    """Return whether a machine reports a GPU that certainly differs from the GPU that was sold.

    Args:
        gpu: The canonical name of the GPU that was sold.
        model: The GPU that the machine reports.
        sliced: Whether the GPU is in MIG mode. Its memory then proves nothing.
    """
    sold, seen = _words(gpu), _words(model.name)
    return (
        _differ(_models(sold), _models(seen))
        or _differ(_form_factors(sold), _form_factors(seen))
        or (not sliced and _other_memory(sold, model.memory_mib))
    )


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _is_part(name: str) -> bool:
    return any(_VIRTUAL.fullmatch(word) for word in _words(name))


def _models(words: Sequence[str]) -> frozenset[str]:
    found = (_MODEL.fullmatch(word) for word in words if not _FEATURE.fullmatch(word))
    return frozenset(match[1] for match in found if match)


def _form_factors(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.rstrip("0123456789") for word in words).intersection(FORM_FACTORS)


def _differ(sold: frozenset[str], seen: frozenset[str]) -> bool:
    """Return whether two sets of words have no word in common. If either set is empty, return False."""
    return bool(sold and seen) and sold.isdisjoint(seen)


def _other_memory(sold: Sequence[str], memory_mib: int) -> bool:
    sizes = [int(found[1]) for word in sold if (found := _FEATURE.fullmatch(word)) and found[1]]
    if len(sizes) != 1 or not memory_mib or any(SUPERCHIP.fullmatch(word) for word in sold):
        return False
    low, high = _MEMORY_BETWEEN
    return not low <= Decimal(memory_mib) / 1024 / sizes[0] <= high
