"""Checks public SSH keys, converts them to the stored form, and creates shell lines that add or remove them."""

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
"""The longest accepted line, in characters. An RSA key of 16,384 bits has 2,800."""
MOST_SCANNED = 4000
"""The maximum number of characters that are searched for a private key, from the start of a text.

Longer texts are never stored or used.
"""
LONGEST_COMMENT = 100
SMALLEST_RSA, LARGEST_RSA = 2048, 16384
"""The accepted sizes of RSA keys, in bits. The upper limit is also that of OpenSSH."""
SMALLEST_FACTOR = 1 << 16
"""The smallest factor that the modulus of an RSA key can have.

A modulus with a smaller factor was generated incorrectly, and can be factored. NIST SP 800-89, section 5.3.3, only
rules out factors below 752. The limit here is 2^16. It costs no extra time, because the check computes a single
greatest common divisor with either limit.
"""
_P = 2**255 - 19
_Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""The y coordinate of a point of order 8. The other points of order 8 have this y or its negative.

See ge25519_has_small_order in libsodium. Such a point isn't a safe public key, because anyone can create a
signature for it without the private key.
"""

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
"""The types of keys, as in `ssh-keygen -t`. The names for security keys end in `-sk`.

RSA keys are not included, because their name also contains their size.
"""
_ACCEPTED = frozenset({*_NAMES, "ssh-rsa"})
_KEY_TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)?")
_BEGIN_PRIVATE = r"BEGIN\s+(?:[A-Z0-9]+\s+){0,4}PRIVATE\s+KEY"
_DASHES = r"(?:--|[\u2013\u2014])"
"""Two hyphens, or a single dash, because phones convert two hyphens into a dash.

The pattern isn't `-{2,}`, because a search with that pattern takes quadratic time in a long row of hyphens.
"""
_PRIVATE = re.compile(
    # \s+ also has to match spaces, because Slack turns line breaks into spaces. The words "begin private key"
    # without dashes are matched only in capitals. Otherwise, ordinary sentences about private keys would match,
    # too.
    rf"{_BEGIN_PRIVATE}|(?i:{_DASHES}\s*{_BEGIN_PRIVATE}|PRIVATE\s+KEY{_DASHES}"
    r"|PuTTY-User-Key-File|Private-(?:Lines|MAC|Hash):|AGE-SECRET-KEY)"
)
_OPENSSH, _SSH2 = "b3BlbnNzaC1rZXktdjE", "P2/56wAA"
"""The first Base64 characters of private keys in the formats of OpenSSH and of SSH Communications."""
_DER_IN_BASE64 = re.compile(r"(?=(M[A-P][A-Za-z0-9+/]{34}))")
"""A DER sequence in Base64. It can begin anywhere in a text: after a quotation mark, `key=` or a path."""
_PEM_IN_BASE64 = re.compile(r"(?=(LS0tL[A-Za-z0-9+/]{35,75}))")
"""A PEM file in Base64, as in a Kubernetes secret."""
_SEQUENCE, _VERSION, _AFTER_VERSION = 0x30, b"\x02\x01", frozenset({0x02, 0x04, 0x30})
_ENCRYPTED = (bytes.fromhex("06092a864886f70d0105"), bytes.fromhex("060a2a864886f70d010c01"))
"""The object identifier prefixes of PKCS#5 and PKCS#12, whose schemes encrypt PKCS#8 keys."""


def looks_private(text: str) -> bool:
    """Return whether a text contains part of a private key, in any common format.

    Only the first MOST_SCANNED characters are searched. Public keys, certificates, hashes and ordinary Base64
    don't match: each pattern requires at least 37 specific bits, so a match by chance is practically impossible.
    """
    visible = "".join(letter for letter in text[:MOST_SCANNED] if letter.isprintable() or letter.isspace())
    if _PRIVATE.search(visible) or _OPENSSH in visible or _SSH2 in visible:
        return True
    if any(_is_private_der(binascii.a2b_base64(found[1])) for found in _DER_IN_BASE64.finditer(visible)):
        return True
    return any(_PRIVATE.search(_decoded_text(found[1])) for found in _PEM_IN_BASE64.finditer(visible))


def _is_private_der(content: bytes) -> bool:
    """Return whether DER content begins like a private key.

    PKCS#1, PKCS#8, SEC 1 and PKCS#12 begin with a small version number, and encrypted PKCS#8 keys begin with an
    encryption scheme.
    """
    inner = _content_of(content)
    if inner[:2] == _VERSION and len(inner) > 3:
        return inner[2] <= 3 and inner[3] in _AFTER_VERSION
    return _content_of(inner).startswith(_ENCRYPTED)


def _content_of(sequence: bytes) -> bytes:
    """Return the content of a DER sequence, which can be truncated. Empty if it isn't a DER sequence."""
    if len(sequence) < 2 or sequence[0] != _SEQUENCE:
        return b""
    length_bytes = sequence[1] - 0x80 if sequence[1] > 0x80 else 0
    return sequence[2 + length_bytes :]


def _decoded_text(encoded: str) -> str:
    return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4]).decode("ascii", errors="replace")


def read_key(line: str) -> Key:
    """Return the public key in a line, re-encoded.

    The line must contain a single key, without options. Accepted types are ed25519, ecdsa, RSA with at least 2048
    bits, and the two types for security keys (`ed25519-sk` and `ecdsa-sk`). Error messages never contain any part
    of the line.

    The CPU time grows with the size of the key, so callers in an event loop should run this in a thread.

    Raises:
        PrivateKey: The line contains a private key.
        Mistake: The line isn't an acceptable public key. The message says what to paste instead.
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
        raise broken from None  # The original error may quote the key.
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
    """Refuse an ed25519 key whose point is one of the eight points of small order. Raises Mistake.

    Anyone can create a signature for such a key. The y coordinate of these points has one of five values, however
    they are encoded (RFC 8032, section 5.1.2).
    """
    y = (int.from_bytes(content, "little") & ((1 << 255) - 1)) % _P
    if y in {0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8}:
        raise Mistake(f"That ed25519 key is weak: anyone could log in with it. {_NEW_PAIR} {_PASTE}")


def kind_of(line: str) -> str:
    """Return the type of a key, given its line: `ed25519`, `rsa 4096`, `ecdsa 256`, `ed25519-sk` or `ecdsa-sk`.

    For a line of any other kind, return its first word.
    """
    kind, encoded = [*line.split(maxsplit=2), "", ""][:2]
    if kind != "ssh-rsa":
        return _NAMES.get(kind, kind)
    try:
        content = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        return "rsa"
    # In an RSA key, field 2 is the modulus, whose length is the size of the key. The fields before it are the type
    # and the exponent (RFC 4253, section 6.6).
    return f"rsa {int.from_bytes(_field(content, 2), 'big').bit_length()}"


def _field(content: bytes, n: int) -> bytes:
    """Return the field with this number of a public key. Field 0 is the type of the key."""
    for _ in range(n):
        content = content[4 + int.from_bytes(content[:4], "big") :]
    return content[4 : 4 + int.from_bytes(content[:4], "big")]


# --- shell commands that add or remove public keys. People paste these commands into a shell on a machine


_KEY_LINE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)? [A-Za-z0-9+/]+={0,2}")
"""A line `<type> <base64>`, as re-encoded by `read_key`.

None of its characters has a special meaning between single quotes, in a fixed string of grep, or in a regular
expression of sed that is delimited by commas.
"""


def add_line(lines: Sequence[str]) -> str:
    """Return a shell line that appends the missing keys to `~/.ssh/authorized_keys`.

    Args:
        lines: The keys, each as `Key.line`.

    Raises:
        ValueError: There are no lines, or a line isn't in the format of `Key.line`. People run the result on their
            machine, so it must never contain part of a comment or a name.
    """
    keys = " ".join(f"'{line}'" for line in _checked(lines))
    # Write a line break before each key. If the last line of the file doesn't end with a line break, the key would
    # otherwise become part of that line.
    append = """printf '\\n%s\\n' "$k" >>authorized_keys"""
    add = f"""for k in {keys}; do grep -qsxF "$k" authorized_keys || {append}; done"""
    # The umask makes sure that only the user can write to the file. Otherwise, the SSH server ignores
    # authorized_keys.
    return f"(umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {add})"


def remove_line(lines: Sequence[str]) -> str:
    """Return a shell command that removes public keys from `~/.ssh/authorized_keys`.

    The command deletes every line that contains one of the keys, including options and comments. The caller must
    leave out keys that other people on the machine also use.

    Raises:
        ValueError: `lines` is empty, or one of the lines isn't in the format of `Key.line`.
    """
    # `sed -i` writes a new file and then renames it. If the disk is full, the old file therefore stays intact, and
    # no key is lost.
    deletes = " ".join(rf"-e '\,{line.split()[1]},d'" for line in _checked(lines))
    return f"sed -i {deletes} ~/.ssh/authorized_keys"


def _checked(lines: Sequence[str]) -> Sequence[str]:
    if not lines or not all(_KEY_LINE.fullmatch(line) for line in lines):
        raise ValueError("not the lines of public keys")
    return lines


# --- the SSH keys of the people who have access to a rental


def keys_still_go_in(rental: Rental, attempts: Iterable[Attempt]) -> bool:
    """Return whether the rental's next purchase can still install the SSH keys of new teammates.

    If not, the owner has to add these keys to the machine by hand.
    """
    waits = rental.state in {*UNBOUGHT, State.PROCURING}
    return waits and not any(attempt.live for attempt in attempts)


def removable_lines(
    people: Sequence[str], owner: str, teammates: Sequence[str], keys: Mapping[str, Sequence[Key]]
) -> tuple[str, ...]:
    """Return the lines of people's keys, without keys that somebody else with access to the rental uses.

    Removing a shared key would lock out the other person.

    Args:
        people: The Slack IDs of the people whose keys should be removed.
        keys: The keys of everyone involved, by Slack ID.
    """
    stay = {key.line for user in (owner, *teammates) if user not in people for key in keys.get(user, ())}
    lines = [key.line for user in people for key in keys.get(user, ())]
    return tuple(dict.fromkeys(line for line in lines if line not in stay))
