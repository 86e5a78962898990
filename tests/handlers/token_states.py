"""API tokens that people make in Slack."""

from __future__ import annotations

import re
from typing import Any

from bot.model.token import Token
from bot.policy.access.token_secret import is_secret
from sandbox.slack.default import ANA
from tests.handlers.team import Json, Team

NAME = "nightly eval"


def secret_in(view: Json | None) -> str:
    """Return the secret in the last step of the form, and check that nothing else of the dialog contains it."""
    assert view is not None
    (secret,) = re.findall(r"gpb_\w+", view["reads"])
    assert is_secret(secret)
    assert secret not in view["private_metadata"]
    return str(secret)


async def make(ours: Team, user: str = ANA, name: str = NAME, **inputs: Any) -> str:
    """Make a token as a person, with the proposed terms except for these inputs, and return its secret."""
    assert await ours.command(user, "token") == ""
    outcome = await ours.submit(user, **{"token_name": name, "models": ["H100", "L40S"], **inputs})
    assert outcome["ok"], outcome
    return secret_in(await ours.modal(user))


async def tokens(ours: Team, *ids: str) -> list[Token]:
    """Return Ana's tokens that aren't over, or the tokens with these IDs."""
    async with ours.deps.store.read() as tx:
        return list((await tx.tokens.get_many(ids)).values()) if ids else await tx.tokens.live(ANA)
