"""Reading Slack's payloads, even if parts of them are missing."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.base import changed
from bot.policy.access.github_keys import MOST_SHOWN
from handlers.ids import GithubKeysValue, OfferValue
from handlers.listeners import interaction
from handlers.listeners.interaction import Interaction, ModalMetadata, Origin

READERS = (interaction.command, interaction.click, interaction.submission)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": None, "team": None, "enterprise": None, "channel": None, "view": None, "actions": None},
        {"user": "U1", "container": [], "actions": [None], "view": {"state": {"values": []}, "blocks": [None]}},
        {"user": {"id": 1, "team_id": None}, "actions": [{"value": 7}], "view": {"private_metadata": None}},
        {"view": {"private_metadata": "{", "state": {"values": {"gpu": {"gpu": {"selected_option": None}}}}}},
        {"view": {"state": {"values": {"keys": {"keys": {"selected_options": [None, 7, {}, {"value": 7}]}}}}}},
        {"view": {"state": {"values": {"keys": {"keys": {"selected_options": "all"}}}}}},
    ],
)
def test_missing_and_malformed_parts_of_a_payload_are_empty(read: Any, body: dict[str, Any]) -> None:
    found = read(body)
    assert isinstance(found, Interaction)
    assert "".join(found.inputs.values()).strip() == ""
    assert interaction.input_blocks(body) == []


def test_checked_boxes_are_separated_by_spaces() -> None:
    checked = [{"value": "SHA256:a"}, {"value": "SHA256:b"}]
    state = {"values": {"keys": {"keys": {"type": "checkboxes", "selected_options": checked}}}}
    assert interaction.submission({"view": {"state": state}}).inputs == {"keys": "SHA256:a SHA256:b"}


def clicked(**container: Any) -> Interaction:
    return interaction.click({"container": {"channel_id": "C1", "message_ts": "2.0", **container}})


def test_a_click_on_a_thread_reply_is_answered_in_the_thread() -> None:
    assert clicked(thread_ts="1.0").origin.thread_ts == "1.0"


def test_a_click_on_a_threads_first_message_is_answered_outside_it() -> None:
    assert clicked(thread_ts="2.0").origin.thread_ts == ""


def test_the_longest_metadata_is_within_slacks_limit() -> None:
    longest = Origin(
        channel="C" + "1" * 20,
        response_url="https://hooks.slack.com/actions/" + "x" * 200,
        thread_ts="1764000000.000100",
        opened_at=1_764_000_000,
    )
    for value in (
        OfferValue(quote_id="q" * 64, offer_id='"' * 255),
        GithubKeysValue(name="a" * 39, fingerprints=(f"SHA256:{'+' * 43}",) * MOST_SHOWN),
    ):
        metadata = ModalMetadata.of(value, longest)
        assert len(metadata.model_dump_json()) < 3000
        assert ModalMetadata.read(metadata.model_dump_json()) == metadata


def test_metadata_contains_the_origin_and_the_type_of_the_value() -> None:
    origin = changed(clicked(is_ephemeral=True).origin, opened_at=1_764_000_000)
    metadata = ModalMetadata.of(OfferValue(quote_id="q1", offer_id="o1"), origin)
    assert metadata.model_dump_json() == (
        '{"value":"q1:o1","value_type":"offer","origin":{"channel":"C1","response_url":"","ephemeral":true,'
        '"on_surface":false,"thread_ts":"","opened_at":1764000000}}'
    )


def test_metadata_of_an_older_version_can_be_read() -> None:
    old = '{"value":"k7mq2","origin":{"channel":"C1","response_url":"https://x","ephemeral":true}}'
    assert ModalMetadata.read(old).value == "k7mq2"


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    assert ModalMetadata.read('{"value":"k7mq2","of_next_year":1}').value == "k7mq2"
