"""Slack refuses a token during startup or later. The bot continues once Slack accepts a token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs
from typing_extensions import override

from bot.app import build
from bot.clock import Clock, MovedClock
from bot.config.settings import read_settings
from bot.errors import Mistake, Unusable
from bot.lifecycle.loops.replica import Replica
from demo.processes import free_port
from handlers.connection import Connection, HttpMode, TokenRefusal, Tokens
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.loop import Delivery
from handlers.directory import People, SlackChannels
from handlers.phrases.classic import Surface
from handlers.slack_api.scopes import NEEDED
from sandbox.slack import from_manifest
from sandbox.slack.default import ANA, CLEO, GPUS, TRAINING
from tests.handlers.team import MANIFEST, NOON, Json, Team, an_offer, team
from tests.recording_proxy import no_proxies
from tests.sandbox.slack_world import workspace
from tests.store.make import rental, store_rental


@dataclass
class Settings:
    """The settings that each reading of the configuration returns."""

    tokens: Tokens
    broken: bool = False
    read: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self) -> Tokens:
        self.read.set()
        if self.broken:
            self.broken = False
            raise Mistake("SLACK_BOT_TOKEN_FILE can't be read")
        return self.tokens


@asynccontextmanager
async def connecting(
    ours: Team,
    settings: Settings,
    *,
    made: list[Connection] | None = None,
    replica: Replica | None = None,
    http: HttpMode | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a second connection with these settings, and delivery, until the end of the block.

    The connection is appended to `made`.
    """
    client = AsyncWebClient(
        token=settings.tokens.bot,
        base_url=f"{ours.world.url}/api/",
        session=ours.world.session,
        retry_handlers=[],
    )
    delivery = Delivery(ours.deps, client, ours.world.session)
    deps = replace(ours.deps, clock=clock or ours.deps.clock)
    connection = Connection(
        replace(
            ours.context,
            deps=deps,
            client=client,
            people=People(ours.deps, client),
            channels=SlackChannels(deps, client),
            direct=delivery.direct,
            others_work=lambda: replica is not None and replica.others_work,
        ),
        delivery,
        settings.tokens,
        settings,
        replica=replica,
        http=http,
        retry_refused=0.02,
    )
    if made is not None:
        made.append(connection)
    running, delivering = asyncio.create_task(connection.run()), asyncio.create_task(delivery.run())
    try:
        yield running
    finally:
        await connection.close()
        running.cancel()
        delivering.cancel()
        await asyncio.gather(running, delivering, return_exceptions=True)
        await delivery.drain()


def valid_tokens(ours: Team) -> Tokens:
    return Tokens(bot=ours.world.sandbox.bot_token, app=ours.world.sandbox.app_token)


async def wait_for_card(ours: Team) -> Json:
    """Return the card once it has been posted."""
    last = 0
    while True:
        seen = await ours.world.get("see", user=ANA, channel=TRAINING, after=last, wait=20)
        assert seen["messages"], "nobody posts the card"
        found = [m for m in seen["messages"] if "Starting" in m["reads"] and not m["only_you"]]
        if found:
            return dict(found[0])
        last = seen["last"]


@pytest.mark.parametrize("wrong", ["bot", "app"])
async def test_the_bot_connects_and_posts_after_a_refused_token_is_replaced(tmp_path: Path, wrong: str) -> None:
    async with team(tmp_path) as ours:
        await ours.rented()
        good = valid_tokens(ours)
        settings = Settings(Tokens(bot="xoxb-no", app=good.app) if wrong == "bot" else Tokens(good.bot, "xapp-no"))
        refused = "auth.test" if wrong == "bot" else "apps.connections.open"
        async with connecting(ours, settings):
            before = (await ours.world.get("traffic"))["last"]
            await ours.world.get("traffic", after=before, endpoint=refused, wait=20)
            # This happens for a moment while a file is being replaced.
            settings.broken = True
            settings.tokens = good
            assert len((await ours.world.get("sockets", least=3, wait=20))["sockets"]) >= 3
            assert "Cancel" in str((await wait_for_card(ours))["buttons"])


@pytest.mark.parametrize("wrong", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"])
async def test_a_token_file_is_read_again_after_slack_refused_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """This test uses every part of `gpubot run`, from the environment to the connection."""
    monkeypatch.chdir(tmp_path)
    no_proxies(monkeypatch)
    async with workspace(app=from_manifest(MANIFEST)) as world:
        good = {"SLACK_BOT_TOKEN": world.sandbox.bot_token, "SLACK_APP_TOKEN": world.sandbox.app_token}
        bad = {"SLACK_BOT_TOKEN": "xoxb-no", "SLACK_APP_TOKEN": "xapp-no"}
        for name, token in good.items():
            monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
            (tmp_path / name).write_text(f"{bad[name] if name == wrong else token}\n")
        for name, value in {
            "SLACK_API_URL": f"{world.url}/api/",
            "COMPUTE_CLEAR_TOKEN": "not-asked",
            "COMPUTE_CLEAR_URL": "http://127.0.0.1:9",
            "GPUBOT_CHANNEL": GPUS,
            "GPUBOT_ADMINS": CLEO,
            "GPUBOT_DATABASE_URL": f"sqlite:///{tmp_path / 'gpubot.sqlite'}",
        }.items():
            monkeypatch.setenv(name, value)
        async with build(read_settings(), retry_refused=0.02) as bot:
            await store_rental(bot.store, rental(owner=ANA, card_channel=TRAINING))
            running = asyncio.create_task(bot.connection.run())
            try:
                endpoint = "auth.test" if wrong == "SLACK_BOT_TOKEN" else "apps.connections.open"
                asked = await world.get("traffic", endpoint=endpoint, wait=20)
                assert asked["requests"]
                new = tmp_path / "new"
                new.write_text(f"{good[wrong]}\n")
                new.replace(tmp_path / wrong)
                assert len((await world.get("sockets", least=2, wait=20))["sockets"]) == 2
                assert not running.done()
            finally:
                await bot.connection.close()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await bot.delivery.drain()


async def test_a_bot_without_the_newer_scopes_starts_and_logs_the_missing_ones(tmp_path: Path) -> None:
    app = from_manifest(MANIFEST)
    async with team(tmp_path, app=replace(app, scopes=tuple(NEEDED))) as ours:
        with capture_logs() as lines:
            async with connecting(ours, Settings(valid_tokens(ours))):
                await ours.world.get("sockets", least=3, wait=20)
        missing = {line["scope"]: line["purpose"] for line in lines if line["event"] == "slack.scope_missing"}
    assert missing == {
        "app_mentions:read": "@gpubot extend 2h in channels and threads",
        "files:write": "sending the files of months",
    }


async def test_a_refused_token_aborts_the_startup_if_nothing_is_rented(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        settings = Settings(Tokens(bot="xoxb-no", app=valid_tokens(ours).app))
        async with connecting(ours, settings) as running:
            with pytest.raises(Unusable, match="SLACK_BOT_TOKEN: Slack refuses it"):
                await running


async def test_a_token_revoked_while_the_bot_runs_is_read_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        settings = Settings(valid_tokens(ours))
        offers = await ours.offered(ANA, an_offer("o1", "2.15"))
        made: list[Connection] = []
        async with connecting(ours, settings, made=made):
            await ours.world.get("sockets", least=3, wait=20)
            assert made[0].refused is None
            await ours.world.act("tokens", bot="revoked")
            before = (await ours.world.get("traffic"))["last"]
            await ours.click(ANA, offers, "Rent")
            await ours.world.get("traffic", after=before, endpoint="chat.postMessage", wait=20)
            async with asyncio.timeout(20):
                await settings.read.wait()
            assert made[0].refused == TokenRefusal("SLACK_BOT_TOKEN", ours.clock.now())
            await ours.world.act("tokens", bot="valid")
            assert "Cancel" in str((await wait_for_card(ours))["buttons"])
            assert made[0].refused is None


class LaterClock(MovedClock):
    """A clock whose wall-clock time a test can advance, and on which pauses are short."""

    later = timedelta(0)

    @override
    def real(self) -> datetime:
        return super().real() + self.later

    @override
    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


async def test_a_minute_without_answers_from_slack_is_reported_as_trouble(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        clock = LaterClock(NOON)
        away = await ours.fault("auth.test", "status", status=503, times=None)
        made: list[Connection] = []
        before = (await ours.world.get("traffic"))["last"]
        async with connecting(ours, Settings(valid_tokens(ours)), made=made, clock=clock):
            await ours.world.get("traffic", after=before, endpoint="auth.test", answered="true", wait=20)
            assert await made[0].trouble() == []
            clock.later = timedelta(minutes=1, seconds=30)
            (said,) = await made[0].trouble()
            assert said.startswith("Slack hasn't answered me since ")
            assert re.search(r": \d+ messages? and edits wait, and nobody can rent", said)
            await ours.end_fault(away)
            await ours.world.get("sockets", least=3, wait=20)
            assert await made[0].trouble() == []


async def test_an_http_process_that_stands_aside_keeps_listening_but_is_not_ready(tmp_path: Path) -> None:
    replica = SimpleNamespace(aside=False, ahead=timedelta, others_work=True)
    replica.stands_aside = lambda: replica.aside
    http = HttpMode(f"127.0.0.1:{free_port()}")
    made: list[Connection] = []
    async with team(tmp_path) as ours:
        settings = Settings(replace(valid_tokens(ours), signing_secret=ours.world.sandbox.http.signing_secret))
        async with connecting(ours, settings, made=made, replica=cast(Replica, replica), http=http):
            while not await made[0].ready():  # noqa: ASYNC110 - a load balancer asks again and again
                await asyncio.sleep(0)
            replica.aside = True
            assert (await made[0].ready(), await made[0].connected()) == (False, 1)
            replica.aside = False
            assert await made[0].ready()


async def test_after_connecting_the_bot_queries_which_blocks_slack_accepts(tmp_path: Path) -> None:
    async with team(tmp_path, block_types=BlockTypes()) as ours:
        await ours.world.act("lacks", blocks=["plan"])
        types = ours.context.block_types
        async with connecting(ours, Settings(valid_tokens(ours))), asyncio.timeout(20):
            while not types.taken(Surface.MODAL):  # noqa: ASYNC110  # no event is set when Slack answers
                await asyncio.sleep(0.01)
        assert types.refused(Surface.MESSAGE) == {"plan"}
        assert types.taken(Surface.MODAL) == {"alert"}
