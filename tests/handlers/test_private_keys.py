"""A private key is refused wherever it is entered, and no part of it is stored or logged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from bot.errors import PrivateKey
from handlers.ids import ACTION_VALUES, MODAL_VALUES, Field
from handlers.listeners import modals
from handlers.listeners.interaction import click, submission
from handlers.listeners.wrapper import find_secrets
from handlers.phrases.error_text import error_text
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import KEY_LINE, Team, team

WORDS = error_text(PrivateKey())


def bare(password: str | None = None) -> str:
    """Return a new key in PKCS#8 on one line, without the BEGIN and END lines."""
    made = asyncssh.generate_private_key("ssh-ed25519").export_private_key("pkcs8-pem", password)
    return "".join(made.decode().splitlines()[1:-1])


def pem() -> str:
    """Return a new key in the file format of ssh-keygen."""
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()


def body(key: str) -> str:
    """Return a key without its BEGIN and END lines."""
    return "".join(line for line in key.splitlines() if not line.startswith("-----"))


def is_stored(ours: Team, key: str) -> bool:
    """Return whether any part of a key is in the database."""
    text = body(key)
    parts = [text[start : start + 12].encode() for start in range(0, len(text) - 12, 12)]
    return any(part in file.read_bytes() for file in ours.database.parent.iterdir() for part in parts)


@pytest.mark.parametrize(
    ("password", "before"), [(None, ""), ("secret", ""), ("secret", "key="), (None, "see:"), (None, '"')]
)
async def test_a_private_key_in_the_forms_note_is_refused_below_the_note(
    tmp_path: Path, password: str | None, before: str
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        key = bare(password)[:190]
        with capture_logs() as lines:
            outcome = await ours.submit(ANA, gpu="H100", note=before + key)
        assert outcome["errors"] == {"note": WORDS}
        assert not is_stored(ours, key)
        assert key[:12] not in str(lines)
        assert (await ours.submit(ANA, gpu="H100", note="run 7, 7affb5f"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.note == "run 7, 7affb5f"


@pytest.mark.parametrize("make", [lambda: bare("secret"), pem], ids=["one line", "a file"])
async def test_a_private_key_anywhere_in_a_command_is_refused(
    tmp_path: Path, make: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        for text in (
            "get H100 -- key={key}",
            "list `{key}`",
            "show {key}",
            "extend k7mq2 {key}",
            "{key}",
            "key {key}",
            "pause {key}",
        ):
            key = make()
            assert await ours.command(ANA, text.format(key=key)) == WORDS, text
            assert not is_stored(ours, key), text
            assert await ours.quotes(ANA) == [], text
            assert body(key)[:12] not in "".join(capsys.readouterr()), text


async def test_after_a_refused_private_key_the_dialog_accepts_the_public_key(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "key")
        await ours.click(ANA, await ours.look(ANA, TRAINING, "To log in"), "Add SSH key")
        outcome = await ours.submit(ANA, key_line=pem().replace("\n", " "))
        assert outcome["errors"] == {"key_line": WORDS}
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]


async def test_a_private_key_in_any_input_metadata_or_value_is_refused(
    tmp_path: Path,
) -> None:
    """This includes inputs that are too short for a key because of Slack's current limits."""
    async with team(tmp_path) as ours:
        key = bare("secret")
        person = {"user": {"id": ANA}}

        async def submit(view: dict[str, Any]) -> dict[str, Any]:
            (answer,) = await ours.handle(submission, modals.submitted, {**person, "view": view})
            errors: dict[str, Any] = answer["errors"]
            return errors

        with capture_logs() as lines:
            for callback_id in MODAL_VALUES:
                inputs = [{"type": "input", "block_id": field} for field in Field]
                view = {"callback_id": callback_id, "blocks": inputs}
                for field in Field:
                    values = {field.value: {field.value: {"type": "plain_text_input", "value": f"'{key}'"}}}
                    assert await submit({**view, "state": {"values": values}}) == {field.value: WORDS}
                chosen = {"gpu": {"gpu": {"selected_option": {"value": key}}}}
                assert await submit({**view, "state": {"values": chosen}}) == {"gpu": WORDS}
                metadata = f'{{"origin": {{"response_url": "{key}"}}}}'
                assert await submit({**view, "private_metadata": metadata}) == {Field.KEY_LINE: WORDS}
            for action_id in ACTION_VALUES:
                container = {"channel_id": TRAINING, "is_ephemeral": True}
                clicked = [{"action_id": action_id, "value": f"q1:{key}"}]
                await ours.handle(click, modals.click, {**person, "container": container, "actions": clicked})
                assert (await ours.replies())[-1] == WORDS
        assert not is_stored(ours, key)
        assert key[:12] not in str(lines)


class Typed(str):
    """A text that records the thread in which each search of it runs."""

    __slots__ = ("searched_in",)

    def __new__(cls, text: str) -> Typed:
        made = super().__new__(cls, text)
        made.searched_in = []
        return made

    searched_in: list[threading.Thread]

    @override
    def __getitem__(self, part: Any) -> str:
        self.searched_in.append(threading.current_thread())
        return super().__getitem__(part)


async def test_a_long_text_resembling_keys_is_searched_once_in_a_thread() -> None:
    long, short = Typed("get H100 -- " + "MII" * 1300), Typed("get H100")
    assert await find_secrets({"text": long}) == await find_secrets({"text": short}) == ([], None)
    (in_thread,), (on_loop,) = long.searched_in, short.searched_in
    assert in_thread is not threading.main_thread()
    assert on_loop is threading.main_thread()


async def test_more_than_4000_characters_are_refused_without_a_full_search(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        key = bare("secret")
        answer = await ours.command(ANA, f"get H100 -- {'x ' * 2000}{key}")
        assert answer == "That's too long. /gpu help shows what I understand."
        assert not is_stored(ours, key)
