"""`sandbox.client` against a running sandbox: the results of its methods, and refused calls."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from sandbox.client import Addresses, Button, ControlError, SandboxClient, SeenMessage
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.default import ANA, BEN, DAN, TRAINING
from tests.sandbox.slack_world import NOON


@pytest.fixture
async def client() -> AsyncIterator[SandboxClient]:
    clock = SandboxClock(NOON, speed=0)
    compute, slack, github = ComputeSandbox(clock), SlackSandbox(clock), GithubSandbox(clock)
    compute_url, slack_url = await compute.start(), await slack.start()
    addresses = Addresses(
        compute=compute_url,
        slack=slack_url,
        api=f"{slack_url}/api/",
        github=await github.start(),
        clock=compute_url,
        bot_token=slack.bot_token,
        app_token=slack.app_token,
        compute_token=compute.token,
    )
    async with aiohttp.ClientSession() as session:
        yield SandboxClient(addresses, session)
    await github.stop()
    await slack.stop()
    await compute.stop()


async def test_the_clock_jumps_forward_and_never_back(client: SandboxClient) -> None:
    await client.jump_to(NOON + timedelta(hours=1))
    await client.jump_to(NOON)
    assert (await client.clock()).revision == 1
    assert await client.now() == NOON + timedelta(hours=1)


async def test_without_an_app_a_command_fails_and_slackbot_shows_it(client: SandboxClient) -> None:
    outcome = await client.command(ANA, "#training", "list")
    assert (outcome.ok, outcome.error) == (False, "dispatch_failed")
    [message] = await client.see(ANA)
    assert (message.author, message.channel, message.only_you) == ("Slackbot", TRAINING, True)
    assert await client.last_change(ANA) == message.seq
    assert await client.modal(ANA) is None
    assert (await client.sockets()).names == ()


async def test_a_person_reads_their_notifications(client: SandboxClient) -> None:
    await client.slack.post("say", {"user": ANA, "channel": "#training", "text": "@Ben look"})
    [ping] = await client.pings(BEN)
    assert (ping.user, ping.why, ping.channel, ping.text) == (BEN, "mention", TRAINING, "@Ben look")
    assert await client.pings() == [ping]
    assert await client.pings(after=ping.seq) == []


async def test_a_refused_call_raises_the_sandboxs_error(client: SandboxClient) -> None:
    with pytest.raises(ControlError, match="deactivated") as refused:
        await client.command(DAN, "#training", "list")
    assert refused.value.error == "deactivated"


async def test_a_machine_is_on_the_account_and_the_bill(client: SandboxClient) -> None:
    added = await client.compute.post("resources", {"name": "train-3", "gpu_type": "H100", "rate": "2.10"})
    await client.jump_to(NOON + timedelta(hours=1))
    await client.vanish(added["resource_id"], "deleted")
    [machine] = (await client.account()).resources
    assert (machine.name, machine.alive, machine.billed_to) == ("train-3", False, NOON + timedelta(hours=1))
    assert [(line.name, line.micros) for line in await client.bill()] == [("train-3", 2_100_000)]


async def test_a_machine_shows_its_host_keys_which_can_be_replaced(client: SandboxClient) -> None:
    added = await client.compute.post("resources", {"name": "train-3", "gpu_type": "H100", "rate": "2.10"})
    before = await client.machine(added["resource_id"])
    assert (before.name, before.cloud_init, set(before.host_keys)) == ("train-3", None, {"ssh-ed25519"})
    after = await client.change_host_keys(before.resource_id)
    assert after.host_keys != before.host_keys
    assert after == await client.machine(before.resource_id)
    assert before.port is not None
    with pytest.raises(ControlError, match="listens"):
        await client.use_ssh_port(before.port)


async def test_a_github_user_has_the_keys_that_were_set(client: SandboxClient) -> None:
    await client.github_keys("ana-dev", "ssh-ed25519 AAAA ana@laptop")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{client.addresses.github}/ana-dev.keys") as answer,
    ):
        assert await answer.text() == "ssh-ed25519 AAAA\n"


async def test_a_fault_is_added_to_the_server_of_its_endpoint(client: SandboxClient) -> None:
    for endpoint in ("auth.test", "response_url", "get_offers", "user_keys"):
        await client.add_fault(endpoint, "status", status=503)
    assert [fault["endpoint"] for fault in (await client.slack.get("faults"))["faults"]] == [
        "auth.test",
        "response_url",
    ]
    assert [fault["endpoint"] for fault in (await client.github.get("faults"))["faults"]] == ["user_keys"]
    assert await client.slack.fault_hits() == await client.compute.fault_hits() == 0
    await client.remove_faults()
    assert not any(fault["active"] for fault in (await client.compute.get("faults"))["faults"])


def test_a_button_is_found_by_the_beginning_of_its_text() -> None:
    message = SeenMessage(
        seq=1,
        at=NOON,
        channel=TRAINING,
        channel_name="training",
        is_dm=False,
        ts="1.0",
        author="gpubot",
        only_you=False,
        text="",
        reads="Ready",
        buttons=(Button(text="Extend 2 h"), Button(text="Extend 4 h")),
    )
    assert message.button("Extend").text == "Extend 2 h"
    with pytest.raises(LookupError, match="no button 'Destroy' on 'Ready'"):
        message.button("Destroy")
