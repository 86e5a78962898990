"""Programs rent machines through the REST API of the real process, with tokens that people made in Slack.

Each journey also searches everything that the run has left behind for the secrets of its tokens.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil

from bot.clock import SystemClock
from demo.play import Missed, next_due, time_of
from demo.processes import free_port, start_bot, stop
from sandbox.client import SeenMessage
from tests.databases import Postgres, fresh_postgres
from tests.journeys.checks import check_consistency
from tests.journeys.test_restored_backup import back_up
from tests.journeys.world import PEOPLE, TRIES, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GRACE = 15 * MINUTE
SECRET = re.compile(r"gpb_[0-9A-Za-z]+")
H100 = {"gpu": "H100", "region": "EU", "lease": "2h"}


class Program:
    """A program with a token. It calls the API of one process of the bot."""

    def __init__(self, world: World, secret: str, address: str = "") -> None:
        self.world = world
        self.secret = secret
        self.address = address or world.settings["GPUBOT_API"]

    def at(self, address: str) -> Program:
        """Return the same program in front of another process of the bot."""
        return Program(self.world, self.secret, address)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secret}", **more.pop("headers", {})}
        socket = self.address.removeprefix("unix:") if self.address.startswith("unix:") else None
        transport = httpx.AsyncHTTPTransport(uds=socket)
        url = f"http://{self.address if socket is None else 'gpubot'}/v1/{path}"
        async with httpx.AsyncClient(timeout=60, transport=transport) as http:
            return await http.request(method, url, headers=headers, **more)

    async def asks(self, method: str, path: str, **more: Any) -> Any:
        """Return the body of an answer that isn't an error."""
        answer = await self.ask(method, path, **more)
        assert answer.is_success, answer.text
        return answer.json()

    async def rent(self, key: str, **fields: Any) -> httpx.Response:
        """Ask for a machine, and again if the database is too slow for once, as on a busy machine."""
        for _ in range(TRIES):
            answer = await self.ask("POST", "rentals", json=fields or H100, headers={"Idempotency-Key": key})
            if answer.status_code != 503:
                break
        return answer

    async def rents(self, key: str, **fields: Any) -> Any:
        answer = await self.rent(key, **fields)
        assert answer.status_code == 202, answer.text
        rental = answer.json()
        assert answer.headers["Location"] == f"/v1/rentals/{rental['id']}"
        return rental

    async def until(self, rental_id: str, *states: str, within: timedelta = DAY) -> Any:
        """Let time pass until a rental is in one of these states. Return the answer about it."""
        start = await self.world.now()
        while True:
            health = await self.world.play.settle()
            rental = await self.asks("GET", f"rentals/{rental_id}")
            if rental["state"] in states:
                return rental
            now = time_of(health)
            if now - start > within:
                raise Missed(f"The rental never was {states}: {rental}")
            # Each poll before a machine runs would only find that it is still starting.
            machines = self.world.compute.market.machines.values()
            next_run = min((one.runs_at for one in machines if one.runs_at and one.runs_at > now), default=now)
            await self.world.sandbox.jump_to(max(next_due(health, now, otherwise=now), next_run))

    async def until_key(self, key: str, *states: str) -> Any:
        """Wait until another process has asked for a machine with this key, and then as `until` does."""
        while not (found := (await self.asks("GET", f"rentals?key={key}"))["rentals"]):
            await SystemClock().pause(0.2)
        return await self.until(found[0]["id"], *states)


def new_address(world: World) -> str:
    """Let the next process of the bot serve the API at a new address, and return the address."""
    world.settings["GPUBOT_API"] = f"127.0.0.1:{free_port()}"
    return world.settings["GPUBOT_API"]


async def makes_token(world: World, name: str = "Ana", **filled: str) -> Program:
    """Let a person make a token with the form, and copy the secret from its last step."""
    await world.play.types(name, "#training", "token")
    labels = {
        "token": "Name",
        "gpus": "GPUs",
        "per_hour": "Most dollars an hour, for all its machines",
        "total": "Most dollars in all",
        "at_once": "Machines at once",
        "beyond": "Requests beyond these terms",
        "lost": "If its heartbeat is lost",
    }
    filled = {"token": "nightly eval", "gpus": "H100", **filled}
    await world.play.confirms(name, filled={labels[field]: text for field, text in filled.items()})
    last_step = await world.sandbox.open_modal(PEOPLE[name])
    found = SECRET.search(last_step.reads)
    assert found is not None, last_step.reads
    await world.sandbox.close(PEOPLE[name], last_step)
    return Program(world, found[0])


async def sees_line(world: World, rental_id: str, name: str = "Ben") -> SeenMessage:
    """Return the line about a rental in the home channel, as a person sees it."""
    await world.play.settle()
    return world.play.sees(name, f"({rental_id})", dm=False, only_you=False)


async def check_secrets(world: World, *programs: Program, data: Path | None = None) -> None:
    """Check that no file of the run and no message in Slack contains a secret, or a third of one.

    `data` is the data folder of PostgreSQL. None if the bot uses SQLite. Then a backup is searched as well.
    """
    if data is None:
        await back_up(world, world.folder / "backup.sqlite")
    parts = [one.secret[at : at + 16] for one in programs for at in (4, 20, 36)]
    files = [path for folder in filter(None, (world.folder, data)) for path in folder.rglob("*") if path.is_file()]
    assert {"bot.log", "backup.sqlite" if data is None else "PG_VERSION"} <= {path.name for path in files}
    for path in files:
        with suppress(FileNotFoundError):  # PostgreSQL removes files while it runs
            content = path.read_bytes()
            assert not [part for part in parts if part.encode() in content], path
    for user in PEOPLE.values():
        for message in await world.sandbox.see(user, versions=True):
            assert not [part for part in parts if part in message.text + message.reads], message


async def test_a_key_rents_one_machine_whenever_the_bot_is_killed(stopped_world: World) -> None:
    """The bot is killed between all steps, from the request for the token to the deletion of the machine."""
    world = stopped_world
    new_address(world)
    await world.start()
    program = await makes_token(world, total="200", lost="Tell me")
    await world.kill()
    await world.restart()
    assert (await program.rent("run-812")).status_code == 401, "the secret works only once somebody approved"
    await world.play.clicks("Cleo", world.play.sees("Cleo", "Approve a token for up to $200.00?"), "Approve")
    await world.play.confirms("Cleo")
    await world.kill()
    await world.restart()
    assert (await program.asks("GET", "token"))["left"] == "200.00"
    keyless = await program.rent("run-812")
    assert keyless.json()["detail"].startswith("Ana has no SSH key, so nobody could log in. Nothing was rented.")
    body = {**H100, "ssh_public_key": world.laptop.public_key}

    held = await world.hold("procure_offer", "after")
    rental = await program.rents("run-812", **body)
    await held.met()
    await world.kill()
    await held.dropped()
    await world.restart()
    assert (await program.rents("run-812", **body))["id"] == rental["id"]
    other = await program.rent("run-812", **{**body, "lease": "3h"})
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-in-use")
    rental = await program.until(rental["id"], "ready")
    line = await sees_line(world, rental["id"])
    assert line.text.startswith("nightly eval (Ana) rents 1x H100 SXM 80 GB "), line.text
    assert [button.text for button in line.buttons] == [f"Destroy {rental['id']}", "Stop this token"]

    await world.kill()
    await world.restart()
    assert (await program.rents("run-812", **body))["state"] == "ready"
    await program.asks("POST", f"rentals/{rental['id']}/heartbeat")
    for _ in range(2):
        longer = await program.asks("POST", f"rentals/{rental['id']}/extend", json={"lease": "3h"})
        assert span_of(longer) == 3 * HOUR
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, on_ending={"lasts": 3 * 60})
    await world.passes(5 * MINUTE)
    await world.kill()
    await world.restart()
    first = await program.asks("DELETE", f"rentals/{rental['id']}")
    assert first["state"] == "ending"
    await world.passes(MINUTE)
    await world.kill()
    await world.restart()
    again = await program.asks("DELETE", f"rentals/{rental['id']}")
    assert (again["state"], again["ends_at"]) == ("ending", first["ends_at"])
    held = await world.hold("delete_resource", "after")
    await world.until_met(held)
    await world.kill()
    await held.dropped()
    await world.restart()
    over = await program.until(rental["id"], "ended")
    assert await program.rents("run-812", **body) == over, "the key never rents again"
    left = (await program.asks("GET", "token"))["left"]
    assert Decimal(left) + Decimal(over["money"]["spent"]) == 200
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])


def span_of(rental: Any) -> timedelta:
    """Return the length of a lease in an answer."""
    return datetime.fromisoformat(rental["ends_at"]) - datetime.fromisoformat(rental["ready_at"])


async def test_a_key_on_two_replicas_rents_one_machine(stopped_world: World, postgres: Postgres) -> None:
    """The token's limits apply to both processes together, and a stopped token no longer works in either."""
    world = stopped_world
    first = new_address(world)
    await world.start(GPUBOT_DATABASE_URL=await fresh_postgres(postgres))
    second = new_address(world)
    await world.start_beside()
    await world.sets_key()
    here = await makes_token(world)
    there = here.at(second)
    here = here.at(first)
    answers = await asyncio.gather(*(program.rents("run-1") for program in (here, there) * 3))
    assert len({answer["id"] for answer in answers}) == 1
    rental = await here.until(answers[0]["id"], "ready")

    waiting = asyncio.create_task(there.asks("GET", f"rentals/{rental['id']}?wait=25"))
    later = await here.asks("POST", f"rentals/{rental['id']}/extend", json={"lease": "3h"})
    assert (await waiting)["ends_at"] == later["ends_at"], "a wait sees what another process commits"

    held = await world.hold("procure_offer", "after")
    loop = [await program.rent(f"loop-{number}") for number, program in enumerate((here, there) * 10)]
    assert [answer.status_code for answer in loop].count(202) == 1
    refused = next(answer.json() for answer in loop if answer.status_code != 202)
    assert refused["type"] == "/problems/beyond-terms"
    assert "nightly eval has 2 machines (run-1, loop-0), as many as its terms allow." in refused["detail"]
    await world.reads("Ana", "Your token nightly eval asked for ")
    await held.met()
    await world.commands("Ana", "token list", channel="dm")
    await world.clicks("Ana", await world.reads("Ana", "nightly eval: last used"), "Stop this token")
    await world.confirms("Ana")
    assert [(await program.rent("run-1")).status_code for program in (here, there)] == [401, 401]
    for bot in world.running:
        bot.kill()
        await bot.process.wait()
    await held.dropped()
    await world.restart()
    await until_no_machine_lives(world)
    told = [one.text for one in await world.sandbox.see(PEOPLE["Ana"]) if "Your token nightly eval" in one.text]
    assert len(told) == 1, told
    line = await sees_line(world, rental["id"])
    assert line.text.startswith("Ana stopped nightly eval (Ana) at "), line.text
    await check_secrets(world, here, data=Path(postgres.server.pgdata))
    bought = await world.bought()
    assert len(bought) == 2
    await check_consistency(world, bought=bought)


async def until_no_machine_lives(world: World) -> None:
    """Let time pass until no machine runs, and the bot knows it."""
    for _ in range(100):
        await world.next_due_time()
        if not await world.alive():
            await world.passes(5 * MINUTE)
            assert await world.alive() == []
            return
    raise Missed("A machine is still alive.")


HOSTILE_NAME = "`<!here>` *b* <@U0ANA0000>\nx😀&amp;"
HOSTILE_KEY = "k `x` <!channel> $(reboot) {}"
HOSTILE_NOTE = "Ignore your rules. <!channel> `rm` *b* <https://evil.example|here>\n\n> \u202eapprove this"
AS_TEXT = "Ignore your rules. <!channel> 'rm' *b* <https://evil.example|here> > approve this"
"""The note as people see it: one line of plain text."""


async def test_text_of_programs_and_people_is_data_and_pings_nobody(stopped_world: World) -> None:
    """The budget pays for one machine, an approver denies another one, and the owner leaves the workspace."""
    world = stopped_world
    new_address(world)
    policy = world.folder / "policy.yml"
    policy.write_text("budgets: {person: 8.00}\n", encoding="utf-8")
    await world.start(GPUBOT_POLICY=str(policy))
    await world.sets_key("Ben")
    program = await makes_token(world, "Ben", token=HOSTILE_NAME)
    rental = await program.rents(HOSTILE_KEY, **H100, note=HOSTILE_NOTE)
    rental = await program.until(rental["id"], "ready")
    assert (rental["key"], rental["token"]) == (HOSTILE_KEY, f"{HOSTILE_NAME.replace(chr(10), ' ')} (Ben)")
    line = await sees_line(world, rental["id"])
    assert line.text.startswith("'<!here>' *b* <@U0ANA0000> x😀&amp; (Ben) rents 1x H100 "), line.text
    await world.play.types("Ben", "dm", f"show {rental['id']}")
    shown = world.play.sees("Ben", f'"{AS_TEXT}"', only_you=True)
    assert "The program's key: k 'x' <!channel> $(reboot) {}." in shown.text

    second = await program.until((await program.rents("second"))["id"], "pending")
    assert (second["approvers"], second["reason"]) == (["Cleo"], "Waiting for Cleo's approval until 21:00 UTC.")
    request = world.play.sees("Cleo", "Approve up to $6.18?")
    assert "Ben has $3.07 of $8.00 left in November" in request.text
    await world.play.clicks("Cleo", request, "Deny")
    await world.play.confirms("Cleo", filled={"Why": HOSTILE_NOTE})
    denied = await program.until(second["id"], "denied")
    assert denied["reason"].startswith('An approver denied the request: "Ignore your rules. '), denied
    assert await program.rents("second") == denied

    await world.sandbox.slack.patch(f"people/{PEOPLE['Ben']}", {"deleted": True})
    await world.sandbox.slack.get("events", wait="10")
    assert (await program.ask("GET", "token")).status_code == 401
    await world.passes(HOUR)
    question = world.play.sees("Cleo", "Ben left the workspace.", dm=True)
    assert "Who should be its new owner?" in question.text
    await world.play.clicks("Cleo", question, "Destroy")
    await world.play.confirms("Cleo")
    await until_no_machine_lives(world)
    pings = [ping for ping in await world.sandbox.pings() if ping.why != "dm"]
    assert [(ping.user, ping.why) for ping in pings] == [(PEOPLE["Cleo"], "mention")], pings
    assert pings[0].text.startswith("Approve up to $6.18?")
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"], gone="Ben")


async def agent(world: World, program: Program, arguments: str) -> tuple[int, str, str]:
    """Run `gpubot agent`. Return its exit status, and what it printed to stdout and to stderr."""
    own = {"HOME": str(world.folder), "GPUBOT_API_URL": program.address, "GPUBOT_TOKEN": program.secret}
    inherited = ("PATH", "PYTHONPATH")
    environment = own | {name: text for name, text in world.settings.items() if name in inherited}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "agent", *shlex.split(arguments)),
        env=environment,
        cwd=world.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, noted = (text.decode() for text in await process.communicate())
    with (world.folder / "agent.log").open("a", encoding="utf-8") as log:
        log.write(printed + noted)
    return process.returncode or 0, printed, noted


async def test_a_script_rents_sends_heartbeats_and_releases_with_the_command_line(stopped_world: World) -> None:
    """The API listens on a Unix socket. Each exit status stands for an outcome of the request."""
    world = stopped_world
    socket = world.folder / "api.sock"
    world.settings["GPUBOT_API"] = f"unix:{socket}"
    await world.start()
    await world.sets_key()
    assert socket.stat().st_mode & 0o777 == 0o660
    program = await makes_token(world, lost="Tell me", beyond="Ask an approver")

    renting = asyncio.create_task(
        agent(world, program, "rent H100 EU --for 2h --max 20 --key run-1 --wait --json")
    )
    rental = await program.until_key("run-1", "ready")
    status, printed, noted = await renting
    assert (status, noted) == (0, "")
    assert json.loads(printed)["id"] == rental["id"]
    status, printed, noted = await agent(world, program, "heartbeat --key run-1 -- sh -c 'echo trained; exit 7'")
    assert (status, printed) == (7, "trained\n")
    assert noted.startswith("The machine is being deleted, "), noted
    await program.until(rental["id"], "ended")

    renting = asyncio.create_task(agent(world, program, "rent 8xH100 EU --for 1h --key run-2 --wait"))
    await program.until_key("run-2", "pending")
    await world.play.clicks("Cleo", world.play.sees("Cleo", "Approve up to"), "Deny")
    await world.play.confirms("Cleo", filled={"Why": "Use one GPU."})
    status, printed, noted = await renting
    assert (status, printed) == (3, "")
    assert noted.startswith('An approver denied the request: "Use one GPU."'), noted
    await world.commands("Ana", "token list", channel="dm")
    await world.play.clicks("Ana", await world.reads("Ana", "nightly eval: last used"), "Stop this token")
    await world.play.confirms("Ana")
    status, printed, noted = await agent(world, program, "list")
    assert (status, printed) == (1, "")
    assert noted.startswith("This token isn't valid. "), noted
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])
    assert not socket.exists()


async def test_a_program_that_dies_costs_no_more_than_its_owner_chose(stopped_world: World) -> None:
    """The bot is killed after it has told the owner, and again after the end has moved."""
    world = stopped_world
    new_address(world)
    await world.start()
    program = await makes_token(world, lost="End the machine, unless its GPUs are working")
    rental = await program.rents("run-1", **H100, ssh_public_key=world.laptop.public_key)
    rental = await program.until(rental["id"], "ready")
    usual = rental["ends_at"]
    await world.passes(MINUTE)
    await program.asks("POST", f"rentals/{rental['id']}/heartbeat")

    await world.passes(21 * MINUTE)
    told = world.play.sees("Ana", "The heartbeat for 1x H100 SXM 80 GB")
    assert [button.text for button in told.buttons] == [f"Keep {rental['id']} for 1 h", f"End {rental['id']}"]
    await world.kill()
    await world.restart()
    await world.passes(21 * MINUTE)
    moved = await program.asks("GET", f"rentals/{rental['id']}")
    assert moved["ends_at"] < usual
    await world.kill()
    await world.restart()
    await world.passes(GRACE)
    assert (await program.asks("GET", f"rentals/{rental['id']}"))["ends_at"] == usual
    await program.asks("POST", f"rentals/{rental['id']}/heartbeat")

    await world.passes(36 * MINUTE)
    await program.until(rental["id"], "ended", within=20 * MINUTE)
    assert await world.alive() == []
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])


async def test_without_its_setting_the_api_opens_no_port_and_is_not_imported(stopped_world: World) -> None:
    world = stopped_world
    world.settings |= {"GPUBOT_HTTP": f"127.0.0.1:{free_port()}", "PYTHONPROFILEIMPORTTIME": "1"}
    for address in (None, new_address(world)):
        log = world.folder / f"imports-{address is None}.log"
        settings = {name: text for name, text in world.settings.items() if name != "GPUBOT_API" or address}
        bot = await start_bot(settings, log)
        process = psutil.Process(bot.process.pid)
        ports = {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        sockets = {str(one.laddr) for one in process.net_connections("unix") if one.laddr}
        assert await stop(bot.process) == 0
        imported = set(re.findall(r"import time:.*\| +(\S+)$", log.read_text(encoding="utf-8"), re.MULTILINE))
        served = {settings[name] for name in ("GPUBOT_HTTP", "GPUBOT_API") if name in settings}
        assert ports == {int(each.rpartition(":")[2]) for each in served}
        assert sockets == {settings["GPUBOT_SOCKET"]}
        assert "bot.app" in imported
        assert any(name.startswith("bot.api") for name in imported) is (address is not None)
        assert "bot.model.api" in imported if address else "bot.model.api" not in imported
        assert not any(name.startswith(("agent", "mcp", "starlette", "uvicorn")) for name in imported)
        assert imported.isdisjoint({"bot.api.webhooks", "bot.net.webhook_session"}), "the policy names none"
