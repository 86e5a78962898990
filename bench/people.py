"""People in the sandbox's workspace, a channel that they are in, and what they are sent."""

from __future__ import annotations

from typing import Any

from bench.worlds import World
from bot.demo.outside import Seen
from bot.demo.processes import NotRunning


async def invite(world: World, count: int) -> tuple[list[str], str]:
    """New people and a channel with all of them and the app: their ids, and its id."""
    people = [await world.outside.slack("POST", "people", {"name": f"Person {n}"}) for n in range(count)]
    ids = [str(person["id"]) for person in people]
    channel = await world.outside.slack("POST", "channels", {"name": "bench", "members": ids, "bot": True})
    return ids, str(channel["id"])


async def button_for(world: World, user: str, action_id: str) -> tuple[Seen, dict[str, Any]]:
    """The newest message that this person has with such a button, once there is one, and the button.

    Raises NotRunning where none comes.
    """
    after = 0
    while True:
        seen = await world.outside.slack("GET", "see", user=user, after=after, wait=20)
        if not seen["messages"]:
            raise NotRunning(f"Nobody sent {user} a {action_id} button.")
        for message in map(Seen.model_validate, reversed(seen["messages"])):
            for button in message.buttons:
                if button["action_id"] == action_id:
                    return message, button
        after = int(seen["last"])
