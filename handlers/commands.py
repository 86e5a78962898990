"""`/gpu`: parse, one call to the service, render."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import MarketAway, Mistake
from bot.lifecycle.service import account, leasing, looking, quoting
from bot.model.offer import Catalog
from bot.policy.keys import PrivateKey
from bot.policy.roles import roles_of
from handlers import keys, parsing
from handlers.confirming import confirm_destroy
from handlers.context import Context
from handlers.views import lists, modals, replies
from handlers.visit import Opens, Outcome, Reply, Visit

COMMAND = "/gpu"
KEEP_FOR = timedelta(hours=4)
"""Where `/gpu keep` doesn't say for how long."""


async def gpu(context: Context, visit: Visit) -> Outcome:
    """`/gpu ...`, whatever it asks for."""
    match _parsed(context, visit.text):
        case parsing.Get(request=request, now=now):
            await quoting.ask(
                context.desk,
                visit.person,
                request,
                asked_in=visit.channel,
                direct=visit.direct,
                reply_url=visit.reply_url,
                rent_now=now,
            )
            return None
        case parsing.GetForm():
            quoting.check_user(visit.person, context.desk.rules)
            return Opens(view=modals.form(known_catalog(context), rules=context.desk.rules))
        case parsing.KeySet(line=line):
            return await keys.save(context, visit, line)
        case parsing.KeyShow():
            return await keys.show(context, visit)
        case parsing.Destroy(id=rental_id):
            return await confirm_destroy(context, visit, rental_id)
        case parsing.Extend(id=rental_id, hours=None):
            return await extend_form(context, visit, rental_id)
        case parsing.Extend(id=rental_id, hours=timedelta() as span):
            return await extend(context, visit, rental_id, span)
        case parsing.Keep(id=rental_id, hours=span):
            rental = await leasing.keep(context.desk, visit.person, rental_id, span or KEEP_FOR)
            return Reply(said=replies.kept(rental))
        case parsing.Pause():
            return Reply(said=replies.paused(await account.pause(context.desk, visit.person)))
        case parsing.Resume():
            return Reply(said=replies.resumed(await account.resume(context.desk, visit.person)))
        case command:
            return await _look(context, visit, command)


def _parsed(context: Context, text: str) -> parsing.Command:
    lease = context.desk.rules.lease
    known = context.catalog()
    catalog = known or Catalog(gpus={}, vendors=(), regions=(), contracts=(), read_at=context.desk.clock.now())
    try:
        command = parsing.parse(text, catalog, default_lease=lease.default, max_lease=lease.max)
    except PrivateKey:
        raise
    except Mistake:
        # Without the catalogue, what reads like a mistake may well be a GPU.
        known_catalog(context)
        raise
    if isinstance(command, parsing.Get):
        known_catalog(context)
    return command


def known_catalog(context: Context) -> Catalog:
    """The catalogue as last read. Raises MarketAway before the first time."""
    known = context.catalog()
    if known is None:
        raise MarketAway(
            "Compute Clear hasn't told me yet what there is to rent. Nothing is rented. Try again in a minute.",
            acted=False,
        )
    return known
