"""Tests of `gpubot demo` from start to end: people's actions, and the messages that they see, in order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence

import psutil
import pytest

from handlers.phrases.classic import NEW_TYPES
from tests.programs import program

TIMEOUT = 200
STORY = (
    ("Ana", r"^/gpu get H100 EU with @cleo setup torch"),
    ("gpubot", r"^1x H100 in EU(.|\n)*setup torch · shared with Cleo"),
    ("Ana", r"^\[Rent from \$2\.15/h\]$"),
    ("gpubot", r"^To log in, you'll need an SSH key"),
    ("Ana", r"^/gpu key github ana-dev$"),
    ("gpubot", r"^github\.com/ana-dev has 2 keys:"),
    ("Ana", r"^\[Use both\]$"),
    ("gpubot", r"^2 keys are saved: .* Renting 1x H100 SXM 80 GB \("),
    (
        "gpubot",
        r"Hyperstack seems to be sold out\. Trying Nebius at \$2\.42/h, \$0\.27 more than",
    ),
    (
        "gpubot",
        r"^Your 1x H100 SXM 80 GB \(\w+\) is ready\n(.|\n)*Ends\n.*, or .* at the latest if its GPUs are busy\n",
    ),
    ("gpubot", r"\nHost gpu-\w+\n"),
    ("Ana", r"^\$ ssh gpu-\w+ nvidia-smi$"),
    ("machine", r"NVIDIA H100"),
    ("Cleo", r"^\$ ssh gpu-\w+ nvidia-smi$"),
    ("machine", r"NVIDIA H100"),
    ("Cleo", r"^\[Rent from \$0\.98/h\]$"),
    (
        "gpubot",
        r"^Nebius seems to be sold out\. Trying Hyperstack at \$0\.89/h, \$0\.09 less than",
    ),
    (
        "gpubot",
        r"^Hyperstack seems to be sold out\. Trying DataCrunch at about \$1\.06/h, about",
    ),
    ("gpubot", r"^Ended at .*: 1x L40S PCIe 48 GB \(\w+\) in EU for Cleo\n"),
    ("Cleo", r"^\[Ask for \$18\.40/h\]$"),
    ("gpubot", r"^Waiting for approval: 8x H100 .*\n(.|\n)*Ben was asked\."),
    ("gpubot", r"^Approve up to \$137\.54\?(.|\n)*sweeps: \$96\.00 left in \w+"),
    ("Ben", r"^\[Approve fewer hours\]$"),
    (
        "gpubot",
        r"^sweeps has spent or reserved 82% of its \$96\.00 budget for \w+: ",
    ),
    ("Cleo", r"^\$ gpubot-run python sweep\.py$"),
    ("gpubot", r"^A machine that wasn't rented through me is running: train-cleo-3, .* It may belong to Cleo\."),
    ("Ben", r"^\[Assign an owner\]$"),
    ("gpubot", r"^Ben made you the owner of 1x H100 SXM 80 GB"),
    ("Cleo", r"^\[Destroy \w+\]$"),
    ("gpubot", r"^This machine ended at .*, confirmed by the vendor\."),
    (
        "gpubot",
        r"^Your job on 8x H100 SXM 80 GB \(\w+\) finished after 20 min\.(.|\n)*python sweep\.py, exit 0\n",
    ),
    ("Cleo", r"^\[Keep it, ask again in 1 h\]$"),
    ("Cleo", r"^\$ gpubot-run python evaluate\.py$"),
    ("gpubot", r"^In use: 1x H100 SXM 80 GB \(\w+\) in EU\n(.|\n)* at the latest if its GPUs are busy\n"),
    ("Ana", r"^/gpu get H100 EU spot"),
    (
        "gpubot",
        r"^DataCrunch took back your spot machine, 1x H100 SXM 80 GB \(\w+\), .* Everything on it is lost\.",
    ),
    ("Ana", r"^\[Replace \w+, up to \$\S+/h\]$"),
    ("gpubot", r"^Your 1x H100 SXM 80 GB \(\w+\) is ready\n"),
    ("gpubot", r"^Your 1x H100 .* ends .*, in 30 min\. If its GPUs are busy then, it keeps running, "),
    ("Ana", r"^\[Keep it 1 h more in any case\]$"),
    (
        "gpubot",
        r"^Your job on 8x H100 SXM 80 GB \(\w+\) failed after 1 h 30 min\.(.|\n)*, exit status 137 \(killed, ",
    ),
    ("Cleo", r"^\[Destroy \w+\]$"),
    (
        "gpubot",
        r"^Ended at .*: 8x H100 SXM 80 GB \(\w+\) in EU for Cleo\nTotal\n\$\S+\n"
        r"Runtime\n.* at \$18\.40/h\nDeletion\nconfirmed",
    ),
    ("gpubot", r"^Ended at .*: 1x H100 SXM 80 GB \(\w+\) in EU for Ana with Cleo\n(.|\n)*Idle\n\$"),
    ("script", r"^\$ gpubot agent login --url http://127\.0\.0\.1:\d+$"),
    ("Ana", r"^/gpu token [A-Z0-9]{8}$"),
    ("Ana", r"^nightly eval: gpubot on .* can now fetch its token, and spend up to \$"),
    ("script", r"^Logged in as nightly eval \(Ana\), until "),
    ("script", r"^\$ gpubot agent rent H100 EU --for 2h --max 8 --key run-812$"),
    ("gpubot", r"^nightly eval \(Ana\) rents 1x H100 SXM 80 GB \(\w+\) until .*, up to \$\d\.\d\d\.$"),
    ("script", r"^\$ gpubot agent heartbeat --key run-812$"),
    ("gpubot", r"^The heartbeat for 1x H100 SXM 80 GB \(\w+\) stopped at .*Unless it's back by "),
    ("gpubot", r"^Ended at .*: 1x H100 SXM 80 GB \(\w+\) in EU for nightly eval \(Ana\)\. It cost \$"),
    (
        "gpubot",
        r"so far: you've spent nothing\. The team has spent \$(.|\n)*Person[ |]+Rentals[ |]+GPU hours[ |]+In use",
    ),
    ("gpubot", r"^Everyone's costs in \w+ \d{4}: \$\S+ for 7 rentals"),
    ("Ben", r"^gpubot-\d{4}-\d\d-so-far\.csv: 7 rows, \$\S+ in all$"),
)
EXPLANATIONS = (
    "Ana rents one GPU, ",
    "Cleo rents a small GPU. ",
    "Cleo needs eight GPUs. ",
    "Somebody rented a machine without gpubot, ",
    "Cleo's sweep takes 20 min. ",
    "Ana rented for 1h up to 3h, ",
    "Ana also rents a spot machine. ",
    "Ana's end comes near, ",
    "A nightly script needs a GPU, ",
    "The script rents with the token. ",
    "Then the script dies, ",
    "Everyone can read what the month cost",
)
"""The beginnings of the texts that explain to a newcomer what happens next, and why."""


@pytest.mark.parametrize("refused", [(), sorted(NEW_TYPES)], ids=["with-all-blocks", "with-classic-blocks"])
async def test_the_demo_plays_its_story_and_the_bill_equals_the_ledger(refused: Sequence[str]) -> None:
    """The story works in a Slack that accepts all blocks, and in one that refuses all newer types.

    In both, every message is posted, and none of them is reduced to its plain text.
    """
    program("ssh")
    command = (sys.executable, "-m", "bot", "demo", "--json")
    lacks = {**os.environ, "SANDBOX_LACKS": ",".join(refused)}
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=lacks)
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate()
    notes = err.decode()
    assert process.returncode == 0, notes
    lines = [json.loads(line) for line in out.splitlines()]
    rest = iter(lines)
    for who, pattern in STORY:
        found = any(line["who"] == who and re.search(pattern, line["text"]) for line in rest)
        assert found, f"{who}: {pattern} is not, or not in this order, in:\n{out.decode()}"
    places = [notes.find(text) for text in EXPLANATIONS]
    assert -1 not in places
    assert places == sorted(places)
    spent = re.search(r"Spent (\$\S+) by the sandbox's bill, (\$\S+) by the ledger", notes)
    assert spent is not None
    assert spent[1] == spent[2]
    refusal = re.search(r"This Slack refuses (.*), so everything was shown in classic blocks\.", notes)
    assert sorted(re.split(", | and ", refusal[1]) if refusal else ()) == list(refused)


async def test_the_demo_runs_over_http_and_ends_its_processes_at_sigterm() -> None:
    """The story is the same as in Socket Mode, so the demo is ended after the first rental.

    Sending SIGTERM must end all processes of the demo.
    """
    command = (sys.executable, "-m", "bot", "demo", "--json", "--http")
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(TIMEOUT):
        while not lines or ") is ready" not in lines[-1]:
            line = await process.stdout.readline()
            assert line, lines
            lines.append(str(json.loads(line)["text"]))
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) >= 2
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
    assert process.returncode not in {0, None}
    assert any(line.startswith("[Rent from $") for line in lines)
    assert "as a signed HTTP request" in err.decode()
    assert b"Traceback" not in err
    assert psutil.wait_procs(started, timeout=TIMEOUT)[1] == []
