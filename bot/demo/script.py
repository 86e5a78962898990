"""What happens in the demo: two rentals, from asking to the receipt, by three people."""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import asyncssh

from bot.clock import SystemClock
from bot.demo.outside import Outside, Seen
from bot.demo.play import Missed, Play
from bot.demo.printing import Printer
from bot.demo.processes import environment, free_port, sandbox, start_bot, stop
from bot.model.attempt import LedgerRow
from bot.model.money import MICROS_PER_DOLLAR
from store.db import Database

PEOPLE = {"Ana": "U0ANA0000", "Ben": "U0BEN0000", "Cleo": "U0CLEO000"}
"""Ana and Cleo are members of the workspace, Ben is the admin and so the approver."""
HOME = "C0GPUS000"
SSH_LINE = re.compile(r"ssh (?:-p (?P<port>\d+) )?(?P<user>[\w-]+)@(?P<host>[0-9a-fA-F.:]+)")
SOON, TODAY = timedelta(hours=1), timedelta(hours=14)


@dataclass(frozen=True)
class Spent:
    """What the demo cost, by the sandbox's bill and by the bot's ledger, in micro-dollars."""

    bill: dict[str, int]
    ledger: dict[str, int]


async def demo(printer: Printer, note: Callable[[str], None]) -> Spent:
    """Plays the whole story. Raises Missed at the first thing that should have happened and did not."""
    # As Ctrl-C does: what was started is ended too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    with tempfile.TemporaryDirectory(prefix="gpubot-demo-") as name:
        folder = Path(name)
        note("Starting the sandbox (a Slack workspace and Compute Clear) and gpubot run ...")
        note("Times at the left are UTC, in sandbox time; in messages each reader sees their own zone.")
        async with sandbox(log=folder / "sandbox.log") as ready, aiohttp.ClientSession() as session:
            settings = environment(
                ready, folder, admins=PEOPLE["Ben"], channel=HOME, http=f"127.0.0.1:{free_port()}"
            )
            bot = await start_bot(settings, folder / "bot.log")
            outside = Outside(ready, session)
            play = Play(outside, bot, session, PEOPLE, on_message=printer.message, on_action=printer.action)
            try:
                await _rent_within_limits(play)
                await _rent_with_approval(play)
                await _use_and_end(play)
                bill = await outside.bill()
            finally:
                await stop(bot.process)
            ledger = await _ledger(settings["GPUBOT_DATABASE_URL"])
    spent = Spent(
        bill={line["resource_id"]: line["micros"] for line in bill["lines"]},
        ledger={row.resource_id: row.amount for row in ledger},
    )
    if spent.bill != spent.ledger:
        raise Missed(f"The bill and the ledger differ: {spent}")
    return spent


async def _rent_within_limits(play: Play) -> None:
    """Ana rents one H100. Her first choice sells out, and the next one is within what she accepted."""
    await play.outside.vendor("hyperstack", "sold_out", times=1)
    await play.types("Ana", "#training", "get H100 EU for 6h -- fine-tune run 7")
    play.sees("Ana", "I need your public SSH key", only_you=True)
    key = asyncssh.generate_private_key("ssh-ed25519", comment="you@laptop")
    await play.types("Ana", "#training", f"key {key.export_public_key().decode().strip()}")
    await play.clicks("Ana", play.sees("Ana", "Prices stand until", only_you=True), "Rent from $2.15/h")
    ready = await play.until_sees("Ana", "is ready until", SOON, dm=True)
    play.sees("Cleo", "sold out; it cost nothing. Now Nebius at $2.42/h")
    play.sees("Cleo", "Ready after")
    await _log_in(play, ready, key)
    await play.types("Cleo", "#training", "list all")


async def _log_in(play: Play, ready: Seen, key: asyncssh.SSHKey) -> None:
    """Ana logs in with the command that she was sent, and looks at her GPU."""
    found = SSH_LINE.search(ready.reads)
    if found is None:
        raise Missed(f"There is no SSH command in {ready.reads!r}.")
    now, _ = await play.outside.clock()
    play.on_action("Ana", "terminal", f"$ {found.group(0)} nvidia-smi", now)
    async with asyncssh.connect(
        found["host"],
        port=int(found["port"] or 22),
        username=found["user"],
        client_keys=[key],
        known_hosts=None,
        config=None,
        agent_path=None,
    ) as machine:
        done = await machine.run("nvidia-smi", check=True)
    said = str(done.stdout)
    if "H100" not in said:
        raise Missed(f"nvidia-smi shows no H100: {said}")
    play.on_action("machine", "terminal", said.strip(), now)


async def _rent_with_approval(play: Play) -> None:
    """Cleo wants eight. That is over the limits, so Ben decides; later she destroys it herself."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="cleo@desk")
    await play.types("Cleo", "#gpus", f"key {key.export_public_key().decode().strip()}")
    await play.types("Cleo", "#gpus", "get 8xH100 EU for 6h -- sweep 12")
    await play.clicks("Cleo", play.sees("Cleo", "8x H100 in EU", only_you=True), "Ask for $18.40/h")
    await play.confirms("Cleo")
    await play.clicks("Ben", play.sees("Ben", "Approve up to $137.54?"), "Approve up to")
    await play.confirms("Ben")
    ready = await play.until_sees("Cleo", "is ready until", SOON, dm=True)
    await play.passes(timedelta(minutes=40))
    await play.clicks("Cleo", ready, "Destroy")
    await play.confirms("Cleo")
    await play.until_sees("Cleo", "Gone", SOON)
    play.sees("Cleo", "Destroyed:")


async def _use_and_end(play: Play) -> None:
    """Nobody hears of Ana for two hours. She keeps it, extends it once, and then its lease ends."""
    asked = await play.until_sees("Ana", "Still needed?", TODAY, dm=True)
    await play.clicks("Ana", asked, "Still needed, ask in 4 h")
    play.sees("Cleo", "Ana still needs it")
    ending = await play.until_sees("Ana", "in 30 min", TODAY, dm=True)
    await play.clicks("Ana", ending, "Extend 2 h")
    await play.until_sees("Ana", "Gone", TODAY)
    play.sees("Ana", "Destroyed:")
    await play.types("Ana", "#training", "list")


async def _ledger(url: str) -> list[LedgerRow]:
    store = await Database.open(url, claimant="demo", clock=SystemClock())
    try:
        async with store.read() as tx:
            return await tx.rentals.whole_ledger()
    finally:
        await store.close()


def total(micros: dict[str, int]) -> str:
    """The sum in dollars, to the micro-dollar."""
    return f"${Decimal(sum(micros.values())) / MICROS_PER_DOLLAR:.6f}"
