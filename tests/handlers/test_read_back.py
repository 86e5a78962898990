"""Finding out whether a post has already arrived, using the pages that Slack returns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.message import MessageKind, to_channel
from handlers.delivery.pace import READ, Pace
from handlers.delivery.read_back import METADATA, PAGES, UNKNOWN_ERROR_TRIES, Finder, SearchAgain, Unreadable
from handlers.slack_api.web_api import TOKEN_RETRY
from tests.handlers.team import NOON
from tests.handlers.test_delivery_rules import refused
from tests.lifecycle.world import Clock
from tests.store import make

Json = dict[str, Any]
HERE = to_channel("C1")
MESSAGE = make.message(id=7)


def post_of(message_id: int, ts: str) -> Json:
    metadata = {"event_type": METADATA, "event_payload": {"id": message_id}}
    return {"ts": ts, "bot_id": "B1", "metadata": metadata}


def page(*posts: Json, cursor: str = "") -> Json:
    return {"ok": True, "messages": list(posts), "response_metadata": {"next_cursor": cursor}}


OURS, OTHER = post_of(7, "2.0"), post_of(8, "3.0")
OF_A_PERSON: Json = {"ts": "1.0"}
OF_A_BOT: Json = {"ts": "1.0", "bot_id": "B1"}


class Slack:
    """Returns the prepared answers in order, and records the queries."""

    def __init__(self, *answers: Json | Exception) -> None:
        self.answers = list(answers)
        self.queries: list[Json] = []

    async def conversations_replies(self, **query: Any) -> Json:
        return await self.conversations_history(**query)

    async def conversations_history(self, **query: Any) -> Json:
        self.queries.append(query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def finder(slack: Slack, pace: Pace | None = None) -> Finder:
    return Finder(cast(AsyncWebClient, slack), Clock(NOON), pace or Pace())


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        (page(OF_A_PERSON, OTHER, OURS), ("C1", "2.0")),
        (page(), None),
        (page(OF_A_PERSON), None),
        (page(OF_A_BOT, OTHER), None),
        (refused("thread_not_found"), None),
    ],
)
async def test_in_a_readable_conversation_a_post_is_found_or_proved_absent(
    answer: Json | Exception, place: tuple[str, str] | None
) -> None:
    assert await finder(Slack(answer)).find(MESSAGE, HERE, None, NOON) == place


async def test_in_the_thread_of_another_apps_message_a_post_is_proved_absent() -> None:
    to_app = make.message(MessageKind.PROGRAM, id=7, to=HERE.value, body={"thread_ts": "1.0"})
    assert await finder(Slack(page(OF_A_BOT))).find(to_app, HERE, "1.0", NOON) is None
    assert await finder(Slack(page(OF_A_BOT, OURS))).find(to_app, HERE, "1.0", NOON) == ("C1", "2.0")


@pytest.mark.parametrize("answer", [page(OF_A_BOT), refused("missing_scope"), refused("channel_not_found")])
async def test_a_conversation_without_metadata_or_access_is_unreadable(
    answer: Json | Exception,
) -> None:
    with pytest.raises(Unreadable):
        await finder(Slack(answer)).find(MESSAGE, HERE, None, NOON)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (refused("internal_error"), None),
        (refused("an_error_of_next_year"), None),
        (refused("ratelimited"), timedelta(seconds=30)),
        (refused("token_revoked"), TOKEN_RETRY),
        (TimeoutError(), None),
        ({"ok": True}, None),
        ({"ok": True, "messages": "none"}, None),
    ],
    ids=str,
)
async def test_after_any_other_failure_the_search_is_repeated(
    answer: Json | Exception, wait: timedelta | None
) -> None:
    pace = Pace()
    with pytest.raises(SearchAgain) as caught:
        await finder(Slack(answer), pace).find(MESSAGE, HERE, None, NOON)
    assert caught.value.until == (None if wait is None else NOON + wait)
    assert pace.open_at(READ, NOON) == NOON + (wait or timedelta())


async def test_a_conversation_becomes_unreadable_after_repeating_the_same_unknown_error() -> None:
    unknown, outage = refused("an_error_of_next_year"), refused("internal_error")
    failures = [*[unknown] * (UNKNOWN_ERROR_TRIES - 1), outage, *[unknown] * UNKNOWN_ERROR_TRIES]
    search = finder(Slack(*failures))
    for _ in failures[:-1]:
        with pytest.raises(SearchAgain):
            await search.find(MESSAGE, HERE, None, NOON)
    with pytest.raises(Unreadable):
        await search.find(MESSAGE, HERE, None, NOON)


async def test_a_long_search_continues_from_its_last_page() -> None:
    pages = [page(OTHER, cursor=f"after {number}") for number in range(PAGES)]
    slack = Slack(*pages, page(OURS))
    search = finder(slack)
    with pytest.raises(SearchAgain) as caught:
        await search.find(MESSAGE, HERE, None, NOON)
    assert caught.value.until == NOON
    assert await search.find(MESSAGE, HERE, None, NOON) == ("C1", "2.0")
    assert slack.queries[-1]["cursor"] == f"after {PAGES - 1}"


async def test_an_expired_cursor_restarts_the_search() -> None:
    slack = Slack(page(OTHER, cursor="old"), refused("invalid_cursor"), page(OURS))
    search = finder(slack)
    with pytest.raises(SearchAgain):
        await search.find(MESSAGE, HERE, None, NOON)
    assert await search.find(MESSAGE, HERE, None, NOON) == ("C1", "2.0")
    assert "cursor" not in slack.queries[-1]
