"""Messages about the waitlist and start times.

They include the buttons below the answer to a search, the dialogs of these buttons, and lines in lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from bot.errors import Mistake
from bot.model.money import cost
from bot.model.quote import Quote, WaitlistEntry
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import DearerRent, PeopleAsked, QuoteView, WaitingView, WaitPreview
from bot.model.text import say_at_most, span
from bot.policy.buying.spending import recommended
from bot.policy.buying.waiting import ends_before_hours, first_look
from bot.policy.team.hours import zone_of
from bot.policy.team.rules import Rules
from handlers.ids import Action, Callback, Field, QuotePriceValue, QuoteValue, RentalOfferValue, offer_value
from handlers.messages import replies
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, Part, Rendered, button
from handlers.phrases.budget_text import (
    needs_approval,
    not_of_channel,
    over_total_text,
    total_of_time,
)
from handlers.phrases.ends import how_long_in_dialog, read_as_utc
from handlers.phrases.error_text import refusal_text
from handlers.phrases.format import (
    Reader,
    Times,
    as_written,
    asking_hours,
    channel,
    dollars,
    escape,
    highest,
    join,
    limit,
    limit_per_hour,
    per_hour,
    price,
)
from handlers.phrases.lease_buttons import stop_button
from handlers.phrases.rental_text import describe, gpu, machine_in, place, vendor


def wait_buttons(view: QuoteView) -> list[Json]:
    """Return [Tell me when there's an offer] and [Rent it for me at $24.00/h or less: 6 h, up to $156.00].

    The second button is left out if an automatic rental isn't allowed. Both are left out if the search is for a
    change or a replacement of a rental, or if the request has a start time.
    """
    quote, wait = view.quote, view.wait
    if quote.changes is not None or quote.replaces_rental is not None or quote.request.starts_at is not None:
        return []
    tell, rent = buttons_to_wait(quote.id, quote.request, wait)
    return [tell] if view.wait_refused is not None else [tell, rent]


def buttons_to_wait(quote_id: str, request: Request, wait: WaitPreview | None = None) -> tuple[Json, Json]:
    """Return the button [Tell me when there's an offer], and the button that rents automatically.

    If `wait` is given, the second button shows the highest price and the length of the rental.
    """
    label = "Rent it for me, up to a price" if wait is None else _label(wait)
    rent = button(label, Action.RENT_FOR_ME, QuoteValue(quote_id=quote_id), about=describe(request))
    return tell_button(quote_id, request), rent


def tell_button(quote_id: str, request: Request, label: str = "Tell me when there's an offer") -> Json:
    return button(label, Action.TELL_ME, QuoteValue(quote_id=quote_id), about=describe(request))


def _label(wait: WaitPreview) -> str:
    verb = "Ask for approval" if wait.over else "Rent it for me"
    length, total = span(wait.terms.lease), say_at_most(wait.terms.total)
    return f"{verb} at {limit_per_hour(wait.terms.max_rate)} or less: {length}, up to {total}"


def wait_text(view: QuoteView, reader: Reader) -> str:
    """Return the sentences below `wait_buttons`.

    They say which GPU models match, during which hours the bot looks for offers, and whether approval is needed.
    """
    quote, wait = view.quote, view.wait
    if not wait_buttons(view):
        return ""
    refused = f"I can't rent one automatically. {refusal_text(view.wait_refused)}" if view.wait_refused else ""
    hours = "" if view.wait_refused else search_hours(quote.waitlist_entry, reader.rules)
    too_early = _expires_too_early(quote.waitlist_entry, reader)
    if hours and too_early:
        hours += f' {too_early} unless you add "any time" to your request.'
    elif hours and not (quote.waitlist_entry and quote.waitlist_entry.any_time):
        hours += ' To look day and night, add "any time" to your request.'
    return join(any_model(quote.request), hours, _who_decides(wait, reader.rules) if wait else "", refused)


def _expires_too_early(waitlist_entry: WaitlistEntry | None, reader: Reader) -> str:
    """Return a clause saying that a request expires before the bot begins to look for offers.

    The bot looks for offers only during the team's working hours. Empty if the request expires later.
    """
    zone = zone_of(reader.zone, reader.rules)
    if waitlist_entry is None or not ends_before_hours(waitlist_entry, reader.now, zone, reader.rules):
        return ""
    until = reader.times.at_time(waitlist_entry.until)
    return f"Your request expires {until}, before those hours begin, so I won't look for an offer"


def any_model(request: Request) -> str:
    """Return `Any A100 model counts as a match.` Empty if the request names a specific model."""
    return "" if request.features or "-" in request.gpu else f"Any {gpu(request.gpu)} model counts as a match."


def search_hours(waitlist_entry: WaitlistEntry | None, rules: Rules) -> str:
    """Return a sentence saying during which hours the bot looks for offers. Empty if the team allows all hours."""
    if rules.hours.always:
        return ""
    if waitlist_entry is not None and waitlist_entry.any_time:
        return "I look for offers day and night."
    return f"I only look for offers during your hours, {asking_hours(rules.hours)}."


def _who_decides(wait: WaitPreview | DearerRent, rules: Rules) -> str:
    """Return `*Needs approval*: the price is over the limit of $10.00/h`. Empty if no approval is needed."""
    return needs_approval([wait.over], rules, next(iter(wait.passed), None)) if wait.over else ""


# --- a start time


NOT_OFFERED = "Nobody offers it right now"


def starts(view: QuoteView, understood: Sequence[Part], reader: Reader) -> Rendered:
    """Render the answer to a request with a start time.

    `understood` contains the parts that repeat the request. They come first in the message.
    """
    quote, wait, rent = view.quote, view.wait, None
    if view.wait_refused is not None:
        lines = [f"I can't plan this rental. {refusal_text(view.wait_refused)}"]
    elif wait is None:
        lines = [
            f"{NOT_OFFERED}. If I should rent it at the start time anyway, add your highest price to the request, "
            "such as: under $3 per GPU"
        ]
    else:
        label = (
            f"Ask for approval at {limit_per_hour(wait.terms.max_rate)} or less"
            if wait.over
            else "Rent at the start time"
        )
        value, about = QuoteValue(quote_id=quote.id), describe(quote.request)
        rent = button(label, Action.RENT_THEN, value, about=about, style="primary")
        lines = [_start_cost(quote, wait, reader), _who_decides(wait, reader.rules)]
    lines += ["" if quote.offers else any_model(quote.request), read_as_utc(reader.zone)]
    lines.append(not_of_channel(quote, reader.rules))
    return blocks.of_parts(*understood, *map(blocks.paragraph, lines), blocks.actions(rent, *search_again(quote)))


def search_again(quote: Quote) -> list[Json]:
    value, about = QuoteValue(quote_id=quote.id), describe(quote.request)
    return [
        button("Refresh", Action.REFRESH, value, about=about),
        button("Change", Action.CHANGE, value, about=about),
    ]


def _start_cost(quote: Quote, wait: WaitPreview, reader: Reader) -> str:
    request, most = quote.request, say_at_most(wait.terms.total)
    highest = limit_per_hour(wait.terms.max_rate)
    at = reader.times.at_time(max(first_look(request, reader.rules) or reader.now, reader.now))
    if not quote.offers:
        rents = f"I'll read the prices {at} and rent the cheapest, up to {highest}"
        return f"{NOT_OFFERED}. {rents} and *at most {most}* in all."
    cheapest = quote.offers[0]
    return join(
        f"About {dollars(cost(cheapest.rate, request.lease))}, *at most {most}*.",
        f"I'll read the prices {at} and rent the cheapest {gpu(cheapest.gpu)}, up to {highest}.",
        f"Now it costs {per_hour(cheapest.rate)} at {place(cheapest.vendor, cheapest.vendor_region)}.",
    )


# --- dialogs


def highest_price(quote: Quote, reader: Reader) -> Modal:
    """Render the dialog that asks for the highest price at which the bot can rent a machine automatically."""
    request = quote.request
    return blocks.modal(
        Callback.HIGHEST_PRICE,
        "Rent it for me",
        blocks.lines(
            f"{describe(request)}, {how_long_in_dialog(request, reader.now)}.",
            join(search_hours(quote.waitlist_entry, reader.rules), "I'll rent the first offer that fits."),
            any_model(request),
        ),
        blocks.text_input(
            Field.CAP,
            "Highest price, in dollars per GPU-hour",
            hint="Such as 3 or 2.50. I won't rent anything dearer.",
            longest=12,
        ),
        submit="Next",
        value=QuoteValue(quote_id=quote.id),
    )


def rent_for_me_confirm(wait: WaitPreview, gpu_rate: Decimal | None, reader: Reader) -> Modal:
    """Render the dialog in which a person confirms an automatic rental.

    `gpu_rate` is the highest price in USD per GPU-hour that the person entered in the previous dialog. None if
    there was no such dialog.
    """
    quote, terms = wait.quote, wait.terms
    request, starts_at = quote.request, quote.request.starts_at
    highest = limit_per_hour(terms.max_rate)
    value = QuoteValue(quote_id=quote.id)
    return blocks.modal(
        Callback.RENT_FOR_ME,
        "Ask for approval?" if wait.over else f"Up to {highest}?",
        blocks.alert(f"This can cost up to {say_at_most(terms.total)}."),
        blocks.lines(
            f"{describe(request)}, {how_long_in_dialog(request, reader.now)}, at {highest} or less.",
            f"If no offer matches{' then' if starts_at else ''}, "
            f"I'll keep trying for {span(wait.until - (starts_at or reader.now))}.",
            "" if starts_at else search_hours(quote.waitlist_entry, reader.rules),
            "" if starts_at and quote.offers else any_model(request),
            _who_decides(wait, reader.rules),
        ),
        submit="Ask" if wait.over else "Rent at the start time" if starts_at else "Rent it for me",
        value=value if gpu_rate is None else QuotePriceValue(quote_id=quote.id, gpu_rate=gpu_rate),
    )


def dearer_confirm(dearer: DearerRent, reader: Reader) -> Modal:
    offer, terms = dearer.offer, dearer.terms
    ask = bool(dearer.over)
    return blocks.modal(
        Callback.RENT_DEARER,
        "Ask for approval?" if ask else f"Rent at {per_hour(offer.rate)}?",
        blocks.alert(f"This can cost up to {say_at_most(terms.total)}."),
        blocks.lines(
            f"{describe(dearer.rental)} from {place(offer.vendor, offer.vendor_region)}, {per_hour(offer.rate)}, "
            f"{how_long_in_dialog(dearer.rental.request, reader.now)}.",
            f"If this offer sells out, I'll take another up to {highest(terms)}. "
            f"Until now, you allowed {limit_per_hour(dearer.rental.terms.max_rate)}.",
            over_total_text(dearer.rental.request, terms.total),
            _who_decides(dearer, reader.rules),
        ),
        submit="Ask" if ask else f"Rent at {per_hour(offer.rate)}",
        value=RentalOfferValue(rental_id=dearer.rental.id, offer_id=offer.offer_id),
    )


# --- waitlist entries


def waits(waiting: WaitingView, reader: Reader, asked: PeopleAsked | None = None) -> Rendered:
    """Render the reply to a click that put a request on the waitlist.

    The reply replaces the message that was clicked. `asked` are the people who have to approve the request first.
    """
    rental = waiting.rental
    if rental is not None and rental.state is State.AWAITING_APPROVAL:
        return replies.rented(rental, asked=asked)
    about, any_time = describe(waiting.request), None
    hours = "" if waiting.request.starts_at else search_hours(waiting.waitlist_entry, reader.rules)
    too_early = _expires_too_early(waiting.waitlist_entry, reader)
    if too_early:
        hours += f' {too_early} unless you click "Any time".'
        any_time = button(
            "Any time", Action.ANY_TIME, QuoteValue(quote_id=waiting.quote.id), about=about, style="primary"
        )
    text = waiting_text(waiting, reader.times)
    if rental is None:
        text = join(text, "I'll send you one message as soon as there is an offer.", hours)
    else:
        text = join(text, f"Follow it in {channel(rental.card_channel)}.", hours)
    return blocks.with_buttons(text, any_time, stop_button(waiting.quote.id, about))


def notified(view: QuoteView, reader: Reader) -> Rendered:
    """Render the message to a person who has clicked [Tell me when there's an offer].

    The message shows the offer, or says that no offer matched in time. Once the person has rented the offer, the
    message says so and has no buttons.
    """
    quote, rental = view.quote, view.rental
    if rental is not None and rental.state is State.AWAITING_APPROVAL:
        return replies.rented(rental, asked=view.asked)
    if rental is not None:
        return replies.reply(f"You rented {machine_in(rental)}. Follow it in {channel(rental.card_channel)}.")
    about = describe(quote.request)
    again = button("Wait again", Action.WAIT_AGAIN, QuoteValue(quote_id=quote.id), about=about)
    best = recommended(view.choices) or next(iter(view.choices), None)
    if best is None:
        until = (
            f" before {reader.times.time(quote.waitlist_entry.until)}" if quote.waitlist_entry is not None else ""
        )
        text = f"No offer matched {_what(quote.request)}{until}. Nothing was rented."
        return blocks.with_buttons(text, again)
    offer = best.offer
    where = place(offer.vendor, offer.vendor_region)
    available = f"is available from {price(offer.gpu_rate)} per GPU-hour, at {where}"
    why_not = f"You can't rent it now. {refusal_text(best.refused)}" if best.refused is not None else ""
    text = join(f"{describe(quote.request)} {available}. It may not last.", why_not)
    rent = None
    if best.refused is None:
        label = f"{'Ask for' if best.needs_approval else 'Rent from'} {per_hour(offer.rate)}"
        with suppress(Mistake):  # no button if the offer's ID doesn't fit
            value = offer_value(quote.id, offer.offer_id, another=False)
            rent = button(label, Action.RENT, value, about=about, style="primary")
    return blocks.with_buttons(text, rent, again)


def stopped(quote: Quote) -> Rendered:
    return replies.reply(f"You're no longer on the waitlist for {_what(quote.request)}. Nothing was rented.")


def waiting_text(waiting: WaitingView, times: Times) -> str:
    """Return a sentence about a waitlist entry.

    An example is `You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until Friday at 18:00.`

    If the bot is going to rent a machine automatically, a sentence with the highest cost follows.
    """
    quote, rental = waiting.quote, waiting.rental
    until = f"until {times.date_and_time(waiting.waitlist_entry.until)}"
    if rental is None:
        return f"You're on the waitlist for {_what(quote.request)} {until}."
    terms = rental.terms
    limits = f"at {limit_per_hour(terms.max_rate)} or less, up to {say_at_most(terms.total)} in all."
    first = "It needs approval first." if rental.state is State.AWAITING_APPROVAL else ""
    if rental.request.starts_at is not None:
        start = times.at_time(rental.request.starts_at)
        return join(f"You're waiting for {machine_in(rental)} to start {start}, {limits}", first)
    waits = f"You're on the waitlist for {machine_in(rental)} {until}."
    return join(waits, f"I'll rent the first one {limits}", first)


def start_text(waiting: WaitingView, times: Times) -> str:
    """Return `8x H100 (p4wd9) in EU for Ana starts tomorrow at 09:00 and ends tomorrow at 17:00`."""
    rental, request = waiting.rental, waiting.quote.request
    name = as_written(escape(waiting.owner_name, 40))
    starts = times.at_time(request.starts_at) if request.starts_at is not None else "later"
    ends = f" and ends {times.at_time(request.until)}" if request.until is not None else ""
    what = machine_in(rental) if rental is not None else describe(request)
    waits = rental is not None and rental.state is State.AWAITING_APPROVAL
    return f"{what} for {name} starts {starts}{ends}.{' It needs approval first.' if waits else ''}"


def _what(request: Request) -> str:
    """Return the requested machine and its price limit, such as `8x H200 in EU under $3.00 per GPU-hour`."""
    cap = f" under {limit(request.max_gpu_rate)} per GPU-hour" if request.max_gpu_rate is not None else ""
    cap = cap if request.max_total is None else f" {total_of_time(request)}"
    seller = f" from {vendor(request.vendor)}" if request.vendor else ""
    return f"{describe(request)}{seller}{cap}"
