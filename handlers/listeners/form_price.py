"""Shows in an open form what its choice costs. Nothing here changes anything but that line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from bot.errors import GpubotError, MarketAway
from bot.lifecycle.actions import quoting
from bot.model.person import Person
from bot.model.request import Request
from handlers.ids import Field
from handlers.listeners.context import Context
from handlers.listeners.interaction import ShowPrice, UserInteraction, part, text
from handlers.phrases.error_text import error_text
from handlers.slack_api.web_api import NO_ANSWER, error_code
from handlers.typed.form import InvalidForm, read_form
from handlers.views.answers import form_price

UPDATE_TIMEOUT = 3
"""Real seconds."""

_log = structlog.get_logger("gpubot.handlers")


async def chosen(context: Context, interaction: UserInteraction) -> ShowPrice:
    """Return what the form asks the price of, or what is missing for a price."""
    person = interaction.person
    if not interaction.inputs.get(Field.GPU):
        return ShowPrice(person=person, words=form_price.NOTHING_CHOSEN)
    catalog = context.catalog()
    if catalog is None:
        return ShowPrice(person=person, words=form_price.NO_CATALOG)
    now, zone = context.deps.clock.now(), person.tz
    try:
        get = read_form(interaction.inputs, catalog, context.deps.rules, now=now, zone=zone)
    except InvalidForm as invalid:
        return ShowPrice(person=person, words=form_price.not_readable(next(iter(invalid.errors.values()))))
    return ShowPrice(person=person, request=get.request)


async def show(context: Context, view: Mapping[str, Any], wanted: ShowPrice) -> None:
    """Show what its choice costs in the open form `view`, which is a view as Slack sends it. Leave a form as it is
    if it was closed or submitted, or if another choice was made meanwhile."""
    turn = context.forms.begin(text(view, "id"), text(view, "hash"))
    person, request = wanted.person, wanted.request
    words = wanted.words if request is None else await _words(context, person, request)
    updated = form_price.with_line(view, words)
    if updated is None or not context.forms.is_newest(turn):
        return
    try:
        async with asyncio.timeout(UPDATE_TIMEOUT):
            answer = await context.client.views_update(view_id=turn.view_id, hash=turn.hash, view=updated)
    except NO_ANSWER as error:
        # Usual errors: not_found, because the form was closed; hash_conflict, because it changed meanwhile.
        _log.info("form.price_not_shown", user=person.id, error=error_code(error))
        return
    context.forms.updated(turn, text(part(answer.data if isinstance(answer.data, dict) else {}, "view"), "hash"))


async def _words(context: Context, person: Person, request: Request) -> str:
    if context.prices_asked.wait(person.id, context.deps.clock.monotonic()):
        return form_price.not_asked(request)
    try:
        offer = await quoting.cheapest(context.deps, context.prices, person, request)
    except MarketAway:
        return form_price.no_answer(request)
    except GpubotError as problem:
        return form_price.refused(error_text(problem))
    return form_price.price(request, offer)
