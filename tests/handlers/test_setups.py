"""Setup scripts: requesting one, and the messages if it isn't available."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.base import changed
from bot.model.person import Key
from sandbox.slack.default import ANA
from tests.handlers.team import RULES, an_offer, team

SETUP = "#!/bin/sh\npip install torch\n"
WITH_SETUPS = changed(RULES, setup={"torch": SETUP, "jax": SETUP})


async def test_a_setup_can_be_named_in_upper_or_lower_case(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get H100 EU setup Torch for 6h") == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.request.setup == "torch"


async def test_offers_show_the_setup_and_the_rental_keeps_it(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), setup="torch")
        assert "6 h\nsetup torch" in message["text"]
        await ours.click(ANA, message, "Rent")
        (rental,) = await ours.rentals()
        assert rental.request.setup == "torch"


async def test_the_form_offers_the_setups(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        assert (await ours.submit(ANA, gpu="H100", setup="jax"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.setup == "jax"


async def test_change_keeps_the_setup(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), setup="torch")
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.region, quote.request.setup) == ("US", "torch")


async def test_again_searches_with_the_same_setup(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        await ours.command(ANA, "get H100 EU setup torch")
        await ours.command(ANA, "again")
        assert [quote.request.setup for quote in await ours.quotes(ANA)] == ["torch", "torch"]


async def test_the_form_reports_a_setup_removed_from_the_rules(tmp_path: Path) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), setup="gone")
        await ours.click(ANA, message, "Change")
        outcome = await ours.submit(ANA, region="US")
        assert outcome["errors"] == {"setup": "Your team's rules no longer have this setup. Choose another."}


async def test_the_form_has_no_setup_input_if_there_are_none(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "Setup" not in dialog["reads"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("get H100 setup troch", 'I don\'t know a setup called "troch". Similar names: torch. Try: setup torch'),
        ("get H100 setup", "Which setup? Your team has: jax, torch. Try: setup jax"),
    ],
)
async def test_the_error_for_an_unknown_setup_lists_the_known_ones(tmp_path: Path, typed: str, words: str) -> None:
    async with team(tmp_path, rules=WITH_SETUPS) as ours:
        reply = await ours.command(ANA, typed)
        assert words in reply
        assert await ours.quotes(ANA) == []


async def test_a_setup_is_refused_if_the_rules_have_none(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        reply = await ours.command(ANA, "get H100 setup torch")
        assert reply == "Your team's rules have no setups, so leave it out."


async def test_keys_and_a_setup_that_exceed_the_limit_are_refused(tmp_path: Path) -> None:
    rules = changed(RULES, setup={"torch": SETUP.ljust(5_800, "#")})
    async with team(tmp_path, rules=rules) as ours:
        await ours.has_key(ANA)
        async with ours.deps.store.write() as tx:
            for n in range(12):
                body = f"{n:04}".ljust(720, "A")
                key = Key(line=f"ssh-rsa {body}", comment="", fingerprint=f"SHA256:{n}")
                await tx.people.add_key(ANA, key)
        reply = await ours.command(ANA, "get H100 setup torch")
        assert reply == (
            "The startup script would be 16.3 kB, and 15 kB is the limit. It has 12 keys besides the default one "
            '(8.8 kB) and setup "torch" (5.8 kB). Leave out the setup or a teammate, or remove a key.'
        )
        assert await ours.quotes(ANA) == []
        assert await ours.command(ANA, "get H100") == ""
