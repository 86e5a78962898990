"""Carries out commands that people type after `/gpu` or in a message to the bot."""

from __future__ import annotations

from functools import partial

from bot.errors import Mistake
from bot.lifecycle.actions import account, away, home, queries, waiting
from bot.model.base import changed
from bot.model.offer import Catalog
from bot.model.person import Person
from bot.policy.team.roles import check_user, roles_of
from handlers.actions import github_keys, keys, offers, policy, short_forms, spend, token_form, tokens
from handlers.actions.calling import carry_out, on
from handlers.actions.request_form import open_form
from handlers.ids import (
    NO_VALUE,
    UNREADABLE,
    Action,
    Callback,
    CodeValue,
    LineValue,
    NoValue,
    PageValue,
    ScriptValue,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import lists, probe, replies
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered
from handlers.typed import commands
from handlers.typed.draft import Get, ParseContext, Wait
from handlers.typed.rental_words import OfRental
from handlers.typed.sentences import Topic

COMMAND = "/gpu"


async def gpu(context: Context, interaction: UserInteraction) -> Outcome:
    """Carry out any command.

    Raises Mistake if the text can't be parsed.
    """
    command = _parse(context, interaction.person, interaction.text)
    if command == commands.About(topic=Topic.WHO) and not interaction.origin.thread_ts:
        command = commands.ListRentals(all=True)
    match command:
        case Get() | Wait():
            return await offers.ask_for(context, interaction, command)
        case commands.Plain.GET_FORM:
            return await open_form(context, interaction)
        case commands.Plain.AGAIN:
            return await offers.ask_last_again(context, interaction)
        case commands.KeySet(line=line):
            return await keys.save(context, interaction, line)
        case commands.KeyFromGithub(name=name):
            if name is None:
                return await github_keys.open_form(context, interaction)
            return await github_keys.look(context, interaction, name)
        case OfRental():
            return await short_forms.carry_out(context, interaction, command)
        case commands.Spend():
            return await spend.ask(context, interaction, command)
        case commands.Plain.RELOAD_POLICY:
            return await policy.reload(context, interaction, NO_VALUE)
        case commands.Pause() | commands.Plain.RESUME | commands.Away() | commands.Plain.BACK:
            return await _switch(context, interaction, command)
        case _:
            return await _answer(context, interaction, command)


async def _switch(
    context: Context, interaction: UserInteraction, command: commands.Pause | commands.Away | commands.Plain
) -> Outcome:
    """Pause or resume all buying, or record that an approver is away or back."""
    do = partial(carry_out, context, interaction)
    match command:
        case commands.Pause(reason=reason):
            return await do(
                account.Pause(reason), lambda new, reader: replies.paused(new, reader.rules.home_channel)
            )
        case commands.Plain.RESUME:
            return await do(account.Resume(), lambda new, _: replies.resumed(new))
        case commands.Away(until=until):
            return await do(away.GoAway(until), lambda asked, _: replies.away(until, asked))
        case _:
            return await do(away.ComeBack(), lambda was_away, _: replies.back(was_away))


async def _answer(
    context: Context,
    interaction: UserInteraction,
    query: commands.ListRentals | commands.ListTokens | commands.TokenForCode | commands.Plain,
) -> Outcome:
    person, rules = interaction.person, context.deps.rules
    match query:
        case commands.Plain.KEYS:
            return await keys.show(context, interaction, NO_VALUE)
        case commands.Plain.NEW_TOKEN:
            return await token_form.open_form(context, interaction)
        case commands.TokenForCode(code=code):
            return await token_form.open_for_code(context, interaction, CodeValue(code=code))
        case commands.ListTokens(all=everyone):
            return await tokens.show(context, interaction, everyone=everyone)
        case commands.ListRentals(all=everyone):
            return Reply(content=await _list(context, interaction, everyone=everyone))
        case commands.Plain.CATALOG:
            check_user(person, rules)
            return Reply(content=lists.catalog(context.known_catalog(), context.reader(person)))
        case commands.Plain.PROBE:
            return Reply(content=probe.probe(rules))
        case commands.Plain.POLICY:
            return await policy.show(context, interaction, NO_VALUE)
        case commands.Plain.HELP:
            roles = roles_of(person, rules)
            return Reply(content=lists.help_(commands.help_for(roles), roles, rules=rules))
        case _:
            own = await queries.live_rentals(context.deps, person, everyone=False, most=lists.HOME_ROWS)
            return Reply(content=lists.home(own, context.reader(person)))


async def suggest(context: Context, interaction: UserInteraction, *, bot: str) -> Outcome:
    """Suggest how to write a command, in reply to a message in which other text precedes the mention.

    Nothing is carried out, because such a message may be about the bot rather than addressed to it. `bot` is the
    bot's own user ID. Raises Mistake if the text isn't a command.
    """
    person, text = interaction.person, interaction.text
    command = _parse(context, person, text)
    suggested = commands.command_text(
        command, text, default_lease=context.deps.rules.lease.default, zone=person.tz
    )
    return Reply(content=replies.begin_with_mention(bot, suggested))


async def show_line(context: Context, interaction: UserInteraction, value: LineValue) -> Outcome:
    """Show the offers for a corrected request.

    If a request contains a mistake, the error message suggests corrected requests, each with a button. A click on
    such a button calls this function. Nothing is rented, even if the request contains `now`. Raises Mistake if the
    request can't be parsed.
    """
    text = value.text if value.text.startswith("wait ") else f"get {value.text}"
    command = _parse(context, interaction.person, text)
    if not isinstance(command, Get | Wait):
        raise Mistake(UNREADABLE)
    if isinstance(command, Get):
        command = changed(command, now=False)
    return await offers.ask_for(context, interaction, command)


def _parse(context: Context, person: Person, text: str) -> commands.Command:
    now = context.deps.clock.now()
    catalog = context.catalog() or Catalog(gpus={}, vendors=(), regions=(), contracts=(), read_at=now)
    try:
        command = commands.parse_command(text, catalog, ParseContext(context.deps.rules, now, person.tz))
    except Mistake:
        # Until the catalog of GPUs has been read, the parser knows no GPU and rejects every name. The person made
        # no mistake in this case, so `known_catalog` raises MarketAway instead.
        context.known_catalog()
        raise
    if isinstance(command, Get | Wait):
        # Until the catalog of GPUs has been read, the parser can't check the names in a request. `known_catalog`
        # raises MarketAway in this case.
        context.known_catalog()
    return command


async def _list(context: Context, interaction: UserInteraction, *, everyone: bool) -> Rendered:
    person = interaction.person
    return lists.listing(
        await queries.live_rentals(context.deps, person, everyone=everyone, most=lists.ROWS),
        context.reader(person),
        everyone=everyone,
        waits=await (waiting.starting if everyone else waiting.waiting_of)(context.deps, person),
    )


# --- buttons that do the same as a command: those of the Home tab and of `/gpu probe`


async def show_team(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return OpenModal(modal=team_dialog(await _list(context, interaction, everyone=True)))


def team_dialog(listing: Rendered) -> Modal:
    """Return the dialog that lists everyone's rentals, like `/gpu list all`."""
    return blocks.modal(
        Callback.NOTICE, "All machines", *listing.blocks, submit=None, close="Close", value=NO_VALUE
    )


async def show_script(_: Context, __: UserInteraction, value: ScriptValue) -> Outcome:
    """Open the text of a script that the bot installs on machines."""
    return OpenModal(modal=probe.script_dialog(value.script))


async def turn_page(context: Context, interaction: UserInteraction, value: PageValue) -> Outcome:
    await home.turn_page(context.deps, interaction.person, value.page)
    return None


ON = (
    on(Action.SHOW_LINE, show_line),
    on(Action.SHOW_TEAM, show_team),
    on(Action.SHOW_SCRIPT, show_script),
    on(Action.HOME_PAGE, turn_page),
)
