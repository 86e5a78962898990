"""Tests of which SSH keys are accepted, and that private keys never are."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import asyncssh
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.errors import Mistake, NextStep, PrivateKey
from bot.model.person import Key
from bot.policy.access.keys import LONGEST_LINE, kind_of, looks_private, read_key
from tests.programs import program

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@cache
def made(kind: str, size: int = 0) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind, key_size=size) if size else asyncssh.generate_private_key(kind)


def public(kind: str, size: int = 0, comment: str = "") -> str:
    return f"{made(kind, size).export_public_key('openssh').decode().strip()} {comment}".strip()


def read(line: str) -> Key:
    return read_key(line)


def field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def security_key(kind: str) -> str:
    """Return a public key as a hardware token makes it: the fields of a plain key, followed by the application."""
    plain = made("ssh-ed25519" if "ed25519" in kind else "ecdsa-sha2-nistp256").public_data
    fields = plain[4 + int.from_bytes(plain[:4], "big") :]
    return f"{kind} {base64.b64encode(field(kind.encode()) + fields + field(b'ssh:')).decode()}"


def refused(line: str) -> str:
    """Return the error message, after checking that it contains no part of the key."""
    with pytest.raises(Mistake) as caught:
        read(line)
    for word in line.split():
        assert len(word) < 30 or word not in caught.value.words
    return caught.value.words


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("ssh-ed25519", 0),
        ("ecdsa-sha2-nistp256", 0),
        ("ecdsa-sha2-nistp384", 0),
        ("ecdsa-sha2-nistp521", 0),
        ("ssh-rsa", 2048),
        ("ssh-rsa", 3072),
        ("sk-ssh-ed25519@openssh.com", 0),
        ("sk-ecdsa-sha2-nistp256@openssh.com", 0),
    ],
)
def test_an_accepted_key_is_stored_without_its_comment(kind: str, size: int) -> None:
    line = security_key(kind) if kind.startswith("sk-") else public(kind, size)
    key = read(f"  {line}   you@laptop \n")
    assert key.line == line
    assert key.comment == "you@laptop"
    assert key.fingerprint == asyncssh.import_public_key(line).get_fingerprint()
    assert key.fingerprint.startswith("SHA256:")


def test_a_stored_key_has_the_form_that_the_api_requires() -> None:
    assert asyncssh.import_public_key(read(public("ssh-ed25519")).line).get_algorithm() == "ssh-ed25519"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("", ""),
        ("me", "me"),
        ("my  work\tlaptop", "my work laptop"),
        ("x" * 300, "x" * 99 + "…"),
        ("me\u202e\x07 <!channel>", "me <!channel>"),
    ],
)
def test_comments_are_reduced_to_one_short_printable_line(typed: str, stored: str) -> None:
    assert read(public("ssh-ed25519", comment=typed)).comment == stored


def test_quotes_and_backticks_around_a_key_are_ignored() -> None:
    line = public("ssh-ed25519")
    assert read(f"`{line} me`") == read(f'"{line} me"') == read(f"{line} me")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "isn't a public SSH key"),
        ("hello", "isn't a public SSH key"),
        ("ssh-ed25519", "damaged or incomplete"),
        ("ssh-ed25519 AAAA", "damaged or incomplete"),
        ("ssh-ed25519 ÄÖÜ", "damaged or incomplete"),
        (public("ssh-ed25519")[:-4], "damaged or incomplete"),
        (public("ssh-ed25519") + "AAAA", "damaged or incomplete"),
        (public("ssh-ed25519").replace("ssh-ed25519", "ssh-rsa"), "damaged or incomplete"),
        (public("ssh-rsa", 1024), "2048 to 16384 bits"),
        (public("ssh-ed448"), "don't accept keys of this type"),
        ("ssh-dss AAAAB3NzaC1kc3M", "DSA keys are too weak"),
        ('command="id" ' + public("ssh-ed25519"), "options"),
        ("no-pty,from=10.0.0.1 " + public("ssh-ed25519"), "options"),
        ("my key: " + public("ssh-ed25519"), "options"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
        (public("ssh-ed25519") + "\n" + public("ssh-rsa", 2048), "more than one line"),
        (public("ssh-ed25519") + "\r" + "reboot", "more than one line"),
        (public("ssh-ed25519") + "\u2028" + "reboot", "more than one line"),
        (public("ssh-ed25519") + " me " + public("ssh-rsa", 2048), "more than one key"),
        ("ssh-ed25519 " + "A" * LONGEST_LINE, "too long"),
    ],
    ids=lambda part: "line" if len(part) > 40 else None,  # Keys are random, but all workers need the same IDs.
)
def test_any_other_line_is_refused_with_advice_on_what_to_paste(line: str, words: str) -> None:
    refusal = refused(line)
    assert words in refusal
    assert "Paste the line from your .pub file" in refusal


def test_a_certificate_is_refused() -> None:
    key = made("ssh-ed25519")
    certificate = key.generate_user_certificate(key, "me").export_certificate("openssh").decode()
    assert "certificate" in refused(certificate)


FORMS = [
    ("ssh-ed25519", "openssh"),
    ("ssh-ed25519", "pkcs8-pem"),
    ("ecdsa-sha2-nistp256", "openssh"),
    ("ecdsa-sha2-nistp256", "pkcs1-pem"),
    ("ecdsa-sha2-nistp521", "pkcs8-pem"),
    ("ssh-rsa", "openssh"),
    ("ssh-rsa", "pkcs1-pem"),
    ("ssh-rsa", "pkcs8-pem"),
]


def private(kind: str, form: str, password: str | None = None) -> str:
    return made(kind, 2048 if kind == "ssh-rsa" else 0).export_private_key(form, password).decode()


def body(text: str) -> str:
    """Return the Base64 contents of a key file, without the first and last lines."""
    return " ".join(line for line in text.split("\n") if line and ":" not in line and "-----" not in line)


MANGLED: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.replace("\n", " "),
    lambda text: text.replace("--", "—").replace("\n", " "),
    lambda text: text.lower().replace("\n", " "),
    lambda text: text[: len(text) // 2],
    lambda text: text.split("\n", 1)[1],
    lambda text: " ".join(text.split("\n")[1:-2]),
    lambda text: f"my key: ```{text}```",
    lambda text: f'"{body(text)}"',
    lambda text: f"`{body(text)}`",
    lambda text: f"key={body(text)}",
    lambda text: f"key:{body(text)}",
    lambda text: f"({body(text)})",
    lambda text: f"my/key{body(text)}",
    lambda text: f"\u200b{body(text)[:3]}\u200b{body(text)[3:]}",
    lambda text: base64.b64encode(text.encode()).decode(),
]


@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("mangle", MANGLED)
def test_a_private_key_is_recognized_in_every_form(kind: str, form: str, mangle: Callable[[str], str]) -> None:
    """The key may be complete, folded into one line, or without its first and last lines."""
    text = mangle(private(kind, form))
    with pytest.raises(PrivateKey) as caught:
        read(text)
    assert caught.value.words == (
        "That was a private key. I didn't keep it and no channel shows it, but it went through Slack."
    )
    assert caught.value.next_step is NextStep.MAKE_NEW_KEY


@pytest.mark.parametrize(("algorithm", "version"), [("des3-cbc", 1), ("aes256-cbc", 2)])
@pytest.mark.parametrize("mangle", MANGLED)
def test_an_encrypted_private_key_is_recognized_too(
    algorithm: str, version: int, mangle: Callable[[str], str]
) -> None:
    """These are PKCS#8 keys, encrypted with a password-based scheme of PKCS#12 (version 1) or PKCS#5."""
    exported = made("ssh-ed25519").export_private_key("pkcs8-pem", "x", algorithm, "sha1", version)
    with pytest.raises(PrivateKey):
        read(mangle(exported.decode()))


@pytest.mark.parametrize(
    "text",
    [
        "PuTTY-User-Key-File-3: ssh-ed25519 Encryption: none Comment: me Public-Lines: 2 AAAA",
        "Private-Lines: 1 AAAA Private-MAC: 00",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "BEGIN DSA PRIVATE KEY",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "---- begin rsa private key",
        "end of it: PRIVATE KEY-----",
        "P2/56wAAAi4AAAA3aWYtbW9kbntzaWdue3JzYS1wa2NzMS1zaGExfSxlbmNyeXB0e3JzYS1w",
        "x" * 3900 + " -----BEGIN PRIVATE KEY-----",
    ],
)
def test_other_marks_of_private_keys_are_recognized(text: str) -> None:
    with pytest.raises(PrivateKey):
        read(text)


def ssh_string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def line_of(*fields: bytes) -> str:
    """Return the line of a public key with these fields. The first field is its type."""
    return f"{fields[0].decode()} {base64.b64encode(b''.join(map(ssh_string, fields))).decode()}"


P = 2**255 - 19


def doubled(x: int, y: int) -> tuple[int, int]:
    """Return the double of a point on edwards25519 (RFC 8032, section 5.1.4)."""
    d = -121665 * pow(121666, -1, P) % P
    k = d * x * x * y * y
    return 2 * x * y * pow(1 + k, -1, P) % P, (y * y + x * x) * pow(1 - k, -1, P) % P


def x_of(y: int) -> int:
    d = -121665 * pow(121666, -1, P) % P
    square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    return root if root * root % P == square else root * pow(2, (P - 1) // 4, P) % P


Y_OF_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL = [0, 1, P - 1, Y_OF_ORDER_8, P - Y_OF_ORDER_8]


@pytest.mark.parametrize("y", SMALL)
def test_a_point_of_small_order_times_eight_is_the_neutral_element(y: int) -> None:
    point = x_of(y), y
    for _ in range(3):
        point = doubled(*point)
    assert point == (0, 1)


@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize("y", [*SMALL, P, P + 1])
def test_an_ed25519_key_of_small_order_is_refused_in_every_encoding(y: int, sign: int) -> None:
    point = (y + sign).to_bytes(32, "little")
    for line in (
        line_of(b"ssh-ed25519", point),
        line_of(b"sk-ssh-ed25519@openssh.com", point, b"ssh:"),
    ):
        assert "is weak: anyone could log in with it" in refused(line)


@pytest.mark.parametrize(("factor", "weak"), [(2, True), (3, True), (751, True), (65521, True), (65537, False)])
def test_an_rsa_modulus_with_a_small_factor_is_refused(factor: int, weak: bool) -> None:
    modulus = factor * 65537**128
    line = line_of(b"ssh-rsa", b"\x01\x00\x01", modulus.to_bytes(modulus.bit_length() // 8 + 1, "big"))
    if weak:
        assert "its modulus has a small factor" in refused(line)
    else:
        assert read(line).line == line


def test_a_private_key_after_a_public_key_is_refused_as_private() -> None:
    with pytest.raises(PrivateKey):
        read(public("ssh-ed25519") + " " + private("ssh-ed25519", "openssh"))


def pem(kind: str, form: str) -> str:
    return made(kind, 2048 if kind == "ssh-rsa" else 0).export_public_key(form).decode()


def test_public_keys_are_not_mistaken_for_private_keys() -> None:
    rsa = pem("ssh-rsa", "pkcs8-pem")
    lines = [public("ssh-rsa", 2048), public("ecdsa-sha2-nistp521"), public("ssh-ed25519")]
    files = [rsa, pem("ssh-rsa", "pkcs1-pem"), pem("ecdsa-sha2-nistp256", "pkcs8-pem")]
    for text in (*lines, *files, base64.b64encode(rsa.encode()).decode()):
        assert not looks_private(text), text


@pytest.mark.parametrize(
    "text",
    [
        "private key please",
        "I lost my private key - this one is new",
        "to begin with a private key of my own",
        "MII",
        "",
        "resume from 7affb5f, parent 9990343d2c1041c3d5faea876a89c41f3a2b1c0d",
        "wandb run 3k9x1mz2 https://wandb.ai/acme/llm/runs/3k9x1mz2?nw=MIIEowIBAAKC",
        "image@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
        "integrity sha512-MIIDBjCCAe6gAwIBAgIJAOXZ2Vx6iLWUMA0GCSqGSIb3DQEBBQUAMA==",
    ],
    ids=lambda text: text[:12].strip() if len(text) < 60 else "long",
)
def test_other_texts_are_not_mistaken_for_private_keys(text: str) -> None:
    assert not looks_private(text)


@given(st.binary(max_size=400))
def test_base64_of_other_content_is_not_mistaken_for_a_private_key(content: bytes) -> None:
    marks = (b"\x30", b"openssh-key-v1", b"PRIVATE KEY")
    assume(not any(mark in content for mark in marks))
    assert not looks_private(f"-- results in {base64.b64encode(content).decode()}")


@pytest.mark.parametrize("half", ["BEGIN A B C ", "-", "\u2014 ", "BEGIN\n\n", "MA", "LS0tL", "PRIVATE "])
def test_a_long_text_of_partial_marks_takes_linear_time(half: str) -> None:
    assert not looks_private(half * 60_000)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (public("ssh-ed25519"), "ed25519"),
        (public("ssh-rsa", 3072), "rsa 3072"),
        (public("ecdsa-sha2-nistp384"), "ecdsa 384"),
        (security_key("sk-ssh-ed25519@openssh.com"), "ed25519-sk"),
        (security_key("sk-ecdsa-sha2-nistp256@openssh.com"), "ecdsa-sk"),
        ("ssh-rsa !", "rsa"),
        ("something else", "something"),
        ("", ""),
    ],
    ids=lambda part: "line" if len(part) > 40 else None,
)
def test_key_types_have_the_same_names_as_in_ssh_keygen(line: str, kind: str) -> None:
    assert kind_of(line) == kind


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", None), ("ecdsa", "384"), ("rsa", "2048")])
def test_keys_made_by_ssh_keygen_are_accepted(tmp_path: Path, kind: str, bits: str | None) -> None:
    file = tmp_path / "key"
    size = [] if bits is None else ["-b", bits]
    command = [program("ssh-keygen"), "-q", "-t", kind, *size, "-N", "", "-C", "ana@laptop", "-f", str(file)]
    subprocess.run(command, check=True)  # noqa: S603 - a fixed command that makes keys
    line = file.with_suffix(".pub").read_text()
    key = read(line)
    assert f"{key.line} {key.comment}" == line.strip()
    with pytest.raises(PrivateKey):
        read(file.read_text())


@given(
    st.text()
    | st.builds(
        lambda kind, content, rest: f"{kind} {base64.b64encode(content).decode()} {rest}",
        st.sampled_from(
            ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-dss"]
        ),
        st.binary()
        | st.lists(st.binary(max_size=40) | st.just(b"ssh-rsa") | st.just(b"ssh-ed25519")).map(
            lambda parts: b"".join(map(field, parts))
        ),
        st.text(),
    )
)
def test_any_text_results_in_a_key_or_a_mistake(line: str) -> None:
    with suppress(Mistake):
        assert read(line).line.isascii()


@given(st.data())
def test_a_damaged_key_is_refused_or_is_another_valid_key(data: st.DataObject) -> None:
    kind, encoded = public("ssh-rsa", 2048).split()
    content = bytearray(base64.b64decode(encoded))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with suppress(Mistake):
        assert read(f"{kind} {base64.b64encode(content).decode()}").line != f"{kind} {encoded}"
