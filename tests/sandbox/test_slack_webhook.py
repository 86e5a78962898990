"""The incoming webhook: accepted messages, and refusals in plain text."""

from typing import Any

from sandbox.slack.default import BEN, GPUS
from tests.sandbox.slack_world import World, section, workspace


async def post(world: World, url: str = "", **parts: Any) -> tuple[int, str]:
    async with world.session.post(url or world.sandbox.webhook_url, **parts) as answer:
        return answer.status, await answer.text()


async def test_a_webhook_posts_to_its_own_channel() -> None:
    async with workspace() as world:
        assert (await world.get("workspace"))["webhook_url"] == world.sandbox.webhook_url
        assert await post(world, json={"text": "Hello <@U0BEN0000>", "channel": "C0TRAIN00"}) == (200, "ok")
        assert await post(world, data={"payload": '{"text": "Again"}'}) == (200, "ok")
        assert await post(world, json={"blocks": [section("With blocks")]}) == (200, "ok")
        seen = await world.see(BEN)
        assert [(message["channel"], message["reads"]) for message in seen] == [
            (GPUS, "Hello @Ben"),
            (GPUS, "Again"),
            (GPUS, "With blocks"),
        ]


async def test_a_webhook_refuses_what_slack_refuses() -> None:
    async with workspace() as world:
        url = world.sandbox.webhook_url
        assert await post(world, data=b"{text") == (400, "invalid_payload")
        assert await post(world, json=["text"]) == (400, "invalid_payload")
        assert await post(world, json={"text": " "}) == (400, "no_text")
        assert await post(world, f"{url}x", json={"text": "x"}) == (403, "invalid_token")
        assert await post(world, url.replace("T0SANDBOX", "T0OTHER"), json={"text": "x"}) == (404, "no_team")
        await world.act("tokens", webhook="removed")
        assert await post(world, json={"text": "x"}) == (404, "no_service")
        await world.act("tokens", webhook="valid")
        await world.act(f"channels/{GPUS}", "PATCH", archived=True)
        assert await post(world, json={"text": "x"}) == (410, "channel_is_archived")
        assert await world.see(BEN) == []


async def test_a_webhook_accepts_one_message_per_second_after_a_burst() -> None:
    async with workspace(pace=0.001) as world:
        answers = [await post(world, json={"text": "x"}) for _ in range(4)]
        assert answers == [(200, "ok")] * 3 + [(429, "rate_limited")]
