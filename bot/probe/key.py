"""The probe's SSH key, one for each installation.

Machines allow whoever logs in with this key to run the probe's script, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import asyncssh

from bot.errors import Unusable
from bot.lifecycle.deps import Deps, transact
from bot.text_file import Unreadable, open_to_others, read_text
from store.db import Tx

KIND = "ssh-ed25519"
LARGEST_FILE = 16 * 1024
"""The maximum size of a key file in bytes."""


@dataclass(frozen=True)
class ProbeKey:
    """A key pair. Its repr doesn't show the private key."""

    private: asyncssh.SSHKey = field(repr=False)

    @property
    def public_line(self) -> str:
        """Return the public key without a comment: `ssh-ed25519 AAAA...`."""
        return " ".join(self.private.export_public_key("openssh").decode().split()[:2])

    @property
    def secret(self) -> bytes:
        """Return a secret of 32 bytes that is derived from the private key, and is used to hash addresses."""
        return sha256(b"gpubot: addresses" + self.private.export_private_key("pkcs8-der")).digest()


def new_probe_key() -> ProbeKey:
    """Generate a new key pair."""
    return ProbeKey(asyncssh.generate_private_key(KIND))


async def stored_probe_key(deps: Deps) -> ProbeKey:
    """Return the installation's key from the store, creating it if there is none yet.

    The key is in the store so that a bot that is restored from a backup can log in to the same machines.

    Only the first start with a new database creates the key. Later starts only read, because a database that can't
    be written must not prevent the bot from starting.
    """
    async with deps.store.read() as tx:
        known = await tx.account.probe_key()

    if known is not None:
        return _imported(known)

    async def get_or_add(tx: Tx) -> str:
        stored = await tx.account.probe_key()
        if stored is None:
            stored = new_probe_key().private.export_private_key("openssh").decode()
            await tx.account.add_probe_key(stored)
        return stored

    return _imported(await transact(deps, get_or_add))


def _imported(text: str) -> ProbeKey:
    return ProbeKey(asyncssh.import_private_key(text))


def probe_key_in(path: Path) -> ProbeKey:
    """Read the key from a file.

    The file must contain a private ed25519 key without a passphrase, and no other user of the machine may be able
    to read or write it. Otherwise, Unusable is raised with a message for the operator.
    """
    if open_to_others(path):
        raise Unusable(
            f"GPUBOT_PROBE_KEY_FILE: other users of this machine can read or write {path}. Type: chmod 600 {path}"
        )
    try:
        key = asyncssh.import_private_key(read_text(path, LARGEST_FILE))
    except Unreadable as error:
        raise Unusable(f"GPUBOT_PROBE_KEY_FILE: I can't read the file: {error}.") from None
    except ValueError:  # asyncssh's KeyImportError, or another one if the key is damaged
        raise Unusable(
            "GPUBOT_PROBE_KEY_FILE: the file has no private SSH key that works without a passphrase."
        ) from None
    if key.get_algorithm() != KIND:
        raise Unusable(
            "GPUBOT_PROBE_KEY_FILE: the key must be an ed25519 key. Create one with: ssh-keygen -t ed25519"
        )
    return ProbeKey(key)
