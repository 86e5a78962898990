"""What each button does. A button's value holds only ids; everything else is read from the store at the click."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.errors import Mistake, QuestionLost, Refused, TooLate
from bot.lifecycle.actions import ending, leasing
from bot.lifecycle.restored.messages import note_unknown_rental
from handlers.actions import (
    admin_questions,
    github_keys,
    giving,
    home,
    keys,
    month_files,
    offers,
    policy,
    rentals,
    replacing,
    requests,
    sharing,
    spend,
    waiting,
)
from handlers.actions.rentals import without_reply
from handlers.ids import ACTION_VALUES, Action, action_of
from handlers.listeners import commands, modals
from handlers.listeners.context import Context
from handlers.listeners.interaction import InteractionKind, Outcome, Reply, UserInteraction
from handlers.listeners.wrapper import ValueHandler, on
from handlers.messages import backups

HANDLERS: Mapping[str, ValueHandler] = MappingProxyType(
    dict(
        (
            on(Action.RENT, offers.rent),
            on(Action.RENT_ANOTHER, offers.rent),
            on(Action.ALL_OFFERS, offers.show_all),
            on(Action.REFRESH, offers.search_again),
            on(Action.TRY_AGAIN, offers.search_again),
            on(Action.CHANGE, offers.open_form),
            on(Action.SHOW_NEARBY, offers.show_nearby),
            on(Action.KEEP_UNTIL, offers.keep_until),
            on(Action.FOR_HOURS, offers.for_hours),
            on(Action.PRICE_FOR_ALL, offers.price_for_all),
            on(Action.TELL_ME, waiting.tell),
            on(Action.RENT_FOR_ME, waiting.rent),
            on(Action.RENT_THEN, waiting.rent),
            on(Action.STOP_WAITING, waiting.stop),
            on(Action.WAIT_AGAIN, waiting.wait_again),
            on(Action.ANY_TIME, waiting.any_time),
            on(Action.RENT_DEARER, waiting.rent_dearer),
            on(Action.SHOW_LINE, commands.show_line),
            on(Action.CHOOSE_FROM_LIST, offers.open_form),
            on(Action.ADD_KEY, keys.open_form),
            on(Action.REMOVE_KEY, keys.remove),
            on(Action.MAKE_KEY_FIRST, keys.make_first),
            on(Action.FROM_GITHUB, github_keys.open_form),
            on(Action.USE_GITHUB_KEYS, github_keys.take_shown),
            on(Action.CHOOSE_GITHUB_KEYS, github_keys.open_choice),
            on(Action.CANCEL_KEYS, keys.show_unchanged),
            on(Action.RELOAD_POLICY, policy.reload),
            on(Action.SHOW_RENTAL, rentals.show),
            on(Action.DETAILS, rentals.show),
            on(Action.SSH, rentals.ssh),
            on(Action.CHANGE_RENTAL, offers.open_form),
            on(Action.WITHDRAW, requests.withdraw),
            on(Action.ADD_TEAMMATE, sharing.open_form),
            on(Action.SHARE, sharing.share),
            on(Action.ASK_FOR, giving.ask_for),
            on(Action.GIVE, giving.give),
            on(Action.TAKE, giving.take),
            on(Action.CANCEL, rentals.destroy),
            on(Action.APPROVE, requests.approve),
            on(Action.OPEN_REQUEST, requests.show),
            on(Action.FEWER_HOURS, requests.open_fewer_hours),
            on(Action.DENY, requests.deny),
            on(Action.ACCEPT, requests.approve),
            on(Action.EXTEND_FORM, rentals.open_extend_form),
            on(Action.EXTEND, rentals.extend),
            on(Action.EXTEND_UNTIL, rentals.extend),
            on(Action.KEEP, rentals.keep),
            on(Action.KEEP_FOR, rentals.keep),
            on(Action.ASK_OWNER_AGAIN, without_reply(leasing.AskOwnerAgain)),
            on(Action.LEAVE_ALONE, without_reply(leasing.LeaveAlone)),
            on(Action.DESTROY, rentals.destroy),
            on(Action.REPLACE, replacing.replace),
            on(Action.NOT_WORKING, replacing.ask_why),
            on(Action.PROBE_INSTALLED, rentals.visit_now),
            on(Action.KEEP_AS_IT_IS, without_reply(leasing.KeepAsItIs)),
            on(Action.TAKEN_ON, without_reply(ending.TakeOnAlarm)),
            on(Action.GIVE_OWNER, admin_questions.open_give_owner),
            on(Action.NOT_OURS, admin_questions.open_not_ours),
            on(Action.ASK_ABOUT_AGAIN, admin_questions.ask_again),
            on(Action.DESTROY_UNKNOWN, admin_questions.open_destroy),
            on(Action.PUT_ALL_BACK, admin_questions.readopt_all),
            on(Action.ONE_BY_ONE, admin_questions.one_by_one),
            on(Action.SHOW_SPEND, spend.show),
            on(Action.SPEND_CSV, month_files.send),
            on(Action.OWNER_SPEND, spend.show_owner),
            on(Action.HOME_PAGE, home.turn),
            on(Action.SHOW_TEAM, home.show_team),
        )
    )
)
"""By `action_id`, for every action of `handlers.ids`."""


async def click(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle a click on any button, or a choice in a dialog. If what the button is about is unknown, because the
    database lost it, take the buttons off. Raise Mistake if a version before this one posted the button."""
    if interaction.kind is InteractionKind.CHOICE:
        return await modals.chosen(context, interaction)
    action = action_of(interaction.name)
    value = ACTION_VALUES[action].decode(interaction.value)
    try:
        return await HANDLERS[action](context, interaction, value)
    except QuestionLost:
        return Reply(content=backups.unknown_question(), replaces_for_all=True)
    except (Mistake, Refused, TooLate):
        rental_id = getattr(value, "rental_id", None)
        if rental_id is None or not await note_unknown_rental(context.deps, rental_id):
            raise
        return Reply(content=backups.unknown_rental(rental_id), replaces_for_all=True)
