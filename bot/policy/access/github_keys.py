"""Public SSH keys that a person takes from GitHub: which of them they may choose."""

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
"""Keys that a person can choose from. Slack allows 2,000 characters in a button's value, and 10 boxes a group."""
_NAME = re.compile(r"[A-Za-z0-9-]{1,39}")
"""docs.github.com, "Username considerations for external authentication". New names neither begin nor end with a
hyphen, but older ones do."""


class GithubKeys(Frozen):
    """The keys of a GitHub user, for the person who wants to take them."""

    name: str
    """The user name as the person typed it."""
    shown: tuple[Key, ...]
    """The keys that the bot accepts; at most MOST_SHOWN."""
    known: frozenset[str]
    """The fingerprints of the keys that the person has already."""
    room: int
    """How many more keys the person may have."""
    not_accepted: int
    """How many lines are no key that the bot accepts."""
    not_shown: int
    """How many lines come after the last key that is shown."""

    @property
    def new(self) -> tuple[Key, ...]:
        """Return the keys that the person doesn't have yet."""
        return tuple(key for key in self.shown if key.fingerprint not in self.known)


def check_name(name: str) -> str:
    """Return the name if it can be a GitHub user's. Raise Mistake otherwise."""
    if not _NAME.fullmatch(name):
        raise Mistake(
            "That isn't a GitHub username. Usernames have up to 39 letters, digits and hyphens, such as ana-dev."
        )
    return name


def comment_of(name: str) -> str:
    """Return the comment for the keys of a GitHub user. GitHub serves keys without comments."""
    return f"github.com/{name}"


def keys_to_show(name: str, lines: Sequence[str], owned: Collection[str], *, per_person: int) -> GithubKeys:
    """Return the keys in the lines of a GitHub user for a person who owns keys with these fingerprints.

    Raise Mistake if no line is a key that the bot accepts. Call this in a thread: it takes as long as `read_key`
    for each key.
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
    """Return the keys in the lines of a GitHub user that have one of the fingerprints. Call it in a thread."""
    found = {}
    for line in lines:
        # Compute the fingerprint first: reading a key takes much longer, and there may be hundreds.
        if (fingerprint := _fingerprint(line)) in fingerprints:
            with suppress(Mistake):
                found[fingerprint] = _key(name, line)
    return tuple(found.values())


def _key(name: str, line: str) -> Key:
    """Return the key in a line. Raise Mistake if it isn't one that the bot accepts."""
    kind_and_key = " ".join(line.split()[:2])
    return read_key(f"{kind_and_key} {comment_of(name)}")


def _fingerprint(line: str) -> str | None:
    """Return the fingerprint of the key in a line as `ssh-keygen -l` shows it, or None without Base64."""
    try:
        content = binascii.a2b_base64([*line.split(), "", ""][1], strict_mode=True)
    except ValueError:
        return None
    return "SHA256:" + b64encode(sha256(content).digest()).decode().rstrip("=")
