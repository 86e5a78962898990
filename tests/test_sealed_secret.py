"""The encryption of a token's secret for the program that logs in."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bot.model.base import changed
from bot.model.login import SealedSecret
from bot.sealed_secret import (
    InvalidKey,
    NotForUs,
    check_public_key,
    new_key,
    open_sealed,
    public_text,
    seal,
)

LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""The points of low order on Curve25519, and other encodings of them (https://cr.yp.to/ecdh.html#validate)."""


def test_only_the_key_and_the_login_that_it_was_sealed_for_open_a_secret() -> None:
    key, other = new_key(), new_key()
    sealed = seal("gpb_secret", public_text(key), "login-1")
    assert open_sealed(sealed, key, "login-1") == "gpb_secret"
    assert "gpb_secret" not in sealed.model_dump_json()
    for opener, login in ((other, "login-1"), (key, "login-2")):
        with pytest.raises(NotForUs):
            open_sealed(sealed, opener, login)


def test_a_changed_secret_is_refused() -> None:
    key = new_key()
    sealed = seal("gpb_secret", public_text(key), "login-1")
    swapped = seal("gpb_secret", public_text(key), "login-1")
    for wrong in (
        changed(sealed, public_key=swapped.public_key),
        changed(sealed, nonce=swapped.nonce),
        changed(sealed, ciphertext=swapped.ciphertext),
        changed(sealed, nonce="AAAA"),
        changed(sealed, ciphertext="not base64"),
    ):
        with pytest.raises(NotForUs):
            open_sealed(wrong, key, "login-1")


@pytest.mark.parametrize("point", LOW_ORDER)
def test_keys_of_low_order_are_refused(point: str) -> None:
    with pytest.raises(InvalidKey):
        check_public_key(base64.b64encode(bytes.fromhex(point)).decode())


@pytest.mark.parametrize("text", ["", "AAAA", "not base64", base64.b64encode(bytes(33)).decode()])
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        check_public_key(text)


def test_a_secret_that_was_sealed_earlier_still_opens() -> None:
    """The same values are in docs/api.md, as an example for the authors of other clients."""
    key = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    sealed = SealedSecret(
        public_key="nTheILMASgUI3fZ9VXSCT1mV3R8ns9tAtleypaKagzw=",
        nonce="TOJbmOPN9nbQ/ip7",
        ciphertext="0Fz5QDCwPMfrthvnEtAVBxWFWIdEqtLw92M=",
    )
    assert open_sealed(sealed, key, "login-1") == "gpb_secret"
    page = Path("docs/api.md").read_text()
    for text in (*sealed.model_dump().values(), base64.b64encode(key.private_bytes_raw()).decode()):
        assert text in page
