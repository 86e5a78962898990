"""The secrets of API tokens: how they are made, recognized and stored.

A secret is `gpb_` followed by 49 letters and digits. The format follows that of GitHub's tokens
(https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/): the prefix
tells people and secret scanners what the text is, and the checksum tells a real secret from a similar text.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from hashlib import sha256

PREFIX = "gpb_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BITS = 256
_RANDOM_LENGTH = 43
"""The number of characters for the random bits: 62 ** 43 is a little more than 2 ** 256."""
_CHECKSUM_LENGTH = 6
"""The number of characters for the checksum: 62 ** 6 is more than 2 ** 32."""
_LIKE_A_SECRET = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def new_secret() -> str:
    """Return a new secret with 256 random bits. Never log or store it."""
    body = PREFIX + _base62(secrets.randbits(_RANDOM_BITS), _RANDOM_LENGTH)
    return body + _checksum(body)


def is_secret(text: str) -> bool:
    """Return whether a text has the form and the checksum of a secret. The secret needn't belong to any token."""
    body, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    well_formed = (
        len(text) == len(PREFIX) + _RANDOM_LENGTH + _CHECKSUM_LENGTH
        and text.startswith(PREFIX)
        and set(text[len(PREFIX) :]) <= set(_DIGITS)
    )
    return well_formed and checksum == _checksum(body)


def contains_secret(text: str) -> bool:
    """Return whether a text contains a secret, such as a message into which somebody pasted one."""
    return any(is_secret(found[0]) for found in _LIKE_A_SECRET.finditer(text))


def hash_of(secret: str) -> str:
    """Return the hash of a secret for the database, in hexadecimal.

    A single SHA-256 is enough, unlike for passwords: nobody can guess 256 random bits, however fast they try.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_hash_of(secret_hash: str, secret: str) -> bool:
    """Return whether a stored hash belongs to a secret.

    The comparison takes the same time whatever the secret is. The lookup in the database reveals at most the
    beginning of a hash, from which no secret can be derived.
    """
    return hmac.compare_digest(secret_hash, hash_of(secret))


def _checksum(body: str) -> str:
    """Return the CRC-32 of the text before the checksum."""
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    """Return a number in base 62, padded with zeros to `length` characters."""
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
