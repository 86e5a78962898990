"""Public SSH keys: which are taken, and how they are kept."""

from __future__ import annotations

import binascii
import re
from datetime import datetime

import asyncssh

from bot.errors import Mistake, PrivateKey
from bot.model.person import Key
from bot.model.text import one_line

LONGEST_LINE = 16 * 1024
LONGEST_COMMENT = 100
SMALLEST_RSA, LARGEST_RSA = 2048, 16384
"""Bits; OpenSSH takes no larger ones."""

_PASTE = "Paste the one line of your .pub file, such as: ssh-ed25519 AAAA... you@laptop"
_TAKEN = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_KEY_TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)?")
_PRIVATE = re.compile(
    # Slack folds line breaks to spaces, and phones turn hyphens to dashes: the words alone must do.
    r"BEGIN\s+(?:[A-Z0-9]+\s+){0,4}PRIVATE\s+KEY|PRIVATE\s+KEY\s?[-\u2013\u2014]"
    r"|PuTTY-User-Key-File|Private-(?:Lines|MAC|Hash):|AGE-SECRET-KEY",
    re.IGNORECASE,
)
_BARE_PRIVATE = re.compile(r"(?:^|\s)(?:(b3BlbnNzaC1rZXktdjE)|(M[A-Za-z0-9+/]{15})[A-Za-z0-9+/=]{20})")
"""How private keys begin in Base64, OpenSSH's own and DER, where the lines around it were left out."""


def looks_private(text: str) -> bool:
    """Whether a text has the marks of a private key in any common form, whole or its beginning."""
    if _PRIVATE.search(text):
        return True
    return any(found.group(1) or _is_private_der(found.group(2)) for found in _BARE_PRIVATE.finditer(text))


def _is_private_der(beginning: str) -> bool:
    """Whether DER begins as PKCS#1, PKCS#8 and SEC 1 private keys do: a sequence that starts with a version."""
    content = binascii.a2b_base64(beginning)
    long_form = content[1] - 0x80 if content[1] > 0x80 else 0
    return content[0] == 0x30 and content[2 + long_form : 4 + long_form] == b"\x02\x01"


def read_key(line: str, set_at: datetime) -> Key:
    """A person's public key, re-encoded by us.

    Takes one line without options: ed25519, ecdsa, RSA of 2048 bits and more, and both kinds of security keys.
    Raises PrivateKey, or Mistake that says what to paste; neither holds any of the text. Takes CPU time that grows
    with the key: callers in an event loop run it in a thread.
    """
    if looks_private(line):
        raise PrivateKey
    line = line.strip().strip("`'\"").strip()
    if len(line) > LONGEST_LINE:
        raise Mistake(f"That is too long for a public key. {_PASTE}")
    if len(line.splitlines()) > 1:
        raise Mistake(f"That is more than one line. {_PASTE}")
    kind, encoded, comment = [*line.split(maxsplit=2), "", "", ""][:3]
    _check_kind(kind, line)
    if any(word in _TAKEN for word in comment.split()):
        raise Mistake(f"That is more than one key. {_PASTE}")
    key = _decoded(kind, encoded)
    exported = key.export_public_key("openssh").decode("ascii").split()
    return Key(
        line=f"{exported[0]} {exported[1]}",
        comment=one_line(comment, LONGEST_COMMENT),
        fingerprint=key.get_fingerprint("sha256"),
        set_at=set_at,
    )


def _check_kind(kind: str, line: str) -> None:
    if kind in _TAKEN:
        return
    if "-cert-v0" in line:
        raise Mistake(f"That is a certificate. I need the key itself. {_PASTE}")
    if kind == "ssh-dss":
        raise Mistake(f"DSA keys are too weak. Make a new pair with: ssh-keygen -t ed25519. {_PASTE}")
    if any(word in _TAKEN for word in line.split()):
        raise Mistake(f"A key with options or words before it is not taken. {_PASTE}")
    if _KEY_TYPE.fullmatch(kind):
        raise Mistake(f"I don't take keys of this type: use ed25519, ecdsa, RSA or a security key. {_PASTE}")
    raise Mistake(f"That is no public SSH key. {_PASTE}")


def _decoded(kind: str, encoded: str) -> asyncssh.SSHKey:
    broken = Mistake(f"That key is broken or cut off. {_PASTE}")
    try:
        content = binascii.a2b_base64(encoded, strict_mode=True)
        key = asyncssh.import_public_key(f"{kind} {encoded}")
    except (ValueError, OverflowError):
        raise broken from None  # whose words may hold the key
    if key.get_algorithm() != kind or key.public_data != content:
        raise broken
    if kind == "ssh-rsa" and not SMALLEST_RSA <= _rsa_bits(content) <= LARGEST_RSA:
        bits = f"{SMALLEST_RSA} to {LARGEST_RSA} bits"
        raise Mistake(f"An RSA key needs {bits}. Make a new pair with: ssh-keygen -t ed25519. {_PASTE}")
    return key


def _rsa_bits(content: bytes) -> int:
    """The size of the modulus: the third field, after the type and the exponent (RFC 4253, section 6.6)."""
    for _ in range(2):
        length = int.from_bytes(content[:4], "big")
        content = content[4 + length :]
    return int.from_bytes(content[4:], "big").bit_length()
