"""`/gpu`: parse, one call to the service, render."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from bot.errors import Mistake, PrivateKey
from bot.lifecycle.service import account, queries, quoting
from bot.model.offer import Catalog
from bot.model.summary import RentalList
from handlers.listeners import keys, operations
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.parsing import commands
from handlers.views import lists, replies
from handlers.views.blocks import Rendered

COMMAND = "/gpu"
KEEP_FOR = timedelta(hours=4)
"""Where `/gpu keep` doesn't say for how long."""

Look: TypeAlias = (
    commands.KeyShow
    | commands.Show
    | commands.Ssh
    | commands.ListRentals
    | commands.ShowCatalog
    | commands.Help
    | commands.Home
)
"""What changes nothing."""


async def gpu(context: Context, interaction: UserInteraction) -> Outcome:
    """`/gpu ...`, whatever it asks for."""
    command = _parsed(context, interaction.text)
    match command:
        case commands.Get(request=request, now=now):
            return await operations.ask(context, interaction, request, now=now)
        case commands.GetForm():
            return operations.form(context, interaction)
        case commands.KeySet(line=line):
            return await keys.save(context, interaction, line)
        case commands.Destroy(id=rental_id):
            return await operations.confirm_destroy(context, interaction, rental_id)
        case commands.Extend(id=rental_id, duration=span):
            if span is None:
                return await operations.extend_form(context, interaction, rental_id)
            return await operations.extend(context, interaction, rental_id, span)
        case commands.Keep(id=rental_id, duration=span):
            return await operations.keep(context, interaction, rental_id, span or KEEP_FOR)
        case commands.Pause():
            return Reply(said=replies.paused(await account.pause(context.deps, interaction.person)))
        case commands.Resume():
            return Reply(said=replies.resumed(await account.resume(context.deps, interaction.person)))
        case _:
            return await _look(context, interaction, command)


async def _look(context: Context, interaction: UserInteraction, command: Look) -> Outcome:
    match command:
        case commands.KeyShow():
            return await keys.show(context, interaction)
        case commands.Show(id=rental_id):
            return await operations.show(context, interaction, rental_id)
        case commands.Ssh(id=rental_id):
            return Reply(said=await _ssh(context, interaction, rental_id))
        case commands.ListRentals(all=everyone):
            return Reply(said=await _list(context, interaction, everyone=everyone))
        case commands.ShowCatalog():
            return Reply(said=_catalog(context, interaction))
        case commands.Help():
            roles = queries.own_roles(context.deps, interaction.person)
            return Reply(said=lists.help_(admin=roles.admin, user=roles.user, rules=context.deps.rules))
        case commands.Home():
            return Reply(said=await _home(context, interaction))


def _parsed(context: Context, text: str) -> commands.Command:
    lease = context.deps.rules.lease
    catalog = context.catalog() or Catalog(
        gpus={}, vendors=(), regions=(), contracts=(), read_at=context.deps.clock.now()
    )
    try:
        command = commands.parse_command(text, catalog, default_lease=lease.default, max_lease=lease.max)
    except PrivateKey:
        raise
    except Mistake:
        # Before the catalogue is known, what reads like a mistake may well be a GPU.
        operations.known_catalog(context)
        raise
    if isinstance(command, commands.Get):
        operations.known_catalog(context)
    return command


async def _list(context: Context, interaction: UserInteraction, *, everyone: bool) -> Rendered:
    return lists.listing(
        await _live(context, interaction, everyone=everyone, most=lists.ROWS),
        everyone=everyone,
        rules=context.deps.rules,
        now=context.deps.clock.now(),
        zone=interaction.person.tz,
    )


async def _home(context: Context, interaction: UserInteraction) -> Rendered:
    return lists.home(
        await _live(context, interaction, everyone=False, most=lists.HOME_ROWS),
        rules=context.deps.rules,
        now=context.deps.clock.now(),
        zone=interaction.person.tz,
    )


async def _live(context: Context, interaction: UserInteraction, *, everyone: bool, most: int) -> RentalList:
    """What is not over, with its sums: all who may use the bot see the team's."""
    return await queries.live_rentals(context.deps, interaction.person, everyone=everyone, most=most)


async def _ssh(context: Context, interaction: UserInteraction, rental_id: str) -> Rendered:
    return lists.ssh(
        await queries.ssh_details(context.deps, interaction.person, rental_id),
        reader=interaction.person.id,
        rules=context.deps.rules,
        now=context.deps.clock.now(),
        zone=interaction.person.tz,
    )


def _catalog(context: Context, interaction: UserInteraction) -> Rendered:
    quoting.check_user(interaction.person, context.deps.rules)
    return lists.catalog(
        operations.known_catalog(context),
        rules=context.deps.rules,
        now=context.deps.clock.now(),
        zone=interaction.person.tz,
    )
