"""The story of the demo: three people and the machines that they rent, lose, inherit and leave idle."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp

from bot.clock import SystemClock
from bot.model.attempt import LedgerRow
from bot.model.money import MICROS_PER_DOLLAR, in_dollars
from bot.model.text import listed
from demo.laptop import Laptop, has_openssh
from demo.play import GITHUB_NAME, HOME, PEOPLE, Missed, Play
from demo.printing import Printer
from demo.processes import (
    SETUP,
    environment,
    free_port,
    install_http_app,
    run_sandbox,
    start_bot,
    stop,
    write_policy,
)
from demo.program import let_a_program_rent
from handlers.phrases.format import dollars
from sandbox.client import ControlError, SandboxClient, SeenMessage
from store.db import Database

CONFIG_BLOCK = re.compile(r"^Host gpu-\S+$(?:\n +\S.*$)+", re.MULTILINE)
READY = re.compile(r"\(([a-z0-9]+)\) is ready")
_REFUSED = re.compile(r"slack\.(?:blocks_)?refused|(?:answer|reply|modal|post)\.(?:refused|not_\w+)")
_BLOCK_REFUSED = re.compile(r"slack\.block_refused.*\bblock=(\w+)")
SOON, TODAY = timedelta(hours=1), timedelta(hours=14)
TWO_FAILOVERS = timedelta(seconds=20)
"""The upper limit, in sandbox time, for two failed purchases."""
Narrate = Callable[[str], None]
"""Explains to the reader what happens next, and why."""


@dataclass(frozen=True)
class Cost:
    """The cost of each resource in micro-dollars, according to the sandbox's bill and to the bot's ledger."""

    bill: dict[str, int]
    ledger: dict[str, int]


async def demo(printer: Printer, note: Callable[[str], None], *, http: bool = False) -> Cost:
    """Play the story, in HTTP mode if `http` is True.

    Raises:
        Missed: Something that should have happened didn't happen.
        CancelledError: The process received SIGTERM.
    """
    playing = asyncio.current_task()
    assert playing is not None  # noqa: S101 - a coroutine runs in a task
    # Treat SIGTERM like Ctrl-C, which cancels the demo. Otherwise, the processes that the demo has started would
    # keep running.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    with tempfile.TemporaryDirectory(prefix="gpubot-demo-") as name:
        folder = Path(name)
        note("Starting the sandbox (a Slack workspace and Compute Clear) and gpubot run ...")
        note("Times at the left are UTC, in sandbox time; in messages each reader sees their own zone.")

        def narrate(sentences: str) -> None:
            note(f"\n{sentences}\n")

        async with run_sandbox(log=folder / "sandbox.log") as addresses, aiohttp.ClientSession() as session:
            slack_http = f"127.0.0.1:{free_port()}" if http else None
            api = f"127.0.0.1:{free_port()}"
            settings = environment(
                addresses,
                folder,
                admins=PEOPLE["Ben"],
                channel=HOME,
                http=f"127.0.0.1:{free_port()}",
                api=api,
                policy=write_policy(folder),
                slack_http=slack_http,
            )
            laptops = {who: Laptop.new(folder / who, who) for who in ("ana@laptop", "ana@desk", "cleo@laptop")}
            bot = await start_bot(settings, folder / "bot.log")
            sandbox = SandboxClient(addresses, session)
            if slack_http is not None:
                await install_http_app(sandbox, slack_http)
                note("Slack sends each command, click and event to gpubot as a signed HTTP request.")
            play = Play(sandbox, bot, session, PEOPLE, on_message=printer.message, on_action=printer.action)
            try:
                await _rent_within_limits(play, narrate, laptops)
                await _fail_over_twice(play, narrate)
                sweep = await _rent_with_approval(play, narrate)
                await _find_an_unmanaged_machine(play, narrate)
                await _finish_a_job(play, narrate, sweep)
                await _go_on_while_in_use(play, narrate)
                await _replace_what_is_lost(play, narrate)
                await _use_and_end(play, narrate)
                await let_a_program_rent(play, narrate, settings, f"http://{api}", folder / "script")
                bill = await sandbox.bill()
                await _read_what_was_spent(play, narrate, sum(line.micros for line in bill))
            except ControlError as error:
                raise Missed(str(error)) from None
            finally:
                await stop(bot.process)
            ledger = await _ledger(settings["GPUBOT_DATABASE_URL"])
            classic = _check_deliveries(folder / "bot.log")
            if classic:
                note(f"This Slack refuses {listed(classic)}, so everything was shown in classic blocks.")
    cost = Cost(
        bill={line.resource_id: line.micros for line in bill},
        ledger={row.resource_id: row.amount for row in ledger},
    )
    if cost.bill != cost.ledger:
        raise Missed(f"The bill and the ledger differ: {cost}")
    return cost


async def _rent_within_limits(play: Play, narrate: Narrate, laptops: Mapping[str, Laptop]) -> None:
    """Let Ana rent one H100 and share it with Cleo.

    The bot asks for her public key, and continues once she chooses the keys that GitHub has. Her first choice is
    sold out, but the next offer is within the price that she accepted. Her machine computes for 45 min.
    """
    narrate(
        "Ana rents one GPU, and lets Cleo in. Her first choice is sold out, so gpubot takes the next offer\n"
        "within the price that she accepted. The startup script brings the keys, the setup and gpubot's probe."
    )
    await play.types("Cleo", "#training", f"key {laptops['cleo@laptop'].public_key}")
    await play.sandbox.github_keys(GITHUB_NAME, *(laptops[who].public_key for who in ("ana@laptop", "ana@desk")))
    await play.sandbox.vendor("hyperstack", "sold_out", times=1)
    await play.types("Ana", "#training", "get H100 EU with @cleo setup torch for 1h up to 3h -- fine-tune run 7")
    await play.clicks("Ana", play.sees("Ana", "Prices are valid until", only_you=True), "Rent from $2.15/h")
    play.sees("Ana", "To log in, you'll need an SSH key", only_you=True)
    await play.types("Ana", "#training", f"key github {GITHUB_NAME}")
    await play.clicks("Ana", play.sees("Ana", f"github.com/{GITHUB_NAME} has 2 keys", only_you=True), "Use both")
    ready = await play.until_sees("Ana", ") is ready", SOON, dm=True)
    rental = rental_of(ready)
    play.sees("Cleo", "seems to be sold out. Trying Nebius at $2.42/h, $0.27 more than the offer")
    play.sees("Cleo", "Ready after")
    await _check_startup_script(play)
    await _log_in(play, "Ana", laptops["ana@laptop"], rental)
    play.sees("Cleo", f"({rental}) with you", dm=True)
    await _log_in(play, "Cleo", laptops["cleo@laptop"], rental)
    await play.sandbox.use(await _machine_of(play, rental), *computing(45))
    await play.types("Cleo", "#training", "list all")


async def _fail_over_twice(play: Play, narrate: Narrate) -> None:
    """Let Cleo rent one L40S. Her first two choices are sold out, and she gets the third within seconds."""
    narrate(
        "Cleo rents a small GPU. Two vendors are sold out, and gpubot asks the third within seconds. It looks\n"
        "twice whether the others made a machine all the same: one would be deleted, and billed to this rental."
    )
    for vendor in ("nebius", "hyperstack"):
        await play.sandbox.vendor(vendor, "sold_out", times=1)
    await play.types("Cleo", "#training", "get L40S EU for 1h -- thumbnails")
    clicked = await play.sandbox.now()
    await play.clicks("Cleo", play.sees("Cleo", "1x L40S in EU", only_you=True), "Rent from $0.98/h")
    play.sees("Cleo", "Hyperstack seems to be sold out. Trying DataCrunch at about $1.06/h")
    took = await play.sandbox.now() - clicked
    if took >= TWO_FAILOVERS:
        raise Missed(f"Two failovers took {took}.")
    ready = await play.until_sees("Cleo", "Your 1x L40S PCIe 48 GB", SOON, dm=True)
    await play.clicks("Cleo", ready, "Destroy ")
    await play.confirms("Cleo")
    await play.until_sees("Cleo", "Ended at", SOON, dm=True)


async def _check_startup_script(play: Play) -> None:
    """Check that the vendor received the setup script with the purchase, although the sandbox doesn't run it.

    Raises Missed if it didn't.
    """
    (resource,) = [resource for resource in (await play.sandbox.account()).resources if resource.alive]
    machine = await play.sandbox.machine(resource.resource_id)
    if SETUP.splitlines()[-1] not in (machine.cloud_init or ""):
        raise Missed(f"The setup is not in the startup script: {machine.cloud_init}")


async def _log_in(play: Play, name: str, laptop: Laptop, rental: str) -> None:
    """Log in as this person with OpenSSH, and run `nvidia-smi`.

    The login uses the block for `~/.ssh/config` exactly as the bot printed it.
    """
    await play.types(name, "dm", f"ssh {rental}")
    printed = CONFIG_BLOCK.search(play.sees(name, f"Host gpu-{rental}", only_you=True).reads)
    if printed is None:
        raise Missed(f"/gpu ssh {rental} prints no block for ~/.ssh/config.")
    now = await play.sandbox.now()
    if not has_openssh():
        play.on_action(name, "terminal", "ssh is not installed on this machine, so this login is left out.", now)
        return
    laptop.paste(printed[0])
    play.on_action(name, "terminal", f"$ ssh gpu-{rental} nvidia-smi", now)
    table = await laptop.ssh(f"gpu-{rental}", "nvidia-smi")
    if "H100" not in table:
        raise Missed(f"nvidia-smi shows no H100: {table}")
    play.on_action("machine", "terminal", table, now)


def rental_of(ready: SeenMessage) -> str:
    """Return the ID of the rental in a message about a ready machine. Raise Missed if the message has no ID."""
    found = READY.search(ready.reads)
    if found is None:
        raise Missed(f"There is no rental in {ready.reads!r}.")
    return found[1]


def computing(minutes: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the use of a machine that computes for `minutes`, starting now, and then stops."""
    return {"all": 98, "for": 60 * minutes}, {"all": 0}


async def _machine_of(play: Play, rental: str) -> str:
    """Return the ID of the machine that runs for a rental."""
    running = [machine for machine in (await play.sandbox.account()).resources if machine.alive]
    return next(machine.resource_id for machine in running if rental in machine.name.split("-"))


async def _rent_with_approval(play: Play, narrate: Narrate) -> str:
    """Let Cleo request eight GPUs, for which Ben approves fewer hours. Return the ID of the machine.

    The request exceeds the limits and the rest of the project's budget. Cleo starts a job of 20 min.
    """
    narrate(
        "Cleo needs eight GPUs. That is over the team's limits, and the project sweeps has only $96 a month, so\n"
        "an approver decides. Here that is Ben. He approves fewer hours, which need over 80% of the budget."
    )
    await play.types("Cleo", "#gpus", "get 8xH100 EU for 6h -- sweep 12")
    await play.clicks("Cleo", play.sees("Cleo", "8x H100 in EU", only_you=True), "Ask for $18.40/h")
    await play.confirms("Cleo")
    await play.clicks("Ben", play.sees("Ben", "Approve up to $137.54?"), "Approve fewer hours")
    await play.confirms("Ben", "4 h, up to $95.22")
    ready = await play.until_sees("Cleo", "Your 8x H100", SOON, dm=True)
    await play.until_sees("Ben", "sweeps has spent or reserved 8", SOON, dm=True)
    # Wait for the startup script, which takes half a minute to install `gpubot-run`. The next command needs
    # `gpubot-run`.
    await play.passes(timedelta(minutes=1))
    machine = await _machine_of(play, rental_of(ready))
    await play.sandbox.start_job(
        machine, "python sweep.py", all=98, lasts=20 * 60, progress=[{"after": 600, "text": "trial 12 of 24"}]
    )
    play.on_action("Cleo", "terminal", "$ gpubot-run python sweep.py", await play.sandbox.now())
    return machine


async def _find_an_unmanaged_machine(play: Play, narrate: Narrate) -> None:
    """Let a machine run that nobody rented through the bot. Ben assigns it to Cleo, and she destroys it."""
    narrate(
        "Somebody rented a machine without gpubot, so it bills without an end. gpubot compares the account with\n"
        "its database every 5 min, and tells the admins. Ben gives the machine an owner, and with that an end."
    )
    await play.sandbox.add_machine("train-cleo-3")
    asked = await play.until_sees("Ben", "A machine that wasn't rented through me is running", SOON, dm=True)
    await play.clicks("Ben", asked, "Assign an owner")
    await play.confirms("Ben")
    given = play.sees("Cleo", "I don't know whose keys work", dm=True)
    await play.clicks("Cleo", given, "Destroy ")
    await play.confirms("Cleo")
    await play.until_sees("Cleo", "Ended", SOON)


async def _finish_a_job(play: Play, narrate: Narrate, machine: str) -> None:
    """Wait until Cleo is told that her job has ended. She keeps the machine for a second job, which will fail."""
    narrate(
        "Cleo's sweep takes 20 min. She started it with gpubot-run, so gpubot tells her within 2 min of its end,\n"
        "even at night, because $18.40/h now buy nothing. Otherwise it would ask her after 30 min without work.\n"
        "Only people and ends destroy a machine: Cleo keeps hers, and starts another job."
    )
    ended = await play.until_sees("Cleo", "Your job on ", SOON, dm=True)
    await play.clicks("Cleo", ended, "Keep it, ask again in 1 h")
    play.sees("Ana", "Cleo still needs this machine")
    await play.sandbox.start_job(machine, "python evaluate.py", all=98, lasts=90 * 60, status=137)
    play.on_action("Cleo", "terminal", "$ gpubot-run python evaluate.py", await play.sandbox.now())


async def _go_on_while_in_use(play: Play, narrate: Narrate) -> None:
    """Wait for the earliest end of Ana's flexible lease. Her machine is in use then, so it continues."""
    narrate(
        "Ana rented for 1h up to 3h, and her GPU worked in the last 30 min of the first hour. So the end moves\n"
        "on by 1 h. gpubot edits the card and pings nobody, because 3 h were allowed from the start. Only\n"
        "with --all, the demo prints edits such as this one."
    )
    await play.until_sees("Cleo", "In use: ", SOON)


async def _replace_what_is_lost(play: Play, narrate: Narrate) -> None:
    """Let the vendor reclaim Ana's spot machine. She replaces it with one click, and destroys the replacement."""
    narrate(
        "Ana also rents a spot machine. It is cheaper, because its vendor may take it back at any time, and this\n"
        "one does. gpubot says so within 3 min, and Replace rents another one within the price that Ana accepted."
    )
    await play.types("Ana", "#training", "get H100 EU spot for 1h -- evaluate run 6")
    await play.clicks("Ana", play.sees("Ana", "1x H100 in EU · spot", only_you=True), "Rent from")
    await play.clicks("Ana", play.sees("Ana", "You already have", only_you=True), "Rent another")
    ready = await play.until_sees("Ana", "DataCrunch FIN-01", SOON, dm=True)
    await play.sandbox.vanish(await _machine_of(play, rental_of(ready)), "deleted")
    lost = await play.until_sees("Ana", "took back your spot machine", SOON, dm=True)
    await play.clicks("Ana", lost, "Replace ")
    ready = await play.until_sees("Ana", "DataCrunch FIN-01", SOON, dm=True)
    await play.clicks("Ana", ready, "Destroy ")
    await play.confirms("Ana")
    await play.until_sees("Ana", "Ended", SOON)


async def _use_and_end(play: Play, narrate: Narrate) -> None:
    """Let Ana keep her machine until its latest end. Cleo's second job fails, and she destroys her machine."""
    narrate(
        "Ana's end comes near, and her GPU is at 0% now. So gpubot pings her: the disk is deleted too.\n"
        "Cleo's second job fails, so she destroys her machine. Ana's receipt says how much money was idle."
    )
    ending = await play.until_sees("Ana", "in 30 min", SOON, dm=True)
    await play.clicks("Ana", ending, "Keep it 1 h more in any case")
    await play.clicks("Cleo", await play.until_sees("Cleo", "Your job on ", SOON, dm=True), "Destroy")
    await play.confirms("Cleo")
    await play.until_sees("Cleo", "Ended at", SOON, dm=True)
    await play.until_sees("Ana", "Ended at", TODAY, dm=True)
    await play.types("Ana", "#training", "list")


async def _read_what_was_spent(play: Play, narrate: Narrate, billed: int) -> None:
    """Let Ben, an admin, read the cost of the month, and download its file.

    Raises Missed unless both contain the amount that the sandbox `billed`, in micro-dollars.
    """
    narrate(
        "Everyone can read what the month cost: their own, and the team's. Approvers, admins and finance see\n"
        "each person. Slack shows the table so that people can sort it, and a chart; here are its rows. [CSV]\n"
        "sends a file for finance (FOCUS 1.2). Its sum is the bill, to the micro-dollar."
    )
    await play.types("Ben", "#gpus", "spend")
    answer = play.sees("Ben", "so far: you've spent nothing. The team has spent $", only_you=True)
    team = f"The team has spent {dollars(billed)}"
    if team not in answer.text:
        raise Missed(f"{answer.text!r} does not have the sum of the bill: {team}")
    await play.clicks("Ben", answer, "CSV")
    sent = await play.is_sent("Ben", "Everyone's costs in ")
    async with play.session.get(sent.files[0].url) as response:
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    summed = sum(Decimal(row["BilledCost"]) for row in rows)
    if summed * MICROS_PER_DOLLAR != billed:
        raise Missed(f"The file has ${summed}, and the bill ${in_dollars(billed)}.")
    name, now = sent.files[0].name, await play.sandbox.now()
    play.on_action("Ben", "terminal", f"{name}: {len(rows)} rows, ${summed} in all", now)


def _check_deliveries(log: Path) -> list[str]:
    """Return the types of blocks that Slack refused, according to the bot's log.

    Raises Missed if the log says that Slack also refused a message or a dialog.
    """
    lines = log.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if _REFUSED.search(line):
            raise Missed(f"Slack refused what the bot sent: {line}")
    return [found[1] for line in lines if (found := _BLOCK_REFUSED.search(line))]


async def _ledger(url: str) -> list[LedgerRow]:
    store = await Database.open(url, claimant="demo", clock=SystemClock())
    try:
        async with store.read() as tx:
            return await tx.rentals.whole_ledger()
    finally:
        await store.close()


def total(micros: dict[str, int]) -> str:
    """Return the sum in dollars, to the micro-dollar."""
    return f"${in_dollars(sum(micros.values())):.6f}"
