"""The answer to `/gpu get`: what was found, or why nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from bot.errors import Mistake
from bot.model.money import cost
from bot.model.offer import Offer
from bot.model.person import Channel
from bot.model.quote import Nearby, Quote
from bot.model.rental import Rental
from bot.model.request import Contract, Request
from bot.model.state import State
from bot.model.text import say_rate
from bot.policy.rules import Rules
from bot.policy.spending import OfferChoice, recommended
from handlers.ids import Action, NearbyValue, OfferValue, QuoteValue, RentalValue
from handlers.views import blocks
from handlers.views.approval import limits
from handlers.views.blocks import Json, Rendered, button
from handlers.views.error_text import why_not
from handlers.views.format import (
    STATES,
    about,
    channel,
    contract,
    dollars,
    dollars_at_most,
    escape,
    gpu,
    machines,
    per_hour,
    place,
    plural,
    price,
    span,
    variant,
    vendor,
    what,
)
from handlers.views.rental_text import times

SHOWN = 3
MOST = 20
NEARBY = 5


def wish(request: Request) -> str:
    """`1x H100 in EU`."""
    return machines(request.count, request.gpu) + (f" in {escape(request.region, 20)}" if request.region else "")


def looking(quote: Quote) -> Rendered:
    """It takes longer than a moment."""
    return blocks.message(f"Looking for {wish(quote.request)}.")


def found(
    quote: Quote,
    rows: Sequence[OfferChoice],
    *,
    rules: Rules,
    now: datetime,
    zone: str | None = None,
    everything: bool = False,
    asked_in: Channel | None = None,
    count: int | None = None,
    still_waiting: Request | None = None,
) -> Rendered:
    """The offers, cheapest first, one of them recommended; `count` of them, where only those that are shown have a
    row. `asked_in` is where the question was put, when that is known: it says why the card goes elsewhere.
    `still_waiting` is the request that the quote would change, while it waits for a decision."""
    at = times(rules, now, zone)
    count = len(rows) if count is None else count
    shown = list(rows[: shown_of(everything=everything)])
    best = recommended(shown)
    head = _head(quote)
    refused = _refused(shown)
    parts = [
        (_row(row, quote, row is best, everything, refused), _button(row, quote, row is best)) for row in shown
    ]
    stand = min((row.offer.expires_at for row in shown), default=now)
    until = f"Prices stand until {at.at(stand)}. Nothing is reserved: it can sell out."
    left = count - len(shown)
    more = f"{plural(left, 'more offer')} not shown." if everything and left else ""
    where = _elsewhere(quote, asked_in)
    asks = _approval_needed(shown, rules)
    stands = _still_stands(still_waiting, shown)
    text = "\n".join(
        filter(None, (head, refused, *(words for words, _ in parts), asks, more, until, stands, where))
    )
    return blocks.message(
        text,
        blocks.section(f"*{head}*"),
        blocks.section(refused) if refused else None,
        *(blocks.section(words, accessory) for words, accessory in parts),
        blocks.context(asks) if asks else None,
        blocks.context(" ".join(filter(None, (more, until)))),
        blocks.context(stands) if stands else None,
        blocks.context(where) if where else None,
        blocks.actions(*_row_of_actions(quote, count, everything)),
        closed=False,
    )


def shown_of(*, everything: bool) -> int:
    """How many offers are shown at most."""
    return MOST if everything else SHOWN


def _head(quote: Quote) -> str:
    """Everything that was understood: `8x H100 in EU, on demand, under $2.50 per GPU, 6 h from ready`."""
    request = quote.request
    wanted = wish(request) + (f" from {vendor(request.vendor)}" if request.vendor else "")
    parts = [wanted, contract(request.contract), cap(request), f"{span(request.lease)} from ready"]
    head = ", ".join(part for part in parts if part)
    return f"Change {quote.changes} to {head}" if quote.changes else head


def cap(request: Request) -> str:
    """Return `under $8.00 per GPU`, with the price in all if that may have been meant. Empty without a cap."""
    if request.max_gpu_rate is None:
        return ""
    each = f"under {say_rate(request.max_gpu_rate)} per GPU"
    if request.cap_said_per_gpu:
        return each
    return f"{each}, {say_rate(request.max_gpu_rate * request.count)}/h in all"


def _refused(rows: Sequence[OfferChoice]) -> str:
    """Why none of them can be rented, where that is the same for all: said once."""
    reasons = {None if row.refused is None else why_not(row.refused) for row in rows}
    only = reasons.pop() if len(reasons) == 1 else None
    return f"Nothing here can be rented now. {only}" if only is not None else ""


def _row(row: OfferChoice, quote: Quote, best: bool, everything: bool, refused: str) -> str:
    offer = row.offer
    each = f" ({price(offer.gpu_rate)} per GPU)" if offer.count > 1 else ""
    line = f"{per_hour(offer.rate)}{each}  {place(offer.vendor, offer.vendor_region, ', ')}"
    if row.refused is not None and not refused:
        return f"{line}\nNot for you: {why_not(row.refused)}"
    if not best:
        return f"{line}: {_equipment(offer)}." if everything else line
    usual = f" Usually ready in {about(row.usual)}." if row.usual else ""
    return f"{line}: {_equipment(offer)}.{usual}\n{comes_to(row, quote)}"


def _equipment(offer: Offer) -> str:
    parts = [
        variant(offer),
        "spot" if offer.contract == Contract.SPOT else "",
        f"{offer.vcpus} vCPU" if offer.vcpus is not None else "",
        f"{_gigabytes(offer.memory_gb)} memory" if offer.memory_gb is not None else "",
        f"{_gigabytes(offer.disk_gb)} disk" if offer.disk_gb is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _gigabytes(amount: Decimal) -> str:
    return f"{amount:.0f} GB"


def comes_to(row: OfferChoice, quote: Quote) -> str:
    """What an offer comes to over the lease, and at most."""
    estimate = dollars(cost(row.offer.rate, quote.request.lease))
    total, highest = dollars_at_most(row.envelope.total), row.envelope.max_rate
    if highest <= row.offer.rate:
        return f"About {estimate}, at most {total}."
    return f"About {estimate}, at most {total}: if it sells out I take the next, up to {per_hour(highest)}."


def _button(row: OfferChoice, quote: Quote, best: bool) -> Json | None:
    if row.refused is not None:
        return None
    value = OfferValue(quote_id=quote.id, offer_id=row.offer.offer_id)
    label = f"{'Ask for' if row.needs_approval else 'Rent from'} {per_hour(row.offer.rate)}"
    try:
        return button(label, Action.RENT, value, style="primary" if best else None)
    except Mistake:
        # An id that can't travel in a button: the offer is shown, and can't be rented from here.
        return None


def _approval_needed(rows: Sequence[OfferChoice], rules: Rules) -> str:
    """Return `Over the $10.00/h limit: an approver decides.`, or an empty text if no offer needs approval."""
    overs = {row.over for row in rows if row.needs_approval and row.refused is None}
    if not overs:
        return ""
    join = " and " if len(overs) == 1 else " or "
    return f"Over the {limits({limit for over in overs for limit in over}, rules, join)}: an approver decides."


def _still_stands(waiting: Request | None, rows: Sequence[OfferChoice]) -> str:
    if waiting is None:
        return ""
    until = " until you click one of these" if any(row.refused is None for row in rows) else ""
    return f"Your {waiting.count}x request still stands{until}."


def _row_of_actions(quote: Quote, count: int, everything: bool) -> list[Json]:
    value = QuoteValue(quote_id=quote.id)
    every = [button(f"All {count}", Action.ALL_OFFERS, value)] if count > SHOWN and not everything else []
    return [*every, button("Refresh", Action.REFRESH, value), button("Change", Action.CHANGE, value)]


def _elsewhere(quote: Quote, asked_in: Channel | None) -> str:
    if quote.card_channel is None or quote.card_channel == quote.asked_in:
        return ""
    goes = f"the card will go to {channel(quote.card_channel)}."
    if asked_in is None or asked_in.direct:
        return goes[:1].upper() + goes[1:]
    here = channel(quote.asked_in)
    if asked_in.shared and asked_in.member:
        return f"People from outside read {here}, so {goes}"
    return f"I'm not in {here}, so {goes} Or: /invite @gpubot"


# --- nothing to rent


def none_found(quote: Quote) -> Rendered:
    """Nothing matches; what would have, as buttons that show and don't buy."""
    request = quote.request
    parts = [
        f"No {machines(request.count, request.gpu) if request.count > 1 else gpu(request.gpu)}",
        "spot" if request.contract is Contract.SPOT else "",
        f"in {escape(request.region, 20)}" if request.region else "",
        f"from {vendor(request.vendor)}" if request.vendor else "",
        f"under {say_rate(request.max_gpu_rate)} per GPU and hour" if request.max_gpu_rate is not None else "",
        "now.",
    ]
    text = " ".join(part for part in parts if part)
    labels: dict[str, int] = {}
    for index, near in enumerate(quote.nearby[:NEARBY]):
        labels.setdefault(nearby_label(request, near), index)  # the closest of those that read the same
    if not labels:
        text += " I found nothing close to it either."
    buttons = [
        button(label, Action.SHOW_NEARBY, NearbyValue(quote_id=quote.id, index=index))
        for label, index in labels.items()
    ]
    retry = button("Change", Action.CHANGE, QuoteValue(quote_id=quote.id))
    return blocks.message(
        " ".join([text, *([f"Close to it: {', '.join(labels)}."] if labels else [])]),
        blocks.section(text),
        blocks.actions(*buttons, retry),
        closed=False,
    )


def nearby_label(request: Request, near: Nearby) -> str:
    """What differs from what was asked, and from what price: `Show US from $1.90`. Prices are per GPU."""
    other = near.request
    differs = [
        machines(other.count, other.gpu) if (other.count, other.gpu) != (request.count, request.gpu) else "",
        (escape(other.region, 20) if other.region else "anywhere") if other.region != request.region else "",
        contract(other.contract) if other.contract is not request.contract else "",
        (vendor(other.vendor) if other.vendor else "any vendor") if other.vendor != request.vendor else "",
    ]
    anything = other.region is None and other.vendor is None and request.region and request.vendor
    named = "any" if anything else " ".join(part for part in differs if part)
    start = f"from {price(near.cheapest.gpu_rate)}" + ("/GPU" if near.cheapest.count > 1 else "")
    if named:
        return f"Show {named} {start}"
    return f"Show {start}" + (f" in {escape(request.region, 20)}" if request.region else "")


def unanswered(quote: Quote, *, now: datetime, locked_out: bool = False) -> Rendered:
    """The marketplace gave no answer in time, or refuses our token."""
    why = f"Compute Clear hasn't answered for {span(now - quote.created_at)}."
    if locked_out:
        why = "Compute Clear refuses my token, so I can't look now; the admins know."
    text = f"{why} Nothing is rented, and I won't rent later on my own."
    again = button("Try again", Action.TRY_AGAIN, QuoteValue(quote_id=quote.id))
    return blocks.message(text, blocks.section(text), blocks.actions(again), closed=False)


def waiting_for_key() -> Rendered:
    """Renting needs a key; the offers follow by themselves."""
    text = "Before I rent I need your public SSH key: it lets you in."
    kind = "/gpu key ssh-ed25519 AAAA... you@laptop"
    return blocks.message(
        f"{text} Add it with: {kind}",
        blocks.section(text),
        blocks.actions(button("Add SSH key", Action.ADD_KEY, style="primary")),
        blocks.context(f"or  {kind}"),
        closed=False,
    )


def rents_already(twin: Rental, quote_id: str, offer_id: str) -> Rendered:
    """The same is rented already."""
    state = STATES[twin.state].lower() if twin.state is not State.AWAITING_APPROVAL else "waiting for approval"
    text = f"You already rent {what(twin.request)} ({twin.id}, {state}). Another one?"
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(
            button("Rent another", Action.RENT_ANOTHER, OfferValue(quote_id=quote_id, offer_id=offer_id)),
            button(f"Show {twin.id}", Action.SHOW_RENTAL, RentalValue(rental_id=twin.id)),
        ),
        closed=False,
    )
