"""What commands, clicks and submissions have in common: one call to the service, and what comes of it."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Changed, MarketAway, RentsAlready, Repeated
from bot.lifecycle.service import choosing, deciding, ending, leasing, looking, quoting, renting
from bot.model.event import EventKind
from bot.model.offer import Catalog
from bot.model.quote import Quote
from bot.model.request import Request
from bot.policy.roles import sees_money
from bot.policy.spending import CONFIRM_ABOVE
from handlers.context import Context
from handlers.ids import OfferValue, Value, VersionValue
from handlers.rows import row
from handlers.views import answers, lists, modals, offers, replies
from handlers.views.about import times
from handlers.views.approval import approval
from handlers.views.blocks import Rendered
from handlers.views.words import Times, escape
from handlers.visit import Opens, Outcome, Reply, Visit, is_direct

ASKS = frozenset({EventKind.ASKED, EventKind.ASKED_AGAIN, EventKind.CHANGED, EventKind.EXTENSION_ASKED})


def known_catalog(context: Context) -> Catalog:
    """The catalogue as last read. Raises MarketAway before the first time."""
    known = context.catalog()
    if known is None:
        raise MarketAway(
            "Compute Clear hasn't told me yet what there is to rent. Nothing is rented. Try again in a minute.",
            acted=False,
        )
    return known


# --- asking


async def ask(
    context: Context, visit: Visit, request: Request, *, now: bool = False, like: Quote | None = None
) -> Outcome:
    """Looks for offers, which come to the `response_url`; `like` is the search that it takes further."""
    asked_in = _asked_in(visit, like)
    await quoting.ask(
        context.desk,
        visit.person,
        request,
        asked_in=asked_in,
        direct=is_direct(asked_in),
        reply_url=visit.reply_url,
        rent_now=now,
        replaces=visit.ephemeral,
        changes=like.changes if like else None,
    )
    return None


def form(context: Context, visit: Visit, *, like: Quote | None = None, carries: Value | None = None) -> Outcome:
    """The form for a request, filled in from that of `like`. Where it could not be asked it doesn't open."""
    asked_in = _asked_in(visit, like)
    quoting.check_asks(visit.person, asked_in, direct=is_direct(asked_in), rules=context.desk.rules)
    title = "Change the request" if isinstance(carries, VersionValue) else "Get GPUs"
    request = like.request if like else None
    return Opens(
        view=modals.form(
            known_catalog(context), rules=context.desk.rules, request=request, carries=carries, title=title
        )
    )


def _asked_in(visit: Visit, like: Quote | None) -> str:
    """The channel of a question; what takes an earlier one further is asked where that was."""
    return like.asked_in if like else visit.channel


# --- renting


async def rent(context: Context, visit: Visit, value: OfferValue, *, another: bool) -> Outcome:
    """A click on an offer: rents it, or first asks whether to, where it can come to much."""
    found = await choosing.to_rent(context.desk, visit.person, value.quote_id, value.offer_id)
    if found is not None:
        judged = row(found.offer, found.quote, found.usage, context.desk.rules)
        if judged.refused is None and judged.envelope.total > CONFIRM_ABOVE:
            return Opens(view=modals.rent_confirm(found.quote, judged, rules=context.desk.rules), another=another)
    return await rent_confirmed(context, visit, value, another=another)


async def rent_confirmed(context: Context, visit: Visit, value: OfferValue, *, another: bool) -> Outcome:
    """Rents, or asks for approval."""
    try:
        rental = await renting.rent(context.desk, visit.person, value.quote_id, value.offer_id, another=another)
    except RentsAlready as twin:
        story = await looking.show(context.desk, visit.person, twin.rental_id)
        return Reply(said=offers.rents_already(story.rental, value.quote_id, value.offer_id))
    return Reply(said=replies.chosen(rental), replaces=True)


# --- deciding


async def approve(context: Context, visit: Visit, value: VersionValue) -> Outcome:
    """A click on Approve, or on what the owner accepts alone: confirmed first where it can come to much."""
    story = await choosing.to_decide(context.desk, visit.person, value.rental_id, value.version)
    if story is not None:
        return Opens(view=modals.approve_confirm(story, rules=context.desk.rules))
    return await approve_confirmed(context, visit, value)


async def approve_confirmed(context: Context, visit: Visit, value: VersionValue) -> Outcome:
    """Approves the version that was shown."""
    try:
        await deciding.approve(context.desk, visit.person, value.rental_id, value.version)
    except Changed as change:
        return await _newer(context, visit, value.rental_id, change)
    return None


async def deny(context: Context, visit: Visit, value: VersionValue) -> Outcome:
    """Denies the version that was shown."""
    try:
        await deciding.deny(context.desk, visit.person, value.rental_id, value.version)
    except Changed as change:
        return await _newer(context, visit, value.rental_id, change)
    return None


async def _newer(context: Context, visit: Visit, rental_id: str, change: Changed) -> Outcome:
    story = await choosing.newest(context.desk, visit.person, rental_id)
    envelope = deciding.waiting_envelope(story.rental) or story.rental.envelope
    asked = next((event for event in reversed(story.events) if event.kind in ASKS), None)
    current = approval(
        story,
        version=envelope.version,
        asked=asked,
        first=False,
        rules=context.desk.rules,
        now=context.desk.clock.now(),
        zone=visit.person.tz,
    )
    return Reply(said=answers.newer(escape(change.words, 300), current))


# --- leases and ends


async def extend_form(context: Context, visit: Visit, rental_id: str) -> Outcome:
    """The dialog that asks by how much."""
    story = await choosing.to_extend(context.desk, visit.person, rental_id)
    return Opens(view=modals.extend(story, rules=context.desk.rules, now=context.desk.clock.now()))


async def extend(
    context: Context, visit: Visit, rental_id: str, span: timedelta, *, shown_end: int | None = None
) -> Outcome:
    """A longer lease, or the wish for one. The same command again asks whether still more is meant."""
    try:
        rental = await leasing.extend(context.desk, visit.person, rental_id, span, shown_end=shown_end)
    except Repeated:
        story = await looking.show(context.desk, visit.person, rental_id)
        return Reply(said=answers.asked_again(story.rental, span, _times(context, visit), context.desk.rules))
    return _unless_shown(visit, answers.extended(rental, _times(context, visit)))


async def keep(context: Context, visit: Visit, rental_id: str, span: timedelta) -> Outcome:
    """It is still needed."""
    rental = await leasing.keep(context.desk, visit.person, rental_id, span)
    return _unless_shown(visit, answers.kept(rental, _times(context, visit)))


async def confirm_destroy(context: Context, visit: Visit, rental_id: str) -> Outcome:
    """The dialog before every destroy and cancel, with what it has cost by now."""
    story = await choosing.to_destroy(context.desk, visit.person, rental_id)
    return Opens(view=modals.destroy_confirm(story))


async def destroy_confirmed(context: Context, visit: Visit, rental_id: str) -> Outcome:
    """Destroys, cancels or withdraws it."""
    rental = await ending.destroy(context.desk, visit.person, rental_id)
    return _unless_shown(visit, answers.ending(rental))


def _unless_shown(visit: Visit, said: Rendered) -> Outcome:
    """Nothing where what was clicked shows it by itself."""
    return None if visit.on_surface else Reply(said=said)


def _times(context: Context, visit: Visit) -> Times:
    return times(context.desk.rules, context.desk.clock.now(), visit.person.tz)


# --- looking


async def show(context: Context, visit: Visit, rental_id: str) -> Outcome:
    """One rental with its history. The money of others is for approvers and admins."""
    story = await looking.show(context.desk, visit.person, rental_id)
    return Reply(
        said=lists.show(
            story,
            reader=visit.person.id,
            sees_money=sees_money(visit.person, story.rental.owner, context.desk.rules),
            rules=context.desk.rules,
            now=context.desk.clock.now(),
            zone=visit.person.tz,
        )
    )
