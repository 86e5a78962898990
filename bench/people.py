"""Adds people and a channel to the sandbox's workspace, and waits for messages with buttons for these people."""

from __future__ import annotations

from bench.worlds import World
from demo.processes import NotRunning
from sandbox.client import Button, SeenMessage


async def invite(world: World, count: int) -> tuple[list[str], str]:
    """Create people, and a channel with them and the app. Return the people's ids and the channel's id."""
    slack = world.sandbox.slack
    people = [await slack.post("people", {"name": f"Person {n}"}) for n in range(count)]
    ids = [str(person["id"]) for person in people]
    channel = await slack.post("channels", {"name": "bench", "members": ids, "bot": True})
    return ids, str(channel["id"])


async def wait_for_button(world: World, user: str, action_id: str) -> tuple[SeenMessage, Button]:
    """Wait until a person has a message with a certain button. Return the latest such message, and the button.

    Raises NotRunning if no message arrives for 20 wall-clock seconds.
    """
    after = 0
    while True:
        seen = await world.sandbox.see(user, after, wait=20)
        if not seen:
            raise NotRunning(f"Nobody sent {user} a {action_id} button.")
        for message in reversed(seen):
            for button in message.buttons:
                if button.action_id == action_id:
                    return message, button
        after = seen[-1].seq
