"""Messages about buying, from the request until the machine is ready."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from bot.errors import BuyingBlock, BuyingBlocked, Mistake
from bot.model.attempt import ScriptPart, Why
from bot.model.event import EventKind
from bot.model.facts import (
    AttemptFacts,
    HeldUpFacts,
    LeftOut,
    NotAllowedFacts,
    OfferFacts,
    RentingFacts,
    RequestFacts,
    UntilFacts,
)
from bot.model.state import UNBOUGHT, State
from bot.model.text import about_span, listed, plural, say_at_most
from bot.policy.team.roles import is_owner
from handlers.ids import Action, RentalOfferValue
from handlers.messages.writers import EventContext, direct, sentence_case, terms_text, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import PATH
from handlers.phrases.error_text import paused_by
from handlers.phrases.format import difference, escape, join, limit_per_hour, per_hour, price, sentence
from handlers.phrases.lease_buttons import destroy_button, stop_button
from handlers.phrases.rental_text import current_state, describe, machine_in, machines, place, reason, vendor

GIVEN_UP = frozenset({Why.TOO_SLOW, Why.VENDOR_FAILED})
"""The reasons why the bot abandons a purchase that the vendor had accepted.

The reply about the GIVEN_UP event contains the reason. Therefore, the reply about the next offer doesn't repeat
it.
"""


_BLOCKED: Mapping[BuyingBlock, tuple[str, str]] = MappingProxyType(
    {
        BuyingBlock.PAUSED: ("Buying is paused. An admin can end the pause with /gpu resume", "Buying was paused"),
        BuyingBlock.BOUGHT_AFTER_BACKUP: (
            "Buying is paused until an admin decides about machines that I rented but don't have in my database",
            "Buying was paused because machines that I rented were missing from my database",
        ),
        BuyingBlock.UNAUTHORIZED: (
            "Compute Clear rejects my API token. The admins know",
            "Compute Clear rejected my API token",
        ),
    }
)
"""The reasons why nothing can be bought at all, each as a sentence in the present and in the past tense."""


_PARTS: Mapping[ScriptPart, str] = MappingProxyType(
    {
        ScriptPart.HEALTH: "the check of the GPUs' health",
        ScriptPart.RUN: "gpubot-run",
        ScriptPart.ON_ENDING: f"the script that starts {PATH}",
    }
)


@thread(EventKind.QUEUED)
def _queued(context: EventContext[RequestFacts]) -> str:
    starts_at, what = context.facts.starts_at, machine_in(context.rental) if context.named else "a machine"
    when = context.times.at_time(starts_at) if starts_at else "as soon as an offer matches"
    wants = join(f"{context.requester} wants {what} {when}", terms_text(context.facts), by=", ")
    return join(f"{wants}.", _tries_until(context))


def _tries_until(context: EventContext[UntilFacts]) -> str:
    """Return a sentence saying how long the bot keeps looking for an offer. Empty if it has stopped."""
    until = context.facts.until
    return f"I'll keep trying until {context.times.time(until)}." if until and _waits(context) else ""


def _stays(context: EventContext[UntilFacts]) -> str:
    """Return a sentence saying that a request stays on the waitlist, and until when if this is known."""
    until = context.facts.until
    when = f" until {context.times.time(until)}" if until and _waits(context) else ""
    return f"The request stays on the waitlist{when}."


def _waits(context: EventContext) -> bool:
    return context.details.rental.state in UNBOUGHT


@thread(EventKind.OFFER_FITS)
def _offer_fits(context: EventContext[OfferFacts]) -> str:
    facts = context.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    unconfirmed = ""
    if facts.owner_unconfirmed:
        unsure = f"Slack didn't confirm in time that {context.owner} is still here"
        unconfirmed = f"{unsure}, so I relied on its last answer."
    return join(f"I found an offer: {place(facts.vendor, facts.vendor_region)}{price}.", unconfirmed)


@thread(EventKind.QUEUED_AGAIN)
def _queued_again(context: EventContext[HeldUpFacts]) -> str:
    return join(sentence(reason(context.facts.why, context.facts.vendor)), _stays(context))


@thread(EventKind.NOT_ALLOWED_NOW)
def _not_allowed_now(context: EventContext[NotAllowedFacts]) -> str:
    waits = _waits(context)
    return join(_matched(context), _why_not_allowed(context, waits), _stays(context) if waits else "")


def _matched(context: EventContext, at: str = "") -> str:
    return f"An offer matched {context.this_request}{at}, but I couldn't rent it."


def _why_not_allowed(context: EventContext[NotAllowedFacts], waits: bool) -> str:
    facts = context.facts
    why = _blocked(facts, facts.block, waits) if facts.block else escape(facts.detail or "", 300)
    return sentence(why) if why else ""


@direct(EventKind.NOT_ALLOWED_NOW)
def _waits_on(context: EventContext[NotAllowedFacts]) -> Rendered:
    """Render the message that says why the bot didn't rent a matching offer.

    While the rental stays on the waitlist, the message has a button that ends the wait. Later, the message says
    whether a machine was rented.
    """
    rental = context.rental
    if rental.state is not State.QUEUED:
        why = _why_not_allowed(context, _waits(context))
        reason_then = f"The reason was: {why}" if why else ""
        matched = _matched(context._replace(named=True), f" {context.times.at_time(context.event.at)}")
        text = join(matched, reason_then, _now(context))
        return blocks.message(text, closed=rental.state.over)
    return blocks.with_buttons(context.named_text, stop_button(rental.quote_id or "", rental.id))


def _now(context: EventContext) -> str:
    bought = context.rental.state not in UNBOUGHT
    name = "a later attempt succeeded: the machine" if bought else "by now, the request"
    if context.rental.state.over:
        name = "the request" if context.rental.lease is None else "the machine"
    return current_state(context.details, context.times, name)


def _blocked(facts: NotAllowedFacts, block: BuyingBlock, still: bool) -> str:
    """Return the reason why nothing can be bought now.

    If `still` is true, the rental still waits, and the reason is in the present tense. Otherwise, it is in the
    past tense.
    """
    who = paused_by(BuyingBlocked(block, by=facts.name, why=facts.detail or ""))
    now, then = _BLOCKED[block]
    if not still:
        return who or then
    return f"{who}. An admin can end the pause with /gpu resume" if who else now


@thread(EventKind.NOTHING_FITS)
def _nothing_fits(context: EventContext[OfferFacts]) -> str:
    facts = context.facts
    wanted, until = describe(context.rental.request), _tries_until(context)
    if facts.offer is None:
        return join(f"No {wanted} was available{context.when_at}.", until)
    least = (
        f"cost at least {per_hour(facts.rate)}" if facts.rate is not None else "cost more than the request allows"
    )
    allowed = (
        f", and {context.owner} allowed {limit_per_hour(facts.max_rate)}" if facts.max_rate is not None else ""
    )
    return join(f"No offer matched{context.when_at}: {wanted} {least}{allowed}.", until)


@direct(EventKind.NOTHING_FITS)
def _rent_dearer(context: EventContext[OfferFacts]) -> Rendered:
    """Render the message saying that the bot has found no matching offer yet.

    If there are only offers above the highest price of the request, the message has a button that rents the
    cheapest offer.
    """
    rental, facts, text = context.rental, context.facts, context.named_text
    if rental.state is not State.QUEUED:
        return blocks.message(f"{text} {_now(context)}", closed=rental.state.over)
    rent = None
    if facts.offer is not None and facts.rate is not None and is_owner(context.reader.id, rental.owner):
        with suppress(Mistake):  # no button if the offer's ID doesn't fit
            value = RentalOfferValue(rental_id=rental.id, offer_id=facts.offer)
            rent = button(f"Rent at {per_hour(facts.rate)} now", Action.RENT_DEARER, value, style="primary")
    return blocks.with_buttons(text, rent, stop_button(rental.quote_id or "", rental.id))


@thread(EventKind.RENTING)
def _renting(context: EventContext[RentingFacts]) -> str:
    facts = context.facts
    price = f"at {per_hour(facts.rate)}" if facts.rate is not None else ""
    # The card already names the GPU model that the person clicked, so name the model here only if a different one
    # is rented. The stored event alone doesn't say which is the case, because earlier versions of gpubot always
    # stored the model.
    other = facts.gpu if facts.gpu != context.rental.terms.gpu else None
    what = machines(context.rental.request.count, other) if other else ""
    missing = left_out_text(context)
    if facts.before_vendor is None:
        return join(f"{join('Renting', what, 'from', vendor(facts.vendor), price)}.", missing)
    without = ""
    if facts.left_out is not None and facts.left_out.refused:
        without = "without one" if facts.why is Why.SCRIPT_REFUSED else "without a startup script"
    trying = join("Trying", vendor(facts.vendor), without) + (f": {what}" if what else "")
    now = f"{join(trying, price)}{_against_clicked(context)}."
    if facts.why is None or (facts.why in GIVEN_UP and facts.paid is not False):
        return join(now, missing)
    cost = "The attempt cost nothing." if facts.paid is False else ""
    return join(_failed(facts.before_vendor, facts.why, facts.detail), cost, now, missing)


def _failed(vendor_name: str | None, why: Why, detail: str | None) -> str:
    """Return a sentence saying why a purchase failed. If the market gave an explanation, it is quoted."""
    if why is Why.ANSWERED_FAILED and detail:
        return _answered(vendor_name, detail)
    return sentence(reason(why, vendor_name))


def _answered(vendor_name: str | None, detail: str | None) -> str:
    answer = escape((detail or "").strip().rstrip("."), 200)
    return f'{sentence_case(vendor(vendor_name))} answered: "{answer}".' if answer else ""


def _against_clicked(context: EventContext[RentingFacts]) -> str:
    """Compare the price of the rented offer with the price that the person clicked or allowed.

    An example is `, $0.27 more than the offer Ana clicked but within Ana's limit`. If a program rents the machine,
    compare it with the price of the first offer. Empty if the two prices are equal, or if the event lacks one of
    them.
    """
    facts, who = context.facts, context.owner
    if facts.clicked is None or facts.rate is None or facts.rate == facts.clicked:
        return ""
    if context.rental.program is not None:
        return f", {difference(facts.clicked, facts.rate, 'the first offer')}"
    clicked = f"{who} allowed" if context.rental.waitlist_entry is not None else f"the offer {who} clicked"
    within = f" but within {who}'s limit" if facts.rate > facts.clicked else ""
    return f", {difference(facts.clicked, facts.rate, clicked)}{within}"


@thread(EventKind.NO_ANSWER)
def _no_answer(context: EventContext[AttemptFacts]) -> str:
    name = vendor(context.facts.vendor)
    match context.facts.why:
        case None | Why.NO_ANSWER:
            lead = f"{name}'s answer was unclear"
        case Why.BOUGHT_BEFORE:
            lead = f"Compute Clear says that {name}'s offer is already taken. My own request may have taken it"
        case Why.RATE_LIMITED | Why.UNAUTHORIZED as why:
            lead = f"I tried to buy from {name}, but {reason(why)}"
        case _:
            lead = f"{name} reported that the purchase failed, but its answer names a machine"
    return join(sentence(lead), _checking(f"from {name}"))


def _checking(where: str) -> str:
    return (
        f"Before I try the next offer, I'm making sure that nothing was rented {where}, which takes about 2 min. "
        "Don't rent again in the meantime."
    )


@thread(EventKind.GIVEN_UP)
def _given_up(context: EventContext[AttemptFacts]) -> str:
    facts = context.facts
    began = [one.intended_at for one in context.details.attempts if one.intended_at <= context.event.at]
    took = f" in {about_span(context.event.at - began[-1])}" if began and facts.why is Why.TOO_SLOW else ""
    return join(
        sentence(f"{vendor(facts.vendor)} didn't get the machine ready{took}"),
        "I'm destroying that machine, which may bill until the vendor confirms the deletion.",
        "Then I'll try the next offer.",
        _answered(facts.vendor, facts.detail),
    )


@thread(EventKind.ACCEPTED)
def _accepted(context: EventContext[AttemptFacts]) -> str:
    name = vendor(context.facts.vendor)
    if context.facts.why is not None:
        return sentence(f"{name} accepted the purchase after all, and the machine is starting")
    return sentence(f"{name} accepted the purchase, and the machine is starting")


@direct(EventKind.ACCEPTED)
def _rented(context: EventContext[AttemptFacts]) -> Rendered:
    """Render the message to an owner on the waitlist that a machine was rented for them."""
    rental, facts, times = context.rental, context.facts, context.times
    if rental.state not in {State.PROVISIONING, State.READY}:
        waits = rental.state in UNBOUGHT and not rental.state.over
        name = context._replace(named=True).this_request if waits else context.machine
        return blocks.message(current_state(context.details, times, name), closed=rental.state.over)
    each = f" at {price(facts.rate / rental.request.count)} per GPU-hour" if facts.rate is not None else ""
    asked = f", as you asked {times.at_time(facts.since)}" if facts.since is not None else ""
    total = f"It can cost up to {say_at_most(facts.total)} in all." if facts.total is not None else ""
    text = join(f"I rented {machine_in(rental)}{each}{asked}.", total, current_state(context.details, times))
    return blocks.with_buttons(text, destroy_button(rental))


@thread(EventKind.BLOCKED)
def _buying_blocked(context: EventContext[HeldUpFacts]) -> str:
    facts = context.facts
    if facts.why is Why.UNRESOLVED:
        return _waiting_for_lookups(facts)
    until = "I'll keep trying."
    if facts.until:
        when = context.times.time(facts.until)
        goes_back = context.rental.waitlist_entry is not None
        then = "put it back on the waitlist" if goes_back else "ask the owner before I rent anything"
        until = f"I'll keep trying until {when}, then {then}."
    return join(sentence(f"{context.this_request} is on hold because {reason(facts.why, facts.vendor)}"), until)


def _waiting_for_lookups(facts: HeldUpFacts) -> str:
    failed = ""
    if facts.vendor is not None:
        failed = _failed(facts.vendor, Why.ANSWERED_FAILED if facts.detail else Why.SOLD_OUT, facts.detail)
    vendors = plural(facts.count, "vendor") if facts.count is not None and facts.count > 1 else "vendor"
    where = f"from {vendor(facts.vendor)}" if facts.count == 1 and failed else f"from the {vendors} that I tried"
    if facts.end is None:
        return join(failed, _checking(where))
    checking = f"No other offer matches. I'm making sure that nothing was rented {where}, which takes about 2 min"
    return join(failed, f"{checking}. Then I'll look again.")


@thread(EventKind.UNREACHABLE)
def _unreachable(context: EventContext) -> str:
    running = f"{context.this_machine} is running and billing, but nothing answers on its SSH port yet"
    return join(sentence(running), "It may need another minute.")


# --- sentences about SSH keys, setup scripts and other parts that couldn't be installed on a rented machine


def left_out_text(context: EventContext[RentingFacts]) -> str:
    """Return sentences saying which SSH keys, setup script or other parts couldn't be installed on a machine.

    The sentences also say how the owner can add the missing keys.
    """
    left_out = context.facts.left_out
    if left_out is None:
        return ""
    lacks = _lacks_script(context, left_out) if left_out.refused else _script_lacks(left_out)
    rental_id, shown_to = context.details.rental.id, context.name(context.owner_id)
    one = left_out.key_count == 1
    keys = "this key" if one else "these keys"
    if left_out.refused:
        keys = "the other key" if one else "the other keys"
    line = f"When the machine is ready, /gpu ssh {rental_id} shows {shown_to} the line that adds {keys}."
    next_step = line if left_out.key_count else ""
    names = [context.name(user) for user in left_out.people]
    have = "has" if len(names) == 1 else "have"
    no_key = f"{listed(names)} {have} no SSH key and can't log in." if names else ""
    parts = listed([_PARTS[part] for part in left_out.parts])
    no_room = f"The startup script has no room for {parts}." if parts else ""
    if ScriptPart.RUN in left_out.parts and context.rental.request.until_done:
        no_room += " So I can't see when the job is done, and the machine runs until its latest end."
    return join(lacks, next_step, no_key, no_room)


def _lacks_script(context: EventContext, left_out: LeftOut) -> str:
    others = plural(left_out.key_count, "other key is", "other keys are")
    default = f"only {context.name(context.owner_id)}'s default key is installed at first"
    keys = f"{default} ({others} missing)" if left_out.key_count else ""
    setup = f'setup "{escape(left_out.setup)}" doesn\'t run' if left_out.setup else ""
    until_done = " or see when its job is done" if context.rental.request.until_done else ""
    unseen = f"I can't monitor usage{until_done}" if left_out.probe else ""
    lacks = [lack for lack in (keys, setup, unseen) if lack]
    return sentence(", and ".join(filter(None, (", ".join(lacks[:-1]), *lacks[-1:]))))


def _script_lacks(left_out: LeftOut) -> str:
    keys = plural(left_out.key_count, "key doesn't", "keys don't")
    return join(
        f'No setup script will run: the team\'s policy no longer has the setup "{escape(left_out.setup)}".'
        if left_out.setup
        else "",
        f"{keys} fit into the startup script." if left_out.key_count else "",
    )
