"""Dialogs: what spends or destroys, with facts as of the click, and the forms.

Date tokens don't render in them, so they say spans, never clock times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.money import cost
from bot.model.offer import Catalog
from bot.model.person import Key
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Contract, Request
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import say_rate, say_span
from bot.policy.rules import Rules
from bot.policy.spending import OfferChoice
from handlers.ids import Callback, EndValue, Field, OfferValue, RentalValue, Value, VersionValue
from handlers.views import blocks
from handlers.views.approval import over_words
from handlers.views.blocks import Json, option
from handlers.views.format import (
    clean,
    contract,
    dollars,
    dollars_at_most,
    escape,
    gpu,
    machines,
    note,
    per_hour,
    place,
    span,
    vendor,
    what,
)
from handlers.views.offers import comes_to
from handlers.views.rental_text import owner, so_far

ANY = "any"
"""The value of a choice that leaves it open."""
LONGER = (1, 2, 4, 8, 12, 24, 48)
"""Hours that the extend dialog offers, as far as the rules allow."""


def notice(title: str, text: str) -> Json:
    """A dialog that only says something: the click came too late, or isn't allowed."""
    return blocks.modal(Callback.NOTICE, title, blocks.section(text), submit=None, close="Close")


def key(known: Key | None) -> Json:
    """Asks for a public SSH key."""
    now = f'Your key now: "{escape(known.comment, 100)}", {escape(known.fingerprint, 80)}.' if known else ""
    return blocks.modal(
        Callback.KEY,
        "Your SSH key",
        blocks.section(f"The public one: it lets you into what you rent. Never the private one. {now}".rstrip()),
        blocks.text_input(
            Field.KEY_LINE,
            "Public key",
            hint="One line from a .pub file, such as: ssh-ed25519 AAAA... you@laptop",
            longest=3000,
        ),
        submit="Save",
    )


def form(
    catalog: Catalog,
    *,
    rules: Rules,
    request: Request | None = None,
    carries: Value | None = None,
    title: str = "Get GPUs",
) -> Json:
    """The form for a request, filled in from `request`."""
    wanted = request or Request(gpu="", lease=rules.lease.default)
    counts = sorted({*range(1, min(rules.limits.per_rental_gpus, 64) + 1), wanted.count})
    return blocks.modal(
        Callback.FORM,
        title,
        blocks.select(Field.GPU, "GPU", _gpus(catalog, wanted.gpu), chosen=wanted.gpu),
        blocks.select(
            Field.COUNT, "How many", [option(f"{n}x", str(n)) for n in counts], chosen=str(wanted.count)
        ),
        blocks.select(
            Field.REGION,
            "Region",
            _open("Anywhere", catalog.regions, wanted.region),
            chosen=wanted.region or ANY,
        ),
        blocks.select(
            Field.CONTRACT,
            "Contract",
            [option(contract(each), each.value) for each in Contract],
            chosen=wanted.contract.value,
        ),
        blocks.select(
            Field.VENDOR,
            "Vendor",
            _open("Any vendor", catalog.vendors, wanted.vendor, named=True),
            chosen=wanted.vendor or ANY,
        ),
        blocks.text_input(
            Field.CAP,
            "At most, in dollars per GPU and hour",
            value="" if wanted.max_gpu_rate is None else say_rate(wanted.max_gpu_rate).removeprefix("$"),
            hint="Leave it empty for no cap of your own",
            longest=12,
            required=False,
        ),
        blocks.text_input(
            Field.LEASE, "For how long", value=say_span(wanted.lease), hint="Such as 90m, 6h or 2d", longest=12
        ),
        blocks.text_input(
            Field.NOTE,
            "Note",
            value=clean(wanted.note, 200),
            hint="Everyone in the channel reads it",
            longest=200,
            required=False,
        ),
        submit="Show offers",
        carries=carries,
    )


def _gpus(catalog: Catalog, chosen: str) -> list[Json]:
    """Families first, then their variants; what was asked for is always among them."""
    names = [*catalog.gpus, *(name for variants in catalog.gpus.values() for name in variants)]
    kept = [name for name in dict.fromkeys(names) if name != chosen]
    return [option(gpu(name), name) for name in ([chosen] if chosen else []) + kept]


def _open(label: str, values: Sequence[str], chosen: str | None, *, named: bool = False) -> list[Json]:
    known = dict.fromkeys([*([chosen] if chosen else []), *values])
    return [option(label, ANY), *(option(vendor(each) if named else escape(each, 40), each) for each in known)]


def rent_confirm(quote: Quote, row: OfferChoice, *, rules: Rules) -> Json:
    """Before a rent that can come to much."""
    offer = row.offer
    lines = [
        f"{what(quote.request)} from {place(offer.vendor, offer.vendor_region)}, {per_hour(offer.rate)}, "
        f"{span(quote.request.lease)} from ready.",
        comes_to(row, quote),
    ]
    if row.needs_approval:
        lines.append(
            f"{over_words(row.envelope, rules)} An approver decides; nothing is rented until then.".lstrip()
        )
    return blocks.modal(
        Callback.RENT_CONFIRM,
        "Ask for approval?" if row.needs_approval else f"Rent at {per_hour(offer.rate)}?",
        blocks.section("\n".join(lines)),
        submit="Ask" if row.needs_approval else f"Rent from {per_hour(offer.rate)}",
        carries=OfferValue(quote_id=quote.id, offer_id=offer.offer_id),
    )


def approve_confirm(details: RentalDetails, *, rules: Rules) -> Json:
    """Before an approval that can come to much: of the request, or of the longer lease that waits."""
    rental, extension = details.rental, details.rental.extension
    envelope = rental.waiting_envelope or rental.envelope
    total = dollars_at_most(envelope.total)
    words = note(rental.request.note)
    more = extension.ends_at - rental.running.ends_at if extension else None
    length = span(envelope.lease) if more is None else f"{span(more)} more"
    lines = [f"{what(envelope)}, {length}, for {owner(details)}" + (f": {words}" if words else "")]
    if extension is None:
        lines.append(
            f"{over_words(envelope, rules)} Up to {per_hour(envelope.max_rate)}, {total} in all.".lstrip()
        )
    else:
        lines.append(f"{so_far(details.spent)}; {total} in all with the longer lease.")
    return blocks.modal(
        Callback.APPROVE_CONFIRM,
        f"Approve {rental.id}?",
        blocks.section("\n".join(lines)),
        submit=f"Approve up to {total}",
        carries=VersionValue(rental_id=rental.id, version=envelope.version),
    )


def destroy_confirm(details: RentalDetails) -> Json:
    """Before every destroy and cancel, with what it has cost by now."""
    rental = details.rental
    name = f"{machines(rental.request.count, rental.request.gpu)}, {owner(details)}."
    if rental.state is State.AWAITING_APPROVAL:
        verb, loses = "Withdraw", "It is not asked for any more."
    elif rental.state in {State.PROCURING, State.PROVISIONING}:
        verb, loses = "Cancel", "It is still starting; what was bought is destroyed."
    else:
        verb, loses = "Destroy", "Everything on it is lost."
    return blocks.modal(
        Callback.DESTROY_CONFIRM,
        f"{verb} {rental.id}?",
        blocks.section(
            f"{name} {loses} {f'{so_far(details.spent)}.' if details.attempts else 'Nothing is rented.'}"
        ),
        submit=f"{verb} {rental.id}",
        carries=RentalValue(rental_id=rental.id),
    )


def extend(details: RentalDetails, *, rules: Rules, now: datetime) -> Json:
    """By how much longer, as far as the rules allow."""
    rental = details.rental
    if rental.extension is not None:
        return notice(f"Extend {rental.id}?", "More time is asked for already. An approver decides.")
    choices = longer_choices(rental, rules)
    if not choices:
        most = f"A lease is at most {span(rules.lease.max)}; this one can't be longer."
        return notice(f"Extend {rental.id}?", most)
    ends_at = rental.running.ends_at
    left = span(ends_at - now)
    return blocks.modal(
        Callback.EXTEND,
        f"Extend {rental.id}?",
        blocks.section(
            f"{machines(rental.request.count, rental.request.gpu)}, {owner(details)}. It ends in {left}."
        ),
        blocks.select(
            Field.HOURS,
            "Longer by",
            [option(_longer(rental, hours), str(hours)) for hours in choices],
            chosen=str(2 if 2 in choices else choices[0]),
        ),
        submit="Extend",
        carries=EndValue(rental_id=rental.id, shown_end=int(ends_at.timestamp())),
    )


def longer_choices(rental: Rental, rules: Rules) -> list[int]:
    """Hours by which a lease may become longer."""
    lease = rental.lease
    if lease is None or rental.extension is not None:
        return []
    so_long = lease.ends_at - lease.ready_at
    return [hours for hours in LONGER if so_long + timedelta(hours=hours) <= rules.lease.max]


def _longer(rental: Rental, hours: int) -> str:
    length = timedelta(hours=hours)
    return span(length) + (f", about {dollars(cost(rental.rate, length))}" if rental.rate is not None else "")
