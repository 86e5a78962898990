"""Encrypts the secret of a token, so that only the program that asked for it can read it.

The program makes an X25519 key pair and sends the public key. The bot makes another key pair for this one secret.
Both derive the same key from their own private key and the other's public key, with HKDF (RFC 5869). The secret is
encrypted with ChaCha20-Poly1305 (RFC 8439).
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.model.login import SealedSecret

KEY_BYTES = 32
_NONCE_BYTES = 12
_PURPOSE = b"gpubot login v1"


class InvalidKey(ValueError):
    """A public key can't be used: it is malformed, or of such a low order that anyone could open the secret."""


class NotForUs(ValueError):
    """A sealed secret can't be opened: it was changed, or sealed for another key or another login."""


def new_key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public_text(key: X25519PrivateKey) -> str:
    """Return the public key of a private key, in base64."""
    return _encode(key.public_key().public_bytes_raw())


def check_public_key(text: str) -> None:
    """Raise InvalidKey if nothing can be sealed for this public key."""
    _shared_key(new_key(), text, b"", b"")


def seal(secret: str, public_key: str, login_id: str) -> SealedSecret:
    """Encrypt a secret for the program that has the private key of `public_key`.

    The result can be opened only for the login with this ID. Raises InvalidKey.
    """
    own = new_key()
    sender = own.public_key().public_bytes_raw()
    key = _shared_key(own, public_key, sender, _decode(public_key))
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = ChaCha20Poly1305(key).encrypt(nonce, secret.encode(), login_id.encode())
    return SealedSecret(public_key=_encode(sender), nonce=_encode(nonce), ciphertext=_encode(ciphertext))


def open_sealed(sealed: SealedSecret, key: X25519PrivateKey, login_id: str) -> str:
    """Decrypt the secret of a login with the program's private key. Raises NotForUs."""
    try:
        shared = _shared_key(
            key, sealed.public_key, _decode(sealed.public_key), key.public_key().public_bytes_raw()
        )
        opened = ChaCha20Poly1305(shared).decrypt(
            _decode(sealed.nonce), _decode(sealed.ciphertext), login_id.encode()
        )
        return opened.decode()
    except (ValueError, InvalidTag):
        raise NotForUs from None


def _shared_key(own: X25519PrivateKey, other: str, sender: bytes, receiver: bytes) -> bytes:
    """Return the key that only the owners of the two private keys can derive. Raises InvalidKey."""
    try:
        # `exchange` raises ValueError for keys of low order, with which the result would be all zeros.
        shared = own.exchange(X25519PublicKey.from_public_bytes(_decode(other)))
    except ValueError:
        raise InvalidKey from None
    derive = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE + sender + receiver)
    return derive.derive(shared)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    """Return the bytes of a text in base64. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
