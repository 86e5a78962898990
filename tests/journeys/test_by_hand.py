"""An operator on the bot's machine does by hand what Slack can't do now, and Slack reports it once it is back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import pytest

from bot.errors import Mistake
from bot.operator.protocol import Command, Kind, ask
from sandbox.client import Fault
from tests.journeys.checks import check_consistency
from tests.journeys.world import WAIT, World

WHY = "Slack is <!channel> away"
WHO = f'the operator (reason: "{WHY}")'
"""The operator as people see them. Nobody is mentioned."""


class Said(NamedTuple):
    """The exit status and the output of a real command."""

    status: int | None
    text: str


async def by_hand(
    world: World, *words: str, settings: Mapping[str, str] | None = None, stdin: int = asyncio.subprocess.DEVNULL
) -> Said:
    """Run `gpubot WORDS` on the bot's machine, without a terminal unless `stdin` is one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *words,
        env=settings or world.settings,
        cwd=world.folder,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return Said(process.returncode, output.decode().strip())


async def at_the_socket(world: World, command: Command) -> str:
    """Send a command to the bot like the command line does, without starting a command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUBOT_SOCKET", world.settings["GPUBOT_SOCKET"])
        return await asyncio.to_thread(ask, command)


async def at_a_terminal(command: Callable[..., Awaitable[Said]], typed: str) -> Said:
    """Run a command in a terminal into which this text is typed."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        return await command(stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)


async def slack_goes_away(world: World) -> Fault:
    """Make Slack unreachable: it answers nothing, and closes every connection. Return the fault that does so."""
    away = await world.sandbox.slack.add_fault("*", "hold_before", times=None)
    await world.sandbox.slack.post("sockets/disconnect", {"kill": True, "refuse_tickets": True})
    return away


async def slack_is_back(world: World, away: Fault) -> None:
    await away.release()
    await world.sandbox.slack.post("sockets/disconnect", {"refuse_tickets": False})
    await world.sandbox.sockets(least=1, wait=WAIT)
    await world.play.settle()


async def lets_time_pass_until_logged(world: World, event: str) -> None:
    """Let time pass until the bot has logged an event, while it can't notify anybody."""
    while f'"event": "{event}"' not in world.log.read_text(encoding="utf-8"):
        world.clock.jump(15)
        async with world.session.get(world.bot.health) as answer:
            await answer.read()


async def test_the_operator_manages_a_rental_while_slack_is_down(
    world: World,
) -> None:
    """The rental is listed, extended and destroyed by hand. Slack reports each action once after it is back."""
    waiting = await world.rents("Ana", "get 8x H100 in EU for 2h")
    rental = await world.rents("Ana", "get H100 EU for 2h")
    away = await slack_goes_away(world)
    await lets_time_pass_until_logged(world, "rental.ready")

    status, listed = await by_hand(world, "list")
    assert status == 0
    assert f"Ready: 1x H100 SXM 80 GB ({rental}) in EU for Ana. " in listed
    assert f"Waiting for you: 8x H100 SXM 80 GB ({waiting}) in EU for Ana." in listed
    shown = await at_the_socket(world, Command(kind=Kind.SHOW, id=rental))
    assert "UTC  Ana rented a machine without needing approval" in shown
    (machine,) = await world.alive()
    assert shown.endswith(f" gpubot destroy --resource {machine.resource_id}")
    longer = await at_the_socket(world, Command(kind=Kind.EXTEND, id=rental, by="1h", why=WHY))
    assert longer.startswith(f"You extended 1x H100 SXM 80 GB ({rental}) by ")
    with pytest.raises(Mistake, match=r"^You asked for 1 h more just now, so nothing more was added\.$"):
        await at_the_socket(world, Command(kind=Kind.EXTEND, id=rental, by="1h", why=WHY))
    status, longest = await by_hand(world, "extend", rental, "2", "days", "--why", WHY)
    assert (status, " by 2 days, about $103.20." in longest) == (0, True)
    assert (await at_the_socket(world, Command(kind=Kind.PAUSE, why=WHY))).startswith("Buying is paused.")
    resumed = await at_the_socket(world, Command(kind=Kind.RESUME, why=WHY))
    assert resumed == "Buying has resumed, so machines can be rented again."
    assert (await at_the_socket(world, Command(kind=Kind.DESTROY, id=waiting, why=WHY))).startswith(
        "The request for 8x H100"
    )
    status, destroyed = await by_hand(world, "destroy", rental, "--why", WHY)
    assert (status, destroyed.startswith("I'm destroying 1x H100")) == (0, True)
    with pytest.raises(Mistake, match=f"^{rental} is already being destroyed"):
        await at_the_socket(world, Command(kind=Kind.DESTROY, id=rental, why=WHY))
    await lets_time_pass_until_logged(world, "rental.destroyed")

    await slack_is_back(world, away)
    assert (await world.card(rental)).text.startswith("Ended by the operator (")
    assert (await world.card(waiting)).text.startswith("Withdrawn by the operator (")
    own = [message for message in await world.sandbox.see(world.people["Ana"]) if message.is_dm]
    seen = [message.reads.replace("\u2060", "") for message in own]
    (receipt,) = [text for text in seen if f"Ended by {WHO} at " in text]
    assert receipt.startswith("Ended by ")
    assert f" The {WHO[4:]} extended the machine until " in receipt
    thread = [line.replace("\u2060", "") for line in await world.thread(rental)]
    for said in (
        f"The {WHO[4:]} extended this machine by 1 h. It now ends ",
        f"The {WHO[4:]} approved more time for this machine. It now ends ",
        f"The {WHO[4:]} is destroying this machine.",
        "This machine ended ",
    ):
        assert len([line for line in thread if line.startswith(said)]) == 1, (said, thread)
    messages = [message.reads for message in await world.sandbox.see(world.people["Cleo"])]
    about_buying = [text for text in messages if text.startswith("The operator paused buying at ")]
    about_buying += [text for text in messages if text.startswith(f"The {WHO[4:]} resumed buying")]
    assert len(about_buying) == 2, "in the home channel and to the admin"
    assert WHY not in world.log.read_text(encoding="utf-8"), "what people type is not logged"
    await check_consistency(world, bought=["hyperstack"])


async def test_without_a_bot_a_machine_is_deleted_with_the_token_alone(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.kill()
    status, words = await by_hand(world, "list")
    assert (status, "gpubot destroy --resource ID works without gpubot." in words) == (1, True)
    (machine,) = await world.alive()
    token = {name: world.settings[name] for name in ("PATH", "COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")}

    async def delete(*more: str, stdin: int = asyncio.subprocess.DEVNULL) -> Said:
        return await by_hand(
            world, "destroy", "--resource", machine.resource_id, *more, settings=token, stdin=stdin
        )

    known = f"{machine.resource_id}: {machine.name}, 1x nvidia-h100-sxm5-80gb, hyperstack, $2.15/h, "
    status, words = await delete()
    assert status == 1
    assert words.startswith(known)
    assert words.endswith(
        f"Confirm the ID, because this isn't an interactive terminal: --confirm {machine.resource_id}"
    )
    status, words = await delete("--confirm", machine.resource_id[:-1])
    assert (status, words.splitlines()[-1]) == (1, "That's a different ID. Nothing was deleted.")
    assert (await at_a_terminal(delete, "\x04")).status == 1, "Ctrl-D"
    assert len(await world.alive()) == 1
    status, words = await at_a_terminal(delete, f"{machine.resource_id}\n")
    assert status == 0
    assert words.endswith("If gpubot is running, it will notice the deletion and report it in Slack.")
    world.clock.jump(600)
    assert (await delete()).text == f"{machine.resource_id} has already been deleted."
    await world.restart()
    await world.until_card(rental, "Ended before ")
    await check_consistency(world, bought=["hyperstack"])
