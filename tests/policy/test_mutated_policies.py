"""Tests that a thousand mutated policy files are either accepted or refused with one clear line per mistake."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from bot.errors import WrongPolicy
from bot.policy.team.policy_file import Policy, PolicySource
from tests.policy.test_rules import EVERY_KEY

LINE = re.compile(r"(?:line \d+(?:, .+?)?: |I can't read ).*[^ :.]")
JARGON = re.compile(
    r"Input|should be|valid (?:string|dict)|tuple|dictionary|timedelta|pattern|Traceback|Error|None|<|expected"
)
SCALARS = [
    "1:30",
    "010",
    "yes",
    "~",
    "-1",
    "9" * 40,
    "'",
    '"',
    "[",
    "}",
    "&a",
    "*a",
    "!x",
    "x: y",
    "366d",
    "\t",
    "é",
]

PLANTED = {
    "timezone": ["timezone: Mars", "timezone: 010", "timezone: [UTC]"],
    "lease.grace": ["lease:\n  grace: 5", "lease:\n  grace: -1h", "lease:\n  grace: {a: b}"],
    "lease.garce": ["lease:\n  garce: 5m"],
    "limits.per_rental_gpus": ["limits:\n  per_rental_gpus: 0", "limits: {per_rental_gpus: &n 8}"],
    "procure.dearer": ["procure:\n  dearer: 101%", "procure: {dearer: !x 5%}"],
    "approvers.people.0": ["approvers:\n  people: [ben]", "approvers:\n  people:\n  - S0ML"],
    "self_aproval": ["self_aproval: true"],
    "approval.always.models.1": [
        "approval:\n  always: {models: [H200, -]}",
        "approval: {always: {models: [B200, [H200]]}}",
    ],
    "approval.always.gpu_from": ["approval: {always: {gpu_from: 8}}"],
    "use.guests": ["use: {guests: perhaps}", "use:\n  guests: true\n  guests: false"],
    "idle.form": ["idle: {form: 2.00}"],
    "announce.ready": ["announce: {ready: shout}"],
    "setup.torch": ["setup: {torch: missing.sh}", "setup: {torch: 5}"],
    "check_in": ["check_in: 2h"],
}
"""Parts of a file with one mistake each, by the key that the line about the mistake must name."""


def read(tmp_path: Path, text: str) -> Policy | tuple[str, ...]:
    """Return the policy of a file with this text, or the lines that describe its mistakes."""
    path = tmp_path / "policy.yml"
    path.write_text(text, encoding="utf-8")
    try:
        return PolicySource(path, home_channel="C0HOME", admins=("U0ADMIN",)).read()
    except WrongPolicy as wrong:
        return wrong.lines


def mutated(text: str, chance: random.Random) -> str:
    """Return the text with one to four random changes of characters, words or lines."""
    for _ in range(chance.randint(1, 4)):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        line = lines[at]
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(chance.randrange(len(lines)), line)
            case 2:
                lines[at] = " " * chance.randint(1, 3) + line
            case 3:
                place = chance.randrange(len(line) + 1)
                lines[at] = line[:place] + line[place + 1 :]
            case 4:
                place = chance.randrange(len(line) + 1)
                lines[at] = line[:place] + chance.choice(SCALARS) + line[place:]
            case 5:
                words = re.findall(r"\w+|\W+", line) or [""]
                words[chance.randrange(len(words))] = chance.choice(SCALARS)
                lines[at] = "".join(words)
            case _:
                words = re.findall(r"\w+|\W+", line) or [""]
                chance.shuffle(words)
                lines[at] = "".join(words)
        text = "\n".join(lines)
    return text


@pytest.mark.parametrize("seed", range(10))
def test_mutated_policies_are_accepted_or_refused_with_clear_lines(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, and guards nothing
    refused = 0
    for _ in range(100):
        text = mutated(EVERY_KEY, chance)
        outcome = read(tmp_path, text)
        if isinstance(outcome, Policy):
            assert outcome.file.text == text
            continue
        refused += 1
        assert outcome
        assert len(set(outcome)) == len(outcome), outcome
        for line in outcome:
            assert LINE.fullmatch(line), line
            assert line.isprintable()
            assert len(line) < 400
            assert not JARGON.search(line), line
    assert refused > 50


@pytest.mark.parametrize("seed", range(200))
def test_each_planted_mistake_gives_exactly_one_line_with_its_key(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, and guards nothing
    tops: dict[str, str] = {}
    for key in chance.sample(sorted(PLANTED), chance.randint(1, 6)):
        # Two parts with the same first key would be an additional mistake.
        if key.split(".")[0] not in {one.split(".")[0] for one in tops}:
            tops[key] = chance.choice(PLANTED[key])
    expected = []
    text = ""
    for key, part in tops.items():
        text += "\n" * chance.randrange(3)
        lines = part.split("\n")
        expected.append(f"line {text.count(chr(10)) + len(lines)}, {key}: ")
        text += part + "\n"
    outcome = read(tmp_path, text)
    assert isinstance(outcome, tuple)
    assert len(outcome) == len(expected), (text, outcome)
    for line, beginning in zip(outcome, expected, strict=True):
        assert line.startswith(beginning), (text, outcome)
