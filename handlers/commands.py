"""`/gpu`: parse, one call to the service, render."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from bot.errors import Mistake, PrivateKey
from bot.lifecycle.service import account, looking, quoting
from bot.model.offer import Catalog
from bot.model.story import Listing
from bot.policy.roles import roles_of, sees_others_money
from handlers import doing, keys, parsing
from handlers.context import Context
from handlers.views import lists, replies
from handlers.views.blocks import Rendered
from handlers.visit import Outcome, Reply, Visit

COMMAND = "/gpu"
KEEP_FOR = timedelta(hours=4)
"""Where `/gpu keep` doesn't say for how long."""

Look: TypeAlias = (
    parsing.KeyShow
    | parsing.Show
    | parsing.Ssh
    | parsing.ListRentals
    | parsing.ShowCatalog
    | parsing.Help
    | parsing.Home
)
"""What changes nothing."""


async def gpu(context: Context, visit: Visit) -> Outcome:
    """`/gpu ...`, whatever it asks for."""
    command = _parsed(context, visit.text)
    match command:
        case parsing.Get(request=request, now=now):
            return await doing.ask(context, visit, request, now=now)
        case parsing.GetForm():
            return doing.form(context, visit)
        case parsing.KeySet(line=line):
            return await keys.save(context, visit, line)
        case parsing.Destroy(id=rental_id):
            return await doing.confirm_destroy(context, visit, rental_id)
        case parsing.Extend(id=rental_id, hours=span):
            if span is None:
                return await doing.extend_form(context, visit, rental_id)
            return await doing.extend(context, visit, rental_id, span)
        case parsing.Keep(id=rental_id, hours=span):
            return await doing.keep(context, visit, rental_id, span or KEEP_FOR)
        case parsing.Pause():
            return Reply(said=replies.paused(await account.pause(context.desk, visit.person)))
        case parsing.Resume():
            return Reply(said=replies.resumed(await account.resume(context.desk, visit.person)))
        case _:
            return await _look(context, visit, command)


async def _look(context: Context, visit: Visit, command: Look) -> Outcome:
    match command:
        case parsing.KeyShow():
            return await keys.show(context, visit)
        case parsing.Show(id=rental_id):
            return await doing.show(context, visit, rental_id)
        case parsing.Ssh(id=rental_id):
            return Reply(said=await _ssh(context, visit, rental_id))
        case parsing.ListRentals(all=everyone):
            return Reply(said=await _list(context, visit, everyone=everyone))
        case parsing.ShowCatalog():
            return Reply(said=_catalog(context, visit))
        case parsing.Help():
            roles = roles_of(visit.person, context.desk.rules)
            return Reply(said=lists.help_(admin=roles.admin, user=roles.user, rules=context.desk.rules))
        case parsing.Home():
            return Reply(said=await _home(context, visit))


def _parsed(context: Context, text: str) -> parsing.Command:
    lease = context.desk.rules.lease
    catalog = context.catalog() or Catalog(
        gpus={}, vendors=(), regions=(), contracts=(), read_at=context.desk.clock.now()
    )
    try:
        command = parsing.parse(text, catalog, default_lease=lease.default, max_lease=lease.max)
    except PrivateKey:
        raise
    except Mistake:
        # Before the catalogue is known, what reads like a mistake may well be a GPU.
        doing.known_catalog(context)
        raise
    if isinstance(command, parsing.Get):
        doing.known_catalog(context)
    return command


async def _list(context: Context, visit: Visit, *, everyone: bool) -> Rendered:
    return lists.listing(
        await _live(context, visit, everyone=everyone, most=lists.ROWS),
        reader=visit.person.id,
        everyone=everyone,
        sees_money=sees_others_money(visit.person, context.desk.rules),
        rules=context.desk.rules,
        now=context.desk.clock.now(),
        zone=visit.person.tz,
    )


async def _home(context: Context, visit: Visit) -> Rendered:
    return lists.home(
        await _live(context, visit, everyone=False, most=lists.HOME_ROWS),
        reader=visit.person.id,
        rules=context.desk.rules,
        now=context.desk.clock.now(),
        zone=visit.person.tz,
    )


async def _live(context: Context, visit: Visit, *, everyone: bool, most: int) -> Listing:
    """What is not over, with its sums: all who may use the bot see the team's."""
    return await looking.listing(context.desk, visit.person, everyone=everyone, most=most)


async def _ssh(context: Context, visit: Visit, rental_id: str) -> Rendered:
    return lists.ssh(
        await looking.to_open(context.desk, visit.person, rental_id),
        reader=visit.person.id,
        rules=context.desk.rules,
        now=context.desk.clock.now(),
        zone=visit.person.tz,
    )


def _catalog(context: Context, visit: Visit) -> Rendered:
    quoting.check_user(visit.person, context.desk.rules)
    return lists.catalog(
        doing.known_catalog(context), rules=context.desk.rules, now=context.desk.clock.now(), zone=visit.person.tz
    )
