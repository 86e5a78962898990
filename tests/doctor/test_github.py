"""The doctor's findings about GitHub's pages with SSH keys."""

from __future__ import annotations

from sandbox.client import Server
from tests.doctor.conftest import Installation


async def lines(installation: Installation) -> list[str]:
    return [finding.line() for finding in await installation.examine() if finding.what == "GitHub"]


async def test_a_github_that_answers_is_ok(installation: Installation) -> None:
    assert await lines(installation) == ["ok      GitHub: people can use their SSH keys from there."]


async def test_a_github_that_does_not_answer_is_only_a_hint(installation: Installation) -> None:
    server = Server(installation.github_url, installation.session)
    await server.post("faults", {"endpoint": "user_keys", "kind": "status", "status": 403, "times": None})
    assert await lines(installation) == [
        "hint    GitHub: GitHub answered with error 403. People can paste their keys; keys: {github: false} "
        "in the policy hides the button."
    ]


async def test_github_is_not_queried_if_the_policy_disallows_its_keys(installation: Installation) -> None:
    installation.policy("keys: {github: false}")
    assert await lines(installation) == []
    traffic = await Server(installation.github_url, installation.session).get("traffic")
    assert [request for request in traffic["requests"] if request["endpoint"] == "user_keys"] == []
