"""The output of `nvidia-smi`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

_DRIVER, _CUDA = "570.124.06", "12.8"
_WIDTHS = (41, 24, 22)


@dataclass(frozen=True)
class Gpu:
    """One GPU, with the name that nvidia-smi shows."""

    name: str
    memory_mib: int
    uuid: str
    slot: int = 0
    """Its place in the machine, which stays the same if another GPU is lost."""


def gpu_list(gpus: Sequence[Gpu]) -> str:
    """Return the output of `nvidia-smi -L`."""
    return "".join(f"GPU {n}: {gpu.name} (UUID: GPU-{gpu.uuid})\n" for n, gpu in enumerate(gpus))


@dataclass(frozen=True)
class Reading:
    """One measurement of a GPU. `percent` is its utilization, or None in MIG mode, which reports none."""

    percent: int | None
    memory_mib: int
    watts: int


def reading(gpu: Gpu, percent: int | None) -> Reading:
    """Return the measurement of a GPU with this utilization. Memory and power are derived from it."""
    if not percent and percent is not None:
        return Reading(percent, 0, 70)
    return Reading(percent, gpu.memory_mib * 3 // 4, 100 + 6 * (percent or 0))


def gpu_table(gpus: Sequence[Gpu], percent: Callable[[Gpu], int | None], now: datetime) -> str:
    """Return the output of `nvidia-smi`. `percent` returns the utilization of a GPU."""
    width = sum(_WIDTHS) + len(_WIDTHS) - 1
    line = "+" + "+".join("-" * column for column in _WIDTHS) + "+"
    rows = [
        f"{now:%a %b %e %H:%M:%S %Y}",
        "+" + "-" * width + "+",
        _row((f" NVIDIA-SMI {_DRIVER}    Driver Version: {_DRIVER}    CUDA Version: {_CUDA}",), (width,)),
        line,
        _row((" GPU  Name              Persistence-M", " Bus-Id          Disp.A", " Volatile Uncorr. ECC")),
        _row((" Fan  Temp   Perf   Pwr:Usage/Cap", "         Memory-Usage", " GPU-Util  Compute M.")),
        line.replace("-", "="),
    ]
    processes = []
    for n, gpu in enumerate(gpus):
        shown = reading(gpu, percent(gpu))
        share = "   N/A" if shown.percent is None else f"{shown.percent:5d}%"
        rows += [
            _row(
                (f" {n:3d}  {gpu.name:<30} On", f" 00000000:{gpu.slot + 1:02X}:00.0 Off", "                    0")
            ),
            _row(
                (
                    f" N/A   31C    P0    {shown.watts:3d}W / 700W",
                    f"{shown.memory_mib:6d}MiB / {gpu.memory_mib}MiB",
                    f"  {share}      Default",
                )
            ),
            line,
        ]
        if shown.percent:
            processes.append(
                _row((f" {n:4d}     {4000 + n}      C   python {shown.memory_mib:40d}MiB",), (width,))
            )
    rows += [
        "",
        "+" + "-" * width + "+",
        _row((" Processes:",), (width,)),
        *(processes or [_row(("  No running processes found",), (width,))]),
        "+" + "-" * width + "+",
    ]
    return "\n".join(rows) + "\n"


def _row(cells: tuple[str, ...], widths: tuple[int, ...] = _WIDTHS) -> str:
    return "|" + "|".join(cell.ljust(width)[:width] for cell, width in zip(cells, widths, strict=True)) + "|"
