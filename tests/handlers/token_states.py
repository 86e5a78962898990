"""API tokens that people make in Slack, and logins of programs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bot.lifecycle.actions.logins import begin_login
from bot.model.api import LoginRequest
from bot.model.login import Login
from bot.model.token import Token
from bot.policy.access.token_secret import is_secret
from bot.sealed_secret import new_key, public_text
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


async def begin(ours: Team, key: X25519PrivateKey | None = None, **named: str) -> Login:
    """Let a program ask for a token, and let 40 seconds pass."""
    names = {"program": "gpubot", "host": "build-7", **named}
    request = LoginRequest(public_key=public_text(key or new_key()), **names)
    login = await begin_login(ours.deps, request, "203.0.113.9")
    ours.clock.jump(timedelta(seconds=40))
    return login


async def now_stored(ours: Team, login: Login) -> Login:
    async with ours.deps.store.read() as tx:
        found = await tx.logins.get(login.id)
    assert found is not None
    return found


async def form(ours: Team, code: str, user: str = ANA) -> Json:
    """Type a code, and return the form that opens."""
    assert await ours.command(user, f"token {code}") == ""
    view = await ours.modal(user)
    assert view is not None
    return view
