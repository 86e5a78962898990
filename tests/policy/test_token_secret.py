"""The secrets of API tokens."""

from __future__ import annotations

import re

import pytest

from bot.policy.access.token_secret import hash_of, is_hash_of, is_secret, new_secret


def test_new_secrets_differ_and_are_recognized() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(is_secret(one) and re.fullmatch(r"gpb_[0-9A-Za-z]{49}", one) for one in made)


def test_a_secret_with_one_wrong_character_is_not_recognized() -> None:
    secret = new_secret()
    for place in range(len(secret)):
        wrong = "x" if secret[place] != "x" else "y"
        assert not is_secret(secret[:place] + wrong + secret[place + 1 :]), place


@pytest.mark.parametrize(
    "text",
    ["", "gpb_", "gpb_" + "0" * 48, "gpb_" + "0" * 50, "gpb_" + "é" * 49, "gpb_" + "\ud800" * 49, "x" * 9999],
)
def test_other_texts_are_no_secrets(text: str) -> None:
    assert not is_secret(text)


def test_only_the_secret_itself_belongs_to_its_hash() -> None:
    secret, other = new_secret(), new_secret()
    assert is_hash_of(hash_of(secret), secret)
    assert not is_hash_of(hash_of(secret), other)
    assert secret not in hash_of(secret)
