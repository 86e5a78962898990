"""A person's first rental: there is no key yet, one comes from GitHub, and it opens the machine."""

from __future__ import annotations

import asyncio

import asyncssh

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World


async def test_a_key_from_github_rents_the_clicked_offer_despite_a_kill(
    world: World,
) -> None:
    """The bot is killed right after the click on "Use this key"."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    await world.sandbox.github.post("users/ben-dev", {"keys": [key.export_public_key().decode()]})
    await world.play.clicks("Ben", await world.offers("Ben"), "Rent")
    await world.play.clicks("Ben", world.play.sees("Ben", "To log in", only_you=True), "Use my GitHub")
    form = await world.sandbox.open_modal(PEOPLE["Ben"])
    assert (await world.sandbox.submit(PEOPLE["Ben"], form, {"github_name": {"github_name": "ben-dev"}})).ok
    choice = await world.reads("Ben", "github.com/ben-dev has 1 key:")
    assert await world.bought() == []
    assert (await world.clicks("Ben", choice, "Use this key")).ok
    await world.kill()
    await world.restart()
    rental = await world.rental("Ben")
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    async with asyncio.timeout(20):
        async with asyncssh.connect(
            "127.0.0.1", machine.port or 0, username="root", client_keys=[key], known_hosts=None, config=None
        ) as opened:
            assert "H100" in str((await opened.run("nvidia-smi", check=True)).stdout)
    await world.destroys("Ben", rental)
    await world.until_card(rental, "Ended")
    bought = await world.bought()
    assert len(bought) == 1
    await check_consistency(world, bought=bought)
