"""Public SSH keys: set by command or in the dialog, shown, and needed by a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import KEY_LINE, Team, team

FINGERPRINT = "SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8"


async def fingerprint_of(ours: Team, user: str) -> str | None:
    """Return the fingerprint of a person's stored key."""
    async with ours.deps.store.read() as tx:
        keys = await tx.people.keys(user)
    return keys[0].fingerprint if keys else None


async def test_a_key_is_stored_and_shown(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "Before I rent I need your public SSH key" in await ours.command(ANA, "key")
        assert await ours.command(ANA, f"key {KEY_LINE}") == f'Your key "ana@laptop" is set: {FINGERPRINT}.'
        assert await fingerprint_of(ours, ANA) == FINGERPRINT
        assert FINGERPRINT in await ours.command(ANA, "key")


async def test_a_search_that_waited_for_the_key_continues(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get H100 EU")
        await ours.deliver()
        asked = await ours.look(ANA, TRAINING, "Before I rent")
        await ours.click(ANA, asked, "Add SSH key")
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.gpu == "H100"
        await ours.deliver()
        reply = await ours.look(ANA, TRAINING, "Going on with 1 search.")
        assert reply["ts"] == asked["ts"]


@pytest.mark.parametrize("line", ["hello", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M= x", KEY_LINE[:60]])
async def test_a_line_that_is_no_public_key_says_what_to_paste(tmp_path: Path, line: str) -> None:
    async with team(tmp_path) as ours:
        assert "Paste the one line of your .pub file" in await ours.command(ANA, f"key {line}")
        assert await fingerprint_of(ours, ANA) is None
