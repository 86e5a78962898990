"""The output of `nvidia-smi`."""

from collections.abc import Sequence
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


def gpu_list(gpus: Sequence[Gpu]) -> str:
    """Return the output of `nvidia-smi -L`."""
    return "".join(f"GPU {n}: {gpu.name} (UUID: GPU-{gpu.uuid})\n" for n, gpu in enumerate(gpus))


def gpu_table(gpus: Sequence[Gpu], now: datetime) -> str:
    """Return the output of `nvidia-smi`: idle GPUs without processes."""
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
    for n, gpu in enumerate(gpus):
        rows += [
            _row((f" {n:3d}  {gpu.name:<30} On", f" 00000000:{n + 1:02X}:00.0 Off", "                    0")),
            _row((" N/A   31C    P0     70W / 700W", f"     0MiB / {gpu.memory_mib}MiB", "      0%      Default")),
            line,
        ]
    rows += [
        "",
        "+" + "-" * width + "+",
        _row((" Processes:",), (width,)),
        _row(("  No running processes found",), (width,)),
        "+" + "-" * width + "+",
    ]
    return "\n".join(rows) + "\n"


def _row(cells: tuple[str, ...], widths: tuple[int, ...] = _WIDTHS) -> str:
    return "|" + "|".join(cell.ljust(width)[:width] for cell, width in zip(cells, widths, strict=True)) + "|"
