"""The commands against the bot's own API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.model.state import State
from bot.model.token import BeyondTerms
from tests.agent.conftest import Cli, QuickClock
from tests.agent.test_skill import COMMANDS
from tests.api.world import Api, api_world
from tests.lifecycle.world import HOUR
from tests.ssh_server import new_key, public_line

RENT = ("rent", "H100", "EU", "--for", "4h", "--max", "20", "--key", "run-812", "--heartbeat")


@pytest.fixture
async def api(sqlite_url: str, clock: QuickClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """Yield the API in front of a world, with a token for up to 6 h that the environment names."""
    with capture_logs():  # the log would be on stdout
        async with api_world(sqlite_url) as api:
            monkeypatch.setenv("GPUBOT_TOKEN", await api.token(longest=6 * HOUR, beyond=BeyondTerms.ASK))
            monkeypatch.setenv("GPUBOT_API_URL", str(api.http.base_url))
            clock.put(api.world.now)
            yield api


async def test_a_script_rents_uses_extends_and_releases_a_machine(api: Api, cli: Cli) -> None:
    quoted = (await cli("quote", "H100", "EU", "--for", "4h")).out.splitlines()
    assert quoted[:2] == ["1x H100 in EU for 4 h:", "$2.15/h    1x H100 SXM 80 GB   Hyperstack, EU  at most $9.68"]
    accepted = json.loads((await cli(*RENT, "--json")).out)
    assert (accepted["state"], accepted["key"]) == ("searching", "run-812")
    rental = await api.world.until(accepted["id"], State.READY)
    ready = await cli(*RENT, "--wait")
    assert ready.out.splitlines() == [
        "Ready after 2 min 35 s. It ends at 17:02 CET, and its disk is deleted then. "
        "To end it sooner: gpubot agent release --key run-812",
        f"ssh -p {rental.port} root@127.0.0.1",
        f"Host key: {rental.host_key}. Don't connect if ssh shows a different one.",
        "Send a heartbeat by 13:22 CET: gpubot agent heartbeat --key run-812",
        "$190.76 of nightly eval's $200.00 is left.",
    ]
    extended = await cli("extend", "--key", "run-812", "--for", "5h")
    assert "It ends at 18:02 CET" in extended.out
    assert (await cli("extend", "--key", "run-812", "--for", "5h")).out == extended.out
    assert (await cli("heartbeat", "--key", "run-812")).status == 0
    assert (await cli("list")).out.startswith(f"{rental.id}  run-812  ready  1x H100 SXM 80 GB  ends at 18:02 CET")
    assert (await cli("token")).out.splitlines()[2].startswith("It has 1 of 2 machines at once")
    released = await cli("release", "--key", "run-812")
    assert (released.status, (await api.world.rental(rental.id)).state) == (0, State.DESTROYING)
    await api.world.until(rental, State.DESTROYED)
    again = await cli(*RENT, "--wait")
    assert (again.status, again.out) == (1, "")
    assert again.err.endswith("This key never rents again. To ask for a machine again, use a new key.\n")


async def test_rent_waits_until_the_machine_is_ready(api: Api, cli: Cli) -> None:
    command = asyncio.create_task(cli(*RENT, "--wait"))
    while not api.server.waits.count:
        assert not command.done()
        await asyncio.sleep(0)
    (searching,) = (await api.ask("GET", "rentals?key=run-812")).json()["rentals"]
    await api.world.until(searching["id"], State.READY)
    async with asyncio.timeout(20):
        done = await command
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Ready after 2 min 35 s. It ends at 17:02 CET")


async def test_a_request_beyond_the_terms_waits_for_an_approver(api: Api, cli: Cli) -> None:
    beyond = ("rent", "4xH100", "EU", "--for", "4h", "--key", "run-813")
    accepted = json.loads((await cli(*beyond, "--json")).out)
    await api.world.until(accepted["id"], State.AWAITING_APPROVAL)
    asked = await cli(*beyond)
    assert (asked.status, asked.err) == (0, "")
    assert asked.out.startswith(
        "Needs approval. Ben was asked at 13:00 CET, and the request expires at 21:00 CET."
    )
    await api.world.deny(await api.world.rental(accepted["id"]))
    denied = await cli(*beyond, "--wait")
    assert (denied.status, denied.out) == (3, "")
    assert "denied the request" in denied.err


async def test_an_agent_that_runs_the_commands_of_the_skill_has_one_machine(
    api: Api, cli: Cli, tmp_path: Path
) -> None:
    public = tmp_path / "gpubot.pub"
    public.write_text(public_line(new_key(tmp_path / "gpubot")))
    commands = [
        [word.replace("~/.ssh", str(tmp_path)) for word in command]
        for command in COMMANDS
        if command[0] != "login"
    ]
    (rent,) = [command for command in commands if command[0] == "rent" and "--help" not in command]
    for command in commands:
        done = await cli(*command)
        assert (done.status, done.err) == (0, ""), command
        if command is rent:
            accepted = json.loads(done.out)
            assert (await cli(*rent)).status == 0  # its answer got lost, so the agent repeats it
            await api.world.until(accepted["id"], State.READY)
    (rental,) = (await api.ask("GET", f"rentals?key={accepted['key']}")).json()["rentals"]
    assert rental["id"] == accepted["id"]
    assert [machine.id for machine in await api.world.rentals()] == [accepted["id"]]
    await api.world.until(accepted["id"], State.DESTROYED)
