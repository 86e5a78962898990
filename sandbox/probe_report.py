"""The report that the probe's script prints on a machine. docs/probe.md describes the format."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from sandbox.host_info import HostInfo
from sandbox.nvidia_smi import Gpu, reading
from sandbox.use import Fault, SetUp, peer_of

Peer = tuple[str, int]
MOST_PEERS = 256
READINGS = 5
"""The number of readings of each GPU in a report. They are one second apart."""
_KILLED = 137
"""The exit status of a command that was killed because it took too long."""
_NONE_FOUND = 6
"""The exit status of nvidia-smi if there is no GPU (nvidia-smi(1), RETURN VALUE)."""
GARBAGE = "Welcome to \x1b[1;32mUbuntu\x1b[0m!\n\x00\udcff\udcfe gpubot-probe\n" + "?" * 200 + "\n"
"""Output that is not a report. Some of its bytes aren't valid UTF-8."""


def report(info: HostInfo, own: tuple[Peer, Peer], others: Sequence[Peer], now: datetime) -> str:
    """Return the report of a probe run that ends at `now`, with the readings of the last few seconds.

    The health of the GPUs and the jobs follow it, if the programs for them are installed.

    Args:
        info: The state of the machine.
        own: The client and the server of the probe's own connection.
        others: The clients of the other open connections.
        now: The time at which the probe run ends.
    """
    phase = info.use.at(now)
    (client, client_port), (server, server_port) = own
    peers = [own[0], *others, *map(peer_of, phase.connections)]
    lines = [
        "gpubot-probe 1",
        *([] if info.ending is None else [info.ending.report(now)]),
        *([] if info.set_up is None else [f"setup {_set_up_state(info.set_up)}"]),
        f"ssh {client} {client_port} {server} {server_port}",
        *(f"peer {_as_proc_shows(peer)}" for peer in peers[:MOST_PEERS]),
        f"peers {len(peers)}",
    ]
    match phase.fault:
        case Fault.NO_NVIDIA_SMI:
            lines.append("nvidia-smi none")
        case Fault.NVIDIA_SMI_HANGS:
            lines.append(f"nvidia-smi {_KILLED}")
        case _:
            moments = [now - timedelta(seconds=back) for back in reversed(range(READINGS))]
            lines += [
                gpu_row(n, gpu, info.percent(gpu, moment)) for moment in moments for n, gpu in enumerate(info.gpus)
            ]
            lines.append("nvidia-smi 0" if info.gpus else f"nvidia-smi {_NONE_FOUND}")
    return "\n".join([*lines, "end"]) + "\n" + _further_sections(info, now)


def _further_sections(info: HostInfo, now: datetime) -> str:
    """Return what the programs print that the probe runs after its report. Empty if none are installed."""
    works = info.use.at(now).fault not in {Fault.NO_NVIDIA_SMI, Fault.NVIDIA_SMI_HANGS}
    health = "" if info.health is None else info.health.report(len(info.hardware), now, works=works)
    return health + ("" if info.jobs is None else info.jobs.report(now))


def gpu_row(index: int, gpu: Gpu, percent: int | None) -> str:
    """Return the line for one reading of one GPU."""
    shown = reading(gpu, percent)
    mig = shown.percent is None
    cells = (
        index,
        "[N/A]" if mig else shown.percent,
        shown.memory_mib,
        f"{shown.watts}.00",
        "Enabled" if mig else "Disabled",
        gpu.memory_mib,
        gpu.name,
    )
    return f"gpu {', '.join(map(str, cells))}"


def _set_up_state(set_up: SetUp) -> str:
    if set_up.state != "failed":
        return set_up.state
    return "failed 1" if set_up.line is None else f"failed 1 {set_up.line}"


def _as_proc_shows(peer: Peer) -> str:
    """Format an IPv4 address and a port as /proc/net/tcp does on a little-endian machine."""
    address, port = peer
    return f"{ip_address(address).packed[::-1].hex().upper()}:{port:04X}"
