"""Slack refuses a type of block.

People immediately get the same content in classic blocks, exactly once, and the type isn't tried again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from structlog.testing import capture_logs

from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, queued, to_ephemeral, to_person, to_response_url
from handlers.delivery.block_types import Attempt, BlockTypes, refused_by
from handlers.delivery.direct_posts import PostOutcome
from handlers.delivery.posting import respond
from handlers.ids import NO_VALUE, Action, Callback
from handlers.listeners import interaction, modals
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.phrases.blocks import Rendered, alert, modal, section
from handlers.phrases.classic import NEW_TYPES, SAMPLES, Surface, new_types
from sandbox.slack.default import ANA, GPUS, TRAINING
from tests.handlers.team import Team, team
from tests.slack_limits import problems_of_message, problems_of_view

MINUTE = timedelta(minutes=1)
DIRECT = f"D{ANA[1:]}"
OF_MESSAGES = [block["type"] for block in SAMPLES[Surface.MESSAGE]]
DESTROY = modal(
    Callback.NOTICE,
    "Destroy k7mq2?",
    alert("Everything on the disk will be deleted."),
    section("$13.83 so far."),
    submit=None,
    value=NO_VALUE,
)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Team]:
    async with team(tmp_path, block_types=BlockTypes()) as ours:
        ours.deliver_at_once()
        yield ours


def sample_message(text: str) -> Rendered:
    """Return a message with one block of each type that messages can contain."""
    return Rendered(text=text, blocks=(section(text), *SAMPLES[Surface.MESSAGE]))


async def deliver_sample(ours: Team, to: Destination, text: str) -> None:
    """Deliver a message with one block of each type."""
    content = sample_message(text)
    body = {"text": text, "blocks": list(content.blocks), "response_type": "ephemeral"}
    async with ours.deps.store.write() as tx:
        await tx.messages.add(queued(MessageKind.REPLY, to, ours.clock.real(), body=body))
    await ours.deliver_all()


async def posted_card(ours: Team) -> Message:
    rental = await ours.rented()
    await ours.deliver()
    async with ours.deps.store.read() as tx:
        card = await tx.messages.card(rental.id)
    assert card is not None
    return card


async def reads(ours: Team, card: Message) -> str:
    (shown,) = [m for m in await ours.world.see(ANA, channel=TRAINING) if m["ts"] == card.ts]
    return str(shown["reads"])


async def calls(ours: Team, endpoint: str) -> int:
    return len((await ours.world.get("traffic", endpoint=endpoint))["requests"])


async def lacks(ours: Team, *types: str) -> None:
    assert (await ours.world.act("lacks", blocks=types))["blocks"] == list(types)


def refusals(lines: list[Any]) -> list[str]:
    """Return the types whose refusal was logged."""
    assert not [line for line in lines if line["event"] == "slack.blocks_refused"]
    return [line["block"] for line in lines if line["event"] == "slack.block_refused"]


def shows_all(reads: str) -> None:
    """Check that all texts of the samples are present, except the chart, which has no text."""
    for words in ("Your machine is ready", "ssh root@203.0.113.7", "Starting", "Step 4", "Ana", "$14.68"):
        assert words in reads, words


REFUSED = [*([name] for name in OF_MESSAGES), OF_MESSAGES]


@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
@pytest.mark.parametrize("to", [to_person(ANA), to_ephemeral(TRAINING, ANA)], ids=["post", "ephemeral"])
async def test_a_refused_message_is_sent_once_in_classic_blocks(
    ours: Team, types: list[str], to: Destination
) -> None:
    endpoint = "chat.postMessage" if to == to_person(ANA) else "chat.postEphemeral"
    channel = DIRECT if to == to_person(ANA) else TRAINING
    await lacks(ours, *types)
    refused = min(len(types), 2)
    with capture_logs() as lines:
        await deliver_sample(ours, to, "First")
        assert await calls(ours, endpoint) == refused + 1
        assert refusals(lines) == types[:refused], "Slack names one at a time"
        await deliver_sample(ours, to, "Second")
        assert await calls(ours, endpoint) == refused + 2
        await ours.delivery.block_types.ask(ours.world.client)
    assert sorted(refusals(lines)) == sorted(types)
    for words in ("First", "Second"):
        (shown,) = [m for m in await ours.world.see(ANA, channel=channel) if words in m["reads"]]
        shows_all(shown["reads"])
        assert ("complete: Step 3" in shown["reads"]) == ("plan" not in types)
        assert ("Done: Step 3" in shown["reads"]) == ("plan" in types)
        assert ("Spend by day, in USD" in shown["reads"]) == ("data_visualization" not in types)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
async def test_a_refused_response_url_answer_is_sent_once_in_classic_blocks(
    ours: Team, types: list[str], *, asked: bool
) -> None:
    """A `response_url` doesn't say which block it refuses, but blocks.validate does."""
    sandbox = ours.world.sandbox
    url = to_response_url(sandbox.url + sandbox.triggers.response_path("command", ANA, TRAINING))
    await lacks(ours, *types)
    with capture_logs() as lines:
        if asked:
            await ours.delivery.block_types.ask(ours.world.client)
        for n, words in enumerate(("First", "Second"), start=1 if asked else 2):
            await deliver_sample(ours, url, words)
            shows_all((await ours.look(ANA, TRAINING, words))["reads"])
            assert await calls(ours, "response_url") == n
        await ours.delivery.block_types.ask(ours.world.client)
    assert sorted(refusals(lines)) == sorted(types)
    assert ours.delivery.block_types.refused(Surface.MESSAGE) == set(types)


@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
async def test_a_refused_edit_shows_everything_in_classic_blocks(ours: Team, types: list[str]) -> None:
    await lacks(ours, *types)
    card = await posted_card(ours)
    for words in ("First", "Second"):
        before = await calls(ours, "chat.update")
        assert not (await ours.delivery.poster.edit(card, sample_message(words))).given_up
        shown = await reads(ours, card)
        assert words in shown
        shows_all(shown)
    assert await calls(ours, "chat.update") == before + 1


async def test_an_edit_with_all_blocks_refused_is_retried_and_keeps_the_buttons(ours: Team) -> None:
    card = await posted_card(ours)
    before = await reads(ours, card)
    fault = await ours.refuse("chat.update", "invalid_blocks", times=None)
    later = await ours.delivery.poster.edit(card, changed(sample_message("First"), closed=False))
    assert (later.given_up, later.message.closed, later.message.digest) == (False, False, card.digest)
    assert later.message.due_at is not None
    refreshed = await ours.delivery.poster.refresh(
        card, changed(sample_message("First"), closed=False, refresh_after=MINUTE)
    )
    assert refreshed.message.refresh_at is not None
    assert await reads(ours, card) == before
    await ours.end_fault(fault)
    await ours.delivery.poster.edit(card, sample_message("Second"))
    assert "complete: Step 3" in await reads(ours, card)


async def test_a_refused_direct_post_is_sent_in_classic_blocks(ours: Team) -> None:
    await lacks(ours, *OF_MESSAGES)
    for n, words in enumerate(("First", "Second"), start=3):
        assert await ours.delivery.direct.send(GPUS, sample_message(words)) is PostOutcome.TAKEN
        shows_all((await ours.look(ANA, GPUS, words))["reads"])
        assert await calls(ours, "chat.postMessage") == n


async def test_if_all_blocks_are_refused_only_the_text_is_sent(ours: Team) -> None:
    await ours.refuse("chat.postMessage", "invalid_blocks", times=2)
    with capture_logs() as lines:
        await deliver_sample(ours, to_person(ANA), "First")
    assert (await ours.look(ANA, DIRECT, "First"))["reads"] == "First"
    assert [line["event"] for line in lines if "block" in line["event"]] == ["slack.blocks_refused"]
    await deliver_sample(ours, to_person(ANA), "Second")
    assert "complete: Step 3" in (await ours.look(ANA, DIRECT, "Second"))["reads"]


def answer(*reasons: str, error: str = "invalid_blocks") -> str:
    return json.dumps({"ok": False, "error": error, "errors": reasons})


STRAY = [
    answer(),
    answer("bad [json-pointer:/blocks/3/tasks/0/title]"),
    answer("bad [json-pointer:/blocks/0/text]"),
    answer(error="msg_blocks_too_long"),
]


@pytest.mark.parametrize("body", STRAY, ids=["without a pointer", "content", "another block", "size"])
@pytest.mark.parametrize("by_call", [False, True], ids=["validated", "taken"])
async def test_a_single_refusal_of_accepted_types_has_no_consequence(
    ours: Team, body: str, *, by_call: bool
) -> None:
    types = ours.delivery.block_types
    await types.ask(ours.world.client)
    if by_call:
        await deliver_sample(ours, to_person(ANA), "Before")
    for words in ("First", "Second"):
        await ours.fault("chat.postMessage", "garbage", body=body)
        await deliver_sample(ours, to_person(ANA), words)
        assert "complete: Step 3" not in (await ours.look(ANA, DIRECT, words))["reads"]
        await types.ask(ours.world.client)
        assert types.taken(Surface.MESSAGE) == set(OF_MESSAGES)
    made = await calls(ours, "chat.postMessage")
    with capture_logs() as lines:
        await deliver_sample(ours, to_person(ANA), "Last")
    assert "complete: Step 3" in (await ours.look(ANA, DIRECT, "Last"))["reads"]
    assert await calls(ours, "chat.postMessage") == made + 1
    assert refusals(lines) == []


async def test_a_refusal_is_remembered_even_if_the_retry_fails(ours: Team) -> None:
    await lacks(ours, "plan")
    await ours.fault("chat.postMessage", "status", status=429, match="Done: Step 3")
    assert await ours.delivery.direct.send(GPUS, sample_message("First"), tries=1) is PostOutcome.LATER
    assert ours.delivery.block_types.refused(Surface.MESSAGE) == {"plan"}
    assert await calls(ours, "chat.postMessage") == 2


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_a_failing_response_url_does_not_mark_any_type_as_refused(ours: Team, status: int) -> None:
    types, sandbox = ours.delivery.block_types, ours.world.sandbox
    url = sandbox.url + sandbox.triggers.response_path("command", ANA, TRAINING)
    await ours.fault("response_url", "status", status=status)
    with pytest.raises(SlackApiError):
        await respond(ours.world.session, url, {"text": "x", "blocks": sample_message("x").blocks}, types)
    assert (types.taken(Surface.MESSAGE), types.refused(Surface.MESSAGE)) == (set(), set())
    assert await calls(ours, "response_url") == 1


async def test_a_type_refused_by_name_stays_refused_despite_blocks_validate(ours: Team) -> None:
    await lacks(ours, "plan")
    await deliver_sample(ours, to_person(ANA), "First")
    await lacks(ours)
    await ours.delivery.block_types.ask(ours.world.client)
    assert ours.delivery.block_types.refused(Surface.MESSAGE) == {"plan"}


async def test_a_message_posted_as_text_gets_its_buttons_later(ours: Team) -> None:
    await ours.refuse("chat.postMessage", "invalid_blocks", times=2)
    card = await posted_card(ours)
    assert not (await ours.look(ANA, TRAINING, "Starting"))["buttons"]
    assert (card.closed, card.digest) == (False, "")
    assert card.due_at is not None


# --- dialogs and acknowledgements


@pytest.fixture
def _opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a button open a dialog with an alert."""

    async def opens(_: Context, __: UserInteraction, ___: object) -> Outcome:
        return OpenModal(modal=DESTROY)

    monkeypatch.setattr(modals, "HANDLERS", {**modals.HANDLERS, Action.ADD_KEY.id: opens})


async def opened(ours: Team) -> list[str]:
    """Click the button, and return the types of the dialog's blocks."""
    await ours.forge(ANA, Action.ADD_KEY.id, None)
    view = ours.world.sandbox.workspace.modals[ANA]
    shown = await ours.modal(ANA)
    assert shown is not None
    assert shown["reads"] == "Everything on the disk will be deleted.\n$13.83 so far."
    ours.world.sandbox.workspace.close_modal(view)
    return [block["type"] for block in view.source["blocks"]]


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_contains_an_alert_once_slack_has_accepted_one(ours: Team) -> None:
    assert await opened(ours) == ["section", "section"]
    await ours.context.block_types.ask(ours.world.client)
    assert await opened(ours) == ["alert", "section"]
    assert await calls(ours, "views.open") == 2


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_with_a_refused_alert_opens_in_classic_blocks(ours: Team) -> None:
    await lacks(ours, "alert")
    with capture_logs() as lines:
        await ours.context.block_types.ask(ours.world.client)
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 1


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_that_slack_refuses_later_is_reopened_immediately(ours: Team) -> None:
    await ours.context.block_types.ask(ours.world.client)
    await ours.refuse("views.open", "invalid_arguments")
    with capture_logs() as lines:
        assert await opened(ours) == ["section", "section"]
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 3


@pytest.mark.usefixtures("_opens")
@pytest.mark.parametrize("pointer", ["", " [json-pointer:/view/blocks/0]"])
async def test_the_next_dialog_is_classic_if_the_refused_one_used_the_trigger(ours: Team, pointer: str) -> None:
    types = ours.context.block_types
    await types.ask(ours.world.client)
    refused = answer(f"unsupported{pointer}", error="invalid_arguments")
    await ours.fault("views.open", "garbage", body=refused)
    await ours.refuse("views.open", "exchanged_trigger_id")
    with capture_logs() as lines:
        await ours.forge(ANA, Action.ADD_KEY.id, None)
        assert await ours.modal(ANA) is None
        assert await ours.replies() == ["Slack didn't open the dialog. Nothing was changed. Try again."]
        await types.ask(ours.world.client)
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 3


@pytest.mark.usefixtures("_opens")
async def test_an_expired_trigger_does_not_mark_any_type_as_refused(ours: Team) -> None:
    await ours.context.block_types.ask(ours.world.client)
    expired = answer("expired [json-pointer:/trigger_id]", error="invalid_arguments")
    await ours.fault("views.open", "garbage", body=expired)
    await ours.forge(ANA, Action.ADD_KEY.id, None)
    assert await ours.modal(ANA) is None
    assert await opened(ours) == ["alert", "section"]
    assert await calls(ours, "views.open") == 2


async def test_an_acknowledgement_contains_only_types_accepted_before(ours: Team) -> None:
    async def replies(_: Context, __: UserInteraction) -> Outcome:
        return Reply(content=sample_message("Yes"))

    async def updates(_: Context, __: UserInteraction) -> Outcome:
        return OpenModal(modal=DESTROY)

    typed = {"command": "/gpu", "user_id": ANA, "channel_id": TRAINING, "text": "x"}
    view = {"id": "V1", "callback_id": Callback.NOTICE.id, "private_metadata": ""}
    submitted = {"user": {"id": ANA, "team_id": "T0SANDBOX"}, "view": view}

    async def acknowledged() -> tuple[set[str], set[str]]:
        (reply,) = await ours.handle(interaction.command, replies, typed)
        (update,) = await ours.handle(interaction.submission, updates, submitted)
        assert (reply["text"], update["response_action"]) == ("Yes", "update")
        assert problems_of_message(reply["text"], reply["blocks"]) == []
        assert problems_of_view(update["view"]) == []
        return new_types(reply["blocks"]), new_types(update["view"]["blocks"])

    assert await acknowledged() == (set(), set())
    ours.context.block_types.note(Surface.MESSAGE, taken={"alert"}, refused={})
    assert await acknowledged() == (set(), set()), "taken on another surface"
    await deliver_sample(ours, to_person(ANA), "First")
    assert await acknowledged() == (set(OF_MESSAGES), set())
    await lacks(ours, "plan")
    await ours.context.block_types.ask(ours.world.client)
    assert await acknowledged() == ({*OF_MESSAGES} - {"plan"}, {"alert"})


# --- querying Slack


async def test_slack_is_queried_until_it_answers(ours: Team) -> None:
    types = ours.delivery.block_types
    await ours.fault("blocks.validate", "status", status=500)
    await types.ask(ours.world.client)
    assert types.taken(Surface.MESSAGE) == set()
    await lacks(ours, "plan", "header", "alert")
    for _ in range(2):
        await types.ask(ours.world.client)
        assert types.refused(Surface.MESSAGE) == {"plan", "header"}
        assert types.taken(Surface.MESSAGE) == set(OF_MESSAGES) - {"plan", "header"}
        assert types.refused(Surface.MODAL) == {"alert"}
    assert await calls(ours, "blocks.validate") == 1 + len(NEW_TYPES)


async def test_a_server_without_blocks_validate_is_queried_only_once(ours: Team) -> None:
    await ours.refuse("blocks.validate", "unknown_method", times=None)
    for _ in range(2):
        await ours.delivery.block_types.ask(ours.world.client)
    assert await calls(ours, "blocks.validate") == 1


async def test_every_sample_is_accepted_where_its_type_is_allowed(ours: Team) -> None:
    for surface in SAMPLES:
        assert await refused_by(ours.world.client, surface) == set()
    assert new_types(block for blocks in SAMPLES.values() for block in blocks) == NEW_TYPES


# --- the types that are blamed


def refusal(*reasons: Any, **more: Any) -> SlackApiError:
    answer = {"ok": False, "error": "invalid_blocks", "errors": list(reasons), **more}
    return SlackApiError("refused", answer)  # type: ignore[no-untyped-call]  # the SDK has no types


ALL = {"header", "rich_text", "plan"}


@pytest.mark.parametrize(
    ("error", "left", "sure"),
    [
        (refusal("unsupported type: plan [json-pointer:/blocks/3]"), {"header", "rich_text"}, {"plan"}),
        (refusal("unsupported type: plan [json-pointer:/blocks/3/type]"), {"header", "rich_text"}, {"plan"}),
        (refusal("bad title [json-pointer:/blocks/3/tasks/0/title]"), {"header", "rich_text"}, set()),
        (refusal("[json-pointer:/blocks/1/type]", "[json-pointer:/blocks/3/title]"), {"rich_text"}, {"header"}),
        (
            refusal(response_metadata={"messages": ["[ERROR] unsupported [json-pointer:/blocks/1/type]"]}),
            {"rich_text", "plan"},
            {"header"},
        ),
        (refusal("bad [json-pointer:/blocks]", "bad", 7, None), set(), set()),
        (refusal(), set(), set()),
    ],
)
def test_only_types_that_the_error_points_to_are_blamed_if_any(
    error: SlackApiError, left: set[str], sure: set[str]
) -> None:
    title, code, plan = SAMPLES[Surface.MESSAGE][:3]
    attempt = Attempt(BlockTypes(), [section("x"), title, code, plan], Surface.MESSAGE)
    assert attempt.plainer(error)
    assert new_types(attempt.blocks) == left
    assert set(attempt.blamed) == ALL - left
    assert {name for name, named in attempt.blamed.items() if named} == sure
    if left:
        assert attempt.plainer(refusal())
        assert new_types(attempt.blocks) == set()
        assert set(attempt.blamed) == ALL
    assert attempt.plainer(refusal())
    assert (attempt.blocks, attempt.blamed) == ([], {})
    assert not attempt.plainer(refusal())


@pytest.mark.parametrize("pointer", ["/blocks/0/text", "/blocks/99", "/text"])
def test_an_error_pointing_elsewhere_blames_no_type(pointer: str) -> None:
    attempt = Attempt(BlockTypes(), [section("x"), *SAMPLES[Surface.MESSAGE]], Surface.MESSAGE)
    assert attempt.plainer(refusal(f"bad [json-pointer:{pointer}]"))
    assert (attempt.blocks, attempt.blamed) == ([], {})


def test_without_a_pointer_only_never_accepted_types_are_blamed() -> None:
    types = BlockTypes()
    types.note(Surface.MESSAGE, taken={"header", "rich_text"}, refused={})
    attempt = Attempt(types, SAMPLES[Surface.MESSAGE], Surface.MESSAGE)
    assert attempt.plainer(refusal())
    assert new_types(attempt.blocks) == {"header", "rich_text"}
    types.note(Surface.MESSAGE, taken={"header", "rich_text"}, refused=attempt.blamed)
    assert types.refused(Surface.MESSAGE) == {"plan", "data_table", "data_visualization"}
    assert types.refused(Surface.MODAL) == set()


def test_a_type_refused_by_name_stays_refused_and_is_logged_once() -> None:
    types = BlockTypes()
    with capture_logs() as lines:
        for _ in range(2):
            types.note(Surface.MESSAGE, taken=set(), refused={"plan": True})
            types.note(Surface.MESSAGE, taken={"plan"}, refused={})
            assert types.refused(Surface.MESSAGE) == {"plan"}
    assert refusals(lines) == ["plan"]
