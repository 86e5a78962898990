"""Requests for offers: shared calls, similar requests, a missing key, and a marketplace that doesn't answer."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bot.errors import Refused
from bot.lifecycle.actions import quoting
from bot.lifecycle.actions.action import carry_out
from bot.model.base import changed
from bot.model.message import MessageKind
from bot.model.person import Person
from bot.model.quote import QuoteState
from bot.model.request import Contract, Request
from bot.policy.team.rules import Access
from tests.lifecycle.world import (
    ANA,
    BEN,
    CLEO,
    DORA,
    FOREVER,
    HOUR,
    MINUTE,
    RULES,
    SECOND,
    TRAINING,
    World,
    world,
)
from tests.store.make import REPLY_TO


async def test_equal_requests_within_fifteen_seconds_share_one_call(here: World) -> None:
    await asyncio.gather(*(ask_without_waiting(here, person) for person in (ANA, BEN, CLEO)))
    await here.settle()
    assert len(await here.calls("get_offers")) == 1
    here.jump(14 * SECOND)
    await here.ask(ANA, note="another note", lease=HOUR, up_to=3 * HOUR, probe=False)
    assert len(await here.calls("get_offers")) == 1
    here.jump(SECOND)
    await here.ask(ANA)
    assert len(await here.calls("get_offers")) == 2


async def ask_without_waiting(here: World, person: Person) -> None:
    await carry_out(
        here.deps,
        person,
        quoting.Ask(
            Request(gpu="H100", region="EU", lease=2 * HOUR), asked_in=TRAINING, direct=False, reply_to=REPLY_TO
        ),
    )


async def test_if_nothing_matches_similar_requests_are_suggested(here: World) -> None:
    quote = await here.ask(max_gpu_rate=Decimal("2.00"))
    assert (quote.state, quote.offers) == (QuoteState.NONE, ())
    found = {(near.request.region, near.request.contract, near.request.max_gpu_rate) for near in quote.nearby}
    assert ("EU", Contract.ONDEMAND, None) in found
    assert ("EU", Contract.SPOT, Decimal("2.00")) in found
    for near in quote.nearby:
        cap = near.request.max_gpu_rate
        assert cap is None or near.cheapest.rate <= cap


async def test_an_unanswering_market_is_queried_for_two_minutes(here: World) -> None:
    await here.fault("get_offers", "status", status=503, times=None)
    quote = await here.ask()
    assert quote.state is QuoteState.LOOKING
    await here.pass_time(MINUTE + 50 * SECOND)
    assert (await here.quote(quote.id)).state is QuoteState.LOOKING
    await here.pass_time(15 * SECOND)
    quote = await here.quote(quote.id)
    assert (quote.state, quote.due_at) == (QuoteState.UNANSWERED, None)


async def test_a_person_is_notified_once_that_a_search_takes_longer(here: World) -> None:
    here.slack_is_down = True
    await here.fault("get_offers", "status", status=503, times=None)
    quote = await here.ask()
    await here.pass_time(MINUTE)
    async with here.deps.store.read() as tx:
        answers = [message.kind for message in await tx.messages.due(FOREVER, 10) if message.quote_id == quote.id]
    assert answers == [MessageKind.LOOKING]


async def test_a_refused_token_ends_a_search_immediately(here: World) -> None:
    await here.fault("get_offers", "status", status=401, times=None)
    quote = await here.ask()
    assert (quote.state, quote.due_at) == (QuoteState.UNANSWERED, None)


async def test_a_search_continues_after_a_fault_of_the_market(here: World) -> None:
    await here.fault("get_offers", "status", status=503)
    quote = await here.ask()
    assert quote.state is QuoteState.LOOKING
    await here.pass_time(20 * SECOND)
    assert (await here.quote(quote.id)).state is QuoteState.FOUND


async def test_a_search_needs_no_key(here: World) -> None:
    assert (await here.ask(DORA)).state is QuoteState.FOUND


async def test_now_shows_the_offers_to_a_person_without_a_key(here: World) -> None:
    quote = await here.ask(DORA, now=True)
    assert (quote.state, quote.rental_id, quote.clicked_offer) == (QuoteState.FOUND, None, None)


async def test_a_seventh_search_within_a_minute_is_refused(here: World) -> None:
    for _ in range(6):
        await here.ask()
    with pytest.raises(Refused, match="Six searches"):
        await here.ask()
    await here.ask(BEN)
    here.jump(MINUTE + SECOND)
    await here.ask()


async def test_each_search_is_answered_once(here: World) -> None:
    here.slack_is_down = True
    quote = await here.ask()
    async with here.deps.store.read() as tx:
        answers = [m for m in await tx.messages.due(FOREVER, 10) if m.quote_id == quote.id]
    assert [(m.kind, m.to.value) for m in answers] == [(MessageKind.QUOTE, "https://slack.test/reply")]


async def test_a_search_is_refused_for_excluded_people_channels_and_sizes(sqlite_url: str) -> None:
    rules = changed(RULES, use=Access(channels=("C0OTHER",)))
    async with world(sqlite_url, rules=rules) as here:
        with pytest.raises(Refused, match="can't be used in this channel") as refused:
            await here.ask()
        assert refused.value.channels == ("C0OTHER",)
        with pytest.raises(Refused, match="don't let you"):
            await here.ask(changed(ANA, guest=True))
        with pytest.raises(Refused, match="8 GPUs"):
            await carry_out(
                here.deps,
                ANA,
                quoting.Ask(
                    Request(gpu="H100", count=16, lease=HOUR), asked_in="D0ANA", direct=True, reply_to=REPLY_TO
                ),
            )
