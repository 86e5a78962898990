"""Reads the public SSH keys that GitHub lists for a user, so that a person can add some of them."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from contextlib import suppress
from hashlib import sha256

from bot.errors import Mistake, NextStep
from bot.model.base import Frozen
from bot.model.person import Key
from bot.policy.access.keys import read_key

MOST_SHOWN = 20
"""The maximum number of keys that are shown to a person to choose from.

Slack allows 2,000 characters in a button's value, and 10 checkboxes per group.
"""
_NAME = re.compile(r"[A-Za-z0-9-]{1,39}")
"""A valid username (docs.github.com, "Username considerations for external authentication").

New names can neither begin nor end with a hyphen, but some older names do.
"""


class GithubKeys(Frozen):
    """The keys of a GitHub user, as shown to the person who wants to add some of them."""

    name: str
    """The username as the person typed it."""
    shown: tuple[Key, ...]
    """The keys that the bot accepts, at most MOST_SHOWN."""
    known: frozenset[str]
    """The fingerprints of those keys in `shown` that the person has already added."""
    room: int
    """The number of keys that the person can still add."""
    not_accepted: int
    """The number of lines that were read but contain no key that the bot accepts."""
    not_shown: int
    """The number of remaining lines. They weren't read, because MOST_SHOWN keys had already been found."""

    @property
    def new(self) -> tuple[Key, ...]:
        """Return the keys that the person hasn't added yet."""
        return tuple(key for key in self.shown if key.fingerprint not in self.known)


def check_name(name: str) -> str:
    """Return `name` if it is a valid GitHub username.

    Raises Mistake otherwise.
    """
    if not _NAME.fullmatch(name):
        raise Mistake(
            "That isn't a GitHub username. Usernames have up to 39 letters, digits and hyphens, such as ana-dev."
        )
    return name


def comment_of(name: str) -> str:
    """Return the comment to store with the keys of a GitHub user.

    GitHub serves keys without their comments, so the bot adds its own.
    """
    return f"github.com/{name}"


def keys_to_show(name: str, lines: Sequence[str], owned: Collection[str], *, per_person: int) -> GithubKeys:
    """Return a GitHub user's keys, for a person to choose from.

    Call this in a thread, because it calls `read_key` for each line, which takes a long time.

    Args:
        name: The GitHub username.
        lines: The keys as GitHub served them, one per line.
        owned: The fingerprints of the keys that the person has added already.
        per_person: The number of keys that a person can have.

    Raises:
        Mistake: None of the lines is a key that the bot accepts.
    """
    shown: dict[str, Key] = {}
    not_accepted, left = 0, iter(lines)
    for line in left:
        try:
            key = _key(name, line)
        except Mistake:
            not_accepted += 1
        else:
            shown.setdefault(key.fingerprint, key)
        if len(shown) == MOST_SHOWN:
            break
    if not shown:
        why = " that I accept. I accept ed25519, ecdsa, RSA and security keys" if lines else ""
        raise Mistake(
            f"{comment_of(name)} has no SSH key{why}. Nothing was saved.", next_step=NextStep.PASTE_A_KEY
        )
    return GithubKeys(
        name=name,
        shown=tuple(shown.values()),
        known=frozenset(shown.keys() & set(owned)),
        room=max(per_person - len(owned), 0),
        not_accepted=not_accepted,
        not_shown=sum(1 for _ in left),
    )


def keys_with(name: str, lines: Sequence[str], fingerprints: Collection[str]) -> tuple[Key, ...]:
    """Find the keys with the given fingerprints in the lines that GitHub served.

    Call this in a thread, because reading a key takes a long time.
    """
    found = {}
    for line in lines:
        # Compare the fingerprints of the keys before parsing the keys. Parsing a key takes much longer than
        # computing its fingerprint, and GitHub may return hundreds of keys.
        if (fingerprint := _fingerprint(line)) in fingerprints:
            with suppress(Mistake):
                found[fingerprint] = _key(name, line)
    return tuple(found.values())


def _key(name: str, line: str) -> Key:
    """Return the key in a line. Raises Mistake if the bot doesn't accept it."""
    kind_and_key = " ".join(line.split()[:2])
    return read_key(f"{kind_and_key} {comment_of(name)}")


def _fingerprint(line: str) -> str | None:
    """Return the fingerprint of the key in a line, in the format of `ssh-keygen -l`.

    None if the line contains no Base64.
    """
    try:
        content = binascii.a2b_base64([*line.split(), "", ""][1], strict_mode=True)
    except ValueError:
        return None
    return "SHA256:" + b64encode(sha256(content).digest()).decode().rstrip("=")
