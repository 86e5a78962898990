"""Tests of which of a GitHub user's keys a person can choose."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import asyncssh
import pytest

from bot.errors import Mistake
from bot.policy.access.github_keys import MOST_SHOWN, GithubKeys, check_name, keys_to_show, keys_with

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjE"


@cache
def line(n: int) -> str:
    """Return the line of the n-th key, without a comment, as GitHub serves it."""
    assert n >= 0
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()


def fingerprint(n: int) -> str:
    return asyncssh.import_public_key(line(n)).get_fingerprint()


def show(*lines: str, owned: tuple[str, ...] = (), per_person: int = 10) -> GithubKeys:
    return keys_to_show("ana-dev", lines, owned, per_person=per_person)


@pytest.mark.parametrize("name", ["a", "ana-dev", "ANA", "a" * 39, "-old-", "0"])
def test_a_name_of_letters_digits_and_hyphens_is_valid(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 40, "a b", "a_b", "a.b", "../a", "a/b", "a?b", "a%2f", "\u00e4", "a\n", "\u0661"]
)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(Mistake, match="a GitHub username"):
        check_name(name)


def test_keys_get_the_username_as_comment_and_duplicates_are_removed() -> None:
    found = show(line(1), line(2), line(1))
    assert [key.fingerprint for key in found.shown] == [fingerprint(1), fingerprint(2)]
    assert {key.comment for key in found.shown} == {"github.com/ana-dev"}
    assert (found.not_accepted, found.not_shown, found.room) == (0, 0, 10)


def test_lines_without_an_acceptable_key_are_counted() -> None:
    """A line with a private key is counted too."""
    found = show("hello", line(1), PRIVATE, "ssh-dss AAAAB3NzaC1kc3M=", f"no-pty {line(2)}", "\ufffd\ufffd")
    assert [key.fingerprint for key in found.shown] == [fingerprint(1)]
    assert found.not_accepted == 5


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "github.com/ana-dev has no SSH key. Nothing was saved."),
        (("hello", PRIVATE), "github.com/ana-dev has no SSH key that I accept."),
    ],
    ids=["empty", "rubbish"],
)
def test_an_answer_without_acceptable_keys_is_refused(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(Mistake) as caught:
        show(*lines)
    assert caught.value.words.startswith(words)


def test_known_keys_are_recognized_and_count_towards_the_limit() -> None:
    found = show(line(1), line(2), owned=(fingerprint(1), "SHA256:another"), per_person=3)
    assert found.known == {fingerprint(1)}
    assert [key.fingerprint for key in found.new] == [fingerprint(2)]
    assert found.room == 1
    assert show(line(1), owned=("SHA256:1", "SHA256:2"), per_person=1).room == 0


def test_keys_that_are_not_shown_are_counted() -> None:
    found = show(*(line(n) for n in range(MOST_SHOWN + 3)))
    assert (len(found.shown), found.not_shown) == (MOST_SHOWN, 3)


def test_keys_with_a_chosen_fingerprint_are_found_beyond_those_shown() -> None:
    lines = ["hello", *(line(n) for n in range(MOST_SHOWN + 3)), "ssh-ed25519 !"]
    last = fingerprint(MOST_SHOWN + 2)
    found = keys_with("ana-dev", lines, [last, "SHA256:gone"])
    assert [(key.fingerprint, key.line) for key in found] == [(last, line(MOST_SHOWN + 2))]
