"""API tokens in Slack: people make, change and stop them, and approvers decide about their terms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.errors import InvalidToken
from bot.lifecycle.actions.callers import caller_of
from bot.lifecycle.people.deciders import check_deciders
from bot.model.base import changed
from bot.model.state import State
from bot.model.token import Access, BeyondTerms, TokenState, WhenLost
from bot.policy.team.rules import Approvers, Project
from handlers.listeners import modals
from handlers.listeners.interaction import submission
from sandbox.slack.default import ANA, APPROVALS, BEN, GPUS, GUS, TRAINING
from tests.handlers.rental_states import make_ready
from tests.handlers.team import NOON, RULES, Json, Team, team
from tests.handlers.test_messages import say
from tests.handlers.test_unmanaged_machines import direct
from tests.handlers.token_states import NAME, make, tokens

ASKED = "Approve a token for up to $200.00?"


async def submit(ours: Team, form: Json | None) -> Json:
    """Submit a form whose earlier response got lost, and return the response."""
    assert form is not None
    models = {"selected_options": [{"value": "H100"}]}
    inputs: Json = {field["block_id"]: {field["action_id"]: field["value"] or {}} for field in form["inputs"]}
    values = {**inputs, "token_name": {"token_name": {"value": NAME}}, "models": {"models": models}}
    view = {**{name: form[name] for name in ("callback_id", "private_metadata")}, "state": {"values": values}}
    view["blocks"] = [{"type": "input", "block_id": name} for name in values]
    (ack,) = await ours.handle(submission, modals.submitted, {"user": {"id": ANA}, "view": view})
    return ack


def stored(folder: Path) -> bytes:
    """Return everything in the files of the database."""
    return b"".join(path.read_bytes() for path in folder.glob("gpubot.sqlite*"))


async def works(ours: Team, secret: str) -> bool:
    try:
        await caller_of(ours.deps, secret)
    except InvalidToken:
        return False
    return True


async def asked(ours: Team) -> Json:
    """Make a token that needs an approver, and return the message that asks for the decision, as Ben sees it."""
    await make(ours, total="200")
    await ours.deliver()
    return await ours.look(BEN, APPROVALS, ASKED)


async def listed(ours: Team, user: str = ANA, words: str = "token list") -> Json:
    """Type `/gpu token list`, and return its answer with the buttons."""
    await ours.command(user, words)
    return await ours.look(user, TRAINING, NAME)


# --- making a token


async def test_a_token_within_the_limits_works_at_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours, per_hour="$5.00/h", longest="90m", beyond="ask", lost="end_if_busy")
        (token,) = await tokens(ours)
        terms = token.newest_terms
        assert (token.name, token.state, terms.models) == (NAME, TokenState.LIVE, ("H100", "L40S"))
        assert (str(terms.per_hour), terms.total, terms.longest.total_seconds()) == ("5.00", 100_000_000, 5400)
        assert (terms.beyond, terms.lost) == (BeyondTerms.ASK, WhenLost.END_IF_BUSY)
        caller = await caller_of(ours.deps, secret)
        assert (caller.token.id, caller.person.id) == (token.id, ANA)


async def test_the_secret_is_only_in_the_response_to_the_submission(tmp_path: Path, caplog: Any) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours, total="200")
        await ours.deliver()
        assert secret not in caplog.text
        assert not any(secret in str(message) for message in await ours.queued())
        assert secret.encode() not in stored(tmp_path)
        for user, channel in ((ANA, TRAINING), (BEN, APPROVALS)):
            assert all(secret not in str(message) for message in await ours.world.see(user, channel=channel))


async def test_a_secret_that_somebody_types_is_not_kept(tmp_path: Path, caplog: Any) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours)
        said = await ours.command(ANA, f"get H100 EU -- the token is {secret}.")
        assert said == (
            "That was the secret of a token. I didn't keep it and no channel shows it, but it went through Slack. "
            "Stop the token and make a new one: /gpu token list"
        )
        await say(ours, ANA, secret)
        assert await ours.look(ANA, direct(ANA), "Slack still shows your message, so delete it.")
        await ours.command(ANA, "token")
        assert list((await ours.submit(ANA, token_name=secret, models=["H100"]))["errors"]) == ["token_name"]
        assert secret not in caplog.text
        assert secret.encode() not in stored(tmp_path)


async def test_the_form_says_whether_the_api_is_off(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for open_since, is_off in ((None, True), (NOON, False)):
            ours.deps.door.open_since = open_since
            await ours.command(ANA, "token")
            form = await ours.modal(ANA)
            assert form is not None
            assert ("Programs can't use tokens yet" in form["reads"]) is is_off


async def test_submitting_a_form_again_makes_no_second_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "token")
        form = await ours.modal(ANA)
        first, second = await submit(ours, form), await submit(ours, form)
        found = [re.findall(r"gpb_\w+", str(ack))[0] for ack in (first, second)]
        assert [await works(ours, secret) for secret in found] == [False, True]
        assert len(await tokens(ours)) == 1
        third = await submit(ours, form)
        assert "A program already uses nightly eval" in third["errors"]["token_name"]
        assert await works(ours, found[1])


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        ({"models": []}, "models", "Choose at least one GPU model"),
        ({"per_hour": "a lot"}, "per_hour", "Type an amount in dollars, such as 5 or 2.50."),
        ({"per_hour": "500"}, "per_hour", "Your team's limit is $100.00/h for all machines."),
        ({"total": "0"}, "total", "Enter an amount of more than $0.00."),
        ({"at_once": "many"}, "at_once", "Type a whole number, such as 2."),
        ({"at_once": "9"}, "at_once", "Your team's limit is 4 rentals per person, including those of programs."),
        ({"longest": "forever"}, "longest", "Type a time such as 90m, 4h or 2d."),
        ({"longest": "200h"}, "longest", "The longest lease is 3 days."),
        (
            {"last_day": "2027-06-01"},
            "last_day",
            "A token can work for 30 days at most. Choose 24 Dec or earlier.",
        ),
        ({"last_day": "2026-11-01"}, "last_day", "The last day is over. Choose today or a later day."),
    ],
)
async def test_a_wrong_term_is_explained_below_its_input(
    tmp_path: Path, inputs: dict[str, Any], field: str, words: str
) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "token")
        outcome = await ours.submit(ANA, **{"token_name": NAME, "models": ["H100"], **inputs})
        assert list(outcome["errors"]) == [field]
        assert words in outcome["errors"][field]
        assert await tokens(ours) == []


async def test_several_wrong_inputs_are_explained_together(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "token")
        outcome = await ours.submit(ANA, token_name=NAME, models=["H100"], total="x", per_day="x")
        assert list(outcome["errors"]) == ["total", "per_day"]


async def test_a_name_can_be_used_only_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await make(ours)
        await ours.command(ANA, "token")
        errors = (await ours.submit(ANA, token_name=NAME.title(), models=["H100"]))["errors"]
        assert errors == {"token_name": "You already have a token called Nightly Eval. Choose another name."}


async def test_a_token_that_only_looks_needs_no_gpus(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await make(ours, access="look", models=[])
        (token,) = await tokens(ours)
        assert token.newest_terms.access is Access.LOOK
        await ours.click(ANA, await listed(ours), "Change")
        assert (await ours.submit(ANA, access="rent", models=["H100"]))["ok"]
        (token,) = await tokens(ours)
        assert (token.newest_terms.access, token.newest_terms.total) == (Access.RENT, 100_000_000)


async def test_gpus_are_typed_while_the_catalog_is_unknown(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        catalog, ours.catalog = ours.catalog, None
        await ours.command(ANA, "token")
        errors = (await ours.submit(ANA, token_name=NAME, models="h100, rtx 4090"))["errors"]
        assert list(errors) == ["models"]
        ours.catalog = catalog
        errors = (await ours.submit(ANA, token_name=NAME, models="h100, h9"))["errors"]
        assert errors["models"].startswith("I don't know h9. GPUs: H100, H200")
        assert (await ours.submit(ANA, token_name=NAME, models="h100, rtx 4090"))["ok"]
        (token,) = await tokens(ours)
        assert token.newest_terms.models == ("H100", "RTX 4090")


async def test_the_project_of_the_channel_is_proposed(tmp_path: Path) -> None:
    rules = changed(RULES, projects={"vision": Project(channels=(TRAINING,)), "speech": Project()})
    async with team(tmp_path, rules=rules) as ours:
        await make(ours)
        await make(ours, name="other", project="-")
        found = {token.name: token.newest_terms.project for token in await tokens(ours)}
        assert found == {NAME: "vision", "other": "unassigned"}


async def test_a_message_that_asks_for_a_token_gets_a_button(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await say(ours, ANA, "token")
        await ours.click(ANA, await ours.look(ANA, direct(ANA), "Click to make one."), "New token")
        view = await ours.modal(ANA)
        assert view is not None
        assert view["title"] == "New token"


async def test_guests_can_make_no_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        reply = await ours.command(GUS, "token", GPUS)
        assert reply == "Your team's rules don't let you rent here. An admin can change that."
        await ours.forge(GUS, "new_token", None)
        assert await ours.modal(GUS) is None


# --- deciding


async def test_an_approver_approves_the_terms_of_a_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours, total="200")
        await ours.deliver()
        question = await ours.look(BEN, APPROVALS, ASKED)
        assert "@approvers" in question["reads"]
        assert not await works(ours, secret)
        await ours.click(BEN, question, "Approve up to $200.00")
        assert not await works(ours, secret)
        assert (await ours.submit(BEN))["ok"]
        assert await works(ours, secret)
        await ours.deliver()
        assert (await ours.look(BEN, APPROVALS, "Ben approved nightly eval (Ana)"))["buttons"] == []
        assert await ours.look(ANA, direct(ANA), "Ben approved your token nightly eval for up to $200.00.")


async def test_without_the_approvers_channel_approvers_are_asked_directly(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, approvers=Approvers(people=(BEN,)))) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await ours.world.act(f"channels/{APPROVALS}", "PATCH", archived=True)
        secret = await make(ours, total="200")
        await ours.deliver_all()
        await ours.click(BEN, await ours.look(BEN, direct(BEN), ASKED), "Approve up to $200.00")
        assert (await ours.submit(BEN))["ok"]
        assert await works(ours, secret)


async def test_an_approver_denies_the_terms_with_a_reason(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        question = await asked(ours)
        await ours.click(BEN, question, "Deny")
        assert (await ours.submit(BEN, reason="use the queue"))["ok"]
        await ours.deliver()
        assert await ours.look(BEN, APPROVALS, 'Ben declined nightly eval (Ana) at 12:00: "use the queue".')
        assert await ours.look(ANA, direct(ANA), 'Ben declined your token nightly eval: "use the queue".')
        assert await tokens(ours) == []


async def test_owners_cannot_approve_their_own_tokens(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours, BEN, total="200")
        await ours.deliver()
        await ours.click(BEN, await ours.look(BEN, APPROVALS, ASKED), "Approve up to")
        assert (await ours.replies())[
            -1
        ] == "Another approver has to decide your own request. Nothing was changed."
        assert not await works(ours, secret)


async def test_a_click_on_an_earlier_request_decides_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        question = await asked(ours)
        ours.deliver_at_once()
        await ours.click(ANA, await listed(ours), "Change")
        assert (await ours.submit(ANA, total="300"))["ok"]
        await ours.click(BEN, question, "Approve up to")
        assert await ours.modal(BEN) is None
        assert (await tokens(ours))[0].requested is not None
        await ours.deliver_all()
        assert await ours.look(BEN, APPROVALS, "Ana changed the request for nightly eval (Ana).")
        assert await ours.look(BEN, APPROVALS, "Approve a token for up to $300.00?")


async def test_the_home_tab_asks_approvers_about_tokens(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        await ours.open_home(BEN)
        secret = await make(ours, total="200")
        home = await ours.home(BEN)
        assert home is not None
        assert "Approve a token for up to $200.00?" in home["reads"]
        await ours.click_home(BEN, "Approve up to $200.00, token nightly eval")
        assert (await ours.submit(BEN))["ok"]
        assert await works(ours, secret)


# --- changing


async def test_tighter_terms_apply_at_once_and_looser_ones_wait(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await make(ours)
        shown = await listed(ours)
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, total="50", at_once="1"))["ok"]
        assert (await ours.replies())[-1].startswith("Changed: nightly eval can rent H100 or L40S until")
        (token,) = await tokens(ours)
        assert token.terms is not None
        assert (token.terms.total, token.terms.at_once, token.requested) == (50_000_000, 1, None)
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, total="1,200"))["ok"]
        assert "Until somebody decides, the present terms apply" in (await ours.replies())[-1]
        (token,) = await tokens(ours)
        assert token.terms is not None
        assert token.requested is not None
        assert (token.terms.total, token.requested.terms.total) == (50_000_000, 1_200_000_000)


async def test_only_the_owner_changes_a_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await make(ours)
        (token,) = await tokens(ours)
        await ours.forge(BEN, "change_token", token.id)
        assert await ours.modal(BEN) is None
        assert (await ours.replies())[-1] == "Only its owner can change this token. Nothing was changed."


# --- lists


async def test_approvers_can_list_everybodys_tokens(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await make(ours)
        assert "You have no tokens." in await ours.command(BEN, "token list")
        shown = await listed(ours, BEN, "token list all")
        assert [button["text"] for button in shown["buttons"]] == ["Stop this token"]
        refused = await ours.command(ANA, "token list all")
        assert refused.startswith("Only approvers and admins can see everyone's tokens.")


async def test_an_unknown_word_after_token_gets_a_hint(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        reply = await ours.command(ANA, "token KTRWXQM")
        hint = "Try: /gpu token, /gpu token list, or /gpu token and the 8 letters of a code"
        assert reply == f'I don\'t know "KTRWXQM" here. {hint}'


async def test_the_home_tab_shows_the_persons_tokens(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.open_home(ANA)
        await make(ours)
        home = await ours.home(ANA)
        assert home is not None
        assert "nightly eval: not used yet, $100.00 of $100.00 left" in home["reads"]
        await ours.click_home(ANA, "Stop this token, nightly eval")
        assert (await ours.submit(ANA))["ok"]
        assert await tokens(ours) == []


# --- stopping


async def test_stopping_a_token_ends_its_machines(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        secret = await make(ours)
        (token,) = await tokens(ours)
        rental = await make_ready(ours, changed(await ours.rented(), token_id=token.id))
        await ours.click(BEN, await listed(ours, BEN, "token list all"), "Stop this token")
        view = await ours.modal(BEN)
        assert view is not None
        assert f"Everything on the disk of {rental.id} will be deleted." in view["reads"]
        assert await works(ours, secret)
        assert (await ours.submit(BEN))["ok"]
        assert not await works(ours, secret)
        assert (await ours.rental(rental.id)).state is not State.READY
        assert (await ours.replies())[-1].startswith("You stopped nightly eval. It no longer works.")
        ours.deliver_at_once()
        await ours.deliver_all()
        told = f"Ben stopped your token nightly eval at 13:00. {rental.id} ends with it."
        assert await ours.look(ANA, direct(ANA), told)


async def test_other_members_cannot_stop_a_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await make(ours)
        (token,) = await tokens(ours)
        await ours.forge("U0NEW00001", "stop_token", token.id)
        assert (await ours.replies())[-1] == (
            "Only its owner, approvers and admins can stop this token. Nothing was changed."
        )
