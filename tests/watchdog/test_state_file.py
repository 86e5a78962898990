"""The watchdog's state file.

Only its owner can read it, a crash leaves it complete, and an invalid one is renamed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.errors import Unusable
from bot.watchdog.state import Announced, Outage, State, StateFile
from tests.watchdog.test_policy import TWO, at, machine

FULL = State(
    looked_at=TWO,
    answered_at=TWO,
    machines=(machine(1, at(3)), machine(2, None)),
    outage=Outage(since=TWO, announced=(Announced(resource_id="res-1", ends_at=TWO, delete_at=None),)),
    notes=("x",),
)


def test_the_state_is_read_back_and_readable_only_by_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "watchdog.json"
    file = StateFile(path)
    assert file.read() == (State(), None)
    os.umask(before := os.umask(0))
    for state in (FULL, State(), FULL):
        file.write(state)
        assert file.read() == (state, None)
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["watchdog.json"]


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b'{"shape": 2}', b"[]", b'{"looked_at": "2026-11-24T02:00:00"}']
)
def test_an_invalid_state_file_is_renamed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "watchdog.json"
    path.write_bytes(content)
    aside = tmp_path / "watchdog.json.broken"
    assert StateFile(path).read() == (State(), aside)
    assert aside.read_bytes() == content
    assert not path.exists()


def test_an_unreadable_state_file_prevents_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="GPUBOT_WATCHDOG_STATE: I can't read"):
        StateFile(tmp_path).read()


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "watchdog.json")
    file.write(FULL)
    (tmp_path / "watchdog.json.new").mkdir()
    with pytest.raises(IsADirectoryError):
        file.write(State())
    assert file.read() == (FULL, None)
