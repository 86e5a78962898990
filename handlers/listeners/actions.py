"""What each button does. A button's value holds ids; what they stand for is read from the store at the click."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from bot.errors import Mistake, Refused, TooLate
from bot.lifecycle.service import deciding, ending, leasing, previews
from bot.lifecycle.service.older_database import note_unknown_rental
from bot.model.event import EventKind
from handlers.delivery.content import quote_answer
from handlers.ids import (
    ACTION_VALUES,
    Action,
    ActionId,
    ExtendValue,
    HoursValue,
    NearbyValue,
    NoValue,
    OfferValue,
    QuoteUntilValue,
    QuoteValue,
    RentalValue,
    ShareValue,
    SpanValue,
    UntilValue,
    V,
    VersionValue,
    action_of,
)
from handlers.listeners import (
    commands,
    github_keys,
    keys,
    offers,
    older_database,
    owner_left,
    rentals,
    replacing,
    requests,
    sharing,
    unknown_machines,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.listeners.wrapper import Handler
from handlers.values import KeyValue
from handlers.views import probe_text, replies
from handlers.views.offers import most_shown

# --- offers


async def rent(context: Context, interaction: UserInteraction, value: OfferValue) -> Outcome:
    return await offers.rent(context, interaction, value, another=False)


async def rent_another(context: Context, interaction: UserInteraction, value: OfferValue) -> Outcome:
    return await offers.rent(context, interaction, value, another=True)


async def all_offers(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Replace the short list by the whole one."""
    deps = context.deps
    most = most_shown(everything=True)
    view = await previews.offers_of_quote(deps, interaction.person, value.quote_id, most=most)
    content = quote_answer(view, rules=deps.rules, now=deps.clock.now(), everything=True)
    return Reply(content=content, replaces_original=True)


async def search_again(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    quote = await previews.quote_to_ask_again(context.deps, interaction.person, value.quote_id)
    return await offers.ask(context, interaction, quote.request, earlier=quote)


async def show_nearby(context: Context, interaction: UserInteraction, value: NearbyValue) -> Outcome:
    """Search for a request that is close to the one that was asked for."""
    quote, request = await previews.nearby_request(context.deps, interaction.person, value.quote_id, value.index)
    return await offers.ask(context, interaction, request, earlier=quote)


async def keep_until(context: Context, interaction: UserInteraction, value: QuoteUntilValue) -> Outcome:
    """Search for the same with another first end."""
    until = datetime.fromtimestamp(value.until, UTC)
    quote, request = await previews.request_until(context.deps, interaction.person, value.quote_id, until)
    return await offers.ask(context, interaction, request, earlier=quote)


async def change(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Open the form, filled in with what was asked for."""
    quote = await previews.quote_to_ask_again(context.deps, interaction.person, value.quote_id)
    return offers.open_form(context, interaction, earlier=quote, value=value)


async def choose_from_list(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Open the empty form."""
    return offers.open_form(context, interaction)


async def add_key(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return keys.open_form(context, interaction)


async def remove_key(context: Context, interaction: UserInteraction, value: KeyValue) -> Outcome:
    return await keys.remove(context, interaction, value.fingerprint)


async def from_github(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return github_keys.open_form(context, interaction)


async def cancel_keys(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return await keys.show_unchanged(context, interaction)


async def make_key_first(context: Context, interaction: UserInteraction, value: KeyValue) -> Outcome:
    return await keys.make_first(context, interaction, value.fingerprint)


# --- a request that waits


async def change_rental(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the form, filled in with the request that waits."""
    quote = await previews.quote_to_change(context.deps, interaction.person, value.rental_id)
    return offers.open_form(context, interaction, earlier=quote, value=value)


async def share(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    return await sharing.share(context, interaction, value.rental_id, [*filter(None, value.people.split(","))])


async def add_teammate(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    return await sharing.open_form(context, interaction, value)


async def withdraw(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    await deciding.withdraw(context.deps, interaction.person, value.rental_id, value.version)
    return None


# --- a machine


async def show_rental(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await rentals.show(context, interaction, value.rental_id)


async def ssh(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await rentals.ssh(context, interaction, value.rental_id)


async def destroy(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await rentals.confirm_destroy(context, interaction, value.rental_id)


async def replace(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await replacing.replace(context, interaction, value.rental_id)


async def not_working(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await replacing.ask_why(context, interaction, value.rental_id)


async def extend_form(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await rentals.open_extend_form(context, interaction, value.rental_id)


async def extend(context: Context, interaction: UserInteraction, value: ExtendValue) -> Outcome:
    return await rentals.extend(context, interaction, value.rental_id, value.longer, shown_end=value.shown_end)


async def extend_until(context: Context, interaction: UserInteraction, value: UntilValue) -> Outcome:
    return await rentals.extend(context, interaction, value.rental_id, value.moment)


async def keep_for(context: Context, interaction: UserInteraction, value: SpanValue) -> Outcome:
    return await rentals.keep(context, interaction, value.rental_id, timedelta(seconds=value.seconds))


async def keep(context: Context, interaction: UserInteraction, value: HoursValue) -> Outcome:
    return await rentals.keep(context, interaction, value.rental_id, timedelta(hours=value.hours))


async def ask_owner_again(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    await leasing.ask_owner_again(context.deps, interaction.person, value.rental_id)
    return None


async def leave_alone(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    await leasing.leave_alone(context.deps, interaction.person, value.rental_id)
    return None


async def probe_installed(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    rental = await leasing.visit_now(context.deps, interaction.person, value.rental_id)
    return Reply(content=probe_text.looks_now(rental))


async def keep_as_it_is(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    await leasing.say_once(context.deps, interaction.person, value.rental_id, EventKind.KEPT_AS_IT_IS)
    return None


async def take_on(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    await ending.take_on_alarm(context.deps, interaction.person, value.rental_id)
    return None


def _on(
    action: ActionId[V], handle: Callable[[Context, UserInteraction, V], Awaitable[Outcome]]
) -> tuple[str, Handler]:
    """Return an action's id, and a handler that decodes its value for `handle`."""

    async def decode_and_handle(context: Context, interaction: UserInteraction) -> Outcome:
        return await handle(context, interaction, action.decode(interaction.value))

    return action.id, decode_and_handle


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    dict(
        (
            _on(Action.RENT, rent),
            _on(Action.RENT_ANOTHER, rent_another),
            _on(Action.ALL_OFFERS, all_offers),
            _on(Action.REFRESH, search_again),
            _on(Action.TRY_AGAIN, search_again),
            _on(Action.CHANGE, change),
            _on(Action.SHOW_NEARBY, show_nearby),
            _on(Action.KEEP_UNTIL, keep_until),
            _on(Action.SHOW_LINE, commands.show_line),
            _on(Action.CHOOSE_FROM_LIST, choose_from_list),
            _on(Action.ADD_KEY, add_key),
            _on(Action.REMOVE_KEY, remove_key),
            _on(Action.MAKE_KEY_FIRST, make_key_first),
            _on(Action.FROM_GITHUB, from_github),
            _on(Action.USE_GITHUB_KEYS, github_keys.take_shown),
            _on(Action.CHOOSE_GITHUB_KEYS, github_keys.open_choice),
            _on(Action.CANCEL_KEYS, cancel_keys),
            _on(Action.SHOW_RENTAL, show_rental),
            _on(Action.DETAILS, show_rental),
            _on(Action.SSH, ssh),
            _on(Action.CHANGE_RENTAL, change_rental),
            _on(Action.WITHDRAW, withdraw),
            _on(Action.ADD_TEAMMATE, add_teammate),
            _on(Action.SHARE, share),
            _on(Action.CANCEL, destroy),
            _on(Action.APPROVE, requests.approve),
            _on(Action.DENY, requests.open_deny),
            _on(Action.ACCEPT, requests.approve),
            _on(Action.EXTEND_FORM, extend_form),
            _on(Action.EXTEND, extend),
            _on(Action.EXTEND_UNTIL, extend_until),
            _on(Action.KEEP, keep),
            _on(Action.KEEP_FOR, keep_for),
            _on(Action.ASK_OWNER_AGAIN, ask_owner_again),
            _on(Action.LEAVE_ALONE, leave_alone),
            _on(Action.DESTROY, destroy),
            _on(Action.REPLACE, replace),
            _on(Action.NOT_WORKING, not_working),
            _on(Action.PROBE_INSTALLED, probe_installed),
            _on(Action.KEEP_AS_IT_IS, keep_as_it_is),
            _on(Action.TAKEN_ON, take_on),
            _on(Action.GIVE_OWNER, unknown_machines.open_give_owner),
            _on(Action.NOT_OURS, unknown_machines.open_not_ours),
            _on(Action.ASK_ABOUT_AGAIN, unknown_machines.ask_again),
            _on(Action.DESTROY_UNKNOWN, unknown_machines.open_destroy),
            _on(Action.PUT_ALL_BACK, older_database.put_all_back),
            _on(Action.ONE_BY_ONE, older_database.one_by_one),
            _on(Action.GIVE_RENTAL, owner_left.open_give),
            _on(Action.ASK_ABOUT_OWNER_AGAIN, owner_left.ask_again),
        )
    )
)
"""By `action_id`, for every action of `handlers.ids`."""


async def click(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle a click on any button. If its rental is unknown, because the database lost it, take the buttons off.
    Raise Mistake if a version before this one posted the button."""
    action = action_of(interaction.name)
    try:
        return await HANDLERS[action](context, interaction)
    except (Mistake, Refused, TooLate):
        rental_id = getattr(ACTION_VALUES[action].decode(interaction.value), "rental_id", None)
        if rental_id is None or not await note_unknown_rental(context.deps, rental_id):
            raise
        return Reply(content=replies.unknown_rental(rental_id), replaces_for_all=True)
