"""Errors: people see them, nothing counts as done, and nothing private is logged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.model.offer import Catalog
from bot.model.state import State
from handlers.ids import ACTION_VALUES, NoValue
from handlers.listeners import commands, modals
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction, click, command, submission
from handlers.listeners.wrapper import make_listener
from handlers.phrases import blocks
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.parsing_helpers import CATALOG
from tests.handlers.team import Team, an_offer, team
from tests.store.fact import NAME

NOT_STORED = "I couldn't save anything just now, so nothing was changed. Try again in a moment."


async def test_a_command_that_could_not_be_stored_says_so(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        with ours.locked():
            assert await ours.command(ANA, "get H100 EU") == NOT_STORED
        assert await ours.quotes(ANA) == []
        assert await ours.command(ANA, "get H100 EU") == ""


async def test_a_click_that_could_not_be_stored_is_answered_without_the_store(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        with ours.locked():
            assert (await ours.click(ANA, message, "Rent"))["ok"]
            reply = await ours.look(ANA, TRAINING, NOT_STORED)
            assert reply["only_you"]
        assert await ours.rentals() == []
        again = await ours.look(ANA, TRAINING, "Prices are valid until")
        await ours.click(ANA, again, "Rent")
        assert len(await ours.rentals()) == 1


async def test_a_click_that_could_not_be_stored_or_answered_is_not_acknowledged(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        await ours.fault("response_url", "status", status=500)
        with ours.locked():
            assert (await ours.click(ANA, message, "Rent"))["error"] == "operation_timeout"
        assert await ours.rentals() == []


async def test_a_dialog_that_could_not_be_stored_stays_open_and_says_so(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "9.00"))
        await ours.click(ANA, message, "Rent")
        with ours.locked():
            await ours.submit(ANA)
            dialog = await ours.modal(ANA)
        assert dialog is not None
        assert NOT_STORED in dialog["reads"]
        assert await ours.rentals() == []


async def test_a_form_that_could_not_be_stored_keeps_its_inputs(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        with ours.locked():
            outcome = await ours.submit(ANA, gpu="H100")
        assert outcome["errors"] == {"gpu": NOT_STORED}
        assert (await ours.submit(ANA))["ok"]
        assert len(await ours.quotes(ANA)) == 1


NONSENSE = (None, "nonsense", "K7MQ2", "k7mq2:0:0", "\u202e", "a" * 1900, "x:y", "k7mq2:99")


@pytest.mark.parametrize("value", NONSENSE)
async def test_a_button_with_an_unreadable_value_changes_nothing(tmp_path: Path, value: str | None) -> None:
    """A click on a button without a value goes through Slack. For the others, the listener is called directly."""
    with_values = [name for name, value_type in ACTION_VALUES.items() if value_type is not NoValue]
    async with team(tmp_path) as ours:
        for n, action_id in enumerate(with_values):
            if value is None:
                assert (await ours.forge(ANA, action_id, value))["ok"]
            else:
                assert await ours.handle(click, modals.click, a_click(ours, action_id, value)) == [{}]
            replies = await ours.replies()
            assert len(replies) == n + 1, action_id
            assert not [reply for reply in replies if "Something broke" in reply], action_id
        assert await ours.rentals() == []
        assert await ours.quotes(ANA) == []


def a_click(ours: Team, action_id: str, value: str) -> dict[str, Any]:
    """Return the payload of Ana's click on a button of an answer that only she sees."""
    return {
        "user": {"id": ANA},
        "container": {"channel_id": TRAINING, "is_ephemeral": True},
        "response_url": f"{ours.world.url}/actions/1/a",
        "actions": [{"type": "button", "action_id": action_id, "value": value}],
    }


async def test_an_unknown_button_is_reported_as_outdated(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for action_id in ("stop", "rent.x", "xrent", "RENT", "rent.100", "\u202e"):
            before = len(await ours.replies())
            assert (await ours.forge(ANA, action_id, "k7mq2"))["ok"]
            (reply,) = (await ours.replies())[before:]
            assert reply.startswith("That button is from an older version. Nothing was changed.")


async def test_an_unknown_dialog_is_reported_as_outdated(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "key")
        await ours.command(ANA, "get")
        view = ours.world.sandbox.workspace.modals[ANA]
        view.source["callback_id"] = "get_gpus"
        outcome = await ours.submit(ANA, gpu="H100")
        assert outcome["errors"]["gpu"].startswith("This dialog is from an older version.")


async def test_submitting_a_notice_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = blocks.notice("Not done", "It is gone.").view
        view = {**shown, "private_metadata": '{"value_type": "none"}'}
        (answer,) = await ours.handle(submission, modals.submitted, {"user": {"id": ANA}, "view": view})
        assert "This dialog has nothing to submit. Nothing was changed." in str(answer["view"])


@pytest.mark.parametrize("text", ["<|>", "show <|>", "get H100 -- <|> and <|run 7>", "get <|h100> <@> <#|> <!>"])
async def test_empty_slack_markup_in_a_command_does_no_harm(tmp_path: Path, text: str) -> None:
    async with team(tmp_path) as ours:
        body = {"user_id": ANA, "channel_id": TRAINING, "text": text}
        assert "Something broke" not in str(await ours.handle(command, commands.gpu, body))


async def test_a_dialog_with_unreadable_metadata_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        await ours.command(ANA, f"destroy {rental.id}")
        view = ours.world.sandbox.workspace.modals[ANA]
        view.source["private_metadata"] = "{"
        await ours.submit(ANA)
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "Nothing was changed." in dialog["reads"]
        assert (await ours.rental(rental.id)).state is State.PROCURING


async def test_a_reply_reports_that_slack_did_not_open_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.fault("views.open", "status", status=500)
        await ours.command(ANA, "get")
        assert await ours.modal(ANA) is None
        assert (await ours.replies())[-1] == "Slack didn't open the dialog. Nothing was changed. Try again."


async def test_a_deeply_nested_slack_answer_counts_as_no_answer(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        answer = "[" * 100_000
        await ours.fault("users.info", "garbage", body=answer)
        reply = await ours.command(ANA, "get")
        assert reply == "Slack didn't tell me in time who you are, so nothing was changed. Try again in a moment."
        await ours.fault("views.open", "garbage", body=answer)
        await ours.command(ANA, "get")
        assert (await ours.replies())[-1] == "Slack didn't open the dialog. Nothing was changed. Try again."


async def test_a_dialog_open_for_an_hour_is_answered_in_a_direct_message(tmp_path: Path) -> None:
    """After an hour, the `response_url` of the interaction that opened the dialog has expired."""
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        await ours.deliver()
        await ours.command(ANA, f"destroy {rental.id}")
        view = ours.world.sandbox.workspace.modals[ANA]
        metadata = json.loads(view.source["private_metadata"])
        metadata["origin"]["opened_at"] -= 3600
        view.source["private_metadata"] = json.dumps(metadata)
        assert (await ours.submit(ANA))["ok"]
        await ours.deliver()
        reply = await ours.look(ANA, f"D{ANA[1:]}", "The request for 1x H100 SXM 80 GB (")
        assert reply["is_dm"]
        assert reply["reads"].endswith("in EU was cancelled.")


async def test_an_error_for_a_missing_input_appears_below_the_first_one(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get")
        view = ours.world.sandbox.workspace.modals[ANA]
        blocks = [block for block in view.source["blocks"] if block["block_id"] in {"gpu", "count"}]
        view.source["blocks"] = blocks
        for field in set(view.values) - {"gpu", "count"}:
            del view.values[field]
        outcome = await ours.submit(ANA, gpu="H100")
        assert set(outcome["errors"]) == {"gpu"}
        assert "such as 90m, 6h, 2d or until 18:00" in outcome["errors"]["gpu"]


async def test_a_bugs_reply_and_log_share_a_number_and_nothing_private(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        ours.catalog = Broken(**dict(CATALOG))
        with capture_logs() as lines:
            reply = await ours.command(ANA, "get my secret words")
        number = re.fullmatch(
            r"Something went wrong on my side\. Nothing was rented\. Give an admin this number: (E-[2-9A-Z]{4})\.",
            reply,
        )
        assert number is not None
        (bug,) = [line for line in lines if line["event"] == "bug"]
        assert bug["number"] == number[1]
        assert "secret" not in str(lines)


class Broken(Catalog):
    """A catalog that raises an error when it is read."""

    def __getattribute__(self, name: str) -> Any:
        if name == "vendors":
            raise RuntimeError("secret")
        return super().__getattribute__(name)


async def test_the_reply_after_a_late_bug_does_not_claim_nothing_was_rented(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:

        async def write_and_fail(context: Context, interaction: UserInteraction) -> Outcome:
            async with context.deps.store.write() as tx:
                await tx.account.set(NAME, interaction.text)
            raise RuntimeError("secret")

        body = {"user_id": ANA, "channel_id": TRAINING, "text": "yes"}
        with capture_logs() as lines:
            (answer,) = await ours.handle(command, write_and_fail, body)
        assert answer["text"].startswith("Something went wrong on my side. /gpu list shows what is rented.")
        assert "secret" not in str(lines)
        async with ours.deps.store.read() as tx:
            assert await tx.account.get(NAME) == "yes"


async def test_the_reply_to_a_click_is_stored_before_the_acknowledgement(tmp_path: Path) -> None:
    """If the process is killed right after the acknowledgement, the next process sends the reply."""
    async with team(tmp_path) as ours:
        replies_before_ack: list[str] = []

        async def ack(**_: Any) -> None:
            replies_before_ack.extend(await ours.replies())

        listen = make_listener(ours.context, click, modals.click)
        await listen(ack, a_click(ours, "details", "k7mq2"))
        assert replies_before_ack[0].startswith("k7mq2 is missing from my database, which was restored")


async def test_a_command_that_arrives_during_shutdown_is_still_handled(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.context.gate.drain(1)
        assert await ours.command(ANA, "get H100 EU") == ""
        assert len(await ours.quotes(ANA)) == 1
