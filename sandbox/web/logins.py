"""Logs a program in by code, for the page's section "Program".

The page can't do this itself, because browsers don't offer ChaCha20-Poly1305. So this module makes the key pair,
and opens the secret of the token that a person has made in Slack.
"""

import base64
from collections import OrderedDict
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sandbox.serving import refusal, reply
from sandbox.web.bot import Bot

TIMEOUT_SECONDS = 30
MOST_LOGINS = 100
"""The number of logins whose keys are kept. When there are more, the oldest key is dropped."""


class Logins:
    """The logins that the page has begun."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._keys: OrderedDict[str, X25519PrivateKey] = OrderedDict()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes that begin a login, and that look at one."""
        router.add_post("/program/logins", self._begin)
        router.add_get(r"/program/logins/{id:[\w-]+}", self._look)

    async def _begin(self, _request: web.Request) -> web.Response:
        key = X25519PrivateKey.generate()
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        login = await self._ask(
            "POST", "logins", {"public_key": public, "program": "sandbox page", "host": "browser"}
        )
        self._keys[login["id"]] = key
        while len(self._keys) > MOST_LOGINS:
            self._keys.popitem(last=False)
        return reply(login)

    async def _look(self, request: web.Request) -> web.Response:
        """Return the login. Once a person has made the token, `secret` is its secret."""
        login_id = request.match_info["id"]
        key = self._keys.get(login_id)
        if key is None:
            raise refusal(404, "no such login")
        login = await self._ask("GET", f"logins/{login_id}")
        if login["secret"] is not None:
            login["secret"] = _opened(login["secret"], key, login_id)
        return reply(login)

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if self._bot.api is None:
            raise refusal(409, "no bot with an API is connected")
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as session,
                session.request(method, f"{self._bot.api}/v1/{path}", json=body, allow_redirects=False) as answer,
            ):
                found: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise refusal(409, "the bot's API doesn't respond") from None
        if not answer.ok:
            raise refusal(409, str(found.get("detail") or f"the bot's API answered {answer.status}"))
        return found


def _opened(sealed: dict[str, str], own: X25519PrivateKey, login_id: str) -> str:
    """Decrypt a secret as docs/api.md describes."""
    sender, nonce, ciphertext = (base64.b64decode(sealed[name]) for name in ("public_key", "nonce", "ciphertext"))
    info = b"gpubot login v1" + sender + own.public_key().public_bytes_raw()
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info)
    try:
        shared = derive.derive(own.exchange(X25519PublicKey.from_public_bytes(sender)))
        return ChaCha20Poly1305(shared).decrypt(nonce, ciphertext, login_id.encode()).decode()
    except (ValueError, InvalidTag):
        raise refusal(409, "the bot's API sent a secret that isn't for this login") from None
