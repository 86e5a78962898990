"""A private key that someone enters anywhere is refused with the same words, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh
import pytest
from structlog.testing import capture_logs

from bot.errors import PrivateKey
from handlers.ids import ACTION_VALUES, MODAL_VALUES, Field
from handlers.listeners import actions, modals
from handlers.listeners.interaction import click, submission
from handlers.listeners.wrapper import make_listener
from handlers.views.error_text import error_text
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import Team, team

WORDS = error_text(PrivateKey())


def bare(password: str | None = None) -> str:
    """A new key in PKCS#8, on one line and without the lines around it."""
    made = asyncssh.generate_private_key("ssh-ed25519").export_private_key("pkcs8-pem", password)
    return "".join(made.decode().splitlines()[1:-1])


def kept(ours: Team, key: str) -> bool:
    """Whether a part of it is anywhere in the store."""
    parts = [key[start : start + 12].encode() for start in range(0, len(key) - 12, 12)]
    return any(part in file.read_bytes() for file in ours.database.parent.iterdir() for part in parts)


@pytest.mark.parametrize(
    ("password", "before"), [(None, ""), ("secret", ""), ("secret", "key="), (None, "see:"), (None, '"')]
)
async def test_in_the_forms_note_it_is_refused_beside_the_note(
    tmp_path: Path, password: str | None, before: str
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.told(ANA, "get")
        key = bare(password)[:190]
        with capture_logs() as lines:
            outcome = await ours.submit(ANA, gpu="H100", note=before + key)
        assert outcome["errors"] == {"note": WORDS}
        assert not kept(ours, key)
        assert key[:12] not in str(lines)
        assert (await ours.submit(ANA, gpu="H100", note="run 7, 7affb5f"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.note == "run 7, 7affb5f"


@pytest.mark.parametrize(
    "text",
    [
        "get H100 -- key={key}",
        "list `{key}`",
        "show {key}",
        "extend k7mq2 {key}",
        "{key}",
        "key {key}",
        "pause {key}",
    ],
)
async def test_in_a_command_it_is_refused_wherever_it_stands(tmp_path: Path, text: str) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        key = bare("secret")
        with capture_logs() as lines:
            assert await ours.told(ANA, text.format(key=key)) == WORDS
        assert not kept(ours, key)
        assert key[:12] not in str(lines)


async def test_no_input_of_any_dialog_and_nothing_that_a_dialog_or_button_carries_is_passed_over(
    tmp_path: Path,
) -> None:
    """Also those that Slack's own limits keep too short for a key today."""
    async with team(tmp_path) as ours:
        key = bare("secret")
        person = {"user": {"id": ANA}}
        told: list[dict[str, Any]] = []

        async def ack(**answer: Any) -> None:
            told.append(answer)

        submit = make_listener(ours.context, submission, modals.submitted)
        clicks = make_listener(ours.context, click, actions.click)
        with capture_logs() as lines:
            for callback_id in MODAL_VALUES:
                view = {
                    "callback_id": callback_id,
                    "blocks": [{"type": "input", "block_id": one} for one in Field],
                }
                for field in Field:
                    values = {field.value: {field.value: {"type": "plain_text_input", "value": f"'{key}'"}}}
                    await submit(ack, {**person, "view": {**view, "state": {"values": values}}})
                    assert told.pop() == {"response_action": "errors", "errors": {field.value: WORDS}}
                chosen = {"gpu": {"gpu": {"selected_option": {"value": key}}}}
                await submit(ack, {**person, "view": {**view, "state": {"values": chosen}}})
                assert told.pop()["errors"] == {"gpu": WORDS}
                await submit(ack, {**person, "view": {**view, "private_metadata": f'{{"reply_url": "{key}"}}'}})
                assert told.pop()["errors"] == {Field.KEY_LINE: WORDS}
            for action_id in ACTION_VALUES:
                where = {"channel_id": TRAINING, "is_ephemeral": True}
                pressed = [{"action_id": action_id, "value": f"q1:{key}"}]
                await clicks(ack, {**person, "container": where, "actions": pressed})
                assert (await ours.replies())[-1] == WORDS
        assert not kept(ours, key)
        assert key[:12] not in str(lines)
