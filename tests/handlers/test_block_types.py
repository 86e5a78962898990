"""Slack refuses a type of block: people get the same in classic blocks, at once, once, and the type isn't tried
again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from structlog.testing import capture_logs

from bot.model.message import Destination, Message, MessageKind, queued, to_ephemeral, to_person, to_response_url
from handlers.delivery.block_types import BlockTypes, refused_by
from handlers.delivery.direct_posts import PostOutcome
from handlers.ids import NO_VALUE, Action, Callback
from handlers.listeners import interaction, modals
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.phrases.blocks import Rendered, alert, header, modal, section
from handlers.phrases.classic import NEW_TYPES, SAMPLES, Surface, classic, new_types
from sandbox.slack.default import ANA, GPUS, TRAINING
from tests.handlers.team import Team, team
from tests.slack_limits import problems_of_message, problems_of_view

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


def told(text: str) -> Rendered:
    """Return a message with a block of each type that messages have."""
    return Rendered(text=text, blocks=(section(text), *SAMPLES[Surface.MESSAGE]))


async def tell(ours: Team, to: Destination, text: str) -> None:
    """Deliver a message with a block of each type."""
    content = told(text)
    body = {"text": text, "blocks": list(content.blocks), "response_type": "ephemeral"}
    async with ours.deps.store.write() as tx:
        await tx.messages.add(queued(MessageKind.REPLY, to, ours.clock.real(), body=body))
    await ours.deliver_all()


async def calls(ours: Team, endpoint: str) -> int:
    return len((await ours.world.get("traffic", endpoint=endpoint))["requests"])


async def lacks(ours: Team, *types: str) -> None:
    assert (await ours.world.act("lacks", blocks=types))["blocks"] == list(types)


def refusals(lines: list[Any]) -> list[str]:
    """Return the types whose refusal was logged."""
    assert not [line for line in lines if line["event"] == "slack.blocks_refused"]
    return [line["block"] for line in lines if line["event"] == "slack.block_refused"]


def shows_all(reads: str) -> None:
    """Check that everything that the samples say is there, but the chart, which is for the eye only."""
    for words in ("Your machine is ready", "ssh root@203.0.113.7", "Starting", "Step 4", "Ana", "$14.68"):
        assert words in reads, words


REFUSED = [*([name] for name in OF_MESSAGES), OF_MESSAGES]


@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
@pytest.mark.parametrize("to", [to_person(ANA), to_ephemeral(TRAINING, ANA)], ids=["post", "ephemeral"])
async def test_a_message_arrives_once_in_classic_blocks_and_the_next_one_is_not_refused(
    ours: Team, types: list[str], to: Destination
) -> None:
    endpoint = "chat.postMessage" if to == to_person(ANA) else "chat.postEphemeral"
    channel = DIRECT if to == to_person(ANA) else TRAINING
    await lacks(ours, *types)
    with capture_logs() as lines:
        await tell(ours, to, "First")
        assert await calls(ours, endpoint) == 2
        await tell(ours, to, "Second")
        assert await calls(ours, endpoint) == 3
    assert sorted(refusals(lines)) == sorted(types)
    for words in ("First", "Second"):
        (shown,) = [m for m in await ours.world.see(ANA, channel=channel) if words in m["reads"]]
        shows_all(shown["reads"])
        assert ("complete: Step 3" in shown["reads"]) == ("plan" not in types)
        assert ("Done: Step 3" in shown["reads"]) == ("plan" in types)
        assert ("USD by day" in shown["reads"]) == ("data_visualization" not in types)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
async def test_an_answer_to_a_response_url_arrives_once_in_classic_blocks(
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
            await tell(ours, url, words)
            shows_all((await ours.look(ANA, TRAINING, words))["reads"])
            assert await calls(ours, "response_url") == n
    assert sorted(refusals(lines)) == sorted(types if asked else OF_MESSAGES)


@pytest.mark.parametrize("types", REFUSED, ids=[" ".join(types) for types in REFUSED])
async def test_an_edit_shows_everything_in_classic_blocks(ours: Team, types: list[str]) -> None:
    rental = await ours.rented()
    await ours.deliver_all()
    async with ours.deps.store.read() as tx:
        card = await tx.messages.card(rental.id)
    assert card is not None
    await lacks(ours, *types)
    before = await calls(ours, "chat.update")
    with capture_logs() as lines:
        for n, words in enumerate(("First", "Second"), start=2):
            result = await ours.delivery.poster.edit(card, told(words))
            assert not result.given_up
            (shown,) = [m for m in await ours.world.see(ANA, channel=TRAINING) if m["ts"] == card.ts]
            assert words in shown["reads"]
            shows_all(shown["reads"])
            assert await calls(ours, "chat.update") == before + n
    assert sorted(refusals(lines)) == sorted(types)


async def test_a_post_that_bypasses_the_outbox_arrives_in_classic_blocks(ours: Team) -> None:
    await lacks(ours, *OF_MESSAGES)
    for n, words in enumerate(("First", "Second"), start=2):
        assert await ours.delivery.direct.send(GPUS, told(words)) is PostOutcome.TAKEN
        shows_all((await ours.look(ANA, GPUS, words))["reads"])
        assert await calls(ours, "chat.postMessage") == n


async def test_if_slack_refuses_every_block_the_text_goes_alone_and_no_type_is_blamed(ours: Team) -> None:
    await ours.refuse("chat.postMessage", "invalid_blocks", times=2)
    with capture_logs() as lines:
        await tell(ours, to_person(ANA), "First")
    assert (await ours.look(ANA, DIRECT, "First"))["reads"] == "First"
    assert [line["event"] for line in lines if "block" in line["event"]] == ["slack.blocks_refused"]
    await tell(ours, to_person(ANA), "Second")
    assert "complete: Step 3" in (await ours.look(ANA, DIRECT, "Second"))["reads"]


# --- dialogs and acknowledgements


@pytest.fixture
def _opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a button open a dialog with an alert."""

    async def opens(_: Context, __: UserInteraction, ___: object) -> Outcome:
        return OpenModal(modal=DESTROY)

    monkeypatch.setattr(modals, "HANDLERS", {**modals.HANDLERS, Action.ADD_KEY.id: opens})


async def opened(ours: Team) -> list[str]:
    """Click the button. Return the types of the dialog's blocks."""
    await ours.forge(ANA, Action.ADD_KEY.id, None)
    view = ours.world.sandbox.workspace.modals[ANA]
    shown = await ours.modal(ANA)
    assert shown is not None
    assert shown["reads"] == "Everything on the disk will be deleted.\n$13.83 so far."
    ours.world.sandbox.workspace.close_modal(view)
    return [block["type"] for block in view.source["blocks"]]


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_has_an_alert_once_slack_said_that_it_takes_one(ours: Team) -> None:
    assert await opened(ours) == ["section", "section"]
    await ours.context.block_types.ask(ours.world.client)
    assert await opened(ours) == ["alert", "section"]
    assert await calls(ours, "views.open") == 2


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_whose_alert_slack_refuses_is_in_classic_blocks(ours: Team) -> None:
    await lacks(ours, "alert")
    with capture_logs() as lines:
        await ours.context.block_types.ask(ours.world.client)
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 1


@pytest.mark.usefixtures("_opens")
async def test_a_dialog_that_slack_refuses_later_is_opened_again_at_once(ours: Team) -> None:
    await ours.context.block_types.ask(ours.world.client)
    await ours.refuse("views.open", "invalid_arguments")
    with capture_logs() as lines:
        assert await opened(ours) == ["section", "section"]
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 3


@pytest.mark.usefixtures("_opens")
async def test_if_a_refused_dialog_used_up_its_trigger_the_next_one_is_in_classic_blocks(ours: Team) -> None:
    await ours.context.block_types.ask(ours.world.client)
    await lacks(ours, "alert")
    with capture_logs() as lines:
        await ours.forge(ANA, Action.ADD_KEY.id, None)
        assert await ours.modal(ANA) is None
        assert await ours.replies() == ["Slack didn't open the dialog. Nothing was changed. Try again."]
        assert await opened(ours) == ["section", "section"]
    assert refusals(lines) == ["alert"]
    assert await calls(ours, "views.open") == 3


async def test_an_acknowledgement_has_only_types_that_slack_was_seen_to_take(ours: Team) -> None:
    async def replies(_: Context, __: UserInteraction) -> Outcome:
        return Reply(content=told("Yes"))

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
    ours.context.block_types.note(Surface.MESSAGE, taken={"alert"}, refused=set())
    assert await acknowledged() == (set(), set()), "taken on another surface"
    await tell(ours, to_person(ANA), "First")
    assert await acknowledged() == (set(OF_MESSAGES), set())
    await lacks(ours, "plan")
    await ours.context.block_types.ask(ours.world.client)
    assert await acknowledged() == ({*OF_MESSAGES} - {"plan"}, {"alert"})


async def test_a_home_tab_that_slack_refuses_is_published_in_classic_blocks(ours: Team) -> None:
    await lacks(ours, "header")
    home = Message(kind=MessageKind.HOME, to=to_person(ANA), created_at=ours.clock.real())
    for n, words in enumerate(("First", "Second"), start=2):
        shown = Rendered(text=words, blocks=(header(words).block or {}, section("None")))
        assert not (await ours.delivery.poster.publish(home, shown)).given_up
        assert (await ours.world.get("views", user=ANA))["home"]["reads"] == f"{words}\nNone"
        assert await calls(ours, "views.publish") == n


# --- asking Slack


async def test_slack_is_asked_until_it_answers(ours: Team) -> None:
    types = ours.delivery.block_types
    await ours.fault("blocks.validate", "status", status=500)
    await types.ask(ours.world.client)
    assert types.taken(Surface.MESSAGE) == set()
    await lacks(ours, "plan", "alert")
    for _ in range(2):
        await types.ask(ours.world.client)
        assert types.refused(Surface.MESSAGE) == {"plan"}
        assert types.taken(Surface.MESSAGE) == set(OF_MESSAGES) - {"plan"}
        assert types.refused(Surface.MODAL) == {"alert"}
    assert await calls(ours, "blocks.validate") == 3


async def test_a_server_without_blocks_validate_is_asked_once(ours: Team) -> None:
    await ours.refuse("blocks.validate", "unknown_method", times=None)
    for _ in range(2):
        await ours.delivery.block_types.ask(ours.world.client)
    assert await calls(ours, "blocks.validate") == 1


async def test_every_sample_is_accepted_on_its_surface(ours: Team) -> None:
    for surface in SAMPLES:
        assert await refused_by(ours.world.client, surface) == set()
    assert new_types(block for blocks in SAMPLES.values() for block in blocks) == NEW_TYPES


# --- what is blamed


def refusal(*reasons: Any, **more: Any) -> SlackApiError:
    answer = {"ok": False, "error": "invalid_blocks", "errors": list(reasons), **more}
    return SlackApiError("refused", answer)  # type: ignore[no-untyped-call]  # the SDK's


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (refusal("unsupported type: plan [json-pointer:/blocks/3]"), {"header", "rich_text"}),
        (refusal("unsupported type: plan [json-pointer:/blocks/3/type]"), {"header", "rich_text"}),
        (refusal({"pointer": "/3/tasks/0", "message": "x"}), {"header", "rich_text"}),
        (refusal({"pointer": "/blocks/1/type"}, {"pointer": "/blocks/3"}), {"rich_text"}),
        (
            refusal(response_metadata={"messages": ["[ERROR] unsupported [json-pointer:/blocks/1/type]"]}),
            {"rich_text", "plan"},
        ),
        (refusal("bad text [json-pointer:/blocks/0/text]"), set()),
        (refusal("bad [json-pointer:/blocks/99]", "[json-pointer:/text]", 7, None), set()),
        (refusal(), set()),
        (None, set()),
    ],
)
def test_the_types_at_which_an_error_points_are_blamed_or_else_all(
    error: SlackApiError | None, left: set[str]
) -> None:
    title, code, plan = SAMPLES[Surface.MESSAGE][:3]
    attempt = BlockTypes().attempt([section("x"), title, code, plan])
    assert attempt.refused(error)
    assert new_types(attempt.blocks) == left
    if left:
        assert attempt.refused(error)
        assert new_types(attempt.blocks) == set()
    assert attempt.refused(error)
    assert attempt.blocks == []
    assert not attempt.refused(error)


def test_without_a_pointer_only_types_that_slack_never_took_are_blamed() -> None:
    types = BlockTypes()
    types.note(Surface.MESSAGE, taken={"header", "rich_text"}, refused=set())
    attempt = types.attempt(SAMPLES[Surface.MESSAGE])
    assert attempt.refused()
    assert new_types(attempt.blocks) == {"header", "rich_text"}
    attempt.taken()
    assert types.refused(Surface.MESSAGE) == {"plan", "data_table", "data_visualization"}
    assert types.refused(Surface.MODAL) == set()


def test_a_type_that_was_refused_stays_refused_and_is_logged_once() -> None:
    types, plan = BlockTypes(), SAMPLES[Surface.MESSAGE][2]
    early, late = (types.attempt([section("x"), plan]) for _ in range(2))
    with capture_logs() as lines:
        late.refused()
        late.taken()
        early.taken()
        assert types.refused(Surface.MESSAGE) == {"plan"}
        types.note(Surface.MESSAGE, taken={"plan"}, refused=set())
        types.note(Surface.MESSAGE, taken=set(), refused={"plan"})
    assert refusals(lines) == ["plan"]


def test_classic_blocks_are_within_slacks_limits() -> None:
    blocks = classic([*SAMPLES[Surface.MESSAGE], *SAMPLES[Surface.MODAL]])
    assert problems_of_message("x", blocks) == []
    assert {block["type"] for block in blocks} == {"section"}
