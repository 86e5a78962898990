"""The answer to an owner who shares a rental."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.model.state import State
from bot.model.summary import Shared
from bot.policy.access.keys import add_line, remove_line
from handlers.actions import sharing
from handlers.phrases.format import literal
from tests.slack_limits import problems_of_message
from tests.views.stories import making, ready

BEN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBen"
CLEO = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICleo"


def code(line: str) -> str:
    return f"`{literal(line)}`"


def answer(**fields: Any) -> list[str]:
    result = Shared(**{"rental": ready().rental, "names": ("Ben",), "without_key": (), **fields})
    return sharing.answer(result).text.split("\n")


def test_keys_in_the_purchase_do_not_have_to_be_pasted() -> None:
    rental = making().rental
    assert answer(rental=rental) == snapshot(
        ["Ben can log in once 1x H100 (k7mq2) is ready, if the vendor runs startup scripts."]
    )
    assert answer(rental=rental, names=("Ben", "Cleo")) == snapshot(
        ["Ben and Cleo can log in once 1x H100 (k7mq2) is ready, if the vendor runs startup scripts."]
    )
    assert answer(rental=rental, names=("Ben", "Cleo"), without_key=("Cleo",)) == snapshot(
        [
            "Ben can log in once 1x H100 (k7mq2) is ready, if the vendor runs startup scripts.",
            "Cleo has no SSH key yet, so I asked for one. Without it, Cleo can't log in.",
        ]
    )
    assert answer(rental=rental, without_key=("Ben",)) == snapshot(
        ["Ben has no SSH key yet, so I asked for one. Without it, Ben can't log in."]
    )


def test_teammates_without_a_key_are_asked_for_one() -> None:
    assert answer(without_key=("Ben",)) == [
        "Ben has no SSH key yet, so I asked for one. Without it, Ben can't log in. "
        "Afterwards, /gpu share k7mq2 shows the line to paste."
    ]


def test_the_owner_pastes_new_keys_on_a_ready_machine() -> None:
    assert answer(key_lines=(BEN,), removable=(BEN,)) == [
        "Paste this on 1x H100 (k7mq2) so that Ben can log in:",
        code(add_line([BEN])),
        "To remove the keys of Ben again, paste this on the machine:",
        code(remove_line([BEN])),
    ]
    assert answer(names=("Ben", "Cleo"), key_lines=(BEN, CLEO), removable=(CLEO,)) == [
        "Paste this on 1x H100 (k7mq2) so that Ben and Cleo can log in:",
        code(add_line([BEN, CLEO])),
        "To remove the keys of Ben and Cleo again, paste this on the machine:",
        code(remove_line([CLEO])),
    ]


def test_keys_of_later_teammates_are_added_once_the_machine_is_ready() -> None:
    assert answer(rental=making().rental, key_lines=(BEN,), removable=(BEN,))[0] == snapshot(
        "When 1x H100 (k7mq2) is ready, paste this on the machine so that Ben can log in:"
    )


@pytest.mark.parametrize("name", ["<!channel>", "`rm -rf`", "*Ben*\nApproved"])
def test_a_name_cannot_mention_anyone_or_break_the_markup(name: str) -> None:
    result = Shared(
        rental=ready().rental, names=(name, "Cleo"), without_key=("Cleo",), key_lines=(BEN,), removable=(BEN,)
    )
    rendered = sharing.answer(result)
    assert problems_of_message(rendered.text, rendered.blocks) == []


@pytest.mark.parametrize("state", [State.READY, State.PROVISIONING])
def test_keys_that_do_not_fit_into_the_message_are_counted(state: State) -> None:
    rental = ready().rental if state is State.READY else making().rental
    lines = tuple(f"ssh-rsa {letter * 700}" for letter in "ABCDEFGHIJKLMNOPQRST")
    rendered = sharing.answer(
        Shared(rental=rental, names=("Ben",), without_key=(), key_lines=lines, removable=lines)
    )
    assert problems_of_message(rendered.text, rendered.blocks) == []
    shown = "\n".join(str(block) for block in rendered.blocks)
    added = sum(line in shown for line in lines)
    assert 0 < added < 20
    assert f"{20 - added} more keys didn't fit here." in shown
