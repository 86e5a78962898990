"""The answer to `/gpu get`: the offers, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from bot.errors import BuyingBlocked, Mistake
from bot.model.attempt import SuccessRate
from bot.model.budget import UNASSIGNED, ScopeKind
from bot.model.money import cost, cost_at_most, in_cents
from bot.model.offer import Offer
from bot.model.person import Channel
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.rental import Rental
from bot.model.request import Contract, Request
from bot.model.state import State
from bot.model.summary import OfferChoice, Over, QuoteView, WaitingView
from bot.model.text import about_span, listed, plural, say_at_most, span
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.buying.spending import CONFIRM_ABOVE, billed_span, recommended
from bot.policy.team.hours import zone_of
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import night_end
from handlers.ids import Action, NearbyValue, OfferValue, QuoteHoursValue, QuoteUntilValue, QuoteValue, offer_value
from handlers.messages import replies, waiting
from handlers.messages.giving import with_idle
from handlers.messages.replacing import remainder_text, replace_button
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Part, Rendered, button
from handlers.phrases.budget_text import (
    cap_text,
    needs_approval,
    not_of_channel,
    total_of_time,
    whose_budget,
)
from handlers.phrases.ends import clock_time, ends_with_jobs, hours_text, how_long, read_as_utc
from handlers.phrases.error_text import paused_by, refusal_text
from handlers.phrases.format import (
    Reader,
    Times,
    channel,
    dollars,
    escape,
    highest,
    join,
    join_lines,
    limit,
    limit_per_hour,
    per_hour,
    price,
    with_full_stop,
)
from handlers.phrases.lease_buttons import show_button
from handlers.phrases.rental_text import (
    STATES,
    contract,
    describe,
    gpu,
    machine,
    machines,
    people_text,
    place,
    variant,
    vendor,
    wanted,
    without_key_text,
)

SHOWN = 3
SLOW = timedelta(minutes=5)
"""The usual startup time above which an offer is called slow.

The answer mentions the startup time of a recommended offer only if the offer is slow, or after a click on
[Details].
"""
SHOWN_BY_ALL = 20
"""The maximum number of offers that are shown after a click on a button such as `All 8 offers`."""
NEARBY = 5
"""The maximum number of similar requests that are suggested with buttons if nothing is found."""


def request_text(request: Request) -> str:
    return wanted(request) + (f" in {escape(request.region, 20)}" if request.region else "")


def looking(quote: Quote) -> Rendered:
    """Render the message that says that the search is still running. It appears after two seconds."""
    return blocks.message(f"Looking for {request_text(quote.request)}.")


def answer(view: QuoteView, reader: Reader, *, everything: bool = False) -> Rendered:
    """Render the answer to `/gpu get`: the offers, or the reason why there are none.

    If the person has rented an offer or joined the waitlist since the search, the answer says that instead.
    """
    quote = view.quote
    if quote.state is QuoteState.WAITING and (view.rental is None or view.rental.state is State.QUEUED):
        return waiting.waits(WaitingView(quote=quote, rental=view.rental), reader)
    if quote.told:
        return waiting.notified(view, reader)
    if view.rental is not None:
        return replies.rented(view.rental, asked=view.asked, without_key=view.without_key)
    return with_idle(view.idle, _answer(view, reader, everything=everything), reader.times)


def _answer(view: QuoteView, reader: Reader, *, everything: bool) -> Rendered:
    quote, to_replace = view.quote, view.to_replace
    if quote.state is QuoteState.UNANSWERED:
        again = to_replace if to_replace and may_be_replaced(to_replace, reader.now) else None
        return unanswered(quote, now=reader.now, token_refused=view.token_refused, to_replace=again)
    if quote.request.starts_at is not None:
        return waiting.starts(view, _understood(view, reader, everything=False), reader)
    if quote.state is QuoteState.NONE:
        return none_found(view, reader)
    return found(view, reader, everything=everything)


def found(view: QuoteView, reader: Reader, *, everything: bool = False) -> Rendered:
    """Render the offers, cheapest first. One of them is recommended.

    With `everything`, the answer shows more offers, the equipment of each machine, and an explanation of the
    highest possible cost.
    """
    quote, rules, times = view.quote, reader.rules, reader.times
    shown = list(view.choices[: most_shown(everything=everything)])
    best = recommended(shown)
    refused = _refused_for_all(shown, times)
    several = len({choice.offer.gpu for choice in shown}) > 1
    offers = []
    for choice in shown:
        is_best, offer = choice is best, choice.offer
        about = _equipment(offer) if everything else variant(offer.gpu, offer.family) if is_best or several else ""
        line = _offer_line(choice, about, best=is_best, everything=everything)
        if choice.refused is None or refused:
            cost = _cost(choice, quote, everything=everything) if is_best else ""
            no_script = "" if choice.runs_script else _without_script(quote.request)
            text = join_lines(line, cost, no_script)
        else:
            text = join_lines(line, f"You can't rent this offer now. {refusal_text(choice.refused)}")
        offers.append(blocks.paragraph(text, _button(choice, quote, is_best)))
    first_expiry = min((choice.offer.expires_at for choice in shown), default=reader.now)
    hidden = len(quote.offers) - len(shown)
    rentable = any(choice.refused is None for choice in shown)
    sells_out = everything or best is None or not _may_cost_more(best)
    night, keep_button = _night(quote, best, reader)
    return blocks.of_parts(
        blocks.paragraph(join(_not_replaced(view.to_replace), _left(view))),
        *_understood(view, reader, everything=everything),
        blocks.small(read_as_utc(reader.zone) if quote.request.until else ""),
        blocks.paragraph(refused),
        blocks.paragraph(_approval_needed(shown, rules_of_project(rules, quote.project))),
        *offers,
        blocks.paragraph(night, keep_button),
        blocks.small(
            _most(best, rules, f"{say_at_most(best.terms.total)} is", "the first offer")
            if everything and best is not None
            else "",
            join(
                f"{plural(hidden, 'more offer is', 'more offers are')} not shown."
                if everything and hidden
                else "",
                f"Prices are valid until {times.time(first_expiry)}." if rentable else "",
                "Nothing is reserved, so an offer can still sell out." if rentable and sells_out else "",
            ),
            not_of_channel(quote, rules),
            _keeps_waiting(view, rentable=rentable),
            without_key_text(view.without_key, "I'll ask for one when you rent"),
            _where_the_card_goes(quote, view.asked_in),
        ),
        blocks.actions(
            *_shorter(quote, best or next(iter(shown), None)),
            *_for_all_gpus(quote),
            *_actions(quote, hidden, everything),
        ),
        blocks.actions(*(waiting.wait_buttons(view) if quote.waitlist_entry else ())),
        blocks.small(waiting.wait_text(view, reader) if quote.waitlist_entry else ""),
    )


def _shorter(quote: Quote, choice: OfferChoice | None) -> list[Json]:
    """Return a list with a button for the longest lease that the budgets allow.

    The list is empty if the budgets allow the requested length.
    """
    if choice is None or choice.shorter is None:
        return []
    value = QuoteHoursValue(quote_id=quote.id, lease=choice.shorter)
    return [button(f"For {span(choice.shorter)} instead", Action.FOR_HOURS, value, about=describe(quote.request))]


def _for_all_gpus(quote: Quote) -> list[Json]:
    """Return a list with a button for an ambiguous price. Empty if the typed price was clear.

    The bot interprets an ambiguous price as the price per GPU. If the person meant the price of all GPUs together,
    they can click the button, which repeats the search with that meaning.
    """
    request = quote.request
    if not request.cap_for_each_or_all or request.max_gpu_rate is None:
        return []
    label = f"{limit_per_hour(request.max_gpu_rate)} for all {request.count}"
    return [button(label, Action.PRICE_FOR_ALL, QuoteValue(quote_id=quote.id), about=describe(request))]


def _not_replaced(rental: Rental | None) -> str:
    if rental is None:
        return ""
    runs = ", so it keeps running" if rental.state is State.READY else ""
    return f"Nothing was rented in place of {machine(rental)}{runs}."


def _left(view: QuoteView) -> str:
    """Return sentences saying that every offer exceeds the limits for a replacement.

    The limits of a replacement are the time and the money that are left from the approval of the old machine.
    Empty if any offer is within these limits, or if the search isn't for a replacement.
    """
    if view.left is None:
        return ""
    left = remainder_text(view.quote.request.count, view.left)
    beyond = "No offer stays within these limits. The offers below can cost more:"
    return f"Approved for the rest of its lease: {left} {beyond}"


def _keeps_waiting(view: QuoteView, *, rentable: bool) -> str:
    """Return a sentence saying that a pending request stays as it is.

    The person has clicked [Change] and is now searching. The click doesn't withdraw the request. Empty if the
    search doesn't change a request.
    """
    if view.still_waiting is None:
        return ""
    return f"Request {view.quote.changes} stays as it is{' until you click an offer' if rentable else ''}."


def most_shown(*, everything: bool) -> int:
    return SHOWN_BY_ALL if everything else SHOWN


def _understood(view: QuoteView, reader: Reader, *, everything: bool) -> list[Part]:
    """Return the request as the bot understood it: `*8x H100 in EU* · under $2.50 per GPU-hour · 6 h`.

    Other options of the request follow in small type.
    """
    quote, request, times = view.quote, view.quote.request, reader.times
    asked = request_text(request) + (f" from {vendor(request.vendor)}" if request.vendor else "")
    asked = f"Change {quote.changes} to {asked}" if quote.changes else asked
    length = how_long(request, times) if everything or request.until else hours_text(request)
    options = [
        "" if quote.project == UNASSIGNED else f"project {escape(quote.project, 40)}",
        f"setup {escape(request.setup)}" if request.setup else "",
        "" if request.probe else "no-probe, so usage isn't monitored",
        "kept if saving fails" if request.kept else "",
        f"shared with {people_text(view.teammates)}" if view.teammates else "",
    ]
    sold_as = contract(request.contract) if everything or request.contract is Contract.SPOT else ""
    return [
        blocks.paragraph(join(f"*{asked}*", sold_as, cap_text(request), length, by=" · ")),
        blocks.small(join(*options, by=" · ")),
        blocks.small(ends_with_jobs(request, reader.rules, times)),
    ]


def _refused_for_all(choices: Sequence[OfferChoice], times: Times) -> str:
    """Return the reason why none of the offers can be rented. Empty unless one reason applies to all offers."""
    first = choices[0].refused if choices else None
    if isinstance(first, BuyingBlocked) and first.at is not None:
        who = paused_by(first, f" {times.at_time(first.at)}")
        if who:
            return f"{who}. You can look at prices, but nothing can be rented."
    reasons = {None if choice.refused is None else refusal_text(choice.refused) for choice in choices}
    only = reasons.pop() if len(reasons) == 1 else None
    return f"You can't rent any of these offers now. {only}" if only is not None else ""


def _without_script(request: Request) -> str:
    """Return a sentence saying what won't work on machines that run no startup script."""
    no_setup = f", setup {escape(request.setup)} doesn't run" if request.setup else ""
    unseen = "I can't monitor usage, and I can't see when your job is done" if request.until_done else ""
    unseen = unseen or "I can't monitor usage"
    return f"No startup script at this vendor: only your default key works{no_setup}, and {unseen}."


def _poor(rate: SuccessRate) -> str:
    without = " and had no GPU fault" if rate.faulty else ""
    return f"Only {rate.ready} of its last {rate.of} machines became ready{without}."


def _offer_line(choice: OfferChoice, about: str, *, best: bool, everything: bool) -> str:
    """Return the line about an offer. `about` is a text about the machine.

    If the offer is slow to start or often fails to start, the line says so.
    """
    offer, success_rate, usual = choice.offer, choice.success_rate, choice.usual
    each = f" ({price(offer.gpu_rate)} per GPU-hour)" if offer.count > 1 else ""
    other = f" (also in {plural(choice.other_regions, 'other region')})" if choice.other_regions else ""
    where = f"{place(offer.vendor, offer.vendor_region)}{other}"
    line = join(f"*{per_hour(offer.rate)}*{each} {where}", about, by=", ")
    says_ready = best and usual is not None and (everything or usual > SLOW)
    ready = f"Usually ready in {about_span(usual)}." if usual is not None and says_ready else ""
    poor = _poor(success_rate) if success_rate is not None and success_rate.poor else ""
    return join(with_full_stop(line), ready, poor) if ready or poor else line


def _equipment(offer: Offer) -> str:
    return join(
        variant(offer.gpu, offer.family),
        "spot" if offer.contract == Contract.SPOT else "",
        plural(offer.vcpus, "vCPU") if offer.vcpus is not None else "",
        f"{offer.memory_gb:.0f} GB memory" if offer.memory_gb is not None else "",
        f"{offer.disk_gb:.0f} GB disk" if offer.disk_gb is not None else "",
        by=", ",
    )


def _may_cost_more(choice: OfferChoice) -> bool:
    """Return whether a click on this offer also permits a more expensive offer, in case this one is gone."""
    return choice.terms.max_rate > choice.offer.rate


def _about(choice: OfferChoice, quote: Quote) -> str:
    """Return the estimated cost: `About $12.90`. For a flexible lease: `About $2.15 for 1 h or $6.45 for 3 h`."""
    request, rate = quote.request, choice.offer.rate
    estimate = f"About {dollars(cost(rate, request.lease))}"
    if request.up_to is None:
        return estimate
    return (
        f"{estimate} for {span(request.lease)} or {dollars(cost(rate, request.up_to))} for {span(request.up_to)}"
    )


def _cost(choice: OfferChoice, quote: Quote, *, everything: bool) -> str:
    """Return the estimated and the highest possible cost of an offer for the whole lease."""
    text = f"{_about(choice, quote)}, *at most {say_at_most(choice.terms.total)}*"
    if quote.request.until_done:
        text = f"*At most {say_at_most(choice.terms.total)}* for the whole {span(quote.request.lease)}"
    if everything:
        return f"{text}."
    highest_price = highest(choice.terms)
    sold_out = (
        f"If this offer sells out, I'll take another up to {highest_price}." if _may_cost_more(choice) else ""
    )
    including = (
        "startup, shutdown, and keeping it if saving fails" if choice.terms.kept else "startup and shutdown"
    )
    comma = "," if quote.request.until_done else ""
    return join(f"{text}{comma} including {including}.", sold_out)


def _most(choice: OfferChoice, rules: Rules, subject: str, offer: str = "this offer") -> str:
    """Return sentences that explain how the highest possible cost of an offer is computed.

    `subject` is the beginning of the first sentence, such as `$16.06 is`. `offer` is the name of the offer, such
    as `this offer`.
    """
    terms = choice.terms
    billed = billed_span(terms.lease, terms.kept, rules)
    before = terms.total - cost_at_most(terms.max_rate, billed)
    spent = f", plus the {dollars(before)} spent before" if in_cents([before]) > [0] else ""
    start_and_end = f"{span(terms.lease)} plus {span(billed - terms.lease - terms.kept)} to start and shut down"
    if terms.kept:
        start_and_end += f", plus {about_span(terms.kept)} if saving fails"
    dearer = f"If {offer} sells out, I'll take another up to {highest(terms)}." if _may_cost_more(choice) else ""
    return join(f"{subject} for {start_and_end}, at up to {highest(terms)}{spent}.", dearer)


def cost_in_dialog(choice: OfferChoice, quote: Quote, rules: Rules) -> str:
    """Return the estimated and the highest possible cost of an offer, with an explanation."""
    most = _most(choice, rules, f"{say_at_most(choice.terms.total)} is")
    # If the lease ends when its jobs are done, nobody knows how much the machine will cost. Show only the highest
    # possible cost, because an estimate for the whole time would be too high.
    return most if quote.request.until_done else join(f"{_about(choice, quote)}.", most)


def _night(quote: Quote, best: OfferChoice | None, reader: Reader) -> tuple[str, Json | None]:
    """Return a sentence saying that the machine can end at night, and a button that prevents this.

    The sentence is empty if the machine can't end at night. The button is None if it isn't needed or not possible.
    """
    known, now, rules = reader.zone or None, reader.now, reader.rules
    night = night_end(quote.request, quote.created_at, now, zone_of(known, rules), rules)
    if night is None:
        return "", None
    text = "If the machine's GPUs stop being busy during the night, it ends and its disk is deleted."
    if best is None or not night.is_asked_for:
        return text, None
    # Only one person sees this answer, so the button can show a time of day in that person's time zone.
    until = f"until {clock_time(night.morning, now, known)}" if known else f"for {about_span(night.morning - now)}"
    more = say_at_most(cost_at_most(best.terms.max_rate, night.more))
    label = f"Keep it {until} in any case, for up to {more}"
    value = QuoteUntilValue(quote_id=quote.id, first=night.morning)
    return text, button(label, Action.KEEP_UNTIL, value, about=describe(quote.request))


def _button(choice: OfferChoice, quote: Quote, best: bool) -> Json | None:
    value = OfferValue(quote_id=quote.id, offer_id=choice.offer.offer_id)
    if choice.refused is None:
        with suppress(Mistake):  # no button if the offer's ID is too long
            return _rent_button(choice, value, style="primary" if best else None)
    return None


def _rent_button(choice: OfferChoice, value: OfferValue, *, style: str | None) -> Json:
    """Return the button that rents an offer."""
    action, offer = Action.RENT_ANOTHER if value.another else Action.RENT, choice.offer
    about = f"{machines(offer.count, offer.family)}, {place(offer.vendor, offer.vendor_region)}"
    label = f"{'Ask for' if choice.needs_approval else 'Rent from'} {per_hour(offer.rate)}"
    if choice.passed and choice.over == (Over.BUDGET,):
        scope = choice.passed[0].balance.scope
        whose = "your budget" if scope.kind is ScopeKind.PERSON else whose_budget(scope, {})
        label = f"Ask for {per_hour(offer.rate)}: over {whose}"
    return button(label, action, value, about=about, style=style)


def _approval_needed(choices: Sequence[OfferChoice], rules: Rules) -> str:
    """Return `*Needs approval*: the price is over the limit of $10.00/h`. Empty if no offer needs approval.

    If only some offers need approval, it is `*$18.40/h needs approval*: it's over the limit of $10.00/h`.
    """
    rentable = [choice for choice in choices if choice.refused is None]
    needing = [choice for choice in rentable if choice.needs_approval]
    if not needing:
        return ""
    overs = {choice.over for choice in needing}
    passed = next((choice.passed[0] for choice in needing if choice.passed), None)
    if len(needing) == len(rentable):
        differ = len(overs) > 1 and len({Over.ALWAYS in over for over in overs}) == 1
        return needs_approval(overs, rules, passed, it_is="each offer is" if differ else "the price is")
    prices = [*dict.fromkeys(per_hour(choice.offer.rate) for choice in needing)]
    which, it_is = f"{listed(prices)} need approval", "they're"
    if len(prices) == 1:
        which, it_is = f"{prices[0]} needs approval", "it's"
    return needs_approval(overs, rules, passed, which=which, it_is=it_is)


def _actions(quote: Quote, hidden: int, everything: bool) -> list[Json]:
    value, about, count = QuoteValue(quote_id=quote.id), describe(quote.request), len(quote.offers)
    label = f"All {count} offers" if hidden else "Details"
    more = [] if everything else [button(label, Action.ALL_OFFERS, value, about=about)]
    return [*more, *waiting.search_again(quote)]


def _where_the_card_goes(quote: Quote, asked_in: Channel | None) -> str:
    """Return a sentence saying in which channel the card appears, and why. Empty for the current channel."""
    if quote.card_channel is None or quote.card_channel == quote.asked_in:
        return ""
    goes = f"the card will go to {channel(quote.card_channel)}."
    if asked_in is None or asked_in.direct:
        return goes[:1].upper() + goes[1:]
    here = channel(quote.asked_in)
    if asked_in.shared and asked_in.member:
        return f"People from outside can read {here}, so {goes}"
    return f"I'm not in {here}, so {goes} To get cards here: /invite @gpubot"


# --- nothing to rent


def none_found(view: QuoteView, reader: Reader) -> Rendered:
    """Render the answer if nothing was found.

    Its buttons put the request on the waitlist, or search for similar requests.
    """
    quote = view.quote
    request = quote.request
    cap = total_of_time(request)
    if not cap and request.max_gpu_rate is not None:
        cap = f"under {limit(request.max_gpu_rate)} per GPU-hour"
    text = join(
        _not_replaced(view.to_replace),
        f"Right now, there's no {wanted(request) if request.count > 1 else gpu(request.gpu, request.features)}",
        "spot" if request.contract is Contract.SPOT else "",
        f"in {escape(request.region, 20)}" if request.region else "",
        f"from {vendor(request.vendor)}" if request.vendor else "",
        cap,
    )
    labels: dict[str, int] = {}
    for index, near in enumerate(quote.nearby[:NEARBY]):
        # Several similar requests may get the same label. Show only the first of them, because the list begins
        # with the most similar request.
        labels.setdefault(nearby_label(request, near), index)
    text += "." if labels else ", and nothing similar either."
    buttons = []
    for label, index in labels.items():
        value, about_near = NearbyValue(quote_id=quote.id, index=index), describe(quote.nearby[index].request)
        buttons.append(button(label, Action.SHOW_NEARBY, value, about=about_near))
    retry = button("Change", Action.CHANGE, QuoteValue(quote_id=quote.id), about=describe(request))
    about = join(waiting.wait_text(view, reader), not_of_channel(quote, reader.rules))
    return blocks.message(
        join(text, f"Similar: {listed(list(labels))}." if labels else "", about),
        blocks.section(text),
        blocks.actions(*waiting.wait_buttons(view), *buttons, retry),
        blocks.context(about),
        closed=False,
    )


def nearby_label(request: Request, near: Nearby) -> str:
    """Return the label of a button for a similar request: `Show US from $1.90/h`.

    The label contains the differences from the original request, and the lowest price. If the similar request
    drops the limit for the total cost, the label ends with `, above $8.00 in all`.
    """
    other = near.request
    differs = [
        wanted(other) if wanted(other) != wanted(request) else "",
        (escape(other.region, 20) if other.region else "anywhere") if other.region != request.region else "",
        contract(other.contract) if other.contract is not request.contract else "",
        (vendor(other.vendor) if other.vendor else "any vendor") if other.vendor != request.vendor else "",
    ]
    open_to_all = other.region is None and other.vendor is None and request.region and request.vendor
    difference = "any" if open_to_all else join(*differs)
    start = f"from {price(near.cheapest.gpu_rate)}" + (" per GPU-hour" if near.cheapest.count > 1 else "/h")
    without_total = request.max_total is not None and other.max_total is None
    over = f", above {dollars(request.max_total or 0)} in all" if without_total else ""
    if difference:
        return f"Show {difference} {start}{over}"
    where = f" in {escape(request.region, 20)}" if request.region else ""
    return f"Show offers{where} {start}{over}"


def unanswered(
    quote: Quote, *, now: datetime, token_refused: bool = False, to_replace: Rental | None = None
) -> Rendered:
    """Render the answer after a search to which the market didn't respond in time.

    The button repeats the search. If `to_replace` is given, the search is for a replacement of that rental. With
    `token_refused`, the answer says that the market refuses the bot's token.
    """
    why = f"Compute Clear hasn't responded for {span(now - quote.created_at)}."
    if token_refused:
        why = "Compute Clear rejects my API token, so I can't look for offers. The admins know."
    text = f"{why} Nothing was rented, and nothing will be unless you try again."
    again = button("Try again", Action.TRY_AGAIN, QuoteValue(quote_id=quote.id), about=describe(quote.request))
    return blocks.with_buttons(text, again if to_replace is None else replace_button(to_replace))


def rents_already(rental: Rental, quote_id: str, offer_id: str) -> Rendered:
    has = "asked for" if rental.state in {State.AWAITING_APPROVAL, State.QUEUED} else "have"
    text = f"You already {has} {machine(rental)}, and it's {STATES[rental.state].lower()}. Rent another?"
    value = offer_value(quote_id, offer_id, another=True)
    another = button("Rent another", Action.RENT_ANOTHER, value, about=describe(rental))
    return blocks.with_buttons(text, another, show_button(rental.id))


def to_confirm(quote: Quote, choice: OfferChoice, *, first_line: str, another: bool) -> Rendered:
    """Render an offer that a person clicked before they had an SSH key, for them to confirm.

    `first_line` says that the key was added. The button opens the dialog in which the person confirms the offer.
    """
    above = dollars(CONFIRM_ABOVE)
    text = f"{first_line} The offer that you clicked can cost more than {above}, so confirm it first."
    value = offer_value(quote.id, choice.offer.offer_id, another=another)
    return blocks.with_buttons(text, _rent_button(choice, value, style="primary"))
