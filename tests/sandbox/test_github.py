"""GitHub's page with a user's public keys: its normal responses, and the ways in which it can go wrong."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.clock import SandboxClock
from sandbox.github import GithubSandbox

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGwXwf7Z0Jm4Jx3m0o2k4XW2mJm5kq3v2pC1wUe8yZ0d"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7"


@pytest.fixture
async def github() -> AsyncIterator[httpx.AsyncClient]:
    server = GithubSandbox(SandboxClock(speed=0))
    async with httpx.AsyncClient(base_url=await server.start(), timeout=20) as client:
        yield client
    await server.stop()


async def set_user(github: httpx.AsyncClient, **body: object) -> None:
    assert (await github.post("/_control/users/ana-dev", json=body)).status_code == 200


async def test_a_user_has_one_key_on_each_line_without_comments(github: httpx.AsyncClient) -> None:
    await set_user(github, keys=[f"{ED25519} ana@laptop", RSA])
    answer = await github.get("/Ana-Dev.keys")
    assert (answer.status_code, answer.text) == (200, f"{ED25519}\n{RSA}\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_user_without_keys_has_an_empty_page(github: httpx.AsyncClient) -> None:
    await set_user(github)
    answer = await github.get("/ana-dev.keys")
    assert (answer.status_code, answer.text) == (200, "")


async def test_an_unknown_user_is_not_found(github: httpx.AsyncClient) -> None:
    assert (await github.get("/ana-dev.keys")).status_code == 404
    await set_user(github, keys=[RSA])
    assert (await github.delete("/_control/users/ana-dev")).status_code == 200
    assert (await github.get("/ana-dev.keys")).status_code == 404
    assert (await github.delete("/_control/users/ana-dev")).json() == {"error": "no such user"}


async def test_a_response_can_be_huge_without_announcing_its_size(github: httpx.AsyncClient) -> None:
    await set_user(github, keys=[ED25519], behaviour="huge")
    answer = await github.get("/ana-dev.keys")
    assert answer.text.startswith(f"{ED25519}\n")
    assert len(answer.content) > 64 * 1024
    assert "content-length" not in answer.headers


async def test_a_response_can_start_immediately_and_never_end(github: httpx.AsyncClient) -> None:
    await set_user(github, keys=[ED25519], behaviour="endless")
    async with github.stream("GET", "/ana-dev.keys") as answer:
        text = ""
        async for part in answer.aiter_text():
            text += part
            if text.startswith(f"{ED25519}\n\n\n"):
                break
    assert (await github.get("/nobody.keys")).status_code == 404  # other requests are answered in the meantime


async def test_a_response_can_redirect_to_the_keys(github: httpx.AsyncClient) -> None:
    await set_user(github, keys=[ED25519], behaviour="redirects")
    answer = await github.get("/ana-dev.keys")
    assert answer.status_code == 302
    assert (await github.get(answer.headers["location"])).text == f"{ED25519}\n"


async def test_a_response_can_be_invalid_text(github: httpx.AsyncClient) -> None:
    await set_user(github, behaviour="garbage")
    with pytest.raises(UnicodeDecodeError):
        (await github.get("/ana-dev.keys")).content.decode()


async def test_a_response_can_fail_because_of_a_fault(github: httpx.AsyncClient) -> None:
    await set_user(github, keys=[ED25519])
    await github.post("/_control/faults", json={"endpoint": "user_keys", "kind": "status", "status": 503})
    assert (await github.get("/ana-dev.keys")).status_code == 503
    assert (await github.get("/ana-dev.keys")).status_code == 200
