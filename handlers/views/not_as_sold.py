"""A machine whose GPUs are not those that were sold: its direct message and its words."""

from __future__ import annotations

from collections import Counter

from bot.model.event import Event, Facts
from bot.model.rental import Rental
from bot.model.use import GpuModel
from bot.policy.as_sold import differs
from handlers.ids import Action, RentalValue
from handlers.views import blocks
from handlers.views.blocks import Json, Rendered, button
from handlers.views.format import escape, listed
from handlers.views.machine_text import machines
from handlers.views.rental_text import new_one_text

KINDS_SHOWN = 4
"""How many kinds of GPU are named at most."""


def difference(facts: Facts) -> str:
    """Return `sold as 8x H100 SXM 80 GB, but I see 7`. If the names of the GPUs differ, add them."""
    gpu, seen = facts.gpu or "", facts.gpus_seen
    sold = f"sold as {machines(facts.count or 0, gpu)}"
    if seen is None:
        return sold
    if not any(differs(gpu, model) for model in seen.models):
        return f"{sold}, but I see {seen.count}"
    kinds = Counter(_named(model) for model in seen.models).most_common(KINDS_SHOWN)
    return f"{sold}, but I see {listed([f'{count}x {name}' for name, count in kinds])}"


def _named(model: GpuModel) -> str:
    memory = f" with {round(model.memory_mib / 1024)} GB" if model.memory_mib else ""
    return f"{escape(model.name, 60)}{memory}"


def message(event: Event, rental: Rental, replace: Json | None, *, kept: bool) -> Rendered:
    """Return the message to the owner of a machine that is in use. `replace` is the button that replaces it, None
    if that is not possible."""
    text = f"{rental.id} was {difference(event.facts)}."
    if kept:
        return blocks.message(f"{text} You keep it.")
    if rental.replaced_by is not None:
        return blocks.message(f"{text} {new_one_text(rental)}", closed=False)
    keep = button("Keep it", Action.KEEP_AS_IT_IS, RentalValue(rental_id=rental.id))
    return blocks.message(text, blocks.section(text), blocks.actions(replace, keep), closed=False)
