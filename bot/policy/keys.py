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
_BEGIN_PRIVATE = r"BEGIN\s+(?:[A-Z0-9]+\s+){0,4}PRIVATE\s+KEY"
_DASHES = r"(?:--|[\u2013\u2014])"
"""Phones turn hyphens to dashes. Of a row of hyphens two are enough: `-{2,}` takes quadratic time."""
_PRIVATE = re.compile(
    # Slack folds line breaks to spaces. Without dashes only capitals count: people write about private keys too.
    rf"{_BEGIN_PRIVATE}|(?i:{_DASHES}\s*{_BEGIN_PRIVATE}|PRIVATE\s+KEY{_DASHES}"
    r"|PuTTY-User-Key-File|Private-(?:Lines|MAC|Hash):|AGE-SECRET-KEY)"
)
_OPENSSH, _SSH2 = "b3BlbnNzaC1rZXktdjE", "P2/56wAA"
"""How two kinds of private keys begin in Base64: OpenSSH's, and that of SSH Communications."""
_DER_IN_BASE64 = re.compile(r"(?=(M[A-P][A-Za-z0-9+/]{34}))")
"""A DER sequence may begin at any place of a text: behind a quote, `key=` or a path."""
_PEM_IN_BASE64 = re.compile(r"(?=(LS0tL[A-Za-z0-9+/]{35,75}))")
"""A PEM file that was encoded once more, as in a Kubernetes secret."""
_SEQUENCE, _VERSION, _AFTER_VERSION = 0x30, b"\x02\x01", frozenset({0x02, 0x04, 0x30})
_ENCRYPTED = (bytes.fromhex("06092a864886f70d0105"), bytes.fromhex("060a2a864886f70d010c01"))
"""Object identifiers of the schemes that encrypt PKCS#8 keys: those of PKCS#5 and of PKCS#12."""


def looks_private(text: str) -> bool:
    """Return whether a text has the marks of a private key in any common form, whole or its beginning.

    Public keys, certificates, hashes and ordinary Base64 have none: a mark takes at least 37 bits to match.
    """
    seen = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    if _PRIVATE.search(seen) or _OPENSSH in seen or _SSH2 in seen:
        return True
    if any(_is_private_der(binascii.a2b_base64(found[1])) for found in _DER_IN_BASE64.finditer(seen)):
        return True
    return any(_PRIVATE.search(_decoded_text(found[1])) for found in _PEM_IN_BASE64.finditer(seen))


def _is_private_der(content: bytes) -> bool:
    """Return whether DER begins as PKCS#1, PKCS#8, SEC 1 and PKCS#12 do, with a small version, or as an encrypted
    PKCS#8 key does, with the scheme that encrypts it."""
    inside = _content_of(content)
    if inside[:2] == _VERSION and len(inside) > 3:
        return inside[2] <= 3 and inside[3] in _AFTER_VERSION
    return _content_of(inside).startswith(_ENCRYPTED)


def _content_of(sequence: bytes) -> bytes:
    """Return what a DER sequence holds, as far as it is there. Return nothing for anything else."""
    if len(sequence) < 2 or sequence[0] != _SEQUENCE:
        return b""
    length_takes = sequence[1] - 0x80 if sequence[1] > 0x80 else 0
    return sequence[2 + length_takes :]


def _decoded_text(encoded: str) -> str:
    return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4]).decode("ascii", errors="replace")


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
