"""The receipt of a rental that is over.

It replaces the content of the card and of the newest message to the owner.
"""

from __future__ import annotations

from bot.lifecycle.money.billing import ledger_span
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import span
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Part, facts
from handlers.phrases.ends import on_ending_text
from handlers.phrases.format import Reader, dollars, join, per_hour
from handlers.phrases.rental_text import (
    cost_nothing_text,
    extended_by_operator,
    first_runs_on,
    in_all,
    new_one_text,
    over_text,
    settled,
    stopped_at_night,
    why_ended,
)
from handlers.phrases.use_text import use_in_cents

INVOICE_DECIDES = "Computed from price and time; the invoice may differ."
"""The sentence below a cost that the bot computed. It is shown to the owner in small type, but not on the card."""


def receipt_parts(details: RentalDetails, name: str, reader: Reader) -> tuple[Part, ...]:
    """Return the parts of a receipt. `name` is the name of the machine in the receipt."""
    return (
        receipt_title(details, name, reader),
        receipt_facts(details),
        receipt_small_print(details, reader),
    )


def receipt_title(details: RentalDetails, name: str, reader: Reader) -> Part:
    """Return the title of a receipt: `*Ended at 18:41: 1x H100 SXM 80 GB (k7mq2)*`.

    A second line says why the rental ended, or which machine replaces it. The line is left out if neither is
    known.
    """
    title = f"{over_text(details, reader.times)}: {name}"
    why = join(why_ended(details), stopped_at_night(details, reader), new_one_text(details.rental))
    return blocks.lead(title, why, by="\n")


def receipt_facts(details: RentalDetails) -> Part:
    """Return the cost and the runtime of the rental. If it cost nothing, a sentence says so."""
    nothing = cost_nothing_text(details)
    if nothing:
        return blocks.paragraph(nothing)
    cost, length = in_all(details.spent), ledger_span(details.ledger)
    rates = {row.rate for row in details.ledger}
    ran = span(length) + (f" at {per_hour(*rates)}" if len(rates) == 1 else "") if length is not None else ""
    idle = use_in_cents(details.use_costs).idle
    return facts(
        Fact("Total", cost, f"It cost {cost}.")
        if settled(details)
        else Fact("Total so far", cost, f"It cost {cost} so far."),
        Fact("Runtime", ran, f"It ran for {ran}.")
        if details.rental.lease is not None
        else Fact("Billed time", ran, f"It was billed for {ran}."),
        Fact("Idle", dollars(idle), f"{dollars(idle)} of that was idle time.") if idle else None,
        _deletion(details),
    )


def _deletion(details: RentalDetails) -> Fact | None:
    if not settled(details):
        late = "another machine, rented for the same request, is still being deleted"
        if details.rental.state is State.DESTROYED:
            late = f"confirmed for {details.rental.id}, but {late}"
            return Fact("Deletion", late, f"The deletion is {late}.")
        return Fact("Deletion", late, f"{late.capitalize()}.")
    if details.rental.state is State.LOST:
        return None  # the vendor took back the machine, so nothing was deleted
    return Fact("Deletion", "confirmed", "The vendor confirmed the deletion.")


def receipt_small_print(details: RentalDetails, reader: Reader) -> Part:
    """Return the sentences in small type, such as INVOICE_DECIDES."""
    return blocks.small(
        INVOICE_DECIDES if reader.id and not cost_nothing_text(details) else "",
        on_ending_text(details.rental, reader.times),
        extended_by_operator(details, reader.times),
        first_runs_on(details),
    )
