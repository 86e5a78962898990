"""From renting until the machine is ready."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from bot.errors import BuyingBlock, BuyingBlocked, Mistake
from bot.model.attempt import Why
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
from bot.model.text import listed, plural, say_at_most
from bot.policy.team.roles import is_owner
from handlers.ids import Action, RentalOfferValue
from handlers.messages.writers import EventContext, EventText, direct, sentence_case, terms_text, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.error_text import paused_by
from handlers.phrases.format import difference, escape, join, limit_per_hour, per_hour, price, sentence
from handlers.phrases.lease_buttons import destroy_button, stop_button
from handlers.phrases.rental_text import current_state, describe, machines, place, reason, vendor

GIVEN_UP = frozenset({Why.TOO_SLOW, Why.VENDOR_FAILED})
"""Reasons to give up an accepted attempt. The event GIVEN_UP has its own reply with the reason, so the reply about
the next offer leaves the reason out."""


_BLOCKED: Mapping[BuyingBlock, tuple[str, str]] = MappingProxyType(
    {
        BuyingBlock.PAUSED: ("Buying is paused. An admin can go on with /gpu resume", "Buying was paused"),
        BuyingBlock.BOUGHT_AFTER_BACKUP: (
            "Buying is paused until an admin decides about machines of mine that my database doesn't know",
            "Buying was paused because of machines of mine that my database didn't know",
        ),
        BuyingBlock.UNAUTHORIZED: (
            "Compute Clear refuses my token. The admins know",
            "Compute Clear refused my token",
        ),
    }
)
"""Why nothing is bought for anyone, and the same once it is over."""


@thread(EventKind.QUEUED)
def _queued(context: EventContext[RequestFacts]) -> EventText:
    facts, terms = context.facts, terms_text(context.facts)
    starts = f"wants it {context.times.at_time(facts.starts_at)}" if facts.starts_at else "waits for an offer"
    return EventText(f"{context.actor} {starts}", join(terms and f"{terms}.", _tries_until(context)), colon=True)


def _tries_until(context: EventContext[UntilFacts]) -> str:
    """Return until when a rental waits for an offer. Return an empty text once it no longer waits."""
    until = context.facts.until
    return f"I try until {context.times.time(until)}." if until and _waits(context) else ""


def _waits(context: EventContext) -> bool:
    return context.details.rental.state in UNBOUGHT


@thread(EventKind.OFFER_FITS)
def _offer_fits(context: EventContext[OfferFacts]) -> EventText:
    facts = context.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    unconfirmed = ""
    if facts.owner_unconfirmed:
        unsure = f"Slack didn't tell me in time whether {context.owner} is still here"
        unconfirmed = f"{unsure}, so I went by its last answer."
    return EventText(f"An offer fits: {place(facts.vendor, facts.vendor_region)}{price}", unconfirmed)


@thread(EventKind.QUEUED_AGAIN)
def _queued_again(context: EventContext[HeldUpFacts]) -> EventText:
    facts = context.facts
    why = sentence_case(reason(facts.why, facts.vendor))
    return EventText(why, join("It waits on for the next offer that fits.", _tries_until(context)))


@thread(EventKind.NOT_ALLOWED_NOW)
def _not_allowed_now(context: EventContext[NotAllowedFacts]) -> EventText:
    facts = context.facts
    why = _blocked(facts, facts.block, _waits(context)) if facts.block else escape(facts.detail or "", 300)
    why = sentence(why)
    if not _waits(context):
        return EventText("An offer fitted, but I couldn't rent it then", why, colon=True)
    rest = join(why, "It waits on.", _tries_until(context))
    return EventText("An offer fits, but I can't rent it now", rest, colon=True)


@direct(EventKind.NOT_ALLOWED_NOW)
def _waits_on(context: EventContext) -> Rendered:
    """Return why an offer that fits was not rented, with a button while the rental waits on."""
    rental, text = context.rental, context.text.about(context.request)
    if rental.state is not State.QUEUED:
        return blocks.message(f"{text} {current_state(context.details, context.times)}", closed=rental.state.over)
    return blocks.with_buttons(text, stop_button(rental.quote_id or "", rental.id))


def _blocked(facts: NotAllowedFacts, block: BuyingBlock, still: bool) -> str:
    """Return why nothing is bought for anyone, or why nothing was if the rental doesn't wait `still`."""
    who = paused_by(BuyingBlocked(block, by=facts.name, why=facts.detail or ""))
    now, then = _BLOCKED[block]
    if not still:
        return who or then
    return f"{who}. An admin can go on with /gpu resume" if who else now


@thread(EventKind.NOTHING_FITS)
def _nothing_fits(context: EventContext[OfferFacts]) -> EventText:
    facts, rental = context.facts, context.details.rental
    who = context.owner
    allowed = f", {who} allowed {limit_per_hour(facts.max_rate)}" if facts.max_rate is not None else ""
    free = "nothing like it is offered"
    if facts.offer is not None:
        from_price = f" from {per_hour(facts.rate)}" if facts.rate is not None else " only at a higher price"
        free = f"{describe(rental.request)}{from_price}"
    rest = join(f"{free}{allowed}.", _tries_until(context))
    return EventText(f"Nothing fits{context.when_at}", rest, colon=True)


@direct(EventKind.NOTHING_FITS)
def _rent_dearer(context: EventContext[OfferFacts]) -> Rendered:
    """Return what is offered before the start time, with a button that rents it."""
    rental, facts, text = context.rental, context.facts, context.text.text
    if rental.state is not State.QUEUED:
        return blocks.message(f"{text} {current_state(context.details, context.times)}", closed=rental.state.over)
    rent = None
    if facts.offer is not None and facts.rate is not None and is_owner(context.reader.id, rental.owner):
        with suppress(Mistake):  # the market's id may not fit into a button
            value = RentalOfferValue(rental_id=rental.id, offer_id=facts.offer)
            rent = button(f"Rent at {per_hour(facts.rate)} now", Action.RENT_DEARER, value, style="primary")
    return blocks.with_buttons(text, rent, stop_button(rental.quote_id or "", rental.id))


@thread(EventKind.RENTING)
def _renting(context: EventContext[RentingFacts]) -> EventText:
    facts = context.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    what = f"{machines(context.details.rental.request.count, facts.gpu)} from " if facts.gpu else ""
    missing = left_out_text(context)
    if facts.before_vendor is None:
        return EventText(f"Renting {what or 'from '}{vendor(facts.vendor)}{price}", missing)
    without = ""
    if facts.left_out is not None and facts.left_out.refused:
        without = " without it" if facts.why is Why.SCRIPT_REFUSED else " without a startup script"
    now = f"Now {what}{vendor(facts.vendor)}{without}{price}{_against_clicked(facts)}"
    if facts.why is None or (facts.why in GIVEN_UP and facts.paid is not False):
        return EventText(now, missing)
    cost = "it cost nothing" if facts.paid is False else ""
    failed = join(_failed(facts.before_vendor, facts.why, facts.detail), cost, by="; ")
    return EventText(sentence_case(failed), join(f"{now}.", missing))


def _failed(vendor_name: str | None, why: Why, detail: str | None) -> str:
    """Return why an attempt failed. If the market gave a reason of its own, return its words."""
    words = (detail or "").strip().rstrip(".")
    if why is Why.ANSWERED_FAILED and words:
        return f'{vendor(vendor_name)} answered: "{escape(words, 200)}"'
    return reason(why, vendor_name)


def _against_clicked(facts: RentingFacts) -> str:
    """Return the price compared with the clicked one: `: $0.27 over what you clicked, within what you accepted`.
    Return an empty text for the same price, or if the event doesn't have both prices."""
    if facts.clicked is None or facts.rate is None:
        return ""
    more = difference(facts.clicked, facts.rate, "what you clicked")
    if facts.rate > facts.clicked:
        more += ", within what you accepted"
    return f": {more}" if facts.rate != facts.clicked else ""


@thread(EventKind.NO_ANSWER)
def _no_answer(context: EventContext[AttemptFacts]) -> EventText:
    name = vendor(context.facts.vendor)
    match context.facts.why:
        case None | Why.NO_ANSWER:
            lead = f"I asked {name} and got no clear answer"
        case Why.BOUGHT_BEFORE:
            lead = f"Compute Clear says that {name}'s offer was bought already"
        case Why.RATE_LIMITED | Why.UNAUTHORIZED as why:
            lead = f"I asked {name}, but {reason(why)}"
        case _:
            lead = f"{sentence_case(name)} says that it failed, and names a machine"
    return EventText(lead, _making_sure("there"))


def _making_sure(where: str) -> str:
    return f"I make sure that nothing was rented {where} (about 2 min), then try the next. Don't rent again."


@thread(EventKind.GIVEN_UP)
def _given_up(context: EventContext[AttemptFacts]) -> EventText:
    facts = context.facts
    answer = escape(facts.detail or "", 200)
    bills = "I'm destroying that machine; it may bill until the vendor confirms its end."
    rest = join(bills, "Then I look for the next offer.", f"Its answer: {sentence(answer)}" if answer else "")
    return EventText(f"{sentence_case(vendor(facts.vendor))} did not get it ready", rest)


@thread(EventKind.ACCEPTED)
def _accepted(context: EventContext[AttemptFacts]) -> EventText:
    name = vendor(context.facts.vendor)
    if context.facts.why is not None:
        return EventText(f"It is rented at {name}; the machine is starting")
    return EventText(f"{sentence_case(name)} accepted; the machine is starting")


@direct(EventKind.ACCEPTED)
def _rented(context: EventContext[AttemptFacts]) -> Rendered:
    """Return that a machine was rented for its owner, who waited for it."""
    rental, facts, times = context.rental, context.facts, context.times
    state = current_state(context.details, times)
    if rental.state not in {State.PROVISIONING, State.READY}:
        return blocks.message(f"{sentence_case(context.machine)}. {state}", closed=rental.state.over)
    each = f" at {price(facts.rate / rental.request.count)} per GPU" if facts.rate is not None else ""
    asked = f", as you asked {times.at_time(facts.since)}" if facts.since is not None else ""
    total = f" Up to {say_at_most(facts.total)} in all." if facts.total is not None else ""
    text = f"Rented: {describe(rental)}{each}{asked}.{total} {state}"
    return blocks.with_buttons(text, destroy_button(rental))


@thread(EventKind.BLOCKED)
def _buying_blocked(context: EventContext[HeldUpFacts]) -> EventText:
    facts = context.facts
    if facts.why is Why.UNPROVEN:
        return _waiting_for_lookups(facts)
    then = "it waits on for the next offer" if context.details.rental.wish is not None else "ask again"
    until = f"I try until {context.times.time(facts.until)}, then {then}." if facts.until else "I go on trying."
    return EventText("Held up", f"{reason(facts.why, facts.vendor)}. {until}", colon=True)


def _waiting_for_lookups(facts: HeldUpFacts) -> EventText:
    failed = ""
    if facts.vendor is not None:
        why = Why.ANSWERED_FAILED if facts.detail else Why.SOLD_OUT
        failed = sentence_case(_failed(facts.vendor, why, facts.detail))
    where = "there" if facts.count == 1 else f"at these {facts.count} places"
    if facts.vendor is None:
        where = f"at {plural(facts.count or 1, 'earlier place')}"
    rest = _making_sure(where)
    if facts.end is not None:
        rest = f"No other offer fits. I make sure that nothing was rented {where} (about 2 min), then look again."
    return EventText(failed, rest) if failed else EventText(rest.removesuffix("."))


@thread(EventKind.SILENT)
def _silent(_: EventContext) -> EventText:
    return EventText("It runs and bills, but nothing answers on its SSH port yet", "It may need another minute.")


# --- what a purchase could not bring onto its machine: keys, and a setup


def left_out_text(context: EventContext[RentingFacts]) -> str:
    """Return what the boot script of a purchase lacks, and the next step."""
    left_out = context.facts.left_out
    if left_out is None:
        return ""
    lacks = _lacks_script(context, left_out) if left_out.refused else _script_lacks(left_out)
    rental_id, shown_to = context.details.rental.id, context.name(context.owner_id)
    line = f"When it is ready, /gpu ssh {rental_id} shows {shown_to} the line that adds the missing keys."
    next_step = line if left_out.key_count else ""
    names = [context.name(user) for user in left_out.people]
    have = "has" if len(names) == 1 else "have"
    no_key = f"{listed(names)} {have} no SSH key and can't get in." if names else ""
    return join(lacks, next_step, no_key)


def _lacks_script(context: EventContext, left_out: LeftOut) -> str:
    keys = f"only {context.name(context.owner_id)}'s first key gets in" if left_out.key_count else ""
    setup = f"the setup {escape(left_out.setup)} doesn't run" if left_out.setup else ""
    unseen = "I can't see inside" if left_out.probe else ""
    lacks = [lack for lack in (keys, setup, unseen) if lack]
    return sentence(", and ".join(filter(None, (", ".join(lacks[:-1]), *lacks[-1:]))))


def _script_lacks(left_out: LeftOut) -> str:
    setup = escape(left_out.setup) if left_out.setup else ""
    keys = plural(left_out.key_count, "key doesn't", "keys don't")
    return join(
        f"The rules no longer have the setup {setup}, so it doesn't run." if setup else "",
        f"{keys} fit into the startup script." if left_out.key_count else "",
    )
