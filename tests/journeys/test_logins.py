"""A program logs in: `gpubot agent login` shows a code, and a person types it in Slack.

The command runs as a process of its own, with a home folder that is empty at first.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.sealed_secret import new_key, public_text
from tests.journeys.checks import check_consistency
from tests.journeys.test_programs import Program, check_secrets, new_address
from tests.journeys.world import PEOPLE, World

MINUTE = timedelta(minutes=1)
FILLED = {"Name": "nightly eval", "GPUs": "H100"}


class Laptop:
    """The machine of a program, on which gpubot is installed and nothing is set."""

    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        self.home = home
        self.printed = ""
        """Everything that the commands have printed."""

    @property
    def file(self) -> Path:
        return self.home / ".config" / "gpubot" / "agent.env"

    @property
    def secret(self) -> str:
        """The secret in the file."""
        return self.file.read_text(encoding="utf-8").rpartition("GPUBOT_TOKEN=")[2].strip()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `gpubot agent` in the empty environment of a new machine."""
        inherited = {name: text for name, text in self.world.settings.items() if name in {"PATH", "PYTHONPATH"}}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "agent", *arguments),
            env={"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config"), **inherited},
            cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def ends(self, process: asyncio.subprocess.Process) -> tuple[int, str]:
        """Wait until a command has ended. Return its exit status, and the rest of what it printed."""
        printed, _ = await process.communicate()
        self.printed += printed.decode()
        return process.returncode or 0, printed.decode()

    async def runs(self, *arguments: str) -> tuple[int, str]:
        return await self.ends(await self.start(*arguments))

    @asynccontextmanager
    async def logging_in(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
        """Start a login, and yield the command and its code. The command has ended by the end of the block."""
        url = f"http://{self.world.settings['GPUBOT_API']}"
        process = await self.start("login", "--url", url, "--name", "claude")
        try:
            assert process.stdout is not None
            shown = [(await process.stdout.readline()).decode() for _ in range(2)]
            self.printed += "".join(shown)
            found = re.fullmatch(r"In Slack, type: /gpu token ([A-Z]{8})\n", shown[0])
            assert found is not None, shown
            yield process, found[1]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def laptop(stopped_world: World, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """Return a machine whose home folder isn't searched for secrets, because its file is meant to contain one."""
    return Laptop(stopped_world, tmp_path_factory.mktemp("home"))


async def types_code(world: World, name: str, code: str) -> str:
    """Type a code in Slack. Return the text of the form that opens, or that of the answer."""
    outcome = await world.play.types(name, "#training", f"token {code}")
    if outcome.payload:
        return str(outcome.payload["text"])
    return (await world.sandbox.open_modal(PEOPLE[name])).reads


async def test_a_login_leads_from_nothing_to_a_machine(stopped_world: World, laptop: Laptop) -> None:
    """The bot is killed after the form was submitted, and before the program has fetched its secret."""
    world = stopped_world
    new_address(world)
    await world.start()
    await world.sets_key()
    status, printed = await laptop.runs("token")
    assert (status, "Name it when you log in (gpubot agent login --url)" in printed) == (1, True)
    async with laptop.logging_in() as (command, code):
        form = await types_code(world, "Ana", code)
        assert re.match(r"claude on \S+ \(127\.0\.0\.1\) asked for a token .* ago\. Continue only if you", form), (
            form
        )
        command.send_signal(signal.SIGSTOP)
        await world.play.confirms("Ana", filled=FILLED)
        last_step = await world.sandbox.open_modal(PEOPLE["Ana"])
        assert "can now fetch its token, and spend up to $100.00 in your name." in last_step.reads
        await world.kill()
        await world.restart()
        command.send_signal(signal.SIGCONT)
        status, printed = await laptop.ends(command)
    assert status == 0, printed
    assert re.fullmatch(
        r"Logged in as nightly eval \(Ana\), until \d+ \w+\. The token is in a file that only you can read, and "
        r"was never in Slack\.\n",
        printed,
    ), printed
    assert laptop.file.stat().st_mode & 0o777 == 0o600
    program = Program(world, laptop.secret)
    status, printed = await laptop.runs(*["rent", "H100", "EU", "--for", "2h", "--max", "20", "--key", "run-1"])
    assert status == 0, printed
    rental = await program.until_key("run-1", "ready")
    assert rental["money"]["total"] == "100.00"
    status, printed = await laptop.runs("release", "--key", "run-1", "--now")
    assert status == 0, printed
    await program.until(rental["id"], "ended")
    assert laptop.secret not in laptop.printed
    assert code not in world.log.read_text(encoding="utf-8")
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])


async def test_wrong_late_used_and_foreign_codes_lead_to_no_token(stopped_world: World, laptop: Laptop) -> None:
    """One program reaches the API through a proxy, and the form shows the program's own address."""
    world = stopped_world
    new_address(world)
    await world.start(GPUBOT_API_PROXY="127.0.0.1")
    forwarded = await through_proxy(world, "203.0.113.9")
    assert "eval on build-7 (203.0.113.9) asked for a token" in await types_code(world, "Cleo", forwarded)
    async with laptop.logging_in() as (command, code):
        assert "claude on " in await types_code(world, "Ben", code)
        assert await types_code(world, "Ana", code) == unknown(code)
        await world.play.confirms("Ben", filled={**FILLED, "Most dollars in all": "200"})
        status, printed = await laptop.ends(command)
    assert status == 0, printed
    assert printed.splitlines()[1:] == [
        "It won't work until an approver agrees. To see whether it works: gpubot agent token"
    ]
    program = Program(world, laptop.secret)
    assert (await program.ask("GET", "token")).status_code == 401
    assert await types_code(world, "Ben", code) == unknown(code)
    async with laptop.logging_in() as (command, late):
        await world.passes(11 * MINUTE)
        assert await types_code(world, "Ana", late) == unknown(late)
        status, printed = await laptop.ends(command)
    assert (status, printed) == (
        4,
        f"The code {late} has expired. If you have made a token with it, no program can use that token. Stop it "
        "in Slack: /gpu token list. For a new code, run gpubot agent login again.\n",
    )
    assert laptop.secret == program.secret, "a login that fails leaves the file as it was"
    for number in range(8):
        guess = f"BCDFGHJ{number}"
        assert await types_code(world, "Ana", guess) == unknown(guess)
    assert (await types_code(world, "Ana", "BCDFGHJK")).startswith("Ten wrong codes in 10 min is the limit.")
    await check_secrets(world, program)
    await check_consistency(world, bought=[])


async def through_proxy(world: World, address: str) -> str:
    """Begin a login through a proxy that names this address as its origin. Return the login's code."""
    body = {"public_key": public_text(new_key()), "program": "eval", "host": "build-7"}
    async with httpx.AsyncClient(base_url=f"http://{world.settings['GPUBOT_API']}", timeout=60) as http:
        begun = await http.post("/v1/logins", json=body, headers={"X-Forwarded-For": address})
    assert begun.status_code == 201, begun.text
    return str(begun.json()["code"])


def unknown(code: str) -> str:
    what = f"I don't know the code {code}, or it's older than 10 min."
    return f"{what} Run gpubot agent login again for a new one."
