"""Describes how a machine is used: its usage status, its GPU load, and a chart of the last 24 hours.

The chart is a row of characters, one for each hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby

from bot.model.budget import UseCosts
from bot.model.machine_use import GpuUse, Missed, RecentUse, UsageStatus, Use
from bot.model.money import Micros, in_cents
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import about_span, listed, plural, span
from bot.policy.team.rules import Idle
from handlers.phrases.format import Times, dollars

MARKS = "▁▂▃▄▅▆▇"
NOT_SEEN = "·"
"""The character for an hour without GPU readings."""

_WHY: dict[Missed, str] = {
    Missed.NO_ANSWER: "no answer over SSH",
    Missed.REFUSED: "it rejects my key",
    Missed.HOST_KEY_CHANGED: "its host key changed",
    Missed.UNREADABLE: "its answer is unreadable",
    Missed.NO_NVIDIA_SMI: "it has no nvidia-smi",
    Missed.NVIDIA_SMI_HANGS: "nvidia-smi hangs",
    Missed.NO_GPU: "nvidia-smi shows no GPU",
    Missed.NO_UTILIZATION: "a GPU doesn't report its usage, as in MIG mode",
}


def current_use(rental: Rental) -> Use | None:
    """Return the usage status of a ready machine.

    None if the machine isn't ready or isn't monitored, or if the reader isn't allowed to see the status.
    """
    return rental.use if rental.state is State.READY else None


def status_text(use: Use, times: Times, *, since: bool = False) -> str:
    """Return the usage status as the beginning of a sentence: `Idle for 35 min`.

    With `since`, the text for a machine in use also says when this use began.
    """
    match use.status:
        case UsageStatus.IN_USE:
            return status_then(use, times) if since else "In use"
        case UsageStatus.CONNECTED | UsageStatus.IDLE:
            return without_work(use.status, times.now - use.since)
    return unseen_text(use, times)


def without_work(status: UsageStatus, length: timedelta | None) -> str:
    """Return a text such as `Idle for 35 min`. If somebody is connected, it is `Connected but idle for 35 min`."""
    text = "Connected but idle" if status is UsageStatus.CONNECTED else "Idle"
    return f"{text} for {about_span(length)}" if length is not None else text


def unseen_text(use: Use, times: Times) -> str:
    """Return `I haven't been able to monitor it since 13:10 (no answer over SSH)`.

    The reason in parentheses is left out if it is unknown.
    """
    why = f" ({_WHY[use.why]})" if use.why else ""
    return f"I haven't been able to monitor it since {times.time(use.since)}{why}"


def status_then(use: Use, times: Times) -> str:
    """Return a usage status and the time at which it began: `Idle since 14:05`."""
    if use.status is UsageStatus.UNKNOWN:
        return unseen_text(use, times)
    text = "In use" if use.status is UsageStatus.IN_USE else without_work(use.status, None)
    return f"{text} since {times.time(use.since)}"


def use_now(use: Use, recent: RecentUse | None, idle: Idle, times: Times) -> str:
    """Return the usage status, the load of each GPU, and the number of connections.

    An example is `In use. In the last 30 min: GPUs 0-7 at up to 98%, 1 SSH connection.` Without readings, the
    result is only the usage status.
    """
    if recent is None or not recent.gpus:
        return f"{status_text(use, times, since=True)}."
    status = status_text(use, times)
    connected = connections_text(recent, "SSH connection")
    most = _most(recent.gpus)
    return f"{status}. In the last {span(idle.after)}: {_values(recent.gpus, idle)}, {connected}.{most}"


def connections_text(seen: Use | RecentUse, what: str) -> str:
    """Return the number of connections: `1 connection`, or `nobody connected`.

    If all connections are younger than two minutes, they are called `new`.
    """
    if seen.connections:
        return plural(seen.connections, what)
    return plural(seen.new_connections, f"new {what}") if seen.new_connections else "nobody connected"


def idle_part(costs: UseCosts) -> str:
    """Return `, of which $3.10 was idle`, to append to an amount. Empty if the idle cost is less than a cent."""
    idle = use_in_cents(costs).idle
    return f", of which {dollars(idle)} was idle" if idle else ""


def use_shares(costs: UseCosts) -> str:
    """Return `Cost by usage: $9.38 in use, $3.10 idle and $1.20 not monitored.` Empty if nothing is known.

    The amounts are rounded so that they add up to the total cost that people see.
    """
    if not costs.known:
        return ""
    shown_costs = use_in_cents(costs)
    shares = (
        (shown_costs.used, "in use"),
        (shown_costs.connected, "connected but idle"),
        (shown_costs.idle, "idle"),
        (shown_costs.unknown, "not monitored"),
    )
    shown = [f"{dollars(amount)} {what}" for amount, what in shares if amount]
    return f"Cost by usage: {listed(shown)}." if shown else ""


def use_in_cents(costs: UseCosts, total: Micros | None = None) -> UseCosts:
    """Round costs to whole cents, so that they add up to `total`.

    By default, `total` is the rounded sum of the costs.
    """
    used, connected, idle, unknown = in_cents((costs.used, costs.connected, costs.idle, costs.unknown), total)
    return UseCosts(used=used, connected=connected, idle=idle, unknown=unknown)


def day_marks(recent: RecentUse) -> str:
    """Return one character for each of the last 24 hours, oldest first. It shows how busy the GPUs were."""
    if all(busy is None for busy in recent.hours):
        return ""

    def mark(busy: int | None) -> str:
        if busy is None:
            return NOT_SEEN
        return MARKS[1 + min(busy, 99) * (len(MARKS) - 1) // 100] if busy else MARKS[0]

    return "".join(map(mark, recent.hours))


def _values(gpus: Iterable[GpuUse], idle: Idle) -> str:
    """Return the load of the GPUs: `GPUs 0-2 at 0%, GPU 3 at up to 97%`.

    Neighbouring GPUs are combined if all are busy, all are idle, or all have no readings.
    """

    def kind(gpu: GpuUse) -> bool | None:
        return None if gpu.highest is None else gpu.highest >= idle.gpu_below * 100

    return ", ".join(_value(list(group)) for _, group in groupby(gpus, key=kind))


def _value(gpus: list[GpuUse]) -> str:
    first, last = gpus[0].index, gpus[-1].index
    name = f"GPU {first}" if first == last else f"GPUs {first}-{last}"
    readings = [gpu.highest for gpu in gpus if gpu.highest is not None]
    if not readings:
        return f"{name} without a reading"
    return f"{name} at {percents(readings)}"


def percents(readings: Sequence[int]) -> str:
    """Return the highest of some readings in percent: `up to 97%`, or `0%` if all are zero."""
    highest = max(readings, default=0)
    return f"up to {highest}%" if highest else "0%"


def _most(gpus: Iterable[GpuUse]) -> str:
    """Return the highest memory and power that any GPU used."""
    known = list(gpus)
    memory = max((gpu.memory_mib for gpu in known if gpu.memory_mib is not None), default=None)
    watts = max((gpu.watts for gpu in known if gpu.watts is not None), default=None)
    parts = [f"{memory / 1024:.0f} GiB" if memory is not None else "", f"{watts} W" if watts is not None else ""]
    shown = " and ".join(filter(None, parts))
    each = "Each GPU uses up to" if len(known) > 1 else "The GPU uses"
    return f" {each} {shown}." if shown else ""
