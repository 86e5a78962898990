"""Notices that bypass the outbox while the store accepts no writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.deps import Deps
from bot.model.event import Event, EventKind
from bot.model.facts import AlertFacts
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.direct_posts import RETRY_AFTER, DirectPosts, PostOutcome
from handlers.delivery.pace import Pace
from handlers.phrases.blocks import header, of_parts
from store.db import Database
from tests.lifecycle.world import ANA, CLEO, RULES, Clock
from tests.sandbox.compute_world import NOON

FEW_SECONDS = timedelta(seconds=3)
UNREACHABLE = aiohttp.ClientConnectorError(
    ConnectionKey("slack.test", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None),
    OSError("unreachable"),
)


class Slack:
    """Counts posts, and raises `error` after each."""

    def __init__(self) -> None:
        self.posts: list[str] = []
        self.error: Exception | None = TimeoutError()
        self.takes_header = True

    async def chat_postMessage(self, *, channel: str, blocks: list[Any], **_: Any) -> None:  # noqa: N802  # the SDK's name
        self.posts.append(channel)
        if not self.takes_header and blocks[0]["type"] == "header":
            raise SlackApiError("refused", {"error": "invalid_blocks"})  # type: ignore[no-untyped-call]  # the SDK's
        if self.error is not None:
            raise self.error


def no_writes(rental_id: str | None = None) -> Event[AlertFacts]:
    facts = AlertFacts(name=rental_id, since=NOON, until=NOON, span=timedelta(minutes=30))
    return Event(rental_id=None, kind=EventKind.NO_WRITES, at=NOON, facts=facts)


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def messages(slack: Slack, clock: Clock) -> DirectPosts:
    return DirectPosts(
        cast(AsyncWebClient, slack),
        Pace(),
        Deps(store=cast(Database, None), clock=clock, rules=RULES),
        BlockTypes(),
    )


async def test_a_notice_with_a_lost_answer_is_resent_after_five_minutes(
    slack: Slack, clock: Clock, messages: DirectPosts
) -> None:
    for _ in range(10):
        assert not await messages.post(CLEO.id, no_writes())
        clock.put(clock.now() + FEW_SECONDS)
    assert slack.posts == [CLEO.id]
    slack.error = None
    assert await messages.post(ANA.id, no_writes("k7mq2"))
    clock.put(clock.now() + RETRY_AFTER)
    assert await messages.post(CLEO.id, no_writes())
    assert slack.posts == [CLEO.id, ANA.id, CLEO.id]


async def test_a_notice_that_could_not_reach_slack_is_resent_within_seconds(
    slack: Slack, clock: Clock, messages: DirectPosts
) -> None:
    slack.error = UNREACHABLE
    assert not await messages.post(CLEO.id, no_writes())
    clock.put(clock.now() + FEW_SECONDS)
    slack.error = None
    assert await messages.post(CLEO.id, no_writes())


async def test_a_post_with_refused_blocks_is_repeated_without_rate_limiting(
    slack: Slack, clock: Clock, messages: DirectPosts
) -> None:
    slack.error, slack.takes_header = None, False
    assert await messages.send(ANA.id, of_parts(header("Your machine is ready"))) is PostOutcome.TAKEN
    assert slack.posts == [ANA.id, ANA.id]
    assert not clock.paused.is_set()
