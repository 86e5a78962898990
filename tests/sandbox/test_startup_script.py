"""The public keys that the sandbox finds in a startup script, without running it."""

import asyncssh
import pytest

from sandbox.compute.startup_script import key_lines


def line(kind: str = "ssh-ed25519") -> str:
    return asyncssh.generate_private_key(kind).export_public_key().decode().strip()


def found(script: str) -> list[str]:
    return list(key_lines(script))


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "echo '{}' >> /root/.ssh/authorized_keys",
        'printf "%s\\n" "{}"',
        "cat <<'END'\n{}\nEND",
        "  {} ana@laptop",
        'permit-listen="8080" {}',
        "#cloud-config\nssh_authorized_keys:\n  - {}\n",
    ],
)
def test_a_key_is_found_however_the_script_writes_it(around: str) -> None:
    key = line()
    assert found("#!/bin/sh\n" + around.format(key)) == [key]


def test_keys_of_all_kinds_are_found_in_order_and_once() -> None:
    keys = [line("ssh-rsa"), line("ecdsa-sha2-nistp256"), line()]
    assert found("#!/bin/sh\n" + "\n".join([*keys, keys[0]])) == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA!",
        "not-ssh-ed25519 " + "A" * 68,
    ],
)
def test_text_that_is_not_a_key_is_ignored(text: str) -> None:
    assert found(f"#!/bin/sh\n{text}\n") == []


def test_a_truncated_key_or_one_with_trailing_text_is_ignored() -> None:
    key = line()
    assert found(f"#!/bin/sh\n{key[:-4]}\n{key}AAAA\n") == []
