"""Tests of the bot's client for GitHub's pages of keys, and of each answer that it can't use."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.errors import KeysUnavailable
from bot.net.github import MOST_BYTES, github_at
from bot.net.proxies import is_loopback
from tests.github_world import GithubWorld, github
from tests.recording_proxy import no_proxies, recording_proxy

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGwXwf7Z0Jm4Jx3m0o2k4XW2mJm5kq3v2pC1wUe8yZ0d"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7"


async def refused(hub: GithubWorld) -> str:
    """Return the reason why the answer for ana-dev can't be used."""
    with pytest.raises(KeysUnavailable) as caught:
        await hub.source.key_lines("ana-dev")
    return caught.value.words


async def test_the_key_lines_of_a_user_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies(monkeypatch)
    async with github() as hub:
        await hub.has("ana-dev", ED25519, RSA)
        assert await hub.source.key_lines("Ana-Dev") == (ED25519, RSA)
        await hub.has("ana-dev")
        assert await hub.source.key_lines("ana-dev") == ()
        assert await hub.source.key_lines("nobody") is None


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("huge", "GitHub answered with more than 64 KiB, which is more than I read. Nothing was saved."),
        ("redirects", "GitHub redirected me to another address, which I don't follow. Nothing was saved."),
    ],
)
async def test_huge_answers_and_redirects_are_refused(behaviour: str, message: str) -> None:
    async with github() as hub:
        await hub.has("ana-dev", ED25519, behaviour=behaviour)
        assert await refused(hub) == message
        assert len(await hub.requests()) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "status", "status": 503}, "GitHub answered with error 503."),
        ({"kind": "status", "status": 429}, "GitHub answered with error 429."),
        ({"kind": "cut_before", "times": None}, "GitHub can't be reached."),
    ],
    ids=["error", "too many requests", "cut"],
)
async def test_the_message_names_githubs_error(fault: dict[str, Any], message: str) -> None:
    async with github() as hub:
        await hub.has("ana-dev", ED25519)
        await hub.fault(**fault)
        assert await refused(hub) == f"{message} Nothing was saved."


@pytest.mark.parametrize("behaviour", ["normal", "endless"])
async def test_an_answer_that_takes_too_long_is_abandoned(behaviour: str) -> None:
    async with github(seconds=0.2) as hub:
        await hub.has("ana-dev", ED25519, behaviour=behaviour)
        if behaviour == "normal":
            await hub.fault("latency", seconds=2.0)
        assert await refused(hub) == "GitHub didn't answer within 0.2 s. Nothing was saved."


async def test_an_answer_of_exactly_64_kib_is_read() -> None:
    async with github() as hub:
        await hub.has("ana-dev", ED25519)
        await hub.fault("garbage", body=f"{ED25519}\n".ljust(MOST_BYTES))
        assert await hub.source.key_lines("ana-dev") == (ED25519,)


async def test_text_that_is_not_unicode_is_read_as_lines() -> None:
    async with github() as hub:
        await hub.has("ana-dev", behaviour="garbage")
        lines = await hub.source.key_lines("ana-dev")
        assert lines is not None
        assert len(lines) == 1


async def test_no_user_names_or_addresses_are_logged() -> None:
    async with github() as hub:
        await hub.fault("cut_before", times=None)
        with capture_logs() as lines:
            await refused(hub)
        assert is_loopback(hub.url)
        assert [line["event"] for line in lines] == ["github.no_answer"]
        assert "ana-dev" not in str(lines)
        assert hub.url not in str(lines)


async def test_a_github_on_another_host_is_queried_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies(monkeypatch)
    async with recording_proxy() as proxy, github_at("http://github.test", seconds=5) as source:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await source.key_lines("ana-dev") == ("ok",)
        assert proxy.asked == ["GET http://github.test/ana-dev.keys"]
