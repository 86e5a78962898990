"""Machines as people read them: vendors, GPUs and requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bot.model.facts import NotAsSoldFacts
from bot.model.gpu import display_name, display_variant
from bot.model.machine_use import GpuModel, SetupState
from bot.model.offer import vendor_name
from bot.model.rental import Rental
from bot.model.request import Contract, Envelope, Request
from bot.model.text import listed
from bot.policy.use.as_sold import differs
from handlers.phrases.format import as_written, clean, escape


def vendor(name: str | None) -> str:
    """Return a vendor's name as it is written: `Hyperstack` for `hyperstack`, `the vendor` for None."""
    known = clean(name or "", 40)
    if not known:
        return "the vendor"
    shown = escape(vendor_name(known))
    return as_written(shown) if known != known.lower() else shown


def place(name: str | None, region: str | None, join: str = " ") -> str:
    """Return the vendor and its own name of the region: `Hyperstack nor-1`."""
    return vendor(name) + (join + escape(region, 40) if region else "")


def gpu(name: str, features: Iterable[str] = ()) -> str:
    """Return `H100 SXM 80 GB` for `nvidia-h100-sxm5-80gb`, and `A100 80 GB` for a family with features."""
    return escape(display_name(clean(name, 60), features))


def variant(name: str, family: str) -> str:
    """Return the part of a GPU's name that sets it apart in its family: `SXM 80 GB`."""
    return escape(display_variant(clean(name, 60), clean(family, 60)))


def machines(count: int, name: str, features: Iterable[str] = ()) -> str:
    """Return `8x H100`."""
    return f"{count}x {gpu(name, features)}"


def wanted(request: Request) -> str:
    """Return the GPUs that were asked for: `8x A100 80 GB`."""
    return machines(request.count, request.gpu, request.features)


def machines_of(rental: Rental) -> str:
    """Return `8x H100 SXM 80 GB`: the GPUs that were bought for a rental, or else the GPUs that were clicked."""
    return machines(rental.request.count, rental.model)


def describe(subject: Envelope | Request | Rental) -> str:
    """Return `1x H100 EU spot` for a request, and `1x H100 SXM 80 GB EU spot` for a rental or its envelope."""
    asked = subject.request if isinstance(subject, Rental) else subject
    match subject:
        case Rental():
            parts = [machines_of(subject)]
        case Request():
            parts = [wanted(subject)]
        case Envelope():
            parts = [machines(subject.count, subject.gpu)]
    if asked.region:
        parts.append(escape(asked.region, 20))
    if asked.contract is Contract.SPOT:
        parts.append("spot")
    return " ".join(parts)


def contract(value: Contract) -> str:
    """Return `on demand` or `spot`."""
    return "spot" if value is Contract.SPOT else "on demand"


# --- how far the set-up script of a machine is, in words


def setup_text(rental: Rental) -> str:
    """Return `Set-up torch: failed at line 12.` Return an empty text if nothing is known of a set-up."""
    name, progress = rental.request.setup, rental.setup_progress
    if not name or progress is None:
        return ""
    at = f" at line {progress.line}" if progress.state is SetupState.FAILED and progress.line else ""
    return f"Set-up {escape(name)}: {progress.state.value}{at}."


# --- GPUs that are not those that were sold


KINDS_SHOWN = 4
"""How many kinds of GPU are named at most."""


def sold_but_seen(facts: NotAsSoldFacts) -> str:
    """Return `sold as 8x H100 SXM 80 GB, but I see 7`, with the names of the GPUs if these differ."""
    seen = facts.gpus_seen
    sold = f"sold as {machines(facts.count, facts.gpu)}"
    if not any(differs(facts.gpu, model) for model in seen.models):
        return f"{sold}, but I see {seen.count}"
    kinds = Counter(_named(model) for model in seen.models).most_common(KINDS_SHOWN)
    return f"{sold}, but I see {listed([f'{count}x {name}' for name, count in kinds])}"


def _named(model: GpuModel) -> str:
    memory = f" with {round(model.memory_mib / 1024)} GB" if model.memory_mib else ""
    return f"{escape(model.name, 60)}{memory}"
