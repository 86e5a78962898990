"""Lets the bot and its watchdog prove that both know GPUBOT_MACHINES_TOKEN, without sending the token.

The watchdog sends a fresh nonce and signs it with an HMAC. The bot signs its answer with an HMAC of three values:
the watchdog's nonce, the status and the body. No other program can therefore forge an answer or replay an earlier
one. docs/decisions/watchdog.md has the reasons.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from pydantic import SecretStr

NONCE_HEADER = "X-Gpubot-Nonce"
SIGNATURE_HEADER = "X-Gpubot-Signature"
SCHEME = "HMAC-SHA256"
"""The scheme that a bot names in the `WWW-Authenticate` header of a refusal. Older bots send `Bearer`."""
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


def new_nonce() -> str:
    """Create a nonce for one request: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def sign_request(token: SecretStr, nonce: str) -> str:
    """Return the signature of a request that carries this nonce."""
    return _sign(token, b"gpubot machines request\n" + nonce.encode())


def sign_answer(token: SecretStr, nonce: str, status: int, body: bytes) -> str:
    """Return the signature of the answer to the request that carried this nonce."""
    return _sign(token, f"gpubot machines answer\n{nonce}\n{status}\n".encode() + body)


def is_signed_request(token: SecretStr, nonce: str, signature: str) -> bool:
    """Return whether a request was signed with this token."""
    return _NONCE.fullmatch(nonce) is not None and is_same(sign_request(token, nonce), signature)


def is_same(expected: str, given: str) -> bool:
    """Compare two secrets in constant time, so that the duration reveals nothing about them."""
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _sign(token: SecretStr, message: bytes) -> str:
    return hmac.new(token.get_secret_value().encode(), message, hashlib.sha256).hexdigest()
