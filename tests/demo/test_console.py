"""Tests of `gpubot sandbox`: valid lines, invalid lines, and dialogs."""

import asyncio
import re
import sys
from pathlib import Path
from typing import IO

import pytest

from bot.errors import WrongPolicy
from bot.model.records import PolicyFile
from bot.policy.team.policy_file import PolicySource
from demo.console import play_along
from demo.dialogs import field_line
from demo.own_policy import named_in
from sandbox.client import Input
from tests.policy.test_rules import EVERY_KEY

TIMEOUT = 90
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuTYM8YqYNlRHGQdFCzcCJ4bcGQDh7nYqBBmQJrEXmF ana@laptop"


async def start(stdin: int | IO[bytes] = asyncio.subprocess.PIPE, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "sandbox",
        *options,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_each_typed_line_is_carried_out_or_answered_with_a_correction() -> None:
    process = await start()
    typed = (
        "get H100 EU",
        "ana key",
        "ana 1",
        "ana ok",
        "ana 2=x",
        f"ana 1={KEY}",
        "ana ok",
        "ana ok",
        "ana get H100 EU",
        "cleo 2",
        "ana 8",
        "ana 3=moon",
        "ana list",
        "ana 3=us",
        "ana ok",
        "ana @moon list",
        "cleo @quiet list",
        "ana 999",
        "ana key github ana-dev",
        "+2x",
        "+61d",
        "+4m30s",
        "use k7mq2 98",
        "vanish k7mq2",
        "use k7mq2 101",
        "job k7mq2 python train.py",
        "break k7mq2 3 cold",
        "reboot k7mq2",
        "Ana @training /gpu list",
        "help",
        "quit",
    )
    lines = "".join(f"{line}\n" for line in typed).encode()
    out, err = await asyncio.wait_for(process.communicate(lines), TIMEOUT)
    assert (process.returncode, err.decode()) == (0, "")
    text = out.decode()
    rest = text.split("ssh -i ", 1)[1]
    for text_part in (
        'I know Ana, Ben and Cleo, no "get". A line begins with who does it; help shows how.',
        "dialog: Your SSH key",
        "Public key: This field is required.",
        "The dialog has no field 2.",
        'Your key is saved: "ana@laptop"',
        "Ana has no dialog open.",
        "1x H100 in EU",
        "Button 2 is for Ana alone.",
        "dialog: Get GPUs",
        'Region has no "moon". There are: Anywhere, EU, US, APAC, Other',
        "You have no machines right now.",
        "1x H100 in US",
        "There is no @moon. There are: @dm, @gpus, @training, @approvals, @shared, @quiet",
        "Cleo is not in #quiet.",
        "There is no button 999 yet.",
        "github.com/ana-dev has 1 key:",
        "Time passes as +30s, +10m, +1h30m or +2d.",
        "At most 60 days at once: +60d.",
        'No machine "k7mq2" is there. There is: no machine.',
        'No machine "k7mq2" is there. There is: no machine.',
        "A machine's use is set as use k7mq2 98, use k7mq2 0 connected, or use k7mq2 and one of silent,",
        'No machine "k7mq2" is there. There is: no machine.',
        "A GPU breaks as break k7mq2 3 xid 79, break k7mq2 3 lost, or break k7mq2 3 hot.",
        'No machine "k7mq2" is there. There is: no machine.',
        "You have no machines right now.",
    ):
        found = rest.find(text_part)
        assert found >= 0, f"{text_part!r} is not, or not in this order, in:\n{text}"
        rest = rest[found:]
    assert text.count("dialog: Get GPUs") == 1  # printed when it opens, not again after every line
    assert text.count("A line begins with who does it:") == 2  # at the start, and for `help`
    assert "#training  Ana: /gpu list\n" in text
    assert "#training (only Ana)  gpubot: You have no machines right now. Try: /gpu get H100 EU" in text


async def test_everything_keeps_running_after_the_end_of_an_input_file(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("ben list\nana banana")
    with lines.open("rb") as stdin:
        process = await start(stdin)
    assert process.stdout is not None
    out = b""
    async with asyncio.timeout(TIMEOUT):
        while b'I don\'t know the command "banana"' not in out:
            out += await process.stdout.readline()
            assert process.returncode is None
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


async def test_additional_members_represent_the_people_and_groups_of_a_custom_policy(tmp_path: Path) -> None:
    """The channels of the policy are added as well."""
    policy = tmp_path / "policy.yml"
    policy.write_text(
        "timezone: Europe/Berlin\n"
        "approvers: {people: [U0123ABCD], groups: [S0MINE]}\n"
        "approvals_channel: C0MINE\n"
        "use: {groups: [S0TEAM]}\n"
        "projects: {vision: {channels: [C0VISION], people: [U0456EFGH, U0ANA0000]}}\n"
    )
    process = await start(asyncio.subprocess.PIPE, "--policy", str(policy))
    typed = (
        f"ana key {KEY}",
        "ana @vision get 8x H100 EU for 1h",
        "ana 1",
        "dora 10",
        "fay list",
        "zed list",
        "quit",
    )
    lines = "".join(f"{line}\n" for line in typed).encode()
    out, err = await asyncio.wait_for(process.communicate(lines), TIMEOUT)
    assert (process.returncode, err.decode()) == (0, "")
    rest = out.decode()
    for text_part in (
        "  Dora (U0123ABCD): approvers.people\n",
        "  @approvers-2 (S0MINE), with Fay: approvers.groups\n",
        "  #approvals-2 (C0MINE): approvals_channel\n",
        "  @gpu-users (S0TEAM), with Hal, Ana, Cleo: use.groups\n",
        "  #vision (C0VISION): projects.vision.channels\n",
        "  Eli (U0456EFGH): projects.vision.people\n",
        "  Ana (U0ANA0000): projects.vision.people\n",
        "#vision (only Ana)  gpubot: 8x H100 in EU · 1 h",
        "#approvals-2  gpubot: Approve up to $31.74?",
        "Dora approved",
        "#training (only Fay)  gpubot: You have no machines right now.",
        'I know Ana, Ben, Cleo, Dora, Eli, Fay and Hal, no "zed".',
    ):
        assert text_part in rest, f"{text_part!r} is not, or not in this order, in:\n{out.decode()}"
        rest = rest.partition(text_part)[2]


async def test_a_policy_with_mistakes_prevents_the_start_of_the_sandbox(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text("lease: {max: 010}\n")
    with pytest.raises(WrongPolicy) as wrong:
        await play_along(print, policy)
    assert wrong.value.lines == (
        "line 1, lease.max: 010 can be read as two numbers: leave out the first 0, or quote it",
    )


def test_every_id_that_a_policy_can_contain_is_found() -> None:
    rules = PolicySource(None, home_channel="C0HOME", admins=()).rules_in(PolicyFile(text=EVERY_KEY))
    in_file = set(re.findall(r"\b[USC]0[A-Z0-9]+\b", EVERY_KEY))
    assert named_in(rules).keys() == in_file


def test_the_chosen_day_of_a_dialog_is_shown() -> None:
    day = Input(
        block_id="last_day",
        action_id="last_day",
        type="datepicker",
        label="Last day",
        hint="",
        optional=False,
        value={"type": "datepicker", "selected_date": "2026-12-01"},
        options=(),
    )
    assert field_line(day) == "Last day: 2026-12-01"
