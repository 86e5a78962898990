"""Slack's rate limits, measured with a clock that the tests move."""

from slack_sdk.errors import SlackApiError

from sandbox.slack.default import ANA, APPROVERS, GPUS, TRAINING
from sandbox.slack.rate_limits import POST_BURST
from tests.sandbox.slack_world import Stopwatch, World, workspace


async def posts_until_refused(world: World, channel: str) -> tuple[int, str]:
    """Post until a message is refused. Return the number of accepted messages, and the value of Retry-After."""
    for number in range(1000):
        try:
            await world.post(channel)
        except SlackApiError as refused:
            code = refused.response["error"], refused.response.status_code
            return number, str(refused.response.headers["Retry-After"]) if code == ("ratelimited", 429) else ""
    raise AssertionError("never refused")


async def test_a_channel_accepts_one_post_per_second_after_a_small_burst() -> None:
    watch = Stopwatch()
    async with workspace(pace=True, stopwatch=watch) as world:
        assert await posts_until_refused(world, TRAINING) == (POST_BURST, "1")
        assert await posts_until_refused(world, GPUS) == (POST_BURST, "1")
        watch.seconds += 1
        assert await posts_until_refused(world, TRAINING) == (1, "1")
        watch.seconds += 60
        assert await posts_until_refused(world, TRAINING) == (POST_BURST, "1")
        assert len(await world.see(ANA)) == POST_BURST * 3 + 1


async def test_the_workspace_accepts_fifty_edits_per_minute() -> None:
    watch = Stopwatch()
    async with workspace(pace=True, stopwatch=watch) as world:
        posts = [await world.post(channel) for channel in (TRAINING, GPUS)]

        async def edit(number: int) -> str:
            posted = posts[number % 2]
            try:
                await world.client.chat_update(channel=posted["channel"], ts=posted["ts"], text=f"{number}")
            except SlackApiError as error:
                return str(error.response.headers["Retry-After"])
            return "ok"

        assert [await edit(number) for number in range(50)] == ["ok"] * 50
        watch.seconds += 20
        assert await edit(50) == "40"
        watch.seconds += 40
        assert await edit(51) == "ok"


async def test_rate_limits_can_be_sped_up_and_switched_off() -> None:
    watch = Stopwatch()
    async with workspace(pace=10.0, stopwatch=watch) as world:
        await posts_until_refused(world, TRAINING)
        watch.seconds += 0.1
        assert await posts_until_refused(world, TRAINING) == (1, "1")
        await world.act("pace", scale=0)
        for _ in range(20):
            await world.post()


async def test_groups_can_be_read_twenty_times_per_minute() -> None:
    async with workspace(pace=True, stopwatch=Stopwatch()) as world:
        for _ in range(20):
            await world.client.usergroups_users_list(usergroup=APPROVERS)
        assert await world.refused(world.client.usergroups_users_list(usergroup=APPROVERS)) == "ratelimited"
