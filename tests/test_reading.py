"""Tests of the sample with which `make reading` measures how well the project's texts read."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from tests.by_hand.reading import NUMBERS, NUMBERS_OF_ANCHOR, draw, score, texts_of_anchor, texts_of_ours, write


def test_a_sample_hides_the_projects_and_the_key_names_the_sources(tmp_path: Path) -> None:
    anchor = texts_of_anchor("httpx", Path(json.__file__).parent)
    chooser = random.Random(1)  # noqa: S311
    ours = draw(chooser, texts_of_ours(), NUMBERS)
    sample = [*ours, *draw(chooser, anchor, NUMBERS_OF_ANCHOR)]
    write(sample, tmp_path / "reading", tmp_path / "key")
    questions = (tmp_path / "reading" / "questions.txt").read_text()
    assert len(ours) == sum(NUMBERS.values())
    assert not re.search("gpubot|httpx", questions, re.IGNORECASE)
    assert questions.count("\n----\n") == len(sample) - 1
    assert (tmp_path / "key").read_text().count("\thttpx\t") == len(sample) - len(ours)


def test_a_score_contains_shares_of_all_sources_and_reasons_for_ours() -> None:
    key = "\n".join(
        [
            "1\tgpubot\tdocstring\tbot/a.py f",
            "2\tgpubot\tcomment\tbot/a.py:3",
            "3\thttpx\tdocstring\t_a.py g",
            "4\thttpx\tcomment\t_a.py:7",
        ]
    )
    shown = score('1 A\n2 B "it" is unclear\n3 A\n', key).splitlines()
    assert [" ".join(line.split()) for line in shown] == [
        "gpubot 50% A (1 A, 1 B, 0 C)",
        "gpubot, docstring 100% A (1 A, 0 B, 0 C)",
        "gpubot, comment 0% A (0 A, 1 B, 0 C)",
        "httpx 100% A (1 A, 0 B, 0 C)",
        "all anchors 100% A (1 A, 0 B, 0 C)",
        "No answer: 4",
        "",
        'B 2 comment, bot/a.py:3: "it" is unclear',
    ]
