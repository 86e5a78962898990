"""A workspace that runs for weeks keeps the current state of every message, but only the latest earlier states."""

from sandbox.clock import SandboxClock
from sandbox.slack import AppConfig
from sandbox.slack.default import ANA, TRAINING, default_workspace
from sandbox.slack.model import Message
from sandbox.slack.state import BOT_USER
from sandbox.slack.visibility import changes
from sandbox.traffic import MAX_BYTES, Traffic
from tests.sandbox.slack_world import NOON, actions, button, workspace


def texts(messages: list[Message]) -> list[str]:
    return [message.text for message in messages]


def test_old_states_are_forgotten_and_every_message_is_kept() -> None:
    world = default_workspace(SandboxClock(NOON, speed=0), AppConfig(), max_states=3)
    ana, channel = world.people[ANA], world.channels[TRAINING]
    quiet = world.post(channel, BOT_USER, "never edited")
    card = world.post(channel, BOT_USER, "1")
    for number in range(2, 6):
        card = world.edit(card, text=str(number))
    assert world.last == 6
    assert texts(changes(world, ana, channel=None, after=0, versions=False)) == ["never edited", "5"]
    assert texts(changes(world, ana, channel=None, after=quiet.seq, versions=False)) == ["5"]
    assert texts(changes(world, ana, channel=None, after=0, versions=True)) == ["3", "4", "5"]
    assert texts(changes(world, ana, channel=None, after=5, versions=True)) == ["5"]
    assert changes(world, ana, channel=None, after=6, versions=False) == []


async def test_a_click_on_a_message_without_menus_stores_no_values() -> None:
    async with workspace() as world:
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        await world.act("click", user=ANA, channel=TRAINING, ts=posted["ts"], action_id="go")
        assert not world.sandbox.workspace.values


def test_the_traffic_log_forgets_the_oldest_bodies() -> None:
    traffic = Traffic(SandboxClock(NOON, speed=0))
    for _ in range(4):
        traffic.add("chat.postMessage", method="POST", path="/api", raw=bytes(MAX_BYTES // 3))
    assert [entry.n for entry in traffic.after(0)] == [2, 3, 4]
