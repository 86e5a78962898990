"""SSH keys: what is kept, and what never is."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import KEY_LINE, Team, team

PRIVATE = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
FINGERPRINT = "SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8"


async def key_of(ours: Team, user: str) -> str | None:
    async with ours.deps.store.read() as tx:
        key = await tx.people.key(user)
    return key.fingerprint if key else None


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_a_key_is_set_shown_and_changed(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "Before I rent I need your public SSH key" in await ours.told(ANA, "key")
        assert await ours.told(ANA, f"key {KEY_LINE}") == f'Your key "ana@laptop" is set: {FINGERPRINT}.'
        assert await key_of(ours, ANA) == FINGERPRINT
        assert FINGERPRINT in await ours.told(ANA, "key")


async def test_what_waited_for_the_key_goes_on(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.told(ANA, "get H100 EU")
        await ours.deliver()
        asked = await ours.look(ANA, TRAINING, "Before I rent")
        await ours.click(ANA, asked, "Add SSH key")
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.gpu == "H100"
        await ours.deliver()
        told = await ours.look(ANA, TRAINING, "Going on with 1 search.")
        assert told["ts"] == asked["ts"]


@pytest.mark.parametrize("typed", ["key {}", "{}", "get H100 EU -- {}"])
async def test_a_private_key_is_dropped_wherever_it_stands(
    tmp_path: Path, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with team(tmp_path) as ours:
        told = await ours.told(ANA, typed.format(PRIVATE))
        assert told.startswith("That was a private key. I dropped it")
        assert await key_of(ours, ANA) is None
        assert await ours.quotes(ANA) == []
    body = PRIVATE.splitlines()[1]
    assert body not in "".join(capsys.readouterr())
    assert body.encode() not in all_bytes(tmp_path)


async def test_a_private_key_in_the_dialog_is_refused_beside_the_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with team(tmp_path) as ours:
        await ours.told(ANA, "key")
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Before I rent"), "Add SSH key")
        outcome = await ours.submit(ANA, key_line=PRIVATE.replace("\n", " "))
        assert list(outcome["errors"]) == ["key_line"]
        assert outcome["errors"]["key_line"].startswith("That was a private key.")
        assert await key_of(ours, ANA) is None
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]
        assert await key_of(ours, ANA) == FINGERPRINT
    assert PRIVATE.splitlines()[1] not in "".join(capsys.readouterr())


@pytest.mark.parametrize("line", ["hello", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M= x", KEY_LINE[:60]])
async def test_a_line_that_is_no_key_says_what_to_paste(tmp_path: Path, line: str) -> None:
    async with team(tmp_path) as ours:
        assert "Paste the one line of your .pub file" in await ours.told(ANA, f"key {line}")
        assert await key_of(ours, ANA) is None
