"""Keys from GitHub are shown first, read again on the click, and saved only if they were shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh
import pytest

from bot.model.base import changed
from bot.model.state import State
from bot.policy.team.rules import Keys
from sandbox.slack.default import ANA, GPUS, GUS, OLGA, SHARED, TRAINING
from tests.github_world import github
from tests.handlers.team import KEY_LINE, RULES, Json, Team, an_offer, team

NO_NAME = "That isn't a GitHub username. Usernames have up to 39 letters, digits and hyphens, such as ana-dev."
ONE, TWO, THREE = (
    asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip() for _ in range(3)
)


def fingerprint(line: str) -> str:
    return asyncssh.import_public_key(line).get_fingerprint()


async def saved(ours: Team, user: str = ANA) -> list[str]:
    """Return the lines of a person's keys."""
    async with ours.deps.store.read() as tx:
        return [key.line for key in await tx.people.keys(user)]


async def shown(ours: Team, typed: str = "key github ana-dev") -> Json:
    """Look up the keys of ana-dev as Ana, and return the message with the buttons."""
    assert "github.com/ana-dev has" in await ours.command(ANA, typed)
    return await ours.look(ANA, TRAINING, "github.com/ana-dev has")


async def test_keys_are_shown_first_and_saved_by_a_click(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, TWO)
        choice = await shown(ours)
        assert "github.com/ana-dev has 2 keys:" in choice["text"]
        assert f"{fingerprint(ONE)} (ed25519)" in choice["text"]
        assert [button["text"] for button in choice["buttons"]] == ["Use both", "Choose", "Cancel"]
        assert await saved(ours) == []
        await ours.click(ANA, choice, "Use both")
        assert await saved(ours) == [ONE, TWO]
        await ours.deliver()
        reply = await ours.look(ANA, TRAINING, "2 keys are saved:")
        assert (reply["ts"], reply["buttons"]) == (choice["ts"], [])
        assert "github.com/ana-dev" in await ours.command(ANA, "key")


@pytest.mark.parametrize(
    "typed",
    [
        "key github @ana-dev",
        "key from github ana-dev",
        "key github.com/ana-dev",
        "key GitHub https://github.com/ana-dev",
        "key github `ana-dev`",
        "key https://github.com/ana-dev.keys",
    ],
)
async def test_every_spelling_of_a_github_name_is_understood(tmp_path: Path, typed: str) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        assert [button["text"] for button in (await shown(ours, typed))["buttons"]] == ["Use this key", "Cancel"]


async def test_cancel_saves_nothing(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        await ours.click(ANA, await shown(ours), "Cancel")
        assert await saved(ours) == []
        await ours.deliver()
        assert "Nothing was saved." in (await ours.look(ANA, TRAINING))["text"]


async def test_a_key_added_after_the_list_was_shown_is_not_saved(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, TWO)
        choice = await shown(ours)
        await hub.has("ana-dev", THREE, TWO)
        await ours.click(ANA, choice, "Use both")
        assert await saved(ours) == [TWO]
        assert f"Not saved: {fingerprint(ONE)}, which GitHub no longer has." in (await ours.replies())[-1]


async def test_nothing_is_saved_if_all_shown_keys_have_disappeared(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        choice = await shown(ours)
        await hub.has("ana-dev", THREE)
        await ours.click(ANA, choice, "Use this key")
        assert await saved(ours) == []
        assert (await ours.replies())[-1] == (
            "github.com/ana-dev no longer has the keys that I showed you. Nothing was saved."
        )


async def test_a_second_click_does_not_save_a_key_twice(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        choice = await shown(ours)
        for _ in range(2):
            await ours.click(ANA, choice, "Use this key")
        assert await saved(ours) == [ONE]
        assert (await ours.replies())[-1].startswith("This key was already saved:")


async def test_the_dialog_saves_the_selected_keys(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, TWO, THREE)
        choice = await shown(ours)
        await ours.click(ANA, choice, "Choose")
        outcome = await ours.submit(ANA, keys=[])
        assert outcome["payload"]["errors"] == {"keys": "Choose at least one key."}
        assert (await ours.submit(ANA, keys=[fingerprint(ONE), fingerprint(THREE)]))["ok"]
        assert await saved(ours) == [ONE, THREE]
        await ours.deliver()
        assert (await ours.look(ANA, TRAINING, "2 keys are saved:"))["ts"] == choice["ts"]


async def test_choose_shows_the_list_again_if_no_key_is_left(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, TWO)
        choice = await shown(ours)
        await ours.click(ANA, choice, "Use both")
        await ours.click(ANA, choice, "Choose")
        assert await ours.modal(ANA) is None
        assert "You've already saved all of these keys." in (await ours.replies())[-1]


async def test_more_than_ten_keys_form_two_groups(tmp_path: Path) -> None:
    lines = [asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip() for _ in range(23)]
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", *lines)
        choice = await shown(ours)
        assert "3 more keys aren't shown. You can add those with /gpu key" in choice["text"]
        assert "Your team's rules allow you 10 more keys." in choice["text"]
        assert [button["text"] for button in choice["buttons"]] == ["Choose", "Cancel"]
        await ours.click(ANA, choice, "Choose")
        assert (await ours.submit(ANA, keys=[fingerprint(lines[2])], more_keys=[fingerprint(lines[19])]))["ok"]
        assert await saved(ours) == [lines[2], lines[19]]


async def test_keys_beyond_the_limit_cannot_be_saved(tmp_path: Path) -> None:
    rules = changed(RULES, keys=Keys(per_person=2))
    async with github() as hub, team(tmp_path, rules=rules, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, TWO, THREE)
        await ours.has_key(ANA)
        choice = await shown(ours)
        assert [button["text"] for button in choice["buttons"]] == ["Choose", "Cancel"]
        await ours.click(ANA, choice, "Choose")
        outcome = await ours.submit(ANA, keys=[fingerprint(ONE), fingerprint(TWO)])
        assert outcome["payload"]["errors"] == {
            "keys": "You have 1 key, and your team's rules allow 2 per person. Nothing was saved. "
            "Remove a key first: /gpu key"
        }
        assert (await ours.submit(ANA, keys=[fingerprint(TWO)]))["ok"]
        full = await shown(ours)
        assert "You have as many keys as your team's rules allow. Remove a key first: /gpu key" in full["text"]
        assert [button["text"] for button in full["buttons"]] == ["Cancel"]


async def test_keys_that_are_already_saved_are_marked(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await ours.has_key(ANA)
        await hub.has("ana-dev", KEY_LINE, ONE)
        choice = await shown(ours)
        assert "(ed25519), already saved" in choice["text"]
        await ours.click(ANA, choice, "Use the new one")
        assert len(await saved(ours)) == 2
        assert "You've already saved all of these keys." in (await shown(ours))["text"]


async def test_the_dialog_prompts_for_the_name_and_then_shows_the_keys(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        await ours.command(ANA, "key")
        question = await ours.look(ANA, TRAINING, "To log in")
        await ours.click(ANA, question, "Use my GitHub keys")
        outcome = await ours.submit(ANA, github_name="nobody-here")
        assert outcome["payload"]["errors"] == {
            "github_name": 'GitHub has no user "nobody-here". Nothing was saved. Try again, or paste a key: '
            "/gpu key ssh-ed25519 AAAA... you@laptop"
        }
        assert (await ours.submit(ANA, github_name=" https://github.com/ana-dev "))["ok"]
        await ours.deliver()
        choice = await ours.look(ANA, TRAINING, "github.com/ana-dev has 1 key:")
        assert choice["ts"] == question["ts"]
        await ours.click(ANA, choice, "Use this key")
        assert await saved(ours) == [ONE]


async def test_github_without_a_name_opens_the_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "key github")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert dialog["title"] == "Keys from GitHub"


async def test_a_key_from_github_rents_the_waiting_offer(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15"), with_key=False), "Rent")
        await ours.deliver()
        await ours.click(ANA, await ours.look(ANA, TRAINING, "To log in"), "Use my GitHub keys")
        await ours.submit(ANA, github_name="ana-dev")
        await ours.deliver()
        choice = await ours.look(ANA, TRAINING, "github.com/ana-dev has")
        await ours.click(ANA, choice, "Use this key")
        (rental,) = await ours.rentals()
        assert (rental.state, rental.clicked_offer) == (State.PROCURING, "o1")
        await ours.click(ANA, choice, "Use this key")
        assert len(await ours.rentals()) == 1


async def test_a_key_from_github_opens_the_confirmation_of_an_expensive_offer(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "9.00"), with_key=False), "Rent")
        await ours.click(ANA, await shown(ours), "Use this key")
        assert await saved(ours) == [ONE]
        assert await ours.rentals() == []
        assert (await ours.submit(ANA))["ok"]
        assert len(await ours.rentals()) == 1


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"behaviour": "huge"}, "GitHub answered with more than 64 KiB, which is more than I read."),
        ({"behaviour": "redirects"}, "GitHub redirected me to another address, which I don't follow."),
        ({"behaviour": "garbage"}, "github.com/ana-dev has no SSH key that I accept"),
        ({"fault": {"kind": "status", "status": 503}}, "GitHub answered with error 503."),
        ({"fault": {"kind": "latency", "seconds": 2.0}}, "GitHub didn't answer within 0.2 s."),
    ],
    ids=["huge", "redirects", "garbage", "error", "slow"],
)
async def test_an_unusable_github_answer_is_reported_and_nothing_is_saved(
    tmp_path: Path, user: dict[str, Any], words: str
) -> None:
    async with github(seconds=0.2) as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE, behaviour=user.get("behaviour", "normal"))
        if "fault" in user:
            await hub.fault(**user["fault"])
        reply = await ours.command(ANA, "key github ana-dev")
        assert reply.startswith(words)
        assert "Nothing was saved." in reply
        assert await saved(ours) == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            "key github nobody",
            'GitHub has no user "nobody". Nothing was saved. Try again, or paste a key: '
            "/gpu key ssh-ed25519 AAAA... you@laptop",
        ),
        ("key github ana dev", NO_NAME),
        ("key github <!channel>", NO_NAME),
        (
            "key github ../settings",
            NO_NAME,
        ),
    ],
)
async def test_an_invalid_name_is_reported(tmp_path: Path, typed: str, words: str) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        assert await ours.command(ANA, typed) == words
        assert len(await hub.requests()) == ("nobody" in typed)


async def test_a_user_without_keys_is_reported(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev")
        assert await ours.command(ANA, "key github ana-dev") == (
            "github.com/ana-dev has no SSH key. Nothing was saved. "
            "Paste a key instead: /gpu key ssh-ed25519 AAAA... you@laptop"
        )


async def test_a_team_without_github_keys_gets_no_button_and_an_explanation(tmp_path: Path) -> None:
    rules = changed(RULES, keys=Keys(github=False))
    async with github() as hub, team(tmp_path, rules=rules, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        await ours.command(ANA, "key")
        question = await ours.look(ANA, TRAINING, "To log in")
        assert [button["text"] for button in question["buttons"]] == ["Add SSH key"]
        assert "github" not in question["text"]
        for typed in ("key github ana-dev", "key github"):
            reply = await ours.command(ANA, typed)
            assert reply == (
                "Your team's rules don't allow keys from GitHub. Paste a key instead: "
                "/gpu key ssh-ed25519 AAAA... you@laptop"
            )
        await ours.forge(ANA, "from_github", None)
        await ours.forge(ANA, "use_github_keys", f"ana-dev:{fingerprint(ONE).removeprefix('SHA256:')}")
        assert (await saved(ours), await hub.requests(), await ours.modal(ANA)) == ([], [], None)


async def test_an_outsider_cannot_list_or_add_keys(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await hub.has("ana-dev", ONE)
        digest = fingerprint(ONE).removeprefix("SHA256:")
        for action, value in (("use_github_keys", f"ana-dev:{digest}"), ("from_github", None), ("add_key", None)):
            await ours.forge(OLGA, action, value, SHARED)
        assert set(await ours.replies()) == {"Only members of my own workspace can use me. Nothing was changed."}
        assert (await saved(ours, OLGA), await hub.requests()) == ([], [])


async def test_a_guest_is_refused_without_querying_github(tmp_path: Path) -> None:
    async with github() as hub, team(tmp_path, key_source=hub.source) as ours:
        await ours.add_eve_and_gus()
        await hub.has("ana-dev", ONE)
        reply = await ours.command(GUS, "key github ana-dev", GPUS)
        assert reply == "Your team's rules don't let you rent here. An admin can change that."
        await ours.forge(GUS, "use_github_keys", f"ana-dev:{fingerprint(ONE).removeprefix('SHA256:')}")
        assert (await saved(ours, GUS), await hub.requests()) == ([], [])
