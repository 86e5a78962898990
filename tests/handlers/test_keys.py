"""Public SSH keys are added by command or in the dialog, shown, removed and reordered."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from bot.model.base import changed
from bot.model.state import State
from bot.policy.team.rules import Keys
from sandbox.slack.default import ANA, BEN, GPUS, GUS, TRAINING
from tests.handlers.rental_states import running
from tests.handlers.team import FINGERPRINT, KEY_LINE, RULES, Json, Team, team

ASKED_FOR_A_KEY = "To log in to machines, you'll need an SSH key."


def a_key(comment: str) -> str:
    """Return the line of a new key."""
    made = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return made.export_public_key().decode().strip()


async def names(ours: Team, user: str) -> list[str]:
    """Return the comments of a person's keys in order."""
    async with ours.deps.store.read() as tx:
        return [key.comment for key in await tx.people.keys(user)]


async def click_on_key(ours: Team, user: str, shown: Json, label: str, n: int) -> Json:
    """Click the n-th button with this label, from 0, and return the message that replaces the list."""
    await ours.click(user, shown, label, n=n)
    await ours.deliver()
    return await ours.look(user, TRAINING)


async def test_a_key_is_saved_and_shown(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert ASKED_FOR_A_KEY in await ours.command(ANA, "key")
        saved = f'Your key is saved: "ana@laptop", {FINGERPRINT} (ed25519).'
        assert await ours.command(ANA, f"key {KEY_LINE}") == saved
        assert await names(ours, ANA) == ["ana@laptop"]
        shown = await ours.command(ANA, "key")
        assert f'"ana@laptop", {FINGERPRINT} (ed25519): the default key, which always works' in shown


async def test_adding_a_key_twice_reports_that_it_is_already_saved(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, f"key {KEY_LINE}")
        again = await ours.command(ANA, f"key {KEY_LINE} and more words")
        assert again == f'This key was already saved: "ana@laptop", {FINGERPRINT} (ed25519).'
        assert await names(ours, ANA) == ["ana@laptop"]


async def test_a_key_over_the_limit_is_refused_until_another_is_removed(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, keys=Keys(per_person=2))) as ours:
        await ours.command(ANA, f"key {a_key('one')}")
        await ours.command(ANA, f"key {a_key('two')}")
        third = a_key("three")
        assert await ours.command(ANA, f"key {third}") == (
            "You have 2 keys, and your team's rules allow 2 per person. Nothing was saved. "
            "Remove a key first: /gpu key"
        )
        await ours.command(ANA, "key")
        shown = await click_on_key(ours, ANA, await ours.look(ANA, TRAINING, "2 SSH keys."), "Remove", 0)
        assert "It still works on machines that are running." in shown["text"]
        await ours.command(ANA, f"key {third}")
        assert await names(ours, ANA) == ["two", "three"]


async def test_another_key_can_become_the_default_key(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for comment in ("laptop", "desk", "phone"):
            await ours.command(ANA, f"key {a_key(comment)}")
        await ours.command(ANA, "key")
        shown = await ours.look(ANA, TRAINING, "3 SSH keys.")
        assert [button["text"] for button in shown["buttons"]] == [
            *("Remove", "Make default", "Remove", "Make default", "Remove"),
            *("Add SSH key", "Use my GitHub keys"),
        ]
        changed_list = await click_on_key(ours, ANA, shown, "Make default", 1)
        assert changed_list["ts"] == shown["ts"]
        assert '"phone"' in changed_list["text"].split(" is your default key now.")[0]
        assert await names(ours, ANA) == ["phone", "laptop", "desk"]


async def test_the_last_key_can_be_removed_and_a_second_click_is_harmless(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.command(ANA, "key")
        shown = await ours.look(ANA, TRAINING, "1 SSH key.")
        left = await click_on_key(ours, ANA, shown, "Remove", 0)
        assert "You have no SSH key now. I'll ask for one when you rent." in left["text"]
        assert await names(ours, ANA) == []
        assert (await ours.rental(rental.id)).state is State.READY
        await ours.forge(ANA, "remove_key", FINGERPRINT)
        assert (await ours.replies())[
            -1
        ] == "You no longer have that key. Nothing was changed. /gpu key lists your keys."


async def test_the_last_key_cannot_be_removed_while_a_purchase_needs_it(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        await ours.forge(ANA, "remove_key", FINGERPRINT)
        assert (await ours.replies())[-1] == (
            f"This is your only SSH key, and your request {rental.id} still needs one. Nothing was removed. "
            "Add another key first."
        )
        assert await names(ours, ANA) == ["ana@laptop"]


@pytest.mark.parametrize("action", ["remove_key", "make_key_first"])
async def test_a_button_changes_only_the_clickers_own_keys(tmp_path: Path, action: str) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await ours.has_key(ANA)
        for user in (BEN, GUS):
            await ours.forge(user, action, FINGERPRINT)
        assert await ours.replies() == [
            "You no longer have that key. Nothing was changed. /gpu key lists your keys.",
            "Your team's rules don't let you rent here. An admin can change that.",
        ]
        assert await names(ours, ANA) == ["ana@laptop"]


@pytest.mark.parametrize("line", ["hello", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M= x", KEY_LINE[:60]])
async def test_the_error_for_an_invalid_key_says_what_to_paste(tmp_path: Path, line: str) -> None:
    async with team(tmp_path) as ours:
        assert "Paste the line from your .pub file" in await ours.command(ANA, f"key {line}")
        assert await names(ours, ANA) == []


async def test_guests_can_neither_see_nor_add_keys(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for typed in ("key", f"key {KEY_LINE}"):
            reply = await ours.command(GUS, typed, GPUS)
            assert reply == "Your team's rules don't let you rent here. An admin can change that."
        await ours.forge(GUS, "add_key", None)
        assert await ours.modal(GUS) is None
