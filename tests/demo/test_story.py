"""`gpubot demo` to its end: what people do and see, in order."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE

TIMEOUT = 200
STORY = (
    ("Ana", r"^/gpu get H100 EU with @cleo setup torch"),
    ("gpubot", r"^1x H100 in EU.*, setup torch"),
    ("Ana", r"^\[Rent from \$2\.15/h\]$"),
    ("gpubot", r"^Before I rent I need your public SSH key"),
    ("Ana", r"^/gpu key github ana-dev$"),
    ("gpubot", r"^github\.com/ana-dev has 2 keys:"),
    ("Ana", r"^\[Use both\]$"),
    ("gpubot", r"^2 keys are saved: .* Renting: 1x H100 EU"),
    ("gpubot", r"Hyperstack sold out; it cost nothing\. Now Nebius at \$2\.42/h"),
    ("gpubot", r"^Your 1x H100 \(\w+\) is ready until"),
    ("gpubot", r"\nHost gpu-\w+\n"),
    ("Ana", r"^\$ ssh gpu-\w+ nvidia-smi$"),
    ("machine", r"NVIDIA H100"),
    ("Cleo", r"^\$ ssh gpu-\w+ nvidia-smi$"),
    ("machine", r"NVIDIA H100"),
    ("Cleo", r"^\[Ask for \$18\.40/h\]$"),
    ("Ben", r"^\[Approve up to \$137\.54\]$"),
    ("Cleo", r"^\[Destroy \w+\]$"),
    ("Ana", r"^\[Still needed, ask in 4 h\]$"),
    ("Ana", r"^\[Extend 2 h, about \$4\.84\]$"),
    ("gpubot", r"^Gone .*, confirmed by the vendor\."),
)


async def test_the_demo_plays_its_story_and_the_bill_equals_the_ledger() -> None:
    command = (sys.executable, "-m", "bot", "demo", "--json")
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate()
    notes = err.decode()
    assert process.returncode == 0, notes
    lines = [json.loads(line) for line in out.splitlines()]
    rest = iter(lines)
    for who, words in STORY:
        found = any(line["who"] == who and re.search(words, line["text"]) for line in rest)
        assert found, f"{who}: {words} is not, or not in this order, in:\n{out.decode()}"
    spent = re.search(r"Spent (\$\S+) by the sandbox's bill, (\$\S+) by the ledger", notes)
    assert spent is not None
    assert spent[1] == spent[2]
