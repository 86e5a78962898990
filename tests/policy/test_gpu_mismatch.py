"""Tests of whether a machine has the GPUs that were sold, with names used by the marketplace and by nvidia-smi."""

from __future__ import annotations

import pytest

from bot.model.machine_use import GpuModel, GpuUse, Missed, Report
from bot.policy.use.gpu_mismatch import gpu_mismatch


def report(*models: GpuModel, count: int | None = None, sliced: bool = False) -> Report:
    gpus = tuple(
        GpuUse(index=index, highest=None if sliced else 0)
        for index in range(len(models) if count is None else count)
    )
    return Report(gpus=gpus, models=models)


def seen(name: str, memory_mib: int) -> GpuModel:
    return GpuModel(name=name, memory_mib=memory_mib)


GPU_MISMATCH_OPEN = [
    ("nvidia-h100-sxm5-80gb", "NVIDIA H100 80GB HBM3", 81559),
    ("nvidia-h100-pcie-80gb", "NVIDIA H100 PCIe", 81559),
    ("nvidia-h100-nvl-94gb", "NVIDIA H100 NVL", 95830),
    ("nvidia-h200-sxm5-141gb", "NVIDIA H200", 143771),
    ("nvidia-a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB", 81920),
    ("nvidia-a100-pcie-40gb", "NVIDIA A100-PCIE-40GB", 40960),
    ("nvidia-b200-sxm6-180gb", "NVIDIA B200", 183359),
    ("nvidia-l40s-pcie-48gb", "NVIDIA L40S", 46068),
    ("nvidia-l4-pcie-24gb", "NVIDIA L4", 23034),
    ("nvidia-tesla-t4-16gb", "Tesla T4", 15360),
    ("nvidia-v100-sxm2-16gb", "Tesla V100-SXM2-16GB", 16160),
    ("nvidia-a10g-24gb", "NVIDIA A10G", 23028),
    ("nvidia-rtx-4090-pcie-24gb", "NVIDIA GeForce RTX 4090", 24564),
    ("nvidia-rtx4090-24gb", "NVIDIA GeForce RTX 4090", 24564),
    ("nvidia-rtx-3090ti-24gb", "NVIDIA GeForce RTX 3090 Ti", 24564),
    ("nvidia-rtx-a6000-48gb", "NVIDIA RTX A6000", 46068),
    ("nvidia-rtx-6000-ada-48gb", "NVIDIA RTX 6000 Ada Generation", 49140),
    ("nvidia-gh200-480gb", "NVIDIA GH200 480GB", 97871),
    ("h100", "NVIDIA H100 80GB HBM3", 81559),
]
GPU_MISMATCH = [
    ("nvidia-h100-sxm5-80gb", "NVIDIA A100-SXM4-80GB", 81920),
    ("nvidia-h100-sxm5-80gb", "NVIDIA H100 PCIe", 81559),
    ("nvidia-a100-sxm4-80gb", "NVIDIA A100-SXM4-40GB", 40960),
    ("nvidia-a100-sxm4-80gb", "NVIDIA A100", 40960),
    ("nvidia-l40s-pcie-48gb", "NVIDIA L40", 46068),
    ("nvidia-l4-pcie-24gb", "Tesla T4", 15360),
    ("nvidia-rtx-4090-pcie-24gb", "NVIDIA GeForce RTX 3090", 24576),
]
PROVES_NOTHING = [
    ("nvidia-h100-sxm5-80gb", "NVIDIA Graphics Device", 0),
    ("nvidia-h100-sxm5-80gb", "", 81559),
    ("nvidia-a100-sxm4-80gb", "GRID A100D-40C", 40960),
    ("nvidia-a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9728),
    ("nvidia-h100-mig-1g-10gb", "NVIDIA H100 80GB HBM3", 81559),
    ("some-accelerator", "NVIDIA H100 80GB HBM3", 81559),
]


@pytest.mark.parametrize(("gpu", "name", "memory_mib"), [*GPU_MISMATCH_OPEN, *PROVES_NOTHING])
def test_matching_or_unknown_names_are_no_gpu_mismatch(gpu: str, name: str, memory_mib: int) -> None:
    assert not gpu_mismatch(gpu, 2, report(seen(name, memory_mib), seen(name, memory_mib)))


@pytest.mark.parametrize(("gpu", "name", "memory_mib"), GPU_MISMATCH)
def test_another_model_form_factor_or_memory_is_a_gpu_mismatch(gpu: str, name: str, memory_mib: int) -> None:
    """A single differing GPU is enough."""
    sold = next(seen(name, memory) for sold, name, memory in GPU_MISMATCH_OPEN if sold == gpu)
    assert gpu_mismatch(gpu, 2, report(sold, seen(name, memory_mib)))


@pytest.mark.parametrize("count", [1, 7, 16])
def test_another_number_of_gpus_is_a_gpu_mismatch(count: int) -> None:
    h100 = seen("NVIDIA H100 80GB HBM3", 81559)
    assert gpu_mismatch("nvidia-h100-sxm5-80gb", 8, report(*[h100] * count))
    assert gpu_mismatch("nvidia-h100-sxm5-80gb", 8, report(count=count))


def test_in_mig_mode_the_number_of_gpus_counts_but_not_their_memory() -> None:
    slice_of_it = seen("NVIDIA H100 80GB HBM3", 9984)
    assert not gpu_mismatch("nvidia-h100-sxm5-80gb", 1, report(slice_of_it, sliced=True))
    assert gpu_mismatch("nvidia-h100-sxm5-80gb", 2, report(slice_of_it, sliced=True))


def test_a_report_without_gpus_is_no_gpu_mismatch() -> None:
    assert not gpu_mismatch("nvidia-h100-sxm5-80gb", 8, Report(missed=Missed.NO_NVIDIA_SMI))
