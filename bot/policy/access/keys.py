"""Public SSH keys: which are accepted, and in which form they are stored."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import gcd, isqrt, prod

import asyncssh

from bot.errors import Mistake, PrivateKey
from bot.model.attempt import Attempt
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.state import UNBOUGHT, State
from bot.model.text import one_line

LONGEST_LINE = 4000
"""Characters. An RSA key of 16,384 bits has 2,800."""
MOST_SCANNED = 4000
"""How many characters of a text are searched for a private key. A longer text is never stored or used."""
LONGEST_COMMENT = 100
SMALLEST_RSA, LARGEST_RSA = 2048, 16384
"""Bits; OpenSSH accepts no larger ones."""
SMALLEST_FACTOR = 1 << 16
"""A modulus with a smaller factor was made wrong, and can be factored. NIST SP 800-89, section 5.3.3, asks for no
factor below 752. We ask for 2^16, since computing one greatest common divisor costs as little."""
_P = 2**255 - 19
_Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""A point of order 8 has this y or its negative (libsodium, ge25519_has_small_order). For a key of small order, a
signature can be made without the private key."""

_PASTE = "Paste the line from your .pub file, such as: ssh-ed25519 AAAA... you@laptop"
_NEW_PAIR = "Create a new key pair with: ssh-keygen -t ed25519."
_NAMES = {
    "ssh-ed25519": "ed25519",
    "ecdsa-sha2-nistp256": "ecdsa 256",
    "ecdsa-sha2-nistp384": "ecdsa 384",
    "ecdsa-sha2-nistp521": "ecdsa 521",
    "sk-ssh-ed25519@openssh.com": "ed25519-sk",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ecdsa-sk",
}
"""As `ssh-keygen -t` names them; those of a security key end in `-sk`. That of an RSA key also has its size."""
_ACCEPTED = frozenset({*_NAMES, "ssh-rsa"})
_KEY_TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)?")
_BEGIN_PRIVATE = r"BEGIN\s+(?:[A-Z0-9]+\s+){0,4}PRIVATE\s+KEY"
_DASHES = r"(?:--|[\u2013\u2014])"
"""Two hyphens, or the dash that phones make of them. Not `-{2,}`, which takes quadratic time on a long row."""
_PRIVATE = re.compile(
    # Slack turns line breaks into spaces. Without dashes only capitals count, because people also write about
    # keys.
    rf"{_BEGIN_PRIVATE}|(?i:{_DASHES}\s*{_BEGIN_PRIVATE}|PRIVATE\s+KEY{_DASHES}"
    r"|PuTTY-User-Key-File|Private-(?:Lines|MAC|Hash):|AGE-SECRET-KEY)"
)
_OPENSSH, _SSH2 = "b3BlbnNzaC1rZXktdjE", "P2/56wAA"
"""The first Base64 characters of two kinds of private keys: OpenSSH's and SSH Communications'."""
_DER_IN_BASE64 = re.compile(r"(?=(M[A-P][A-Za-z0-9+/]{34}))")
"""A DER sequence in Base64. It may begin anywhere in a text: behind a quote, `key=` or a path."""
_PEM_IN_BASE64 = re.compile(r"(?=(LS0tL[A-Za-z0-9+/]{35,75}))")
"""A PEM file in Base64, as in a Kubernetes secret."""
_SEQUENCE, _VERSION, _AFTER_VERSION = 0x30, b"\x02\x01", frozenset({0x02, 0x04, 0x30})
_ENCRYPTED = (bytes.fromhex("06092a864886f70d0105"), bytes.fromhex("060a2a864886f70d010c01"))
"""Prefixes of the object identifiers of the schemes that encrypt PKCS#8 keys: PKCS#5's and PKCS#12's."""


def looks_private(text: str) -> bool:
    """Return whether the first MOST_SCANNED characters have a mark of a private key in any common form. The key
    may be cut off.

    Public keys, certificates, hashes and ordinary Base64 match none: each mark has at least 37 bits.
    """
    visible = "".join(letter for letter in text[:MOST_SCANNED] if letter.isprintable() or letter.isspace())
    if _PRIVATE.search(visible) or _OPENSSH in visible or _SSH2 in visible:
        return True
    if any(_is_private_der(binascii.a2b_base64(found[1])) for found in _DER_IN_BASE64.finditer(visible)):
        return True
    return any(_PRIVATE.search(_decoded_text(found[1])) for found in _PEM_IN_BASE64.finditer(visible))


def _is_private_der(content: bytes) -> bool:
    """Return whether DER begins with a small version, as PKCS#1, PKCS#8, SEC 1 and PKCS#12 do, or with an
    encryption scheme, as an encrypted PKCS#8 key does.
    """
    inner = _content_of(content)
    if inner[:2] == _VERSION and len(inner) > 3:
        return inner[2] <= 3 and inner[3] in _AFTER_VERSION
    return _content_of(inner).startswith(_ENCRYPTED)


def _content_of(sequence: bytes) -> bytes:
    """Return the content of a DER sequence, as far as it isn't cut off. Return b"" for anything else."""
    if len(sequence) < 2 or sequence[0] != _SEQUENCE:
        return b""
    length_bytes = sequence[1] - 0x80 if sequence[1] > 0x80 else 0
    return sequence[2 + length_bytes :]


def _decoded_text(encoded: str) -> str:
    return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4]).decode("ascii", errors="replace")


def read_key(line: str) -> Key:
    """Return the public key in a line, re-encoded by us.

    Accept one line without options: ed25519, ecdsa, RSA from 2048 bits, and both kinds of security keys.
    Raise PrivateKey if the line is a private key, or else Mistake that says what to paste. Neither error holds any
    of the text. The CPU time grows with the key, so callers in an event loop run this in a thread.
    """
    if looks_private(line):
        raise PrivateKey
    line = line.strip().strip("`'\"").strip()
    if len(line) > LONGEST_LINE:
        raise Mistake(f"That's too long for a public key. {_PASTE}")
    if len(line.splitlines()) > 1:
        raise Mistake(f"That's more than one line. {_PASTE}")
    kind, encoded, comment = [*line.split(maxsplit=2), "", "", ""][:3]
    _check_kind(kind, line)
    if any(word in _ACCEPTED for word in comment.split()):
        raise Mistake(f"That's more than one key. {_PASTE}")
    key = _decoded(kind, encoded)
    exported = key.export_public_key("openssh").decode("ascii").split()
    return Key(
        line=f"{exported[0]} {exported[1]}",
        comment=one_line(comment, LONGEST_COMMENT),
        fingerprint=key.get_fingerprint("sha256"),
    )


def _check_kind(kind: str, line: str) -> None:
    if kind in _ACCEPTED:
        return
    if "-cert-v0" in line:
        raise Mistake(f"That's a certificate, but I need the key itself. {_PASTE}")
    if kind == "ssh-dss":
        raise Mistake(f"DSA keys are too weak. {_NEW_PAIR} {_PASTE}")
    if any(word in _ACCEPTED for word in line.split()):
        raise Mistake(f"Leave out the options or words before the key. {_PASTE}")
    if _KEY_TYPE.fullmatch(kind):
        raise Mistake(f"I don't accept keys of this type. Use ed25519, ecdsa, RSA or a security key. {_PASTE}")
    raise Mistake(f"That isn't a public SSH key. {_PASTE}")


def _decoded(kind: str, encoded: str) -> asyncssh.SSHKey:
    broken = Mistake(f"That key is damaged or incomplete. {_PASTE}")
    try:
        content = binascii.a2b_base64(encoded, strict_mode=True)
        key = asyncssh.import_public_key(f"{kind} {encoded}")
    except (ValueError, OverflowError):
        raise broken from None  # the cause may quote the key
    if key.get_algorithm() != kind or key.public_data != content:
        raise broken
    if kind == "ssh-rsa":
        _check_modulus(_field(content, 2))
    if kind in {"ssh-ed25519", "sk-ssh-ed25519@openssh.com"}:
        _check_point(_field(content, 1))
    return key


def _check_modulus(content: bytes) -> None:
    modulus = int.from_bytes(content, "big")
    if not SMALLEST_RSA <= modulus.bit_length() <= LARGEST_RSA:
        bits = f"{SMALLEST_RSA} to {LARGEST_RSA} bits"
        raise Mistake(f"An RSA key needs {bits}. {_NEW_PAIR} {_PASTE}")
    if gcd(modulus, _small_primes()) > 1:
        raise Mistake(f"That RSA key is weak: its modulus has a small factor. {_NEW_PAIR} {_PASTE}")


@cache
def _small_primes() -> int:
    """Return the product of all primes below 2^16."""
    sieve = bytearray([1]) * SMALLEST_FACTOR
    for n in range(2, isqrt(SMALLEST_FACTOR) + 1):
        sieve[n * n :: n] = bytes(len(sieve[n * n :: n]))
    return prod(n for n in range(2, SMALLEST_FACTOR) if sieve[n])


def _check_point(content: bytes) -> None:
    """Raise Mistake if the point of an ed25519 key is one of the eight whose order divides 8. Their y has one of
    five values, in any encoding (RFC 8032, section 5.1.2).
    """
    y = (int.from_bytes(content, "little") & ((1 << 255) - 1)) % _P
    if y in {0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8}:
        raise Mistake(f"That ed25519 key is weak: anyone could log in with it. {_NEW_PAIR} {_PASTE}")


def kind_of(line: str) -> str:
    """Return the type of a key by its line: `ed25519`, `rsa 4096`, `ecdsa 256`, `ed25519-sk` or `ecdsa-sk`. Return
    the first word of any other line.
    """
    kind, encoded = [*line.split(maxsplit=2), "", ""][:2]
    if kind != "ssh-rsa":
        return _NAMES.get(kind, kind)
    try:
        content = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        return "rsa"
    # The modulus comes after the type and the exponent (RFC 4253, section 6.6).
    return f"rsa {int.from_bytes(_field(content, 2), 'big').bit_length()}"


def _field(content: bytes, n: int) -> bytes:
    """Return the n-th field of a public key, as far as it isn't cut off. Field 0 is the type."""
    for _ in range(n):
        content = content[4 + int.from_bytes(content[:4], "big") :]
    return content[4 : 4 + int.from_bytes(content[:4], "big")]


# --- shell lines that put public keys on a machine and take them off, for people to paste there


_KEY_LINE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)? [A-Za-z0-9+/]+={0,2}")
"""`<type> <base64>`, as `read_key` re-encodes it. No character in it has a meaning between single quotes, in a
fixed string of grep, or in a regular expression of sed whose delimiter is a comma."""


def add_line(lines: Sequence[str]) -> str:
    """Return one shell line that appends the keys that `~/.ssh/authorized_keys` does not have yet.

    `lines` are those of `Key.line`. Raise ValueError if there is none, or if one has another form: people run the
    result, so it must never hold a part of a comment or a name.
    """
    keys = " ".join(f"'{line}'" for line in _checked(lines))
    # The empty line before each key separates it from a last line that has no line break.
    append = """printf '\\n%s\\n' "$k" >>authorized_keys"""
    add = f"""for k in {keys}; do grep -qsxF "$k" authorized_keys || {append}; done"""
    # sshd refuses files that others can write.
    return f"(umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {add})"


def remove_line(lines: Sequence[str]) -> str:
    """Return one shell line that deletes each line of `~/.ssh/authorized_keys` that has one of the keys, with its
    options and its comment.

    Raise ValueError as `add_line` does. The caller leaves out keys that other people on the machine have too.
    """
    # sed writes a new file and renames it, so a full disk loses no key.
    deletes = " ".join(rf"-e '\,{line.split()[1]},d'" for line in _checked(lines))
    return f"sed -i {deletes} ~/.ssh/authorized_keys"


def _checked(lines: Sequence[str]) -> Sequence[str]:
    if not lines or not all(_KEY_LINE.fullmatch(line) for line in lines):
        raise ValueError("not the lines of public keys")
    return lines


# --- the keys of the people who are let into a rental


def keys_still_go_in(rental: Rental, attempts: Iterable[Attempt]) -> bool:
    """Return whether the next purchase still sends the keys of somebody who is let in now."""
    waits = rental.state in {*UNBOUGHT, State.PROCURING}
    return waits and not any(attempt.live for attempt in attempts)


def removable_lines(
    people: Sequence[str], owner: str, teammates: Sequence[str], keys: Mapping[str, Sequence[Key]]
) -> tuple[str, ...]:
    """Return the key lines of `people` that nobody else in the rental has. Taking off a shared key would lock out
    the other person. `keys` are by the Slack ids of their owners.
    """
    stay = {key.line for user in (owner, *teammates) if user not in people for key in keys.get(user, ())}
    lines = [key.line for user in people for key in keys.get(user, ())]
    return tuple(dict.fromkeys(line for line in lines if line not in stay))
