"""The line of the request form that says what its choice costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model.money import cost
from bot.model.offer import Offer
from bot.model.request import Request
from bot.model.text import span
from handlers.ids import PRICE, PRICE_AGAIN
from handlers.phrases.blocks import Json, section
from handlers.phrases.budget_text import cap_text
from handlers.phrases.format import dollars, escape, per_hour
from handlers.phrases.format import price as price_of
from handlers.phrases.machine_text import contract, vendor
from handlers.views.answers.offers import request_text

NOTHING_CHOSEN = "Choose a GPU to see its price."
NO_CATALOG = "Compute Clear hasn't told me yet what there is to rent, so there are no lists: type what you need."
SHOW_OFFERS = "You can go on: Show offers asks again."

_KEPT = ("type", "callback_id", "title", "submit", "close", "private_metadata")
"""The parts of a view that are sent again when its blocks change (docs.slack.dev/reference/views/modal-views)."""


def line(text: str, block_id: str = PRICE) -> Json:
    """Return a block with the price, or with the reason why there is none."""
    return {**section(text), "block_id": block_id}


def looking(request: Request) -> str:
    """Return what the form says while the market is asked."""
    return f"Looking for the price of {_wanted(request)}."


def price(request: Request, offer: Offer | None) -> str:
    """Return `*From $2.15/h, about $12.90* for 6 h: 1x H100 in EU, on demand, at Hyperstack`. It names what the
    price is for, because people go on choosing while they read it."""
    if offer is None:
        return f"Nobody offers this now: {_wanted(request)}. Show offers says what is near."
    longest = ""
    if request.longest > request.lease:
        longest = f", {dollars(cost(offer.rate, request.longest))} for {span(request.longest)}"
    each = f" ({price_of(offer.gpu_rate)} per GPU)" if request.count > 1 else ""
    about = f"*From {per_hour(offer.rate)}{each}, about {dollars(cost(offer.rate, request.lease))}*"
    return f"{about} for {span(request.lease)}{longest}: {_wanted(request)}, at {vendor(offer.vendor)}."


def no_answer(request: Request) -> str:
    """Return what the form says if the market has not answered in time."""
    return f"No price of {_wanted(request)}: Compute Clear hasn't answered. {SHOW_OFFERS}"


def not_asked(request: Request) -> str:
    """Return what the form says if the person chose so often that the market is not asked."""
    return f"No price of {_wanted(request)}: you chose very often in a minute. {SHOW_OFFERS}"


def not_readable(words: str) -> str:
    """Return what the form says if an input can't be read, with what is wrong with it."""
    return refused(escape(words, 300))


def refused(words: str) -> str:
    """Return what the form says if its choice isn't allowed. `words` are mrkdwn."""
    return f"No price yet. {words}"


def with_line(view: Mapping[str, Any], text: str) -> Json | None:
    """Return an open form, as Slack sent it, with other lines for the price. All its inputs stay, so Slack keeps
    what was typed in them. Return None if a version without such lines opened the form."""
    blocks = view.get("blocks")
    shown = [block for block in (blocks if isinstance(blocks, list) else []) if isinstance(block, Mapping)]
    if not any(block.get("block_id") == PRICE for block in shown):
        return None
    changed = [
        line(text, block["block_id"]) if block.get("block_id") in {PRICE, PRICE_AGAIN} else dict(block)
        for block in shown
    ]
    return {**{part: view[part] for part in _KEPT if view.get(part)}, "blocks": changed}


def _wanted(request: Request) -> str:
    vendor_part = f"from {vendor(request.vendor)}" if request.vendor else ""
    parts = [request_text(request), vendor_part, contract(request.contract), cap_text(request)]
    return ", ".join(part for part in parts if part)
