"""The limits for the rate at which a person may type commands, look up keys at GitHub, and write to the bot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from handlers.listeners import commands
from handlers.listeners.context import REMEMBERED, Pace
from handlers.listeners.interaction import command
from sandbox.slack.default import ANA, BEN, TRAINING
from tests.github_world import github
from tests.handlers.team import Team, team

LINE = "That was too many commands in a second, so the last one did nothing. Type it again."


def test_a_person_gets_a_burst_and_then_a_steady_rate() -> None:
    pace = Pace(at_once=3, per_second=0.5)
    assert [pace.wait("U1", 100.0) for _ in range(5)] == [0, 0, 0, 2, 2]
    assert pace.wait("U2", 100.0) == 0
    assert [pace.wait("U1", 101.0), pace.wait("U1", 102.0), pace.wait("U1", 102.0)] == [1, 0, 2]
    assert [pace.wait("U1", 1000.0) for _ in range(4)] == [0, 0, 0, 2]


def test_only_a_limited_number_of_people_is_remembered() -> None:
    pace = Pace(at_once=1, per_second=0.001)
    assert {pace.wait(f"U{n}", 0.0) for n in range(REMEMBERED + 1)} == {0}
    assert pace.wait("U0", 0.0) == 0
    assert pace.wait(f"U{REMEMBERED}", 0.0) > 0


async def typed(ours: Team, user: str, text: str) -> str:
    """Type `/gpu TEXT` as a person, and return the answer."""
    body = {"command": "/gpu", "user_id": user, "channel_id": TRAINING, "text": text}
    (answer,) = await ours.handle(command, commands.gpu, body)
    return str(answer["text"])


async def test_excess_commands_are_refused_with_a_message_except_destroy(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.context = replace(ours.context, commands=Pace(at_once=3, per_second=0.001))
        answers = [await typed(ours, ANA, "list") for _ in range(5)]
        assert [answer == LINE for answer in answers] == [False, False, False, True, True]
        assert await typed(ours, BEN, "list") != LINE
        for text in ("destroy k7mq2", "/gpu kill", " *Destroy* k7mq2 " + "x" * 5000):
            assert await typed(ours, ANA, text) != LINE


async def test_github_lookups_are_limited_per_person(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev")
        ours.context = replace(ours.context, github=Pace(at_once=2, per_second=0.1))
        answers = [await typed(ours, ANA, "key github ana-dev") for _ in range(3)]
        assert answers[-1] == "Six GitHub lookups a minute is the limit. You can look again in 10 s."
        assert answers[0] == answers[1] != answers[2]
        assert await typed(ours, BEN, "key github ana-dev") == answers[0]
