"""The probe's key is created once and kept. A file can override it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import asyncssh
import pytest

from bot.clock import Clock
from bot.errors import Unusable
from bot.lifecycle.deps import Deps
from bot.probe.key import new_probe_key, probe_key_in, stored_probe_key
from store.db import Database
from tests.lifecycle.failing import FailingStore
from tests.lifecycle.world import RULES


async def test_the_first_start_creates_the_key_and_later_ones_keep_it(database: Database, clock: Clock) -> None:
    deps = Deps(store=database, clock=clock, rules=RULES)
    first = await stored_probe_key(deps)
    # A database that can't be written must not prevent the bot from starting.
    later = await stored_probe_key(Deps(store=cast(Database, FailingStore(database)), clock=clock, rules=RULES))

    assert later.public_line == first.public_line
    assert later.secret == first.secret
    assert first.public_line.startswith("ssh-ed25519 ")
    assert len(first.public_line.split()) == 2


def test_the_private_key_is_in_no_repr() -> None:
    assert repr(new_probe_key()) == "ProbeKey()"


def test_a_key_file_created_by_ssh_keygen_is_accepted(tmp_path: Path) -> None:
    key = new_probe_key()
    file = tmp_path / "probe"
    file.write_bytes(key.private.export_private_key("openssh"))
    file.chmod(0o600)
    assert probe_key_in(file).public_line == key.public_line


NO_KEY = "the file has no private SSH key that works without a passphrase."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", NO_KEY),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHkmy/80l/J8Vxq/5V6h0thdsavQkNqRC/hhU9P+InXq", NO_KEY),
        (new_probe_key().private.export_private_key("pkcs8-pem", "with a passphrase"), NO_KEY),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", NO_KEY),
        (b"\xff\xfe", "I can't read the file: it isn't UTF-8 text."),
        (b"x" * 20_000, "I can't read the file: it is larger than 16 KiB."),
        (
            asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_private_key("openssh"),
            "the key must be an ed25519 key. Create one with: ssh-keygen -t ed25519",
        ),
    ],
    ids=["empty", "public", "encrypted", "damaged", "no text", "too large", "another kind"],
)
def test_a_file_without_a_suitable_key_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "probe"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(Unusable) as refused:
        probe_key_in(file)
    assert refused.value.words == f"GPUBOT_PROBE_KEY_FILE: {words}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_that_other_users_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "probe"
    file.write_bytes(new_probe_key().private.export_private_key("openssh"))
    file.chmod(mode)
    with pytest.raises(Unusable) as refused:
        probe_key_in(file)
    assert refused.value.words == (
        f"GPUBOT_PROBE_KEY_FILE: other users of this machine can read or write {file}. Type: chmod 600 {file}"
    )


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"No such file or directory\.$"):
        probe_key_in(tmp_path / "probe")
